/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After an attempt: reports first, then records, then the story; what is recorded as failed has been reported. */
#include "queue/inside.h"
#include "queue/reply_cause.h"
#include "queue/story.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "cause/cause.h"
#include "mail/address.h"

#include <assert.h>
#include <stdlib.h>

#define RECORD_CUT   400
#define STORAGE_WAIT (5 * USEC_MIN)

static struct spool_rcpt *rcpt_of(struct attempt *a, const struct outcome *o)
{
	return &a->loaded->e.rcpts[o->rcpt];
}

static struct wall expires(const struct attempt *a)
{
	return wall_add(a->message->accepted, a->settings->conf.lifetime);
}

/* --- reports --- */

static void expire(struct attempt *a)
{
	if (wall_is_before(rt_wall(), expires(a)))
		return;
	for (size_t i = 0; i < a->n; i++)
		if (a->outcomes[i].fate == FATE_DEFERRED) {
			a->outcomes[i].fate = FATE_FAILED;
			a->outcomes[i].cause = CAUSE_EXPIRED;
		}
}

/* The report could not be stored: nothing may be final. The next hop is asked again. */
static void take_back_failures(struct attempt *a, const bool *picks, const struct err *why)
{
	for (size_t i = 0; i < a->n; i++)
		if (picks[i]) {
			a->outcomes[i].fate = FATE_DEFERRED;
			a->outcomes[i].cause = CAUSE_STORAGE;
			a->outcomes[i].wait = STORAGE_WAIT;
		}
	char id[SPOOL_ID_MAX];
	log_event(LOG_ERROR_, "notify_failed", LOG_S("id", spool_id_text(a->message->id, id)), LOG_C("error", why->text));
}

/* False: cancelled. */
static WAITS bool report_failures(struct attempt *a, struct err *err)
{
	bool *picks = arena_alloc(&a->arena, a->n * sizeof(*picks) + 1);
	bool any = false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->outcomes[i].fate != FATE_FAILED)
			continue;
		if (!notify_is_wanted(a, rcpt_of(a, &a->outcomes[i]), &picks[i], err))
			return false;
		if (!picks[i])
			a->outcomes[i].fate = FATE_KEPT;
		any = any || picks[i];
	}
	if (!any || notify_send(a, NOTICE_FAILED, picks, err))
		return true;
	if (err->kind == ERR_CANCELLED)
		return false;
	take_back_failures(a, picks, err);
	return true;
}

/* Whoever asked for it hears of success, unless the next hop tells (RFC 3461 5.2.3). */
static WAITS bool report_success(struct attempt *a, struct err *err)
{
	bool *picks = arena_alloc(&a->arena, a->n * sizeof(*picks) + 1);
	bool any = false;
	for (size_t i = 0; i < a->n; i++) {
		const struct outcome *o = &a->outcomes[i];
		picks[i] = o->fate == FATE_DELIVERED && o->is_relayed && (rcpt_of(a, o)->notify & SMTP_NOTIFY_SUCCESS);
		any = any || picks[i];
	}
	return !any || a->loaded->e.sender.n == 0 || notify_send(a, NOTICE_SUCCESS, picks, err) || err->kind != ERR_CANCELLED;
}

/* Once for a message, where NOTIFY permits or says nothing (RFC 3461 4.1). */
static WAITS bool report_delay(struct attempt *a, struct err *err)
{
	const struct queue_conf *conf = &a->settings->conf;
	struct message *m = a->message;
	bool *picks = arena_alloc(&a->arena, a->n * sizeof(*picks) + 1);
	bool any = false;
	if (m->was_noticed || !conf->delay_notice || wall_diff(rt_wall(), m->accepted) < conf->delay_notice)
		return true;
	for (size_t i = 0; i < a->n; i++) {
		unsigned notify = rcpt_of(a, &a->outcomes[i])->notify;
		picks[i] = a->outcomes[i].fate == FATE_DEFERRED && (notify == 0 || (notify & SMTP_NOTIFY_DELAY));
		any = any || picks[i];
	}
	if (!any)
		return true;
	m->was_noticed = true;
	return a->loaded->e.sender.n == 0 || notify_send(a, NOTICE_DELAYED, picks, err) || err->kind != ERR_CANCELLED;
}

/* --- records --- */

/* Recipients that were put off together for one cause come back together, in one transaction. */
static const struct outcome *companion(struct attempt *a, const struct outcome *o)
{
	for (const struct outcome *p = o; p-- > a->outcomes;)
		if (p->fate == FATE_DEFERRED)
			return p->cause == o->cause && rcpt_of(a, p)->attempts == rcpt_of(a, o)->attempts + 1u ? p : NULL;
	return NULL;
}

static void set_wait(struct attempt *a, struct outcome *o)
{
	if (o->fate != FATE_DEFERRED)
		return;
	const struct outcome *before = companion(a, o);
	if (o->wait == 0 && before)
		o->wait = before->wait;
	else if (o->wait == 0)
		o->wait = schedule_backoff(&a->settings->conf, rcpt_of(a, o)->attempts + 1u, o->cause);
	/* Who announces a time has no use for us before it. */
	usec_t announced = reply_come_back(&o->reply, rt_wall());
	if (o->wait < announced)
		o->wait = announced;
	/* One last attempt when the time is up, not one after it. */
	usec_t left = wall_diff(expires(a), rt_wall());
	if (o->wait > left)
		o->wait = left > USEC_S ? left : USEC_S;
}

static struct str record_text(struct attempt *a, const struct outcome *o)
{
	struct str text = story_reply(&a->arena, o);
	return str_slice(text, 0, RECORD_CUT);
}

static enum rcpt_state state_of(enum fate fate)
{
	static const enum rcpt_state states[] = {RCPT_QUEUED, RCPT_DELIVERED, RCPT_DEFERRED, RCPT_FAILED, RCPT_FAILED_KEPT};
	return states[fate];
}

static void update_rcpt(struct attempt *a, const struct outcome *o)
{
	struct spool_rcpt *r = rcpt_of(a, o);
	r->state = state_of(o->fate);
	r->cause = (uint8_t)o->cause;
	r->attempts++;
	r->next_attempt = o->fate == FATE_DEFERRED ? wall_add(rt_wall(), o->wait) : (struct wall){0};
	r->last_reply = record_text(a, o);
}

static void count(struct attempt *a, const struct outcome *o)
{
	struct queue *q = a->queue;
	struct message *m = a->message;
	if (o->fate != FATE_DEFERRED) {
		assert(m->open > 0);
		m->open--;
	}
	switch (o->fate) {
	case FATE_DELIVERED:
		q->counts.delivered++;
		metric_inc(q->metrics.delivered);
		metric_observe(q->metrics.delay, wall_diff(rt_wall(), m->accepted));
		break;
	case FATE_DEFERRED:
		q->counts.deferred++;
		metric_inc(q->metrics.deferred);
		break;
	case FATE_KEPT:
		m->has_kept = true;
		q->counts.kept++;
		metric_inc(q->metrics.kept);
		break;
	default:
		q->counts.failed++;
		metric_inc(q->metrics.failed);
		break;
	}
}

/* With nothing left to do the one record DONE says it all. */
static void record(struct attempt *a)
{
	struct message *m = a->message;
	usec_t due = a->rest_due;
	for (size_t i = 0; i < a->n; i++) {
		struct outcome *o = &a->outcomes[i];
		set_wait(a, o);
		update_rcpt(a, o);
		count(a, o);
		if (o->fate == FATE_DEFERRED && rt_now() + o->wait < due)
			due = rt_now() + o->wait;
		if (o->fate != FATE_DELIVERED)
			queue_message_set_reply(m, rcpt_of(a, o)->last_reply);
	}
	bool is_done = m->open == 0 && !m->has_kept;
	for (size_t i = 0; i < a->n && !is_done; i++)
		spool_note_rcpt(a->queue->deps.spool, m->id, a->outcomes[i].rcpt, rcpt_of(a, &a->outcomes[i]));
	a->job->attempts += a->n > 0;
	if (due != INT64_MAX) {
		schedule_job(a->queue, a->job, due);
	} else {
		a->job->state = JOB_FINISHED;
		dest_unref(a->job->dest);
	}
}

/* --- what others learn from it --- */

/* Whoever takes our mail exists: the best evidence there is, and nobody had to be asked. */
static void learn(struct attempt *a, const struct outcome *o)
{
	auto_arena struct arena arena = {.max = 4096};
	struct address address;
	struct err err;
	if (o->fate != FATE_DELIVERED || !a->queue->deps.verify || a->session->site->kind != SITE_SMTP)
		return;
	if (domains_is_local(a->queue->settings->domains, str_from(a->job->dest->domain)))
		return;
	if (address_parse(&arena, rcpt_of(a, o)->address, true, &address, &err))
		verify_learn_exists(a->queue->deps.verify, address_key(&arena, &address));
}

static const char *const fate_names[] = {"none", "delivered", "deferred", "failed", "kept"};

static void log_outcome(struct attempt *a, const struct outcome *o)
{
	char id[SPOOL_ID_MAX], delay[32], took[32];
	const struct spool_rcpt *r = rcpt_of(a, o);
	log_event(o->fate == FATE_FAILED || o->fate == FATE_KEPT ? LOG_WARN_ : LOG_INFO_, "deliver",
	          LOG_S("id", spool_id_text(a->message->id, id)), LOG_S("from", a->loaded->e.sender), LOG_S("to", r->address),
	          LOG_C("result", fate_names[o->fate]), LOG_S("cause", o->cause ? cause_name(o->cause) : STR_NONE),
	          LOG_S("host", o->host), LOG_S("reply", r->last_reply), LOG_I("attempt", r->attempts),
	          LOG_S("delay", duration_text(wall_diff(rt_wall(), a->message->accepted), delay)),
	          LOG_S("took", duration_text(rt_now() - a->begun, took)));
}

bool attempt_settle(struct attempt *a, struct err *err)
{
	expire(a);
	if (!report_failures(a, err) || !report_success(a, err) || !report_delay(a, err))
		return false;
	record(a);
	for (size_t i = 0; i < a->n; i++) {
		learn(a, &a->outcomes[i]);
		log_outcome(a, &a->outcomes[i]);
	}
	story_tell(a);
	return true;
}
