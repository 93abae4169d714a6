/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts, permission, questions: one session with the servers of one domain. */
#include "verify/session_inside.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "verify/answer.h"
#include "verify/learn.h"
#include "verify/never_ask.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_WAIT      (10 * USEC_S) /* so that a dead first host leaves time for the second */
#define GREETING_WAIT     (30 * USEC_S)
#define COMMAND_WAIT      (45 * USEC_S)
#define POSTMASTER_LATELY (10 * USEC_MIN)
#define DNS_RETRY         (2 * USEC_MIN)

/* --- answers for works --- */

static struct str dialogue_tail(const struct session *s)
{
	struct str all = s->is_open ? buf_view(&s->client.dialogue) : STR_NONE;
	return str_skip(all, s->asked_from < all.n ? s->asked_from : all.n);
}

/* What stands in front: other hosts, and how this connection was made. */
static struct str dialogue_head(struct session *s, size_t made)
{
	struct str all = s->is_open ? buf_view(&s->client.dialogue) : STR_NONE;
	return arena_printf(&s->arena, "%.*s%.*s", STR_ARG(buf_view(&s->before)), STR_ARG(str_slice(all, 0, made)));
}

static void complete(struct work *w, struct verify_answer *a, struct str head, struct str tail)
{
	a->took = rt_now() - w->begun;
	a->checked = rt_wall();
	if (w->flight->is_hop) {
		work_complete(w, a, head, tail);
		return;
	}
	log_event(LOG_INFO_, "verify", LOG_S("address", w->key), LOG_C("verdict", verify_verdict_name(a->verdict)),
	          LOG_C("host", a->host), LOG_C("said", a->said), LOG_I("ms", a->took / USEC_MS));
	work_complete(w, a, head, tail);
}

/* The same answer for the address taken up and for all that wait. */
void session_settle_all(struct session *s, const struct verify_answer *a)
{
	struct str head = buf_view(&s->before);
	struct verify_answer copy = *a;
	if (s->current)
		complete(s->current, &copy, head, STR_NONE);
	s->current = NULL;
	list_each(l, &s->flight->waiting) {
		copy = *a;
		complete(container_of(l, struct work, in_flight), &copy, head, STR_NONE);
	}
}

struct verify_answer session_answer(const struct inquiry *q)
{
	struct verify_answer a = {
		.verdict = q->verdict,
		.class = q->class,
		.cause = q->cause,
		.code = q->code,
		.null_refused = q->null_refused,
	};
	answer_set_said(&a, str_from(q->said));
	return a;
}

/* --- hosts --- */

static void settle_dns(struct session *s, enum verify_dns dns, struct str why)
{
	struct verify_answer a = {.dns = dns, .cause = CAUSE_SENDER_DOMAIN, .verdict = VERIFY_ABSENT};
	if (dns == VERIFY_DNS_TEMPORARY) {
		a.verdict = VERIFY_TEMPORARY;
		a.cause = CAUSE_DNS_FAILURE;
		a.class = VERIFY_CLASS_NO_ANSWER;
		a.retry_after = DNS_RETRY;
	}
	answer_set_said(&a, why);
	session_settle_all(s, &a);
}

static void use_hop(struct session *s)
{
	const struct verify_next_hop *hop = &s->flight->hop;
	struct mx_host *h = arena_new(&s->arena, struct mx_host);
	h->name = hop->host;
	h->ips = arena_new(&s->arena, struct ip);
	h->ips[0] = hop->ip;
	h->n_ips = 1;
	s->mx = (struct mx_list){.outcome = MX_FOUND, .hosts = h, .n = 1};
}

/* That we do not speak IPv6 is no fault of theirs, and waiting does not mend it. */
static void settle_unreachable_family(struct session *s)
{
	struct verify_answer a = {.verdict = VERIFY_UNVERIFIABLE, .cause = CAUSE_POLICY};
	answer_set_said(&a, s->mx.why);
	session_settle_all(s, &a);
}

/* True: there are hosts to ask. */
static WAITS bool find_hosts(struct session *s)
{
	struct mx_conf conf = verify_mx_conf(s->v, s->conf);
	struct err err;
	if (s->flight->is_hop) {
		use_hop(s);
		return true;
	}
	if (!mx_find(s->v->deps.resolver, &conf, s->flight->key, &s->arena, &s->mx, &err)) {
		if (err.kind != ERR_CANCELLED)
			settle_dns(s, VERIFY_DNS_TEMPORARY, str_from(err.text));
		return false;
	}
	switch (s->mx.outcome) {
	case MX_FOUND:
		if (s->mx.n > 0)
			return true;
		break;
	case MX_NULL:
		settle_dns(s, VERIFY_DNS_NULL_MX, STR("null MX"));
		return false;
	case MX_NO_DOMAIN:
		settle_dns(s, VERIFY_DNS_NO_DOMAIN, STR("no such domain"));
		return false;
	case MX_UNUSABLE:
		break;
	case MX_TEMPORARY:
		if (s->mx.is_ipv6_only)
			settle_unreachable_family(s);
		else
			settle_dns(s, VERIFY_DNS_TEMPORARY, s->mx.why);
		return false;
	}
	if (s->mx.has_own) { /* we are its best mail server: never asked */
		session_settle_all(s, &(struct verify_answer){.verdict = VERIFY_SKIPPED, .skip = SKIP_OWN_DOMAIN});
		return false;
	}
	settle_dns(s, VERIFY_DNS_UNUSABLE, s->mx.why);
	return false;
}

/* --- permission --- */

static struct str never_asked(const struct session *s)
{
	for (size_t i = 0; i < s->mx.n && s->mx.hosts[i].preference == s->mx.hosts[0].preference; i++) {
		struct str match = never_ask_match(&s->conf->never_ask, s->mx.hosts[i].name);
		if (match.n)
			return match;
	}
	return STR_NONE;
}

static void settle_never_asked(struct session *s)
{
	struct verify_answer a = {.verdict = VERIFY_UNVERIFIABLE, .cause = CAUSE_POLICY};
	answer_set_host(&a, s->mx.hosts[0].name);
	answer_set_said(&a, STR("this operator is never asked"));
	session_settle_all(s, &a);
}

static void settle_breaker(struct session *s, const struct breaker_look *look)
{
	struct verify_answer a = {.class = VERIFY_CLASS_REFUSED_US, .cause = CAUSE_REPUTATION};
	switch (look->why) {
	case BREAKER_BLOCKED:
		a.verdict = VERIFY_BLOCKED;
		break;
	case BREAKER_OPT_OUT:
		a.verdict = VERIFY_UNVERIFIABLE;
		a.cause = CAUSE_POLICY;
		break;
	case BREAKER_STORM:
		a.verdict = VERIFY_TEMPORARY;
		a.class = VERIFY_CLASS_DEFERRED;
		a.cause = CAUSE_OVERLOAD;
		break;
	}
	a.retry_after = wall_diff(look->until, rt_wall());
	if (a.retry_after < USEC_MIN)
		a.retry_after = USEC_MIN;
	answer_set_host(&a, s->mx.hosts[0].name);
	answer_set_said(&a, str_from(look->said));
	session_settle_all(s, &a);
}

static bool may_ask(struct session *s)
{
	struct breaker_look look;
	if (s->flight->is_hop)
		return true;
	if (never_asked(s).n) {
		settle_never_asked(s);
		return false;
	}
	s->mx_operator = mx_operator(s->mx.hosts[0].name);
	breaker_look(&s->v->breaker, s->mx_operator, rt_wall(), &look);
	if (look.state == BREAKER_OPEN) {
		settle_breaker(s, &look);
		return false;
	}
	s->has_breaker_probe = look.state == BREAKER_HALF_OPEN;
	return true;
}

/* Something that was learned since it began to wait answers it: the domain takes everything, or blocks us. */
static bool answered_meanwhile(struct session *s, struct work *w)
{
	struct verify_answer a;
	if (s->flight->is_hop || !verify_lookup_at(s->v, w->key, rt_wall(), &a) || a.verdict == VERIFY_TEMPORARY)
		return false;
	complete(w, &a, STR_NONE, STR_NONE);
	return true;
}

static void settle_over_budget(struct session *s, struct work *w, enum budget_limit limit, usec_t wait)
{
	struct verify_answer a = {.verdict = VERIFY_SKIPPED, .skip = SKIP_BUDGET, .class = VERIFY_CLASS_BUSY,
	                          .cause = CAUSE_RATE_LIMIT, .retry_after = wait};
	struct wall now = rt_wall();
	char text[64];
	snprintf(text, sizeof(text), "our budget for %s is used up", budget_limit_name(limit));
	answer_set_said(&a, str_from(text));
	if (s->conf->budget_defers) {
		a.verdict = VERIFY_TEMPORARY;
		a.skip = SKIP_NONE;
	}
	/* Our own question only waits; it keeps its place in the schedule. */
	if (w->is_background && wall_diff(now, w->first) < USEC_HOUR)
		reprobe_plan(s->v, w->key, &(struct reprobe_plan){wall_add(now, 5 * USEC_MIN), w->first, w->attempts});
	complete(w, &a, STR_NONE, STR_NONE);
}

/* The next waiting address for which there is a budget, or none. */
static bool admit(struct session *s)
{
	struct link *l;
	while ((l = list_pop_front(&s->flight->waiting))) {
		struct work *w = container_of(l, struct work, in_flight);
		struct budget_asker asker = {w->client, s->flight->key, s->mx_operator, w->is_vouched};
		if (w->is_background)
			asker.client = (struct ip){0};
		usec_t wait;
		if (answered_meanwhile(s, w))
			continue;
		enum budget_limit limit = s->flight->is_hop ? BUDGET_OK
		                                            : budget_take(&s->v->budget, s->conf, &asker, rt_wall(), &wait);
		if (limit == BUDGET_OK) {
			s->current = w;
			return true;
		}
		settle_over_budget(s, w, limit, wait);
	}
	return false;
}

/* --- asking --- */

static struct inquiry_plan plan_of(struct session *s, const struct domain_record *d)
{
	struct wall now = rt_wall();
	bool had_postmaster = d->postmaster_at.us && wall_diff(now, d->postmaster_at) < POSTMASTER_LATELY;
	bool tells = d->kind == DOMAIN_TELLS;
	return (struct inquiry_plan){
		.random_local = random_local(verify_secret(s->v), s->flight->key, now, s->random),
		.wants_control = !s->flight->is_hop && !tells,
		.is_random_first = s->conf->order == VERIFY_RANDOM_FIRST,
		.postmaster_lately = had_postmaster || s->has_accepted,
	};
}

static void answer_current(struct session *s, const struct inquiry *q, bool domain_tells, size_t made)
{
	struct work *w = s->current;
	struct verify_answer a = session_answer(q);
	struct str head = dialogue_head(s, made), tail = dialogue_tail(s);
	s->current = NULL;
	answer_set_host(&a, s->client.host);
	a.control_refused = q->verdict == VERIFY_EXISTS && (domain_tells || q->control == CONTROL_REFUSED);
	a.checked = rt_wall();
	if (s->flight->is_hop)
		learn_recipient(w, q, &a);
	else
		learn_address(w, s->conf, q, &a);
	complete(w, &a, head, tail);
}

/* The server left before it answered: it is as good as down, and the next one may be asked at once after a 421
 * in front of RCPT (RFC 5321 4.2.3: as if the connection had failed). */
static bool is_for_next_host(const struct inquiry *q)
{
	return q->stage == PROBE_MAIL && q->code == 421;
}

/* It answered about others and then had enough: the rest is for a session of its own. */
static bool is_for_next_session(const struct session *s, const struct inquiry *q)
{
	return q->meaning == PROBE_LOST && s->answered > 0;
}

static void learn_host(struct session *s, const struct inquiry *q)
{
	char text[IP_TEXT_MAX];
	struct str ip = ip_text(s->client.ip, text);
	struct host_record r = session_host_record(q);
	if (s->flight->is_hop)
		return;
	if (q->code == 421)
		session_comes_back(s, cache_host_rests(&s->v->cache, ip, &r, s->conf->ttl_temp_min, rt_wall()));
	else if (q->meaning == PROBE_LOST)
		session_comes_back(s, cache_host_failed(&s->v->cache, ip, &r, rt_wall()));
	else if (q->meaning == PROBE_BLOCKED && q->says_us && q->stage == PROBE_MAIL)
		cache_host_blocks(&s->v->cache, ip, &r, s->conf->ttl_blocked, rt_wall());
	learn_operator(s->v, s->conf, s->mx_operator, q);
	s->has_breaker_probe = false;
}

/* An address admitted and not asked goes back to wait: it is in nobody's hands otherwise. */
static void put_back(struct session *s)
{
	if (s->current)
		list_push_front(&s->flight->waiting, &s->current->in_flight);
	s->current = NULL;
}

/* True: the current address is answered, or handed to the next host (still current). False: the session is over. */
static WAITS bool ask_current(struct session *s, size_t made)
{
	struct inquiry *q = arena_new(&s->arena, struct inquiry);
	struct domain_record d = {0};
	struct err err;
	if (!s->flight->is_hop)
		cache_domain(&s->v->cache, s->flight->key, rt_wall(), &d);
	struct inquiry_plan plan = plan_of(s, &d);
	unsigned before = s->probe.rcpts;
	bool domain_tells = d.kind == DOMAIN_TELLS;
	if (s->flight->is_hop)
		smtp_client_forget(&s->client); /* a hundred of these make one session */
	s->asked_from = s->client.dialogue.n;
	if (!inquiry_run(&s->probe, &s->current->address, &plan, q, &err))
		return false;
	metric_add(s->v->metrics.recipients, s->probe.rcpts - before);
	if (is_for_next_session(s, q)) {
		put_back(s);
		return false;
	}
	learn_host(s, q);
	if (is_for_next_host(q)) {
		s->last = *q;
		return true;
	}
	s->has_accepted |= q->verdict == VERIFY_EXISTS && q->meaning == PROBE_ACCEPTED;
	s->answered++;
	answer_current(s, q, domain_tells, made);
	return true;
}

static bool has_room(const struct session *s)
{
	unsigned max = s->flight->is_hop ? SESSION_RCPTS_HOP : SESSION_RCPTS;
	if (s->client.is_lost)
		return false;
	if (s->client.mail_max && s->probe.rcpts + 2 > s->client.mail_max)
		return false;
	return s->probe.rcpts + 2 <= max;
}

/* The current address, then others that wait, as long as it is polite. False: the session is over. */
static WAITS bool ask_all(struct session *s)
{
	size_t made = s->client.dialogue.n;
	do {
		if (!ask_current(s, made))
			return false;
	} while (!s->current && has_room(s) && admit(s));
	return true;
}

static WAITS void talk(struct session *s)
{
	while (s->current) {
		enum step step = session_connect(s);
		if (step == STEP_NEXT)
			session_settle_unreachable(s);
		if (step != STEP_OPEN || !ask_all(s))
			return;
		if (s->current)
			session_hang_up(s);
	}
}

static void session_init(struct session *s, struct flight *f, const struct verify_conf *conf)
{
	struct ip source = conf->source.ip;
	s->flight = f;
	s->v = f->v;
	s->conf = conf;
	arena_init(&s->arena, 65536);
	buf_init(&s->before, BEFORE_MAX + 512);
	s->smtp = (struct smtp_client_conf){
		.helo = f->v->deps.host,
		.is_lmtp = f->is_hop && f->hop.is_lmtp,
		.use_tls = conf->use_tls && f->v->deps.tls,
		.tls = f->v->deps.tls,
		.connect = CONNECT_WAIT,
		.greeting = GREETING_WAIT,
		.command = COMMAND_WAIT,
	};
	if (source.family == 4 && !f->is_hop)
		s->smtp.source = source;
	if (source.family == 6 && !f->is_hop)
		s->smtp.source6 = source;
}

void probe_session_run(struct flight *f, const struct verify_conf *conf)
{
	struct session *s = mem_new(struct session);
	session_init(s, f, conf);
	if (find_hosts(s) && may_ask(s) && admit(s))
		talk(s);
	put_back(s);
	session_hang_up(s); /* QUIT comes after the answers: nobody waits for it */
	if (s->has_breaker_probe)
		breaker_release(&s->v->breaker, s->mx_operator, rt_wall());
	buf_done(&s->before);
	arena_done(&s->arena);
	free(s);
}
