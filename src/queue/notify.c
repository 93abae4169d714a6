/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports to senders: whether one may go, what it says, and its way through the spool like any other mail. */
#include "queue/inside.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "trail/trail.h"

#include <stdlib.h>

#define ROUTE_WAIT   (60 * USEC_S)
#define REPORT_MAX   (2u << 20)
#define RETURN_WHOLE (64 * 1024) /* without RET, small messages come back whole */

/* --- may it? --- */

/* A report that nobody will take would only end as another kept message, without the original's sender. */
static WAITS bool look_for_route_back(struct attempt *a, struct err *err)
{
	struct queue *q = a->queue;
	struct str domain = queue_message_domain(q, &a->arena, a->loaded->e.sender);
	const struct route_conf *route = domain.n ? domains_route(q->settings->domains, domain) : NULL;
	struct mx_list list;
	struct deadline d;
	struct mx_conf conf = {.port = (uint16_t)a->settings->conf.port, .dial_networks = a->settings->conf.dial_networks,
		.own_addresses = q->deps.own_addresses, .use_ipv6 = a->settings->conf.use_ipv6, .own_host = q->deps.host};
	a->has_route_back = domain.n > 0;
	if (domain.n == 0 || (route && route->kind != ROUTE_MX))
		return true;
	deadline_push(&d, ROUTE_WAIT, "look-up of the sender's domain");
	bool ok = mx_find(q->deps.resolver, &conf, domain, &a->arena, &list, err);
	deadline_pop(&d);
	if (!ok)
		return err->kind != ERR_CANCELLED; /* not known: the report finds out */
	a->has_route_back = list.outcome == MX_FOUND || list.outcome == MX_TEMPORARY;
	return true;
}

static WAITS bool has_route_back(struct attempt *a, bool *is, struct err *err)
{
	if (!a->is_route_back_known && !look_for_route_back(a, err))
		return false;
	a->is_route_back_known = true;
	*is = a->has_route_back;
	return true;
}

bool notify_is_wanted(struct attempt *a, const struct spool_rcpt *r, bool *is, struct err *err)
{
	*is = false;
	if (a->loaded->e.sender.n == 0)
		return true; /* RFC 5321 6.1: never to the null reverse-path */
	if (r->notify && !(r->notify & SMTP_NOTIFY_FAILURE))
		return true; /* RFC 3461 4.1 */
	return has_route_back(a, is, err);
}

/* --- what it says --- */

static struct str diagnostic(struct arena *arena, const struct reply *r)
{
	char number[16];
	if (r->code == 0)
		return arena_str(arena, r->text);
	struct str enhanced = r->enhanced.class ? enhanced_code_text(r->enhanced, number) : STR_NONE;
	return arena_printf(arena, "%d %.*s%s%.*s", r->code, STR_ARG(enhanced), enhanced.n ? " " : "", STR_ARG(r->text));
}

static struct str status(struct arena *arena, const struct outcome *o, enum dsn_action action)
{
	char number[16];
	unsigned class = action == DSN_FAILED ? 5 : action == DSN_DELAYED ? 4 : 2;
	if (o->fate == FATE_FAILED && o->cause == CAUSE_EXPIRED)
		return STR("4.4.7"); /* RFC 3463 3.5: delivery time expired */
	struct enhanced_code code = o->reply.enhanced;
	if (code.class == 0 && o->reply.code == 0)
		code = (struct enhanced_code){(uint8_t)class, 4, 0};
	if (code.class == 0)
		return STR_NONE;
	code.class = (uint8_t)class;
	return arena_str(arena, enhanced_code_text(code, number));
}

static struct dsn_rcpt describe(struct attempt *a, const struct outcome *o, enum notice what)
{
	const struct spool_rcpt *r = &a->loaded->e.rcpts[o->rcpt];
	struct dsn_rcpt d = {.orcpt = r->orcpt, .address = r->address, .remote_mta = o->host, .last_attempt = rt_wall()};
	if (what == NOTICE_SUCCESS)
		d.action = a->session->site->kind == SITE_SMTP ? DSN_RELAYED : DSN_DELIVERED;
	else
		d.action = what == NOTICE_FAILED ? DSN_FAILED : DSN_DELAYED;
	d.status = status(&a->arena, o, d.action);
	d.diagnostic = diagnostic(&a->arena, &o->reply);
	if (what == NOTICE_DELAYED)
		d.retry_until = wall_add(a->message->accepted, a->settings->conf.lifetime);
	return d;
}

/* The message or its header; what cannot be read is left out: the report is worth more than the return. */
static WAITS void read_original(struct attempt *a, bool is_whole, struct buf *out)
{
	uint64_t size = a->message->size;
	size_t want = is_whole ? (size_t)size : size < DSN_HEADER_MAX ? (size_t)size : DSN_HEADER_MAX;
	struct err err;
	while (out->n < want) {
		size_t got = 0;
		char *p = buf_reserve(out, want - out->n);
		if (!spool_read(a->queue->deps.spool, a->message->id, out->n, p, want - out->n, &got, &err) || got == 0)
			return;
		buf_added(out, got);
	}
}

static bool returns_whole(const struct attempt *a, enum notice what)
{
	enum smtp_ret ret = (enum smtp_ret)a->loaded->e.ret;
	if (what != NOTICE_FAILED || ret == SMTP_RET_HDRS || a->message->size > DSN_FULL_MAX)
		return false;
	return ret == SMTP_RET_FULL || a->message->size <= RETURN_WHOLE;
}

static WAITS void build(struct attempt *a, enum notice what, const bool *picks, struct str ref, struct buf *out,
                        struct dsn_form *form)
{
	const struct spool_envelope *e = &a->loaded->e;
	auto_buf struct buf original;
	struct dsn_rcpt *rcpts = arena_alloc(&a->arena, a->n * sizeof(*rcpts) + 1);
	struct dsn_args args = {
		.host = a->queue->deps.host,
		.ref = ref,
		.to = e->sender,
		.envid = e->envid,
		.now = rt_wall(),
		.arrived = e->accepted,
		.allow_utf8 = e->smtputf8,
		.return_full = returns_whole(a, what),
		.is_original_whole = returns_whole(a, what),
		.rcpts = rcpts,
	};
	for (size_t i = 0; i < a->n; i++)
		if (picks[i])
			rcpts[args.n_rcpts++] = describe(a, &a->outcomes[i], what);
	buf_init(&original, DSN_FULL_MAX + DSN_HEADER_MAX);
	read_original(a, args.return_full, &original);
	args.is_original_whole = original.n == a->message->size;
	args.original = buf_view(&original);
	dsn_build(&args, out, form);
}

/* --- its way --- */

static const char *const notice_names[] = {"failed", "delayed", "success"};

static void write_trail(struct attempt *a, enum notice what, struct spool_envelope *e, struct str ref, struct buf *out)
{
	struct trail t;
	char of[SPOOL_ID_MAX];
	trail_init(&t, &a->arena, rt_wall());
	t.ref = ref;
	t.recipients = e->rcpts[0].address;
	t.verdict = VERDICT_ACCEPT;
	trail_note(&t, rt_wall(), 0, "notify", notice_names[what], CAUSE_NONE, e->rcpts[0].address, "report on message %.*s",
	           STR_ARG(spool_id_text(a->message->id, of)));
	trail_encode(&t, out);
	e->trail = buf_view(out);
}

static WAITS bool submit(struct attempt *a, enum notice what, struct spool_id id, struct str ref, struct str text,
                         const struct dsn_form *form, struct err *err)
{
	struct queue *q = a->queue;
	auto_buf struct buf trail;
	struct spool_rcpt rcpt = {.address = a->loaded->e.sender};
	struct spool_envelope e = {
		.accepted = rt_wall(),
		.body = form->is_8bit ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT,
		.smtputf8 = form->needs_smtputf8,
		.rcpts = &rcpt,
		.n_rcpts = 1,
	};
	buf_init(&trail, 65536);
	write_trail(a, what, &e, ref, &trail);
	struct spool_body *body = spool_body_new(q->deps.spool);
	if (!spool_body_write(body, text, err)) {
		spool_body_drop(body);
		return false;
	}
	if (!spool_accept(q->deps.spool, id, &e, STR_NONE, NULL, 0, body, err)) {
		spool_body_drop(body);
		return false;
	}
	queue_add(q, id, &e, NULL, text.n);
	return true;
}

bool notify_send(struct attempt *a, enum notice what, const bool *picks, struct err *err)
{
	struct queue *q = a->queue;
	auto_buf struct buf report;
	struct dsn_form form = {0};
	char ref[SPOOL_ID_MAX], of[SPOOL_ID_MAX];
	struct spool_id id = spool_next_id(q->deps.spool);
	struct str text = spool_id_text(id, ref);
	bool has_way;
	buf_init(&report, REPORT_MAX);
	if (!has_route_back(a, &has_way, err))
		return false;
	if (!has_way) /* of a delay or a success; for what failed it was asked before */
		return true;
	build(a, what, picks, text, &report, &form);
	if (!buf_ok(&report))
		return err_temp(err, CAUSE_LOCAL_ERROR, "the report does not fit in %u bytes", REPORT_MAX);
	if (!submit(a, what, id, text, buf_view(&report), &form, err))
		return err_context(err, "report to <%.*s>", STR_ARG(a->loaded->e.sender));
	q->counts.dsns++;
	metric_inc(q->metrics.dsns);
	log_event(LOG_INFO_, "notify", LOG_S("id", spool_id_text(a->message->id, of)), LOG_C("what", notice_names[what]),
	          LOG_S("to", a->loaded->e.sender), LOG_S("report", text));
	return true;
}
