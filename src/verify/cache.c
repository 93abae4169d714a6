/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three layers of memory over the tables of the store. */
#include "verify/cache.h"

#include "base/random.h"

#include <stdio.h>

#define JITTER 0.1
/* A row of failures is over when nothing was heard for so long beyond patience. */
#define FAILURES_EXTRA USEC_DAY

static const usec_t back_off[] = {USEC_MIN, 2 * USEC_MIN, 5 * USEC_MIN, 15 * USEC_MIN};
#define BACK_OFF_STEPS (sizeof(back_off) / sizeof(*back_off))

bool cache_open(struct cache *c, struct store *store, const struct verify_conf *conf, struct err *err)
{
	struct cache n = {
		.addresses = store_table(store, "verify_address", (size_t)conf->cache_addresses, err),
		.domains = store_table(store, "verify_domain", (size_t)conf->cache_domains, err),
		.hosts = store_table(store, "verify_host", (size_t)conf->cache_hosts, err),
		.failures = store_table(store, "verify_failure", (size_t)conf->cache_addresses, err),
	};
	if (!n.addresses || !n.domains || !n.hosts || !n.failures)
		return false;
	*c = n;
	return true;
}

usec_t cache_jitter(usec_t ttl)
{
	return random_jitter(ttl, JITTER);
}

static struct wall later_of(struct wall a, struct wall b)
{
	return wall_is_before(a, b) ? b : a;
}

/* --- addresses --- */

static bool is_good(enum verify_verdict v)
{
	return v == VERIFY_EXISTS || v == VERIFY_ABSENT || v == VERIFY_CATCH_ALL;
}

bool cache_address(struct cache *c, struct str key, struct address_record *out)
{
	struct str value;
	return table_get(c->addresses, key, &value, NULL) && address_record_decode(value, out);
}

bool cache_put_address(struct cache *c, struct str key, const struct address_record *r, usec_t ttl, struct wall now)
{
	char bytes[RECORD_MAX];
	struct address_record old;
	if (!is_good(r->verdict) && cache_address(c, key, &old) && is_good(old.verdict))
		return false;
	usec_t live = r->verdict == VERIFY_TEMPORARY ? ttl : cache_jitter(ttl); /* temporary: a time was promised */
	if (r->verdict == VERIFY_ABSENT && live > ttl)
		live = ttl;
	return table_put(c->addresses, key, address_record_encode(r, bytes), wall_add(now, live));
}

void cache_drop_address(struct cache *c, struct str key)
{
	table_remove(c->addresses, key);
}

/* --- domains --- */

void cache_domain(struct cache *c, struct str domain, struct wall now, struct domain_record *out)
{
	struct str value;
	if (!table_get(c->domains, domain, &value, NULL) || !domain_record_decode(value, out)) {
		*out = (struct domain_record){0};
		return;
	}
	if (!wall_is_before(now, out->kind_until))
		out->kind = DOMAIN_NEW;
	if (!wall_is_before(now, out->null_refused_until))
		out->null_refused_until = (struct wall){0};
	if (!wall_is_before(now, out->blocked_until))
		out->blocked_until = (struct wall){0};
}

void cache_put_domain(struct cache *c, struct str domain, const struct domain_record *r, struct wall now)
{
	char bytes[RECORD_MAX];
	struct wall until = later_of(r->kind_until, later_of(r->null_refused_until, r->blocked_until));
	if (r->postmaster_at.us)
		until = later_of(until, wall_add(r->postmaster_at, USEC_HOUR));
	if (wall_is_before(now, until))
		table_put(c->domains, domain, domain_record_encode(r, bytes), until);
}

/* --- hosts --- */

void cache_host(struct cache *c, struct str host, struct wall now, struct host_record *out)
{
	struct str value;
	if (!table_get(c->hosts, host, &value, NULL) || !host_record_decode(value, out)) {
		*out = (struct host_record){0};
		return;
	}
	if (!wall_is_before(now, out->down_until))
		out->down_until = (struct wall){0};
	if (!wall_is_before(now, out->blocked_until))
		out->blocked_until = (struct wall){0};
}

/* The number of failures is kept a while beyond the pause, or the pauses would never grow. */
static void put_host(struct cache *c, struct str host, const struct host_record *r)
{
	char bytes[RECORD_MAX];
	struct wall until = later_of(r->down_until, r->blocked_until);
	table_put(c->hosts, host, host_record_encode(r, bytes), wall_add(until, 30 * USEC_MIN));
}

static struct wall host_down(struct cache *c, struct str host, const struct host_record *why, usec_t rest, struct wall now)
{
	struct host_record r = *why, old;
	cache_host(c, host, now, &old);
	r.steps = old.steps + 1;
	r.blocked_until = old.blocked_until;
	r.down_until = wall_add(now, rest);
	put_host(c, host, &r);
	return r.down_until;
}

struct wall cache_host_failed(struct cache *c, struct str host, const struct host_record *why, struct wall now)
{
	struct host_record old;
	cache_host(c, host, now, &old);
	size_t step = old.steps < BACK_OFF_STEPS ? old.steps : BACK_OFF_STEPS - 1;
	return host_down(c, host, why, cache_jitter(back_off[step]), now);
}

struct wall cache_host_rests(struct cache *c, struct str host, const struct host_record *why, usec_t rest, struct wall now)
{
	return host_down(c, host, why, cache_jitter(rest), now);
}

void cache_host_blocks(struct cache *c, struct str host, const struct host_record *why, usec_t ttl, struct wall now)
{
	struct host_record r = *why;
	r.blocked_until = wall_add(now, cache_jitter(ttl));
	put_host(c, host, &r);
}

void cache_host_answered(struct cache *c, struct str host)
{
	table_remove(c->hosts, host);
}

/* --- rows of failures --- */

#define FAILURE_KEY_MAX 400

static struct str failure_key(struct str sender_key, struct ip client, char out[FAILURE_KEY_MAX])
{
	char net[IP_TEXT_MAX + 4];
	struct str n = client.family ? ip_net_text(ip_client_net(client), net) : STR("-");
	sender_key = str_slice(sender_key, 0, 330);
	memcpy(out, n.p, n.n);
	out[n.n] = ' ';
	memcpy(out + n.n + 1, sender_key.p, sender_key.n);
	return (struct str){out, n.n + 1 + sender_key.n};
}

struct wall cache_failed(struct cache *c, struct str sender_key, struct ip client, usec_t patience, struct wall now)
{
	char space[FAILURE_KEY_MAX], bytes[8];
	struct str key = failure_key(sender_key, client, space), value;
	struct wall first = now;
	if (table_get(c->failures, key, &value, NULL) && value.n == sizeof(bytes))
		memcpy(&first.us, value.p, sizeof(bytes));
	if (wall_is_before(now, first)) /* the clock was set back */
		first = now;
	memcpy(bytes, &first.us, sizeof(bytes));
	table_put(c->failures, key, (struct str){bytes, sizeof(bytes)}, wall_add(now, patience + FAILURES_EXTRA));
	return first;
}

void cache_failures_over(struct cache *c, struct str sender_key, struct ip client)
{
	char space[FAILURE_KEY_MAX];
	table_remove(c->failures, failure_key(sender_key, client, space));
}
