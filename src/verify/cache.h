/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of verification: three layers (address, domain, MX address) and the first failures of a row.
 *
 * What is known to be good stays good until it expires: an answer that could not be completed never replaces one
 * that was. Times to live are jittered by a tenth, so that what was learned together does not have to be
 * asked again together; "absent" never lives longer than configured and is not prolonged by being used.
 * All times are wall times, because they are stored.
 */
#pragma once

#include "store/table.h"
#include "verify/record.h"

struct cache {
	struct table *addresses, *domains, *hosts, *failures;
};

bool cache_open(struct cache *c, struct store *store, const struct verify_conf *conf, struct err *err);

/* --- addresses --- */
bool cache_address(struct cache *c, struct str key, struct address_record *out); /* texts valid until the next call */
/* False: a better answer is there already and stays. */
bool cache_put_address(struct cache *c, struct str key, const struct address_record *r, usec_t ttl, struct wall now);
void cache_drop_address(struct cache *c, struct str key);

/* --- domains --- */
/* Always fills *out; what is not known or over is zero. */
void cache_domain(struct cache *c, struct str domain, struct wall now, struct domain_record *out);
void cache_put_domain(struct cache *c, struct str domain, const struct domain_record *r, struct wall now);

/* --- hosts: key is the address as text --- */
void cache_host(struct cache *c, struct str host, struct wall now, struct host_record *out);
/* One more failure: the host is left alone for 1, 2, 5, then 15 minutes. Returns until when. */
struct wall cache_host_failed(struct cache *c, struct str host, const struct host_record *why, struct wall now);
/* Left alone for a fixed time: it answered, and wants rest. */
struct wall cache_host_rests(struct cache *c, struct str host, const struct host_record *why, usec_t rest, struct wall now);
void cache_host_blocks(struct cache *c, struct str host, const struct host_record *why, usec_t ttl, struct wall now);
void cache_host_answered(struct cache *c, struct str host);

/* --- how long a client has been hearing 451 for a sender --- */
/* Records the failure and returns the first of the row. Outlives the short times to live. */
struct wall cache_failed(struct cache *c, struct str sender_key, struct ip client, usec_t patience, struct wall now);
void cache_failures_over(struct cache *c, struct str sender_key, struct ip client);

/* ttl ± 10 % */
usec_t cache_jitter(usec_t ttl);
