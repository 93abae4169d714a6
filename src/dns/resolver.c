/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-ups: the cache first, then the flight that is under way, then a new one. */
#include "dns/resolver.h"

#include "base/mem.h"
#include "base/metric.h"
#include "dns/name.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Beyond this many questions at once new ones are answered TEMPORARY: memory stays bounded. */
#define FLIGHTS_MAX 16384

static struct {
	struct metric *hits, *joins, *asked, *took;
	struct metric *outcomes[DNS_BOGUS + 1];
} metrics; /* of all resolvers; a batch opens one for each line */

struct resolver {
	const struct resolver_backend *backend;
	void *self;
	struct dns_cache cache;
	struct map flights; /* by key */
	size_t n_flights;
	struct group group;
	usec_t timeout;
	uint32_t ttl_min_s, ttl_max_s, ttl_negative_max_s, ttl_temporary_s;
	bool is_closing;
};

static uint32_t seconds(usec_t d)
{
	usec_t s = d / USEC_S;
	return s < 0 ? 0 : s > INT32_MAX ? INT32_MAX : (uint32_t)s;
}

static void take_conf(struct resolver *r, const struct dns_conf *conf)
{
	r->timeout = conf->timeout;
	r->ttl_min_s = seconds(conf->ttl_min);
	r->ttl_max_s = seconds(conf->ttl_max);
	r->ttl_negative_max_s = seconds(conf->ttl_negative_max);
	r->ttl_temporary_s = seconds(conf->ttl_temporary);
	dns_cache_init(&r->cache, (size_t)conf->cache_max);
}

static void register_metrics(void)
{
	if (metrics.hits)
		return;
	metrics.hits = metric_counter("postern_dns_lookups_total", "from", "cache", "Look-ups by what answered");
	metrics.joins = metric_counter("postern_dns_lookups_total", "from", "flight", "Look-ups by what answered");
	metrics.asked = metric_counter("postern_dns_lookups_total", "from", "query", "Look-ups by what answered");
	metrics.took = metric_histogram("postern_dns_query_seconds", "Time of look-ups that the cache could not answer",
	                                NULL);
	for (int o = DNS_FOUND; o <= DNS_BOGUS; o++)
		metrics.outcomes[o] = metric_counter("postern_dns_queries_total", "outcome",
		                                      dns_outcome_name((enum dns_outcome)o), "Queries by outcome");
}

struct resolver *resolver_new(const struct dns_conf *conf, const struct resolver_backend *backend,
                              void *self)
{
	struct resolver *r = mem_new(struct resolver);
	struct dns_conf defaults;

	r->backend = backend;
	r->self = self;
	if (conf) {
		take_conf(r, conf);
	} else {
		conf_rows_default(dns_conf_rows, &defaults, sizeof(defaults));
		take_conf(r, &defaults);
		conf_rows_done(dns_conf_rows, &defaults);
	}
	map_init(&r->flights);
	group_init(&r->group, "dns");
	register_metrics();
	return r;
}

struct group *resolver_group(struct resolver *r)
{
	return &r->group;
}

usec_t resolver_timeout(const struct resolver *r)
{
	return r->timeout;
}

void resolver_close(struct resolver *r)
{
	size_t at = 0;
	struct str key;
	void *value;

	if (!r)
		return;
	r->is_closing = true;
	group_done(&r->group);
	r->backend->close(r->self);
	while (map_next(&r->flights, &at, &key, &value)) {
		struct flight *f = value;
		dns_answer_fail(f->answer, DNS_TEMPORARY, STR("the resolver was closed"));
		flight_land(f);
	}
	map_done(&r->flights);
	dns_cache_done(&r->cache);
	free(r);
}

/* --- flights --- */

static void free_answer(void *answer)
{
	dns_answer_release(answer);
}

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
	return v > high ? high : v < low ? low : v;
}

static void cap_ttl(const struct resolver *r, struct dns_answer *a)
{
	switch (a->outcome) {
	case DNS_FOUND:
		a->ttl = clamp(a->ttl, r->ttl_min_s, r->ttl_max_s);
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		a->ttl = clamp(a->ttl, r->ttl_min_s, r->ttl_negative_max_s);
		break;
	case DNS_TEMPORARY:
	case DNS_BOGUS:
		a->ttl = r->ttl_temporary_s;
		break;
	}
}

static struct flight *flight_new(struct resolver *r, struct str name, enum dns_type type)
{
	struct flight *f = mem_new(struct flight);
	char key[DNS_KEY_MAX];

	f->resolver = r;
	f->answer = dns_answer_new(name, type);
	f->ticket = ticket_new("dns");
	f->begun = rt_now();
	f->until = f->begun + r->timeout;
	link_init(&f->link);
	map_put(&r->flights, dns_key(name, type, key), f);
	r->n_flights++;
	return f;
}

static void keep(struct resolver *r, struct str key, struct dns_answer *a, usec_t begun)
{
	cap_ttl(r, a);
	a->expires = rt_now() + a->ttl * USEC_S;
	metric_inc(metrics.outcomes[a->outcome]);
	metric_observe(metrics.took, rt_now() - begun);
	if (!r->is_closing)
		dns_cache_put(&r->cache, key, a);
}

void flight_land(struct flight *f)
{
	struct resolver *r = f->resolver;
	struct dns_answer *a = f->answer;
	char key[DNS_KEY_MAX];
	struct str k = dns_key(a->name, a->type, key);

	map_remove(&r->flights, k);
	r->n_flights--;
	link_remove(&f->link);
	keep(r, k, a, f->begun);
	ticket_complete(f->ticket, a, free_answer);
	ticket_unref(f->ticket);
	free(f);
}

void flight_time_out(struct flight *f)
{
	char text[64], duration[32];
	struct str after = duration_text(f->resolver->timeout, duration);

	snprintf(text, sizeof(text), "timed out after %.*s", STR_ARG(after));
	dns_answer_fail(f->answer, DNS_TEMPORARY, str_from(text));
	flight_land(f);
}

/* --- asking --- */

/* An answer that no question was needed for; it is not cached. */
static const struct dns_answer *own_answer(struct str name, enum dns_type type, enum dns_outcome outcome,
                                           const char *why)
{
	struct dns_answer *a = dns_answer_new(str_slice(name, 0, DNS_NAME_TEXT_MAX), type);

	a->outcome = outcome;
	a->why = str_from(why);
	a->ttl = 0;
	a->expires = rt_now();
	return a;
}

/* Lower case, no trailing dot; false: not a name. */
static bool normalise(struct str name, char out[DNS_NAME_TEXT_MAX + 1], struct str *text)
{
	struct dns_name checked;

	if (!dns_name_parse(name, &checked))
		return false;
	if (name.p[name.n - 1] == '.')
		name.n--;
	for (size_t i = 0; i < name.n; i++)
		out[i] = ascii_lower(name.p[i]);
	*text = (struct str){out, name.n};
	return true;
}

/* A ticket of the flight that is under way or begins now; the back end may land it in line. */
static struct ticket *ask(struct resolver *r, struct str key, struct str name, enum dns_type type)
{
	struct flight *f = map_get(&r->flights, key);
	struct ticket *t;

	if (f) {
		metric_inc(metrics.joins);
		return ticket_ref(f->ticket);
	}
	metric_inc(metrics.asked);
	f = flight_new(r, name, type);
	t = ticket_ref(f->ticket);
	r->backend->ask(r->self, f);
	return t;
}

/* What the back end can say at once; NULL: nothing. */
static const struct dns_answer *answer_at_once(struct resolver *r, struct str key, struct str name, enum dns_type type)
{
	if (!r->backend->answer)
		return NULL;
	struct dns_answer *a = dns_answer_new(name, type);
	if (!r->backend->answer(r->self, a)) {
		dns_answer_release(a);
		return NULL;
	}
	metric_inc(metrics.asked);
	keep(r, key, a, rt_now());
	return a;
}

static WAITS bool wait_for(struct ticket *t, struct str name, enum dns_type type, const struct dns_answer **out,
                     struct err *err)
{
	bool is_there = ticket_is_complete(t) || ticket_wait(t, err);

	if (is_there) {
		*out = dns_answer_ref(ticket_result(t));
	} else {
		err->cause = CAUSE_DNS_FAILURE;
		err_context(err, "DNS %s of %.*s", dns_type_name(type), STR_ARG(name));
	}
	ticket_unref(t);
	return is_there;
}

bool dns_lookup(struct resolver *r, struct str name, enum dns_type type, const struct dns_answer **out,
                struct err *err)
{
	char text[DNS_NAME_TEXT_MAX + 1], key_space[DNS_KEY_MAX];
	struct str asked, key;

	if (!normalise(name, text, &asked)) {
		*out = own_answer(name, type, DNS_NXDOMAIN, "not a domain name");
		return true;
	}
	key = dns_key(asked, type, key_space);
	const struct dns_answer *cached = dns_cache_get(&r->cache, key, rt_now());
	if (cached) {
		metric_inc(metrics.hits);
		*out = cached;
		return true;
	}
	if (r->is_closing || r->n_flights >= FLIGHTS_MAX) {
		*out = own_answer(asked, type, DNS_TEMPORARY, "too many look-ups under way");
		return true;
	}
	const struct dns_answer *at_once = answer_at_once(r, key, asked, type);
	if (at_once) {
		*out = at_once;
		return true;
	}
	/* From here on the resolver may be closed while we wait: only the ticket is ours. */
	return wait_for(ask(r, key, asked, type), asked, type, out, err);
}

const struct dns_answer *dns_lookup_cached(struct resolver *r, struct str name, enum dns_type type)
{
	char text[DNS_NAME_TEXT_MAX + 1], key[DNS_KEY_MAX];
	struct str asked;

	if (!normalise(name, text, &asked))
		return NULL;
	return dns_cache_get(&r->cache, dns_key(asked, type, key), rt_now());
}

void dns_flush(struct resolver *r, struct str name)
{
	char text[DNS_NAME_TEXT_MAX + 1];
	struct str top = STR_NONE;

	if (name.n == 0 || normalise(name, text, &top))
		dns_cache_flush(&r->cache, top);
}
