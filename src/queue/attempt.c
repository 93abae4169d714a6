/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt at one job: the envelope, the conversation or the mailbox, and a fate for each recipient. */
#include "queue/inside.h"
#include "queue/session.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "client/maildir.h"
#include "mail/header.h"
#include "queue/reply_cause.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH        100           /* RFC 5321 4.5.3.1.8: every server takes so many */
#define ROUNDS_MAX   64
#define RECONNECTS   3
#define TOGETHER     (30 * USEC_S) /* what is due within this goes along */
#define STORAGE_WAIT (5 * USEC_MIN)
#define REFUSED_WAIT USEC_MIN

/* --- who is to be served --- */

size_t attempt_choose(struct attempt *a)
{
	const struct spool_envelope *e = &a->loaded->e;
	struct wall soon = wall_add(rt_wall(), TOGETHER);
	a->outcomes = arena_alloc(&a->arena, e->n_rcpts * sizeof(*a->outcomes) + 1);
	a->rest_due = INT64_MAX;
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct spool_rcpt *r = &e->rcpts[i];
		if (!rcpt_is_open(r) || (a->message->n_jobs > 1 && !queue_message_is_for(a->job, r->address)))
			continue;
		if (!a->job->is_hurried && wall_is_before(soon, r->next_attempt)) {
			usec_t due = rt_now() + wall_diff(r->next_attempt, rt_wall());
			a->rest_due = due < a->rest_due ? due : a->rest_due;
			continue;
		}
		a->outcomes[a->n++] = (struct outcome){.rcpt = i};
	}
	return a->n;
}

/* --- fates --- */

static enum reply_stage reply_stage(enum stage stage)
{
	switch (stage) {
	case STAGE_CONNECT:
		return REPLY_AT_CONNECT;
	case STAGE_HELLO:
		return REPLY_AT_HELLO;
	case STAGE_MAIL:
		return REPLY_AT_MAIL;
	case STAGE_DATA:
		return REPLY_AT_DATA;
	default:
		return REPLY_AT_RCPT;
	}
}

/* RFC 5321 4.5.3.1.10: 552 for too many recipients is what others say with 452. */
static bool is_batch_limit(const struct outcome *o)
{
	return o->cause == CAUSE_BATCH_LIMIT && o->stage == STAGE_RCPT;
}

static void decide(struct outcome *o, enum stage stage, const struct reply *r, enum cause_id cause, struct str host)
{
	o->stage = stage;
	o->reply = *r;
	o->cause = cause;
	o->host = host;
	if (r->code >= 500 && !(r->code == 552 && is_batch_limit(o)))
		o->fate = FATE_FAILED;
	else
		o->fate = FATE_DEFERRED;
}

void outcome_decide(struct attempt *a, struct outcome *o, enum stage stage, const struct reply *r, struct str host)
{
	struct reply kept = *r;
	kept.text = arena_str(&a->arena, r->text);
	if (r->code >= 200 && r->code < 300) {
		*o = (struct outcome){.rcpt = o->rcpt, .fate = FATE_DELIVERED, .stage = stage, .reply = kept, .host = host};
		return;
	}
	decide(o, stage, &kept, reply_cause(reply_stage(stage), r), host);
}

void attempt_decide_rest(struct attempt *a, enum stage stage, const struct reply *r, enum cause_id cause, struct str host)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->outcomes[i].fate == FATE_NONE)
			decide(&a->outcomes[i], stage, r, cause, host);
}

static void decide_rest_here(struct attempt *a, enum stage stage, uint16_t subject, uint16_t detail, enum cause_id cause,
                             struct str text, struct str host)
{
	struct reply r = {.enhanced = {4, subject, detail}, .text = text};
	attempt_decide_rest(a, stage, &r, cause, host);
}

static size_t undecided(const struct attempt *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n; i++)
		n += a->outcomes[i].fate == FATE_NONE;
	return n;
}

/* --- the message as it is read --- */

static WAITS bool read_message(void *arg, uint64_t offset, void *out, size_t n, size_t *got, struct err *err)
{
	struct attempt *a = arg;
	return spool_read(a->queue->deps.spool, a->message->id, offset, out, n, got, err);
}

static void note_sending(void *arg)
{
	struct attempt *a = arg;
	spool_note_sending(a->queue->deps.spool, a->message->id);
}

static struct deliver_job transaction(struct attempt *a)
{
	const struct spool_envelope *e = &a->loaded->e;
	return (struct deliver_job){
		.sender = e->sender,
		.envid = e->envid,
		.ret = (enum smtp_ret)e->ret,
		.body = (enum smtp_body)e->body,
		.smtputf8 = e->smtputf8,
		.size = a->message->size,
		.may_be_repeat = a->message->may_be_repeat || a->job->attempts > 0,
		.read = read_message,
		.arg = a,
	};
}

/* --- SMTP and LMTP --- */

/* The next recipients without a fate, at most a batch; *index leads back to their outcomes. */
static void fill_batch(struct attempt *a, struct deliver_job *job, struct deliver_rcpt *rcpts, size_t *index)
{
	job->rcpts = rcpts;
	job->n = 0;
	for (size_t i = 0; i < a->n && job->n < BATCH; i++) {
		if (a->outcomes[i].fate != FATE_NONE)
			continue;
		const struct spool_rcpt *r = &a->loaded->e.rcpts[a->outcomes[i].rcpt];
		index[job->n] = i;
		rcpts[job->n++] = (struct deliver_rcpt){.address = r->address, .orcpt = r->orcpt, .notify = r->notify};
	}
}

/* Somebody has to tell a sender who asked for it, and this host cannot. */
static bool must_relay_notice(const struct smtp_client *c)
{
	return c->conf->is_lmtp || !c->has_dsn;
}

static size_t take_answers(struct attempt *a, const struct deliver_job *job, const size_t *index)
{
	const struct smtp_client *c = &a->session->client;
	struct str host = arena_str(&a->arena, c->host);
	size_t delivered = 0, answered = 0;
	for (size_t i = 0; i < job->n; i++) {
		const struct deliver_rcpt *r = &job->rcpts[i];
		struct outcome *o = &a->outcomes[index[i]];
		if (!r->is_answered)
			continue;
		answered++;
		outcome_decide(a, o, r->is_data_stage ? STAGE_DATA : STAGE_RCPT, &r->reply, host);
		o->is_relayed = r->is_delivered && must_relay_notice(c);
		delivered += r->is_delivered;
	}
	/* The host took a part and wants the others in a transaction of their own: it has them at once. */
	for (size_t i = 0; i < job->n && delivered > 0; i++)
		if (is_batch_limit(&a->outcomes[index[i]]))
			a->outcomes[index[i]] = (struct outcome){.rcpt = a->outcomes[index[i]].rcpt};
	return answered;
}

static void keep_dialogue(struct attempt *a)
{
	const struct buf *d = &a->session->client.dialogue;
	if (d->n)
		a->dialogue = arena_str(&a->arena, buf_view(d));
}

/* The conversation broke. *again: a new connection may do better. */
static bool take_break(struct attempt *a, const struct deliver_job *job, bool was_reused, const struct err *why, bool *again)
{
	struct session *x = a->session;
	struct str host = arena_str(&a->arena, x->client.host);
	struct str text = arena_str(&a->arena, str_from(why->text));
	*again = false;
	if (why->kind == ERR_CANCELLED)
		return false;
	if (why->cause == CAUSE_STORAGE) {
		decide_rest_here(a, STAGE_HERE, 3, 0, CAUSE_STORAGE, text, STR_NONE);
		return true;
	}
	if (job->is_in_doubt || job->is_sent) {
		text = arena_printf(&a->arena, "conversation lost behind the end of data, a duplicate is possible: %s", why->text);
		decide_rest_here(a, STAGE_DATA, 4, 2, CAUSE_NETWORK, text, host);
		return true;
	}
	/* A server may end an idle session at any time (RFC 5321 4.5.3.2.7): that is no failure. */
	if (!was_reused)
		queue_session_mark_bad(x);
	*again = true;
	a->lost = arena_printf(&a->arena, "conversation lost: %s", why->text);
	a->lost_host = host;
	return true;
}

static WAITS bool one_transaction(struct attempt *a, bool *again, struct err *err)
{
	struct session *x = a->session;
	bool was_reused = !x->is_first;
	auto_free struct deliver_rcpt *rcpts = mem_alloc(BATCH * sizeof(*rcpts));
	auto_free size_t *index = mem_alloc(BATCH * sizeof(*index));
	struct deliver_job job = transaction(a);
	job.before_dot = note_sending;
	fill_batch(a, &job, rcpts, index);
	x->is_first = false;
	x->messages++;
	smtp_client_forget(&x->client);
	if (was_reused)
		metric_inc(a->queue->metrics.reused);
	bool ok = deliver_run(&x->client, &job, err);
	size_t answered = take_answers(a, &job, index);
	if (ok && answered == 0)
		ok = err_temp(err, CAUSE_PROTOCOL, "nothing was answered");
	*again = ok;
	if (!ok || undecided(a) || a->n > 1 || a->outcomes[0].fate != FATE_DELIVERED)
		keep_dialogue(a);
	if (!ok && !take_break(a, &job, was_reused, err, again))
		return false;
	if (!ok || x->client.is_lost)
		queue_session_close(x);
	return true;
}

/* Nobody would have us. If other sessions to this site are open, it only takes no more of them: the job goes
 * back to its place and waits for one of those; and while others still knock, the last of them decides. */
static bool take_refusal(struct attempt *a, const struct refusal *r)
{
	struct site *s = a->session->site;
	if ((s->open > 0 || s->connecting > 0) && !r->is_permanent) {
		s->no_dial_until = rt_now() + REFUSED_WAIT;
		a->session->is_refused = a->is_put_back = true;
		return true;
	}
	if (r->dialogue.n)
		a->dialogue = r->dialogue;
	attempt_decide_rest(a, STAGE_CONNECT, &r->reply, r->cause, r->host);
	if (!r->is_permanent)
		site_failed(s, arena_printf(&a->arena, "%.*s: %.*s", STR_ARG(r->host), STR_ARG(r->reply.text)));
	return true;
}

static WAITS bool need_connection(struct attempt *a, struct err *err)
{
	struct session *x = a->session;
	struct site *s = x->site;
	struct refusal r;
	if (x->is_open)
		return true;
	if (s->down_until > rt_now()) {
		decide_rest_here(a, STAGE_CONNECT, 4, 1, CAUSE_NETWORK,
		                 arena_str(&a->arena, s->down_reply ? str_from(s->down_reply) : STR("not reachable")), STR_NONE);
		return true;
	}
	return queue_session_connect(x, &a->arena, &r, err) && (x->is_open || take_refusal(a, &r));
}

static WAITS bool converse(struct attempt *a, struct err *err)
{
	unsigned reconnects = 0;
	for (unsigned round = 0; undecided(a) && !a->is_put_back && round < ROUNDS_MAX; round++) {
		bool was_open = a->session->is_open, again = true;
		if (!was_open && round > 0 && reconnects++ == RECONNECTS)
			break;
		if (!need_connection(a, err))
			return false;
		if (!a->session->is_open || fiber_is_cancelled())
			continue;
		if (!one_transaction(a, &again, err))
			return false;
		if (!again)
			break;
	}
	if (undecided(a) && !a->is_put_back)
		decide_rest_here(a, STAGE_RCPT, 4, 2, CAUSE_NETWORK, a->lost.n ? a->lost : STR("conversation lost"), a->lost_host);
	return true;
}

/* --- the other kinds of site --- */

static WAITS bool into_maildirs(struct attempt *a, struct err *err)
{
	char id[SPOOL_ID_MAX];
	struct str unique = spool_id_text(a->message->id, id);
	auto_buf struct buf prefix;
	buf_init(&prefix, 2048);
	header_return_path(&prefix, a->loaded->e.sender);
	for (size_t i = 0; i < a->n; i++) {
		struct outcome *o = &a->outcomes[i];
		struct deliver_job job = transaction(a);
		struct reply r = {.code = 250, .enhanced = {2, 0, 0}, .text = STR("delivered to Maildir")};
		job.prefix = buf_view(&prefix);
		if (maildir_deliver(a->session->site->maildir, a->loaded->e.rcpts[o->rcpt].address, unique, &job, err)) {
			outcome_decide(a, o, STAGE_HERE, &r, STR_NONE);
			o->is_relayed = true;
			continue;
		}
		if (err->kind == ERR_CANCELLED)
			return false;
		r = (struct reply){.code = err->is_temporary ? 451 : 550, .enhanced = {err->is_temporary ? 4 : 5, 2, 0},
			.text = arena_str(&a->arena, str_from(err->text))};
		decide(o, STAGE_HERE, &r, err->cause, STR_NONE);
	}
	return true;
}

static WAITS bool carry_out(struct attempt *a, struct err *err)
{
	const struct site *s = a->session->site;
	switch (s->kind) {
	case SITE_MAILDIR:
		return into_maildirs(a, err);
	case SITE_NOWHERE: {
		struct reply verdict = s->verdict;
		verdict.text = arena_str(&a->arena, verdict.text);
		attempt_decide_rest(a, STAGE_HERE, &verdict, s->verdict_cause, STR_NONE);
		return true;
	}
	default:
		return converse(a, err);
	}
}

/* --- the whole --- */

/* What cannot be read now is looked at again in a while; nothing is known of its recipients. */
static void put_off(struct attempt *a, const struct err *why)
{
	char id[SPOOL_ID_MAX];
	log_event(LOG_ERROR_, "queue_unreadable", LOG_S("id", spool_id_text(a->message->id, id)), LOG_C("error", why->text));
	schedule_job(a->queue, a->job, rt_now() + (why->is_temporary ? STORAGE_WAIT : a->settings->conf.retry_max));
}

static void put_back(struct attempt *a)
{
	struct site *s = a->session->site;
	a->job->state = JOB_WAITING;
	a->job->site = s;
	a->job->was_tried = false;
	list_push_front(&s->waiting, &a->job->link);
	s->n_waiting++;
}

static WAITS void carry_and_settle(struct attempt *a)
{
	struct err err;
	a->loaded = loaded_get(a->queue, a->job, &err);
	if (!a->loaded) {
		if (err.kind != ERR_CANCELLED)
			put_off(a, &err);
		return;
	}
	size_t n = attempt_choose(a);
	a->job->is_hurried = false;
	bool ok = n == 0 || carry_out(a, &err);
	if (ok && a->is_put_back)
		put_back(a);
	else if (ok)
		(void)attempt_settle(a, &err);
}

void attempt_run(struct session *x, struct job *job)
{
	struct message *m = job->message;
	struct queue *q = x->queue;
	struct attempt a = {.queue = q, .session = x, .job = job, .message = m, .settings = x->settings, .begun = rt_now()};
	if (m->is_on_hold || m->is_removed) {
		job->state = JOB_RESTING;
		return;
	}
	arena_init(&a.arena, SIZE_MAX); /* bounded by the recipients and one dialogue */
	job->state = JOB_RUNNING;
	m->running++;
	carry_and_settle(&a);
	m->running--;
	if (job->state == JOB_RUNNING) /* cancelled: the spool remembers */
		job->state = JOB_RESTING;
	loaded_unref(q, a.loaded);
	arena_done(&a.arena);
	(void)queue_message_settle(q, m);
}
