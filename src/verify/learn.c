/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an answer to memory. */
#include "verify/learn.h"

#include "verify/answer.h"

#define CONTROL_OPEN_TTL  USEC_DAY        /* exists, but whether everything does is not known */
#define INCONCLUSIVE_TTL  USEC_HOUR       /* refused without a word about us */
#define HOP_EXISTS_TTL    USEC_DAY
#define HOP_ABSENT_TTL    (5 * USEC_MIN)  /* a mailbox that was just made should work soon */
#define HOP_TEMP_TTL      (10 * USEC_S)
#define REPROBE_GRACE     (30 * USEC_S)   /* our own question takes a while */

static usec_t shorter_of(usec_t a, usec_t b)
{
	return a < b ? a : b;
}

static struct address_record record_of(const struct inquiry *q, const struct verify_answer *a)
{
	return (struct address_record){
		.verdict = a->verdict,
		.class = a->class,
		.cause = a->cause,
		.code = a->code,
		.null_refused = a->null_refused,
		.control_refused = a->control_refused,
		.checked = a->checked,
		.host = str_from(a->host),
		.said = str_from(q ? q->said : a->said),
	};
}

/* --- the domain layer --- */

static void set_kind(struct domain_record *d, enum domain_kind kind, usec_t ttl, struct wall now)
{
	d->kind = kind;
	d->kind_at = now;
	d->kind_until = wall_add(now, cache_jitter(ttl));
}

static void set_blocked(struct domain_record *d, const struct verify_conf *conf, const struct inquiry *q, struct wall now)
{
	usec_t ttl = q->says_us ? conf->ttl_blocked : shorter_of(INCONCLUSIVE_TTL, conf->ttl_blocked);
	d->blocked_at = now;
	d->blocked_until = wall_add(now, cache_jitter(ttl));
	d->blocked_cause = q->cause;
	d->blocked_class = q->class;
}

static void set_words(struct domain_record *d, const struct inquiry *q, struct str host)
{
	d->code = q->code;
	d->host = host;
	d->said = str_from(q->said);
}

/* A refused random local part proves something only beside an address that was taken. */
static bool has_told_apart(const struct inquiry *q)
{
	return q->verdict == VERIFY_EXISTS && q->meaning == PROBE_ACCEPTED && q->control == CONTROL_REFUSED;
}

static void learn_domain(struct verify *v, const struct verify_conf *conf, struct str domain, struct str host,
                         const struct inquiry *q)
{
	char host_copy[RECORD_HOST_MAX + 1], said_copy[RECORD_SAID_MAX + 1];
	struct wall now = rt_wall();
	struct domain_record d;
	cache_domain(&v->cache, domain, now, &d);
	/* d's texts point into the table: they must not while it is written. */
	d.host = str_slice(d.host, 0, RECORD_HOST_MAX);
	d.said = str_slice(d.said, 0, RECORD_SAID_MAX);
	d.host.p = d.host.n ? memcpy(host_copy, d.host.p, d.host.n) : NULL;
	d.said.p = d.said.n ? memcpy(said_copy, d.said.p, d.said.n) : NULL;
	if (q->verdict == VERIFY_CATCH_ALL) {
		set_kind(&d, DOMAIN_CATCH_ALL, conf->ttl_catch_all, now);
		set_words(&d, q, host);
	} else if (q->verdict == VERIFY_UNVERIFIABLE && (q->code == 252 || q->opts_out)) {
		set_kind(&d, DOMAIN_UNVERIFIABLE, conf->ttl_unverifiable, now);
		set_words(&d, q, host);
	} else if (q->verdict == VERIFY_BLOCKED) {
		set_blocked(&d, conf, q, now);
		set_words(&d, q, host);
	} else if (has_told_apart(q)) {
		set_kind(&d, DOMAIN_TELLS, conf->ttl_catch_all, now);
	}
	if (q->null_refused && d.null_refused_until.us == 0) {
		d.null_refused_at = now;
		d.null_refused_until = wall_add(now, cache_jitter(conf->ttl_null_refused));
	} else if (!q->null_refused && q->class == VERIFY_CLASS_REFUSED_NULL) {
		d.null_refused_until = (struct wall){0}; /* the probe sender is refused as well: begin with <> again */
	}
	if (q->postmaster_ok)
		d.postmaster_at = now;
	cache_put_domain(&v->cache, domain, &d, now);
}

void learn_refusal(struct verify *v, const struct verify_conf *conf, struct str domain, struct str host,
                   const struct inquiry *q)
{
	if (q->verdict == VERIFY_BLOCKED || q->opts_out)
		learn_domain(v, conf, domain, host, q);
}

/* --- the address layer --- */

static usec_t ttl_of_exists(const struct verify_conf *conf, const struct inquiry *q, const struct verify_answer *a)
{
	if (q->meaning == PROBE_FULL)
		return conf->ttl_unverifiable;
	return a->control_refused ? conf->ttl_exists : shorter_of(CONTROL_OPEN_TTL, conf->ttl_exists);
}

/* Greylisted, or some other "later" in answer to the question itself: the same question is worth repeating. */
static bool is_worth_repeating(const struct inquiry *q)
{
	bool is_later = q->meaning == PROBE_GREYLISTED || q->meaning == PROBE_TEMPORARY;
	return is_later && q->stage != PROBE_CONNECT && q->class == VERIFY_CLASS_DEFERRED;
}

static void learn_temporary(struct work *w, const struct verify_conf *conf, const struct inquiry *q, struct verify_answer *a)
{
	struct wall now = rt_wall(), due;
	struct address_record r = record_of(q, a);
	usec_t ttl = q->meaning == PROBE_REFUSED_NOW ? conf->ttl_temp_max : conf->ttl_temp_min;
	bool repeats = is_worth_repeating(q) && reprobe_due(w->v->conf->greylist_retry, w->first, w->attempts, now, &due);
	if (repeats)
		ttl = wall_diff(due, now) + REPROBE_GRACE;
	else if (is_worth_repeating(q))
		ttl = conf->ttl_temp_max;
	r.attempts = w->attempts;
	r.first = w->first;
	r.retry_at = wall_add(now, ttl);
	a->retry_after = ttl;
	/* The record outlives the moment promised, so that whoever comes on time does not begin anew. */
	if (cache_put_address(&w->v->cache, w->key, &r, ttl + USEC_MIN, now) && repeats)
		reprobe_plan(w->v, w->key, &(struct reprobe_plan){due, w->first, w->attempts + 1});
}

void learn_address(struct work *w, const struct verify_conf *conf, const struct inquiry *q, struct verify_answer *a)
{
	struct verify *v = w->v;
	struct address_record r = record_of(q, a);
	struct wall now = rt_wall();
	learn_domain(v, conf, w->address.ascii_domain, str_from(a->host), q);
	switch (a->verdict) {
	case VERIFY_EXISTS:
		cache_put_address(&v->cache, w->key, &r, ttl_of_exists(conf, q, a), now);
		patterns_learn(&v->patterns, w->key, true, conf->ttl_exists, now);
		break;
	case VERIFY_ABSENT:
		cache_put_address(&v->cache, w->key, &r, conf->ttl_absent, now);
		patterns_learn(&v->patterns, w->key, false, 0, now);
		break;
	case VERIFY_CATCH_ALL: /* the domain layer answers for every address */
		cache_drop_address(&v->cache, w->key);
		break;
	case VERIFY_UNVERIFIABLE:
		cache_put_address(&v->cache, w->key, &r, conf->ttl_unverifiable, now);
		break;
	case VERIFY_TEMPORARY:
		learn_temporary(w, conf, q, a);
		break;
	case VERIFY_BLOCKED: /* the domain layer again */
		a->retry_after = q->says_us ? conf->ttl_blocked : INCONCLUSIVE_TTL;
		break;
	case VERIFY_SKIPPED:
		break;
	}
}

void learn_recipient(struct work *w, const struct inquiry *q, struct verify_answer *a)
{
	struct wall now = rt_wall();
	struct address_record r = record_of(q, a);
	usec_t ttl = HOP_TEMP_TTL;
	if (a->verdict == VERIFY_EXISTS)
		ttl = q->meaning == PROBE_FULL ? HOP_ABSENT_TTL : HOP_EXISTS_TTL;
	else if (a->verdict == VERIFY_ABSENT || a->verdict == VERIFY_UNVERIFIABLE)
		ttl = HOP_ABSENT_TTL;
	if (a->verdict == VERIFY_TEMPORARY || a->verdict == VERIFY_BLOCKED)
		a->retry_after = ttl;
	r.retry_at = wall_add(now, ttl);
	cache_put_address(&w->v->cache, w->key, &r, ttl, now);
}

void learn_unreachable(struct work *w, struct wall until, struct verify_answer *a)
{
	struct wall now = rt_wall();
	struct address_record r = record_of(NULL, a);
	usec_t ttl = wall_diff(until, now);
	if (ttl < USEC_MIN)
		ttl = USEC_MIN;
	r.first = w->first;
	r.attempts = 255; /* not ours to repeat: the next asker tries the host again */
	r.retry_at = wall_add(now, ttl);
	a->retry_after = ttl;
	cache_put_address(&w->v->cache, w->key, &r, ttl, now);
}

void learn_operator(struct verify *v, const struct verify_conf *conf, struct str mx_operator, const struct inquiry *q)
{
	struct wall now = rt_wall();
	struct str said = str_from(q->said);
	if (q->opts_out)
		breaker_trip(&v->breaker, mx_operator, BREAKER_OPT_OUT, said, conf->ttl_blocked, now);
	else if (q->says_us)
		breaker_trip(&v->breaker, mx_operator, BREAKER_BLOCKED, said, conf->ttl_blocked, now);
	else if (q->is_busy)
		breaker_trip(&v->breaker, mx_operator, BREAKER_STORM, said, conf->ttl_blocked, now);
	else if (q->stage == PROBE_RCPT && q->code && q->verdict != VERIFY_BLOCKED)
		breaker_answered(&v->breaker, mx_operator, now);
	else
		breaker_release(&v->breaker, mx_operator, now);
}
