/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One fiber, one place at a site: takes waiting jobs one after another and keeps its connection for the next. */
#include "queue/inside.h"
#include "queue/session.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/random.h"
#include "queue/reply_cause.h"

#include <assert.h>
#include <stdlib.h>

#define BAD_FOR       (5 * USEC_MIN)
#define DIALS_MAX     10
#define FAIR_SHARE    10           /* messages of one session while other sites wait for a place */
#define CONNECT_ALL   (3 * USEC_MIN) /* all hosts of a site together */

/* --- connecting --- */

static int compare_ips(const void *a, const void *b)
{
	const struct site_ip *x = a, *y = b;
	if (x->bad_until != y->bad_until)
		return x->bad_until < y->bad_until ? -1 : 1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->host != y->host ? (x->host < y->host ? -1 : 1) : 0;
}

/* RFC 5321 5.1: by preference, equal ones at random; those that did not answer lately come last. The list is a
 * copy, because a look-up may change the site's while we dial. */
static struct site_ip *dial_order(const struct site *s)
{
	struct site_ip *ips = mem_alloc((s->n_ips + 1) * sizeof(*ips));
	memcpy(ips, s->ips, s->n_ips * sizeof(*ips));
	for (size_t i = 0; i < s->n_ips; i++)
		if (ips[i].bad_until <= rt_now())
			ips[i].bad_until = 0;
	qsort(ips, s->n_ips, sizeof(*ips), compare_ips);
	for (size_t i = 0; i < s->n_ips; i++) {
		size_t same = i;
		while (same + 1 < s->n_ips && ips[same + 1].preference == ips[i].preference &&
		       ips[same + 1].bad_until == ips[i].bad_until)
			same++;
		size_t k = i + random_below(same - i + 1);
		struct site_ip swap = ips[i];
		ips[i] = ips[k];
		ips[k] = swap;
	}
	return ips;
}

static void mark(struct site *s, struct ip ip, usec_t bad_until)
{
	for (size_t i = 0; i < s->n_ips; i++)
		if (ip_eq(s->ips[i].ip, ip))
			s->ips[i].bad_until = bad_until;
}

void queue_session_mark_bad(struct session *x)
{
	mark(x->site, x->ip, rt_now() + BAD_FOR);
}

static void no_longer_connecting(struct session *x)
{
	if (x->is_connecting)
		x->site->connecting--;
	x->is_connecting = false;
}

void queue_session_close(struct session *x)
{
	if (!x->is_open)
		return;
	x->is_open = false;
	x->site->open--;
	smtp_client_close(&x->client);
	free(x->host);
	x->host = NULL;
}

static void set_conf(struct session *x)
{
	const struct queue_conf *conf = &x->settings->conf;
	const struct site *s = x->site;
	x->conf = (struct smtp_client_conf){
		.helo = x->queue->deps.host,
		.is_lmtp = s->kind == SITE_LMTP,
		.use_tls = conf->use_tls,
		.require_tls = s->require_tls,
		.tls = x->queue->deps.tls,
	};
	if (conf->source.ip.family == 6)
		x->conf.source6 = conf->source.ip;
	else
		x->conf.source = conf->source.ip;
}

static const char *outcome_words(enum client_open outcome)
{
	switch (outcome) {
	case CLIENT_NONSENSE:
		return "does not speak SMTP";
	case CLIENT_NO_TLS:
		return "TLS is required here and not to be had";
	default:
		return "no answer";
	}
}

/* What one host's refusal means for the whole attempt; a host that spoke is worth more than one that did not. */
static void take_refusal(struct session *x, enum client_open outcome, const struct reply *said, struct arena *arena,
                         struct refusal *r)
{
	bool spoke = said->code != 0;
	r->asked++;
	r->permanent += outcome == CLIENT_REFUSED_PERM;
	if (r->reply.text.p && !spoke && r->reply.code)
		return;
	r->host = arena_str(arena, x->client.host);
	r->dialogue = arena_str(arena, buf_view(&x->client.dialogue));
	r->reply = *said;
	r->reply.text = arena_str(arena, said->text.n ? said->text : str_from(outcome_words(outcome)));
	if (!spoke)
		r->reply.enhanced = outcome == CLIENT_NO_TLS ? (struct enhanced_code){4, 7, 4} : (struct enhanced_code){4, 4, 1};
	if (spoke)
		r->cause = reply_cause(REPLY_AT_CONNECT, said);
	else
		r->cause = outcome == CLIENT_NO_TLS ? CAUSE_TLS_POLICY : CAUSE_NETWORK;
}

static WAITS bool try_host(struct session *x, const struct site_ip *at, struct arena *arena, struct refusal *r, struct err *err)
{
	struct site *s = x->site;
	enum client_open outcome;
	struct reply said;
	x->host = mem_cstr(str_from(at->host < s->n_hosts ? s->hosts[at->host] : s->name));
	bool ok = smtp_client_open(&x->client, &x->conf, str_from(x->host), at->ip, s->port, &outcome, &said, err);
	if (ok && outcome == CLIENT_READY) {
		x->is_open = x->is_first = true;
		x->ip = at->ip;
		x->messages = 0;
		s->open++;
		mark(s, at->ip, 0);
		return true;
	}
	if (ok) {
		take_refusal(x, outcome, &said, arena, r);
		mark(s, at->ip, rt_now() + BAD_FOR);
	}
	smtp_client_close(&x->client);
	free(x->host);
	x->host = NULL;
	return ok;
}

/* One host after the other: no connection, no greeting, 4xx and 5xx greetings lead to the next. Only when each
 * one that was asked refuses for good is it for good (RFC 5321 4.2.1, 4.3.2). */
bool queue_session_connect(struct session *x, struct arena *arena, struct refusal *r, struct err *err)
{
	struct site *s = x->site;
	auto_free struct site_ip *ips = dial_order(s);
	size_t n = s->n_ips < DIALS_MAX ? s->n_ips : DIALS_MAX;
	usec_t until = rt_now() + CONNECT_ALL;
	*r = (struct refusal){.cause = CAUSE_NETWORK};
	set_conf(x);
	for (size_t i = 0; i < n && !x->is_open && (i == 0 || rt_now() < until); i++)
		if (!try_host(x, &ips[i], arena, r, err))
			return false;
	no_longer_connecting(x);
	if (x->is_open) {
		site_answered(s);
		site_kick(s);
		return true;
	}
	if (r->asked == 0) {
		r->reply = (struct reply){.enhanced = {4, 4, 3}, .text = STR("none of its mail servers can be looked up now")};
		r->cause = CAUSE_RCPT_DNS;
	}
	r->is_permanent = r->asked > 0 && r->permanent == r->asked;
	return true;
}

/* --- the fiber --- */

static bool has_reason_to_stay(const struct session *x)
{
	const struct queue *q = x->queue;
	if (q->is_draining || !list_is_empty(&q->hungry) || x->site->kind == SITE_NOWHERE)
		return false;
	if (x->settings != q->settings)
		return false;
	return (x->is_open || x->site->kind == SITE_MAILDIR) && x->settings->conf.session_idle > 0;
}

/* Until the site has a job for us. The server may hang up meanwhile; that shows when we next need it. */
static WAITS bool wait_for_work(struct session *x)
{
	struct site *s = x->site;
	struct deadline d;
	struct err err;
	/* The job that it came for may have been taken by another: then nobody needs to wait for it to connect. */
	no_longer_connecting(x);
	if (!has_reason_to_stay(x))
		return false;
	list_push_back(&s->idle, &x->idle);
	list_push_back(&x->queue->idle, &x->idle_all);
	deadline_push(&d, x->settings->conf.session_idle, "idle session");
	bool ok = cond_wait(&x->work, "idle", &err);
	deadline_pop(&d);
	link_remove(&x->idle);
	link_remove(&x->idle_all);
	no_longer_connecting(x);
	if (!ok || x->is_wanted)
		return s->n_waiting > 0 && !x->is_wanted && !fiber_is_cancelled();
	if (x->is_open && stream_has_input(x->client.stream))
		queue_session_close(x); /* "421 idle too long", or the end: a new connection for the next */
	return true;
}

static bool must_give_way(const struct session *x)
{
	return x->taken >= FAIR_SHARE && !list_is_empty(&x->queue->hungry);
}

static bool is_worn_out(const struct session *x)
{
	const struct queue_conf *conf = &x->settings->conf;
	return x->client.is_lost || x->messages >= conf->session_messages ||
	       (x->client.mail_max && (uint64_t)x->messages >= x->client.mail_max);
}

static WAITS void session_end(struct session *x)
{
	struct queue *q = x->queue;
	struct site *s = x->site;
	queue_session_close(x);
	no_longer_connecting(x);
	s->sessions--;
	q->sessions--;
	queue_settings_unref(x->settings);
	free(x);
	cond_broadcast(&q->settled);
	link_remove(&s->hungry);
	if (list_is_empty(&q->hungry))
		site_kick(s);
	else if (s->n_waiting > 0) /* behind the others that wait */
		list_push_back(&q->hungry, &s->hungry);
	queue_serve_hungry(q);
}

static WAITS void session_run(void *arg)
{
	struct session *x = arg;
	struct queue *q = x->queue;
	fiber_name("delivery");
	while (!fiber_is_cancelled() && !q->is_draining) {
		struct job *job = site_take(x->site);
		if (!job) {
			if (!wait_for_work(x))
				break;
			continue;
		}
		attempt_run(x, job);
		x->taken++;
		no_longer_connecting(x);
		if (x->is_open && is_worn_out(x))
			queue_session_close(x);
		if (x->settings != q->settings || x->is_refused || must_give_way(x))
			break;
	}
	session_end(x);
}

bool queue_session_start(struct site *s)
{
	struct queue *q = s->queue;
	struct err err;
	struct session *x = mem_new(struct session);
	x->queue = q;
	x->site = s;
	x->settings = queue_settings_ref(q->settings);
	link_init(&x->idle);
	link_init(&x->idle_all);
	cond_init(&x->work);
	x->is_connecting = true;
	s->connecting++;
	s->sessions++;
	q->sessions++;
	if (group_go(q->deps.root, "delivery", session_run, x, &err))
		return true;
	s->connecting--;
	s->sessions--;
	q->sessions--;
	queue_settings_unref(x->settings);
	free(x);
	return false; /* no memory for a stack: the next job or the end of a session tries again */
}
