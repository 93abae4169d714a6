/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connecting: which address is next, its turn, its greeting, and what its refusal means for the others. */
#include "verify/session_inside.h"

#include "verify/answer.h"
#include "verify/learn.h"

#include <stdio.h>

#define DIALS_MAX 5

struct host_record session_host_record(const struct inquiry *q)
{
	return (struct host_record){.cause = q->cause, .class = q->class, .code = q->code, .said = str_from(q->said)};
}

static void set_unreachable(struct inquiry *q, const char *said)
{
	*q = (struct inquiry){.verdict = VERIFY_TEMPORARY, .class = VERIFY_CLASS_NO_ANSWER, .cause = CAUSE_NETWORK,
	                      .meaning = PROBE_LOST, .stage = PROBE_CONNECT};
	snprintf(q->said, sizeof(q->said), "%s", said);
}

void session_comes_back(struct session *s, struct wall at)
{
	if (s->soonest.us == 0 || wall_is_before(at, s->soonest))
		s->soonest = at;
}

static void set_template(struct inquiry *q, const struct host_record *r, enum verify_verdict verdict)
{
	*q = (struct inquiry){.verdict = verdict, .class = r->class, .cause = r->cause, .code = r->code};
	snprintf(q->said, sizeof(q->said), "%.*s", STR_ARG(r->said));
}

/* What the host layer knows; STEP_OPEN: nothing against it. */
static enum step recall_host(struct session *s, const struct mx_host *h, struct str ip)
{
	struct host_record r;
	if (s->flight->is_hop)
		return STEP_OPEN;
	cache_host(&s->v->cache, ip, rt_wall(), &r);
	if (r.blocked_until.us) {
		set_template(&s->last, &r, VERIFY_BLOCKED);
		struct verify_answer a = session_answer(&s->last);
		a.is_cached = true;
		a.retry_after = wall_diff(r.blocked_until, rt_wall());
		answer_set_host(&a, h->name);
		session_settle_all(s, &a);
		return STEP_SETTLED;
	}
	if (!r.down_until.us)
		return STEP_OPEN;
	session_comes_back(s, r.down_until);
	set_template(&s->last, &r, VERIFY_TEMPORARY);
	buf_printf(&s->before, "· %.*s [%.*s] is left alone for now: %.*s\n", STR_ARG(h->name), STR_ARG(ip), STR_ARG(r.said));
	return STEP_NEXT;
}

static void give_turn(struct session *s)
{
	if (s->turn.n)
		turns_give(&s->v->turns, s->turn);
	s->turn = STR_NONE;
}

static WAITS enum step take_turn(struct session *s, const struct mx_host *h, struct str ip)
{
	struct err err;
	if (s->flight->is_hop)
		return STEP_OPEN;
	const char *label = arena_cstr(&s->arena, arena_printf(&s->arena, "turn at %.*s", STR_ARG(h->name)));
	struct str key = arena_str(&s->arena, ip);
	if (turns_take(&s->v->turns, key, label, &err)) {
		s->turn = key;
		return STEP_OPEN;
	}
	if (err.kind == ERR_CANCELLED)
		return STEP_CANCELLED;
	struct verify_answer a = {.verdict = VERIFY_TEMPORARY, .class = VERIFY_CLASS_NO_ANSWER, .cause = CAUSE_OVERLOAD,
	                          .retry_after = USEC_MIN};
	answer_set_host(&a, h->name);
	answer_set_said(&a, STR("too many questions wait for this mail server"));
	session_settle_all(s, &a);
	return STEP_SETTLED;
}

void session_hang_up(struct session *s)
{
	if (s->is_open) {
		size_t room = s->before.n < BEFORE_MAX ? BEFORE_MAX - s->before.n : 0;
		buf_str(&s->before, str_slice(buf_view(&s->client.dialogue), 0, room));
		smtp_client_close(&s->client);
	}
	s->is_open = false;
	s->asked_from = 0;
	give_turn(s);
}

/* The greeting or EHLO was refused for good: inconclusive, and no other host is asked behind its back. */
static WAITS void refused_for_good(struct session *s, const struct mx_host *h, struct str ip, const struct probe_answer *said)
{
	inquiry_judge(said, &s->last);
	struct host_record r = session_host_record(&s->last);
	struct verify_answer a = session_answer(&s->last);
	answer_set_host(&a, h->name);
	if (!s->flight->is_hop) {
		if (s->last.says_us)
			cache_host_blocks(&s->v->cache, ip, &r, s->conf->ttl_blocked, rt_wall());
		learn_refusal(s->v, s->conf, s->flight->key, h->name, &s->last);
		learn_operator(s->v, s->conf, s->mx_operator, &s->last);
		s->has_breaker_probe = false;
		a.retry_after = USEC_HOUR;
	}
	session_hang_up(s);
	session_settle_all(s, &a);
}

static void refused_for_now(struct session *s, struct str ip, const struct probe_answer *said)
{
	inquiry_judge(said, &s->last);
	if (s->flight->is_hop)
		return;
	struct host_record r = session_host_record(&s->last);
	session_comes_back(s, cache_host_rests(&s->v->cache, ip, &r, s->conf->ttl_temp_min, rt_wall()));
	learn_operator(s->v, s->conf, s->mx_operator, &s->last);
	s->has_breaker_probe = false;
}

static void nobody_there(struct session *s, struct str ip, const char *said)
{
	set_unreachable(&s->last, said);
	metric_inc(s->v->metrics.unreachable);
	if (s->flight->is_hop)
		return;
	struct host_record r = session_host_record(&s->last);
	session_comes_back(s, cache_host_failed(&s->v->cache, ip, &r, rt_wall()));
}

static void start_probe(struct session *s, struct str ip)
{
	struct domain_record d = {0};
	if (!s->flight->is_hop) {
		cache_domain(&s->v->cache, s->flight->key, rt_wall(), &d);
		cache_host_answered(&s->v->cache, ip);
	}
	bool refuses_null = d.null_refused_until.us != 0;
	s->probe = (struct probe){
		.client = &s->client,
		.probe_sender = arena_str(&s->arena, str_from(s->v->probe_sender)),
		.use_pipelining = s->conf->use_pipelining,
		.uses_probe_sender = refuses_null,
		.null_refused = refuses_null,
	};
	s->asked_from = s->client.dialogue.n;
}

static WAITS enum step open_client(struct session *s, const struct mx_host *h, struct ip ip, struct str ip_str)
{
	enum client_open outcome;
	struct reply said;
	struct err err;
	uint16_t port = s->flight->is_hop ? s->flight->hop.port : (uint16_t)s->conf->port;
	metric_inc(s->v->metrics.sessions);
	s->dials++;
	s->is_open = true;
	if (!smtp_client_open(&s->client, &s->smtp, h->name, ip, port, &outcome, &said, &err))
		return STEP_CANCELLED;
	struct probe_answer *answer = arena_new(&s->arena, struct probe_answer);
	answer->stage = PROBE_CONNECT;
	answer->code = said.code;
	probe_said(&said, answer->said, sizeof(answer->said));
	switch (outcome) {
	case CLIENT_READY:
		start_probe(s, ip_str);
		return STEP_OPEN;
	case CLIENT_REFUSED_PERM:
		answer->reading = probe_reply_read(PROBE_CONNECT, &said, STR_NONE, h->name);
		refused_for_good(s, h, ip_str, answer);
		return STEP_SETTLED;
	case CLIENT_REFUSED_TEMP:
		answer->reading = probe_reply_read(PROBE_CONNECT, &said, STR_NONE, h->name);
		refused_for_now(s, ip_str, answer);
		break;
	case CLIENT_UNREACHABLE:
	case CLIENT_NONSENSE:
	case CLIENT_NO_TLS:
		nobody_there(s, ip_str, answer->said);
		break;
	}
	session_hang_up(s);
	return STEP_NEXT;
}

static WAITS enum step try_address(struct session *s, const struct mx_host *h, struct ip ip)
{
	char text[IP_TEXT_MAX];
	struct str ip_str = arena_str(&s->arena, ip_text(ip, text));
	struct mx_conf conf = verify_mx_conf(s->v, s->conf);
	if (!s->flight->is_hop && !mx_may_dial(&conf, ip))
		return STEP_NEXT; /* mx_find has left these out; nobody else may bring them in */
	enum step step = recall_host(s, h, ip_str);
	if (step != STEP_OPEN)
		return step;
	step = take_turn(s, h, ip_str);
	if (step != STEP_OPEN)
		return step;
	step = recall_host(s, h, ip_str); /* whoever had the turn before may have learned something */
	if (step == STEP_OPEN)
		step = open_client(s, h, ip, ip_str);
	if (step != STEP_OPEN)
		give_turn(s);
	return step;
}

/* In strict order of preference; the next address only when nobody was there, or it asked for rest. */
enum step session_connect(struct session *s)
{
	for (; s->host < s->mx.n; s->host++, s->ip = 0) {
		const struct mx_host *h = &s->mx.hosts[s->host];
		while (s->ip < h->n_ips) {
			if (s->dials >= DIALS_MAX || deadline_left() <= 0)
				return STEP_NEXT;
			enum step step = try_address(s, h, h->ips[s->ip++]);
			if (step != STEP_NEXT)
				return step;
		}
	}
	return STEP_NEXT;
}

/* No host could be asked. */
void session_settle_unreachable(struct session *s)
{
	struct verify_answer a = session_answer(&s->last);
	struct wall until = s->soonest.us ? s->soonest : wall_add(rt_wall(), USEC_MIN);
	if (a.verdict != VERIFY_TEMPORARY || !s->last.said[0]) {
		struct inquiry q;
		set_unreachable(&q, "none of its mail servers could be reached in time");
		a = session_answer(&q);
	}
	if (s->host < s->mx.n || s->mx.n > 0)
		answer_set_host(&a, s->mx.hosts[s->host < s->mx.n ? s->host : s->mx.n - 1].name);
	a.checked = rt_wall();
	a.retry_after = USEC_MIN;
	if (!s->flight->is_hop) {
		if (s->current)
			learn_unreachable(s->current, until, &a);
		list_each(l, &s->flight->waiting)
			learn_unreachable(container_of(l, struct work, in_flight), until, &a);
	}
	session_settle_all(s, &a);
}
