/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One transaction: envelope, content, and what became of each recipient. */
#include "client/deliver.h"

#include "base/auto.h"
#include "base/mem.h"
#include "client/crlf.h"
#include "client/deliver_check.h"
#include "smtp/dot.h"

#include <assert.h>

#define WINDOW        100           /* recipients in one flight; their replies fit any socket buffer (RFC 2920 3.1) */
#define ONE_FLIGHT    (32u * 1024)  /* messages up to this go out with their envelope */
#define PIECE         (64u * 1024)
#define DATA_START    (2 * USEC_MIN)  /* RFC 5321 4.5.3.2.4 to .6 */
#define DATA_BLOCK    (3 * USEC_MIN)
#define DATA_END      (10 * USEC_MIN)

struct delivery {
	struct smtp_client *c;
	struct deliver_job *job;
	struct str sender;   /* as this host understands it */
	struct str *rcpts;
	size_t n;            /* recipients of this transaction: the first n of the job's */
	bool *is_asked, *is_taken;
	size_t taken;
	bool needs_reset;    /* the server is left inside a transaction */
};

static usec_t or_default(usec_t configured, usec_t rfc)
{
	return configured ? configured : rfc;
}

/* --- the lines of the envelope --- */

static WAITS void send_mail(struct delivery *d)
{
	const struct deliver_job *job = d->job;
	struct smtp_client *c = d->c;
	struct buf p;
	buf_init(&p, 1024);
	if (c->has_size)
		buf_printf(&p, " SIZE=%llu", (unsigned long long)job->size + job->prefix.n);
	if (c->has_8bitmime && job->body == SMTP_BODY_8BITMIME)
		buf_str(&p, STR(" BODY=8BITMIME"));
	if (c->has_smtputf8 && job->smtputf8)
		buf_str(&p, STR(" SMTPUTF8"));
	if (c->has_dsn && job->ret != SMTP_RET_NONE)
		buf_str(&p, job->ret == SMTP_RET_FULL ? STR(" RET=FULL") : STR(" RET=HDRS"));
	if (c->has_dsn && job->envid.n) {
		buf_str(&p, STR(" ENVID="));
		smtp_xtext_encode(&p, job->envid);
	}
	smtp_client_send(c, "MAIL", "MAIL FROM:<%.*s>%.*s", STR_ARG(d->sender), STR_ARG(buf_view(&p)));
	buf_done(&p);
}

static void add_notify(struct buf *p, unsigned notify)
{
	static const struct { unsigned bit; const char *name; } names[] = {
		{SMTP_NOTIFY_SUCCESS, "SUCCESS"}, {SMTP_NOTIFY_FAILURE, "FAILURE"}, {SMTP_NOTIFY_DELAY, "DELAY"}};
	if (notify & SMTP_NOTIFY_NEVER) {
		buf_str(p, STR(" NOTIFY=NEVER"));
		return;
	}
	const char *separator = " NOTIFY=";
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (notify & names[i].bit) {
			buf_printf(p, "%s%s", separator, names[i].name);
			separator = ",";
		}
}

static WAITS void send_rcpt(struct delivery *d, size_t i)
{
	const struct deliver_rcpt *rcpt = &d->job->rcpts[i];
	d->is_asked[i] = true;
	if (!d->c->has_dsn || (!rcpt->notify && !rcpt->orcpt.n)) {
		smtp_client_send(d->c, "RCPT", "RCPT TO:<%.*s>", STR_ARG(d->rcpts[i]));
		return;
	}
	struct buf p;
	buf_init(&p, 1024);
	add_notify(&p, rcpt->notify);
	if (rcpt->orcpt.n)
		buf_printf(&p, " ORCPT=%.*s", STR_ARG(rcpt->orcpt));
	smtp_client_send(d->c, "RCPT", "RCPT TO:<%.*s>%.*s", STR_ARG(d->rcpts[i]), STR_ARG(buf_view(&p)));
	buf_done(&p);
}

/* --- their answers --- */

static void take_rcpt_reply(struct delivery *d, size_t i, const struct reply *r)
{
	struct deliver_rcpt *rcpt = &d->job->rcpts[i];
	if (r->code >= 200 && r->code < 300) {
		d->is_taken[i] = true;
		d->taken++;
		return;
	}
	rcpt->is_answered = true;
	rcpt->reply = *r;
}

/* The server has said 421: it speaks for everybody who is left. */
static bool was_told_off(struct delivery *d, const struct reply *r, bool is_data_stage)
{
	if (!d->c->is_lost || r->code != 421)
		return false;
	deliver_answer_all(d->job, r, is_data_stage);
	return true;
}

static WAITS bool read_rcpt_replies(struct delivery *d, size_t from, size_t to, bool counts, struct err *err)
{
	struct reply r;
	for (size_t i = from; i < to; i++) {
		if (!d->is_asked[i])
			continue;
		if (!smtp_client_reply(d->c, 0, &r, err))
			return false;
		if (counts)
			take_rcpt_reply(d, i, &r);
		if (was_told_off(d, &r, false))
			return true;
	}
	return true;
}

static bool nonsense(struct delivery *d, const char *where, int code, struct err *err)
{
	d->c->is_lost = true;
	return err_temp(err, CAUSE_PROTOCOL, "%.*s answered %d to %s", STR_ARG(d->c->host), code, where);
}

/* Final answers for all that were taken at RCPT. */
static void answer_taken(struct delivery *d, const struct reply *r)
{
	for (size_t i = 0; i < d->n; i++) {
		struct deliver_rcpt *rcpt = &d->job->rcpts[i];
		if (!d->is_taken[i] || rcpt->is_answered)
			continue;
		rcpt->is_answered = rcpt->is_data_stage = true;
		rcpt->is_delivered = r->code >= 200 && r->code < 300;
		rcpt->reply = *r;
	}
}

static bool was_delivered(const struct delivery *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->job->rcpts[i].is_delivered)
			return true;
	return false;
}

/* LMTP says it for each recipient (RFC 2033 4.2), SMTP once for all. */
static WAITS bool read_final_replies(struct delivery *d, struct err *err)
{
	usec_t within = or_default(d->c->conf->data_end, DATA_END);
	struct reply r;
	bool is_lmtp = d->c->conf->is_lmtp;
	for (size_t i = 0; i < (is_lmtp ? d->n : 1); i++) {
		if (is_lmtp && !d->is_taken[i])
			continue;
		if (!smtp_client_reply(d->c, within, &r, err)) {
			d->job->is_in_doubt = true;
			return false;
		}
		if (r.code >= 300 && r.code < 400)
			return nonsense(d, "the end of data", r.code, err);
		bool was_taken = is_lmtp && d->is_taken[i];
		if (was_taken) {
			struct deliver_rcpt *rcpt = &d->job->rcpts[i];
			rcpt->is_answered = rcpt->is_data_stage = true;
			rcpt->is_delivered = r.code < 300;
			rcpt->reply = r;
		}
		if (!is_lmtp || d->c->is_lost)
			answer_taken(d, &r);
		if (d->c->is_lost)
			break;
	}
	return true;
}

/* --- the content --- */

static bool unreadable(struct delivery *d)
{
	d->c->is_lost = true; /* without the final dot the server throws away what it has */
	smtp_client_note(d->c, "the message could not be read: broken off");
	return false;
}

static WAITS bool read_piece(struct delivery *d, uint64_t at, char *piece, size_t n, size_t *got, struct err *err)
{
	const struct deliver_job *job = d->job;
	if (job->size - at < n)
		n = (size_t)(job->size - at);
	if (!job->read(job->arg, at, piece, n, got, err))
		return false;
	if (*got == 0)
		return err_temp(err, CAUSE_STORAGE, "the message ends after %llu of %llu bytes", (unsigned long long)at,
		                (unsigned long long)job->size);
	return true;
}

static void before_dot(struct delivery *d)
{
	if (d->job->before_dot)
		d->job->before_dot(d->job->arg);
	d->job->is_sent = true;
}

/* DATA's content, the final dot with the last piece. */
static WAITS bool send_content(struct delivery *d, struct err *err)
{
	struct deliver_job *job = d->job;
	size_t piece_size = job->size < PIECE ? (size_t)job->size + 1 : PIECE;
	usec_t within = or_default(d->c->conf->data_block, DATA_BLOCK);
	auto_free char *piece = mem_alloc(piece_size);
	auto_buf struct buf out;
	struct dot_writer w;
	buf_init(&out, 8 * (size_t)PIECE + job->prefix.n * 3);
	dot_writer_init(&w);
	dot_writer_feed(&w, job->prefix, &out);
	for (uint64_t at = 0; at < job->size;) {
		size_t got = 0;
		if (!read_piece(d, at, piece, piece_size, &got, err))
			return unreadable(d);
		dot_writer_feed(&w, (struct str){piece, got}, &out);
		at += got;
		if (at == job->size)
			break;
		if (!smtp_client_write(d->c, buf_view(&out), within, err))
			return false;
		buf_clear(&out);
	}
	dot_writer_finish(&w, &out);
	assert(buf_ok(&out));
	before_dot(d);
	return smtp_client_write(d->c, buf_view(&out), within, err);
}

/* The whole message with its line ends made right, for one BDAT. */
static WAITS bool load_chunk(struct delivery *d, struct buf *out, struct err *err)
{
	struct deliver_job *job = d->job;
	auto_free char *piece = mem_alloc((size_t)job->size + 1);
	struct crlf w;
	crlf_init(&w, STR("\r\n"));
	crlf_feed(&w, job->prefix, out);
	for (uint64_t at = 0; at < job->size;) {
		size_t got = 0;
		if (!read_piece(d, at, piece, (size_t)job->size, &got, err))
			return false;
		crlf_feed(&w, (struct str){piece, got}, out);
		at += got;
	}
	crlf_finish(&w, out);
	assert(buf_ok(out));
	return true;
}

/* --- the whole --- */

/* A session whose server cannot be brought back is over; what was answered stands. */
static WAITS void reset(struct delivery *d)
{
	struct reply r;
	struct err err;
	if (!d->needs_reset || d->c->is_lost)
		return;
	if (!smtp_client_ask(d->c, 0, "RSET", &r, &err, "RSET") || r.code != 250)
		d->c->is_lost = true;
}

/* RFC 2920 3.1: DATA went out with the envelope and was taken though nobody may receive: an empty message. */
static WAITS bool end_empty_data(struct delivery *d, struct err *err)
{
	struct reply r;
	smtp_client_note(d->c, "no recipient was taken: empty message");
	if (!smtp_client_write(d->c, STR(".\r\n"), DATA_BLOCK, err))
		return false;
	return smtp_client_reply(d->c, or_default(d->c->conf->data_end, DATA_END), &r, err);
}

static WAITS bool finish_data(struct delivery *d, const struct reply *data, struct err *err)
{
	if (data->code == 354) {
		if (d->taken == 0)
			return end_empty_data(d, err);
		d->needs_reset = false;
		return send_content(d, err) && read_final_replies(d, err);
	}
	if (data->code < 400)
		return nonsense(d, "DATA", data->code, err);
	if (!was_told_off(d, data, true))
		answer_taken(d, data);
	return true;
}

static WAITS bool ask_data(struct delivery *d, struct err *err)
{
	struct reply r;
	return smtp_client_ask(d->c, or_default(d->c->conf->data_start, DATA_START), "DATA", &r, err, "DATA") &&
	       finish_data(d, &r, err);
}

static WAITS bool one_by_one(struct delivery *d, struct err *err)
{
	struct reply r;
	send_mail(d);
	if (!smtp_client_reply(d->c, 0, &r, err))
		return false;
	if (r.code < 200 || r.code >= 300) {
		deliver_answer_all(d->job, &r, false);
		return true;
	}
	d->needs_reset = true;
	for (size_t i = 0; i < d->n; i++) {
		if (d->job->rcpts[i].is_answered)
			continue;
		send_rcpt(d, i);
		if (!read_rcpt_replies(d, i, i + 1, true, err))
			return false;
		if (d->c->is_lost)
			return true;
	}
	return d->taken == 0 || ask_data(d, err);
}

static WAITS void send_rcpts(struct delivery *d, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!d->job->rcpts[i].is_answered)
			send_rcpt(d, i);
}

/* MAIL's answer, then those of the first flight's recipients. *goes_on: the conversation is still good. */
static WAITS bool read_envelope_replies(struct delivery *d, size_t flight, bool *goes_on, struct err *err)
{
	struct reply r;
	*goes_on = false;
	if (!smtp_client_reply(d->c, 0, &r, err))
		return false;
	bool is_ok = r.code >= 200 && r.code < 300;
	if (!is_ok)
		deliver_answer_all(d->job, &r, false);
	if (d->c->is_lost)
		return true;
	if (!read_rcpt_replies(d, 0, flight, is_ok, err))
		return false;
	*goes_on = !d->c->is_lost;
	d->needs_reset = is_ok;
	return true;
}

/* Recipients beyond the first flight, a window at a time; DATA goes with the last. */
static WAITS bool further_flights(struct delivery *d, size_t from, struct err *err)
{
	for (size_t to; from < d->n; from = to) {
		to = d->n - from < WINDOW ? d->n : from + WINDOW;
		send_rcpts(d, from, to);
		if (!read_rcpt_replies(d, from, to, true, err))
			return false;
		if (d->c->is_lost)
			return true;
	}
	return d->taken == 0 || ask_data(d, err);
}

static WAITS bool pipelined(struct delivery *d, struct err *err)
{
	bool goes_on;
	struct reply data;
	size_t flight = d->n < WINDOW ? d->n : WINDOW;
	bool is_whole = flight == d->n;
	send_mail(d);
	send_rcpts(d, 0, flight);
	if (is_whole)
		smtp_client_send(d->c, "DATA", "DATA");
	if (!read_envelope_replies(d, flight, &goes_on, err))
		return false;
	if (!goes_on)
		return true;
	if (!is_whole)
		return !d->needs_reset || further_flights(d, flight, err);
	if (!smtp_client_reply(d->c, or_default(d->c->conf->data_start, DATA_START), &data, err))
		return false;
	return finish_data(d, &data, err);
}

/* MAIL, RCPT…, BDAT LAST and the message at once: one round trip for a message. When nobody is taken, the
 * server refuses the chunk by itself (RFC 3030 4.1). */
static WAITS bool in_one_flight(struct delivery *d, struct err *err)
{
	bool goes_on;
	struct reply r;
	auto_buf struct buf chunk;
	buf_init(&chunk, 4 * (size_t)ONE_FLIGHT + d->job->prefix.n * 2);
	if (!load_chunk(d, &chunk, err))
		return false; /* nothing was said yet: the session stays good */
	send_mail(d);
	send_rcpts(d, 0, d->n);
	before_dot(d);
	smtp_client_send(d->c, "BDAT", "BDAT %zu LAST", chunk.n);
	if (!smtp_client_write(d->c, buf_view(&chunk), or_default(d->c->conf->data_block, DATA_BLOCK), err))
		return false;
	if (!read_envelope_replies(d, d->n, &goes_on, err)) {
		d->job->is_in_doubt = true;
		return false;
	}
	if (!goes_on)
		return true;
	d->needs_reset = true; /* RFC 3030 4.1: a failed chunk is left by RSET */
	if (d->taken == 0)
		return smtp_client_reply(d->c, or_default(d->c->conf->data_end, DATA_END), &r, err);
	if (!read_final_replies(d, err))
		return false;
	d->needs_reset = !was_delivered(d);
	return true;
}

static WAITS bool transaction(struct delivery *d, struct err *err)
{
	const struct smtp_client *c = d->c;
	uint64_t size = d->job->size + d->job->prefix.n;
	bool is_small = size > 0 && size <= ONE_FLIGHT && d->n <= WINDOW;
	if (!c->has_pipelining)
		return one_by_one(d, err);
	/* LMTP and BDAT together are defined nowhere: some answer once, some for each recipient. */
	if (c->has_chunking && !c->conf->is_lmtp && is_small)
		return in_one_flight(d, err);
	return pipelined(d, err);
}

static size_t open_recipients(const struct delivery *d)
{
	size_t open = 0;
	for (size_t i = 0; i < d->n; i++)
		open += !d->job->rcpts[i].is_answered;
	return open;
}

bool deliver_run(struct smtp_client *c, struct deliver_job *job, struct err *err)
{
	struct delivery d = {.c = c, .job = job, .n = job->n};
	if (d.n > DELIVER_RCPTS_MAX)
		d.n = DELIVER_RCPTS_MAX;
	if (c->rcpt_max && d.n > c->rcpt_max)
		d.n = (size_t)c->rcpt_max;
	for (size_t i = 0; i < job->n; i++) {
		struct deliver_rcpt *rcpt = &job->rcpts[i];
		rcpt->is_answered = rcpt->is_delivered = rcpt->is_data_stage = false;
		rcpt->reply = (struct reply){0};
	}
	job->is_sent = job->is_in_doubt = false;
	d.rcpts = arena_alloc(&c->arena, job->n * sizeof(struct str) + 1);
	d.is_asked = arena_alloc(&c->arena, d.n * sizeof(bool) + 1);
	d.is_taken = arena_alloc(&c->arena, d.n * sizeof(bool) + 1);
	if (!deliver_check(c, job, &d.sender, d.rcpts, err))
		return false;
	if (open_recipients(&d) == 0)
		return true;
	if (!transaction(&d, err))
		return false;
	reset(&d);
	return true;
}
