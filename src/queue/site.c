/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites: the jobs that wait for a session, how many sessions there may be, and what a dead site means. */
#include "queue/inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <stdlib.h>

#define DOWN_FIRST   USEC_MIN
#define DOWN_MAX     (15 * USEC_MIN)
#define DIAL_PAUSE   USEC_MIN

struct site *site_get(struct queue *q, struct str key, enum site_kind kind)
{
	struct site *s = map_get(&q->sites, key);
	if (s)
		return s;
	s = mem_new(struct site);
	s->key = mem_cstr(key);
	s->queue = q;
	s->kind = kind;
	s->limit = 1;
	list_init(&s->waiting);
	list_init(&s->idle);
	link_init(&s->hungry);
	map_put(&q->sites, key, s);
	return s;
}

static void free_hosts(struct site *s)
{
	for (size_t i = 0; i < s->n_hosts; i++)
		free(s->hosts[i]);
	free(s->hosts);
	free(s->ips);
	free(s->name);
	s->hosts = NULL;
	s->ips = NULL;
	s->name = NULL;
	s->n_hosts = s->n_ips = 0;
}

void site_free(struct site *s)
{
	assert(list_is_empty(&s->waiting) && s->sessions == 0 && s->dests == 0);
	map_remove(&s->queue->sites, str_from(s->key));
	link_remove(&s->hungry);
	free_hosts(s);
	free(s->verdict_text);
	free(s->down_reply);
	free(s->key);
	free(s);
}

bool site_is_idle(const struct site *s)
{
	return s->dests == 0 && s->sessions == 0 && s->n_waiting == 0 && s->down_until <= rt_now();
}

/* What is known to be bad stays so across a new look-up. */
static usec_t bad_until(const struct site_ip *old, size_t n, struct ip ip)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(old[i].ip, ip))
			return old[i].bad_until;
	return 0;
}

void site_set_hosts(struct site *s, const struct mx_host *hosts, size_t n, struct str name)
{
	struct site_ip *ips = mem_alloc(SITE_IPS_MAX * sizeof(*ips));
	char **names = mem_alloc((n + 1) * sizeof(*names));
	size_t n_ips = 0;
	for (size_t i = 0; i < n; i++) {
		names[i] = mem_cstr(hosts[i].name);
		for (size_t k = 0; k < hosts[i].n_ips && n_ips < SITE_IPS_MAX; k++)
			ips[n_ips++] = (struct site_ip){hosts[i].ips[k], (uint16_t)i, hosts[i].preference,
				bad_until(s->ips, s->n_ips, hosts[i].ips[k])};
	}
	char *copy = mem_cstr(name);
	free_hosts(s);
	s->hosts = names;
	s->n_hosts = n;
	s->ips = ips;
	s->n_ips = n_ips;
	s->name = copy;
}

/* --- sessions --- */

/* All places are taken: the session that has been idle longest gives its own up, if there is one. */
static void ask_for_place(struct site *s)
{
	struct queue *q = s->queue;
	if (!link_is_in_list(&s->hungry))
		list_push_back(&q->hungry, &s->hungry);
	struct link *l = list_first(&q->idle);
	if (!l)
		return;
	struct session *x = container_of(l, struct session, idle_all);
	link_remove(&x->idle);
	link_remove(&x->idle_all);
	x->is_wanted = true;
	cond_signal(&x->work);
}

/* While a site has not answered since it failed, one session asks for all. */
static bool may_open_session(const struct site *s)
{
	int64_t limit = s->failures ? 1 : s->limit;
	if (s->sessions >= limit || s->n_waiting <= s->connecting)
		return false;
	return s->sessions == 0 || s->no_dial_until <= rt_now();
}

/* A session that has been woken counts as connecting until it has taken its job, or every event until then would
 * open another one. */
static void wake_idle(struct site *s)
{
	struct session *x = container_of(list_pop_front(&s->idle), struct session, idle);
	link_remove(&x->idle_all);
	assert(!x->is_connecting);
	x->is_connecting = true;
	s->connecting++;
	cond_signal(&x->work);
}

void site_kick(struct site *s)
{
	struct queue *q = s->queue;
	if (q->is_draining)
		return;
	while (s->n_waiting > s->connecting && !list_is_empty(&s->idle))
		wake_idle(s);
	while (may_open_session(s)) {
		if (q->sessions >= (unsigned)q->settings->conf.concurrency) {
			ask_for_place(s);
			return;
		}
		if (!queue_session_start(s))
			return;
	}
}

void queue_serve_hungry(struct queue *q)
{
	while (q->sessions < (unsigned)q->settings->conf.concurrency && !q->is_draining) {
		struct link *l = list_pop_front(&q->hungry);
		if (!l)
			return;
		site_kick(container_of(l, struct site, hungry));
	}
}

/* --- jobs --- */

static void rest(struct site *s, struct job *job)
{
	/* Spread, so that a site that comes back is not met by all of them in one second. */
	usec_t spread = (usec_t)random_below(10 * USEC_S + (uint64_t)s->failures * 20 * USEC_S);
	if (s->down_reply)
		queue_message_set_reply(job->message, str_from(s->down_reply));
	schedule_job(s->queue, job, s->down_until + spread);
}

/* A job that has something to tell its sender is let through to a dead site: its attempt dials nobody. */
static bool has_news(const struct job *job)
{
	const struct queue_conf *conf = &job->dest->queue->settings->conf;
	const struct message *m = job->message;
	usec_t age = wall_diff(rt_wall(), m->accepted);
	return age >= conf->lifetime || (conf->delay_notice && age >= conf->delay_notice && !m->was_noticed);
}

void site_add(struct site *s, struct job *job)
{
	if (s->down_until > rt_now() && !has_news(job)) {
		rest(s, job);
		return;
	}
	job->state = JOB_WAITING;
	job->site = s;
	list_push_back(&s->waiting, &job->link);
	s->n_waiting++;
	site_kick(s);
}

struct job *site_take(struct site *s)
{
	struct link *l = list_pop_front(&s->waiting);
	if (!l)
		return NULL;
	s->n_waiting--;
	return container_of(l, struct job, link);
}

void site_remove(struct site *s, struct job *job)
{
	assert(job->state == JOB_WAITING && s->n_waiting > 0);
	link_remove(&job->link);
	s->n_waiting--;
	job->state = JOB_RESTING;
}

/* --- dead and alive --- */

void site_answered(struct site *s)
{
	if (s->failures)
		log_event(LOG_INFO_, "site_up", LOG_C("site", s->name));
	s->failures = 0;
	s->down_until = 0;
	free(s->down_reply);
	s->down_reply = NULL;
}

void site_failed(struct site *s, struct str reply)
{
	usec_t down = DOWN_FIRST << (s->failures < 4 ? s->failures : 4);
	char took[32];
	if (down > DOWN_MAX)
		down = DOWN_MAX;
	char *copy = mem_cstr(str_slice(reply, 0, 300));
	free(s->down_reply);
	s->down_reply = copy;
	s->failures++;
	s->down_until = rt_now() + random_jitter(down, 0.1);
	log_event(LOG_WARN_, "site_down", LOG_C("site", s->name), LOG_C("reply", s->down_reply),
	          LOG_S("pause", duration_text(down, took)), LOG_I("waiting", (int64_t)s->n_waiting));
	struct list waiting;
	list_init(&waiting);
	for (struct job *job; (job = site_take(s));)
		list_push_back(&waiting, &job->link);
	for (struct link *l; (l = list_pop_front(&waiting));)
		rest(s, container_of(l, struct job, link));
}

void site_retry_now(struct site *s)
{
	s->down_until = s->no_dial_until = 0;
	for (size_t i = 0; i < s->n_ips; i++)
		s->ips[i].bad_until = 0;
}
