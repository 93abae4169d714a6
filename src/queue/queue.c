/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue as others see it: opening, adding, looking, and the operator's words. */
#include "queue/inside.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <assert.h>
#include <stdlib.h>

#define REMOVE_WAIT (30 * USEC_S)

static void register_metrics(struct queue *q)
{
	static const char name[] = "postern_deliveries_total", help[] = "Recipients after an attempt, by result";
	q->metrics.messages = metric_gauge("postern_queue_messages", NULL, NULL, "Messages in the queue");
	q->metrics.sessions = metric_gauge("postern_queue_sessions", NULL, NULL, "Sessions to next hops");
	q->metrics.delivered = metric_counter(name, "result", "delivered", help);
	q->metrics.deferred = metric_counter(name, "result", "deferred", help);
	q->metrics.failed = metric_counter(name, "result", "failed", help);
	q->metrics.kept = metric_counter(name, "result", "kept", help);
	q->metrics.dsns = metric_counter("postern_notices_total", NULL, NULL, "Reports sent to senders");
	q->metrics.reused = metric_counter("postern_sessions_reused_total", NULL, NULL,
	                                   "Transactions in a session that had one before");
	q->metrics.delay = metric_histogram("postern_delivery_delay_seconds", "From acceptance to delivery", NULL);
}

bool queue_open(const struct queue_conf *conf, const struct queue_deps *deps, struct queue **out, struct err *err)
{
	if (conf->retry_first > conf->retry_max)
		return err_perm(err, CAUSE_LOCAL_ERROR, "queue: retry_first is longer than retry_max");
	struct queue *q = mem_new(struct queue);
	q->deps = *deps;
	q->settings = queue_settings_new(conf, deps->domains);
	q->generation = 1;
	list_init(&q->messages);
	list_init(&q->lookups_waiting);
	list_init(&q->hungry);
	list_init(&q->idle);
	map_init(&q->by_id);
	map_init(&q->dests);
	map_init(&q->sites);
	cond_init(&q->changed);
	cond_init(&q->settled);
	register_metrics(q);
	*out = q;
	return true;
}

/* A report of delay went out before the restart, if there was reason for one: better none than two. */
static void take_recovered(struct queue *q, struct message *m, const struct spool_envelope *e)
{
	const struct queue_conf *conf = &q->settings->conf;
	char id[SPOOL_ID_MAX];
	m->may_be_repeat = true;
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct spool_rcpt *r = &e->rcpts[i];
		if (r->state == RCPT_DEFERRED && wall_diff(rt_wall(), e->accepted) > conf->delay_notice)
			m->was_noticed = true;
		if (r->last_reply.n && r->state != RCPT_DELIVERED)
			queue_message_set_reply(m, r->last_reply);
	}
	if (e->is_sending)
		log_event(LOG_WARN_, "in_doubt", LOG_S("id", spool_id_text(m->id, id)), LOG_S("sender", e->sender),
		          LOG_C("text", "was being sent when the last run ended; it goes once more and may arrive twice"));
}

static void start_jobs(struct queue *q, struct message *m, bool is_now)
{
	for (size_t i = 0; i < m->n_jobs; i++) {
		struct job *job = &m->jobs[i];
		if (job->state != JOB_RESTING)
			continue;
		if (is_now && job->due <= rt_now() && !m->is_on_hold)
			job_ready(job);
		else
			schedule_job(q, job, job->due);
	}
}

void queue_add(struct queue *q, struct spool_id id, const struct spool_envelope *e, const struct trail *trail, uint64_t size)
{
	assert(!queue_message_find(q, id));
	struct message *m = queue_message_new(q, id, e, size);
	if (!q->is_started)
		take_recovered(q, m, e);
	else if (!q->is_draining)
		loaded_keep_fresh(q, m, e, trail);
	start_jobs(q, m, q->is_started && !q->is_draining);
}

void queue_set_spool(struct queue *q, struct spool *spool)
{
	q->deps.spool = spool;
}

bool queue_start(struct queue *q, struct err *err)
{
	assert(q->deps.spool);
	/* Those that were through, but whose record DONE was lost with the last run. */
	list_each(l, &q->messages)
		(void)queue_message_settle(q, container_of(l, struct message, all));
	q->next_sweep = rt_now();
	q->is_started = q->has_scheduler = true;
	if (group_go(q->deps.root, "queue", schedule_run, q, err))
		return true;
	q->is_started = q->has_scheduler = false;
	return false;
}

void queue_reconfigure(struct queue *q, const struct queue_conf *conf, const struct domains *domains)
{
	queue_settings_unref(q->settings);
	q->settings = queue_settings_new(conf, domains);
	q->deps.domains = domains;
	q->generation++; /* each dest asks for its way again */
	queue_serve_hungry(q);
}

/* --- ending --- */

static void wake_everybody(struct queue *q)
{
	size_t at = 0;
	struct str key;
	void *value;
	cond_broadcast(&q->changed);
	while (map_next(&q->sites, &at, &key, &value)) {
		struct site *s = value;
		for (struct link *l; (l = list_pop_front(&s->idle));) {
			struct session *x = container_of(l, struct session, idle);
			link_remove(&x->idle_all);
			cond_signal(&x->work);
		}
	}
}

void queue_drain(struct queue *q)
{
	struct err err;
	q->is_draining = true;
	wake_everybody(q);
	while (q->sessions > 0 || q->lookups > 0 || q->has_scheduler)
		if (!cond_wait(&q->settled, "queue drains", &err))
			return;
}

void queue_close(struct queue *q)
{
	if (!q)
		return;
	assert(q->sessions == 0 && q->lookups == 0 && "the root group has ended before");
	q->is_draining = true;
	list_each(l, &q->messages)
		queue_message_free(q, container_of(l, struct message, all));
	dest_free_all(q);
	map_done(&q->by_id);
	map_done(&q->dests);
	map_done(&q->sites);
	queue_settings_unref(q->settings);
	free(q->heap);
	free(q);
}

/* --- looking --- */

static void describe(const struct message *m, struct queue_item *out)
{
	usec_t due = INT64_MAX;
	*out = (struct queue_item){.id = m->id, .sender = str_from(m->sender), .rcpts_open = m->open, .rcpts_all = m->rcpts,
		.size = m->size, .accepted = m->accepted, .is_on_hold = m->is_on_hold, .is_active = m->running > 0,
		.has_kept = m->has_kept, .last_reply = str_from(m->last_reply)};
	for (size_t i = 0; i < m->n_jobs; i++) {
		const struct job *job = &m->jobs[i];
		if (job->attempts > out->attempts)
			out->attempts = job->attempts;
		if (job->state == JOB_FINISHED)
			continue;
		if (!out->site.n)
			out->site = str_from(job->dest->site && job->dest->site->name ? job->dest->site->name : job->dest->domain);
		due = job->due < due ? job->due : due;
	}
	if (due != INT64_MAX && !m->is_on_hold)
		out->next_attempt = wall_add(rt_wall(), due > rt_now() ? due - rt_now() : 0);
}

void queue_each(struct queue *q, void (*fn)(void *arg, const struct queue_item *item), void *arg)
{
	list_each(l, &q->messages) {
		struct queue_item item;
		const struct message *m = container_of(l, struct message, all);
		if (m->is_removed)
			continue;
		describe(m, &item);
		fn(arg, &item);
	}
}

bool queue_find(struct queue *q, struct spool_id id, struct queue_item *out)
{
	const struct message *m = queue_message_find(q, id);
	if (!m || m->is_removed)
		return false;
	describe(m, out);
	return true;
}

void queue_stats(struct queue *q, struct queue_stats *out)
{
	struct queue_stats s = q->counts;
	s.on_hold = s.active = 0;
	list_each(l, &q->messages) {
		const struct message *m = container_of(l, struct message, all);
		s.on_hold += m->is_on_hold;
		s.active += m->running > 0;
	}
	struct link *first = list_first(&q->messages);
	if (first)
		s.oldest = wall_diff(rt_wall(), container_of(first, struct message, all)->accepted);
	*out = s;
}

/* --- the operator's words --- */

static struct message *must_find(struct queue *q, struct spool_id id, struct err *err)
{
	char text[SPOOL_ID_MAX];
	struct message *m = queue_message_find(q, id);
	if (m && !m->is_removed)
		return m;
	err_perm(err, CAUSE_LOCAL_ERROR, "no message %.*s in the queue", STR_ARG(spool_id_text(id, text)));
	return NULL;
}

/* Out of the heap and the lists, as if it had never been due. What runs is left to end. */
static void park_jobs(struct queue *q, struct message *m)
{
	for (size_t i = 0; i < m->n_jobs; i++) {
		struct job *job = &m->jobs[i];
		schedule_forget(q, job);
		if (job->state == JOB_WAITING)
			site_remove(job->site, job);
		link_remove(&job->link);
		if (job->state == JOB_PENDING)
			job->state = JOB_RESTING;
	}
}

bool queue_hold(struct queue *q, struct spool_id id, struct str reason, struct err *err)
{
	struct message *m = must_find(q, id, err);
	if (!m)
		return false;
	m->is_on_hold = true;
	spool_note_hold(q->deps.spool, id, true, reason);
	park_jobs(q, m);
	return true;
}

bool queue_release(struct queue *q, struct spool_id id, struct err *err)
{
	struct message *m = must_find(q, id, err);
	if (!m)
		return false;
	if (!m->is_on_hold)
		return err_perm(err, CAUSE_LOCAL_ERROR, "the message is not on hold");
	m->is_on_hold = false;
	spool_note_hold(q->deps.spool, id, false, STR_NONE);
	start_jobs(q, m, false);
	return true;
}

/* Now, whatever was planned; a site that is taken for dead gets another chance. */
static void hurry(struct queue *q, struct message *m)
{
	for (size_t i = 0; i < m->n_jobs && !m->is_on_hold; i++) {
		struct job *job = &m->jobs[i];
		if (job->state != JOB_RESTING)
			continue;
		job->is_hurried = true;
		if (job->dest->site)
			site_retry_now(job->dest->site);
		schedule_job(q, job, rt_now());
	}
}

/* What had failed for good is to be tried once more. The jobs are made anew from the envelope, as after a restart. */
static WAITS bool reopen(struct queue *q, struct spool_id id, struct err *err)
{
	struct spool_envelope e;
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	if (!spool_read_envelope(q->deps.spool, id, &arena, &e, err))
		return false;
	struct message *old = must_find(q, id, err);
	if (!old || old->running || !old->has_kept)
		return old != NULL; /* others were at it meanwhile */
	for (size_t i = 0; i < e.n_rcpts; i++) {
		struct spool_rcpt *r = &e.rcpts[i];
		if (r->state != RCPT_FAILED_KEPT)
			continue;
		r->state = RCPT_DEFERRED;
		r->next_attempt = rt_wall();
		spool_note_rcpt(q->deps.spool, id, i, r);
	}
	struct link *next = old->all.next;
	uint64_t size = old->size;
	bool was_noticed = old->was_noticed;
	auto_free char *reply = old->last_reply;
	old->last_reply = NULL;
	queue_message_free(q, old);
	struct message *m = queue_message_new(q, id, &e, size);
	link_remove(&m->all);
	link_insert_before(next, &m->all);
	m->was_noticed = was_noticed;
	queue_message_set_reply(m, str_from(reply));
	start_jobs(q, m, false);
	return true;
}

bool queue_retry(struct queue *q, struct spool_id id, struct err *err)
{
	if (id.n == 0) {
		list_each(l, &q->messages)
			hurry(q, container_of(l, struct message, all));
		return true;
	}
	struct message *m = must_find(q, id, err);
	if (!m)
		return false;
	if (m->is_on_hold)
		return err_perm(err, CAUSE_LOCAL_ERROR, "the message is on hold: release it");
	if (m->has_kept && !m->running && !reopen(q, id, err))
		return false;
	if (!(m = must_find(q, id, err)))
		return false;
	hurry(q, m);
	return true;
}

/* Sessions that work on it end first: what they find out is of no interest any more, but the message is theirs. */
static WAITS bool wait_until_quiet(struct queue *q, struct message *m, struct err *err)
{
	struct deadline d;
	bool ok = true;
	deadline_push(&d, REMOVE_WAIT, "the delivery under way");
	while (ok && m->running > 0)
		ok = cond_wait(&q->settled, "delivery under way", err);
	deadline_pop(&d);
	return ok;
}

bool queue_remove(struct queue *q, struct spool_id id, struct err *err)
{
	struct message *m = must_find(q, id, err);
	if (!m)
		return false;
	m->is_removed = true;
	park_jobs(q, m);
	if (!wait_until_quiet(q, m, err) || !spool_remove(q->deps.spool, id, err)) {
		m->is_removed = false;
		if (!queue_message_settle(q, m))
			start_jobs(q, m, false);
		return false;
	}
	queue_message_free(q, m);
	return true;
}
