/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of typed answers: name and type to a shared answer, least recently used out first. Bounded in
 * answers and in bytes. Pure: the caller gives the time, the answer carries its expiry.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "dns/dns.h"

#define DNS_KEY_MAX 260

struct dns_cache {
	struct map entries;
	struct list used; /* most recently used first */
	size_t n, max;
	size_t bytes, bytes_max;
};

/* The key of a question, also for what is under way; name in lower case without trailing dot. */
struct str dns_key(struct str name, enum dns_type type, char out[DNS_KEY_MAX]);

void dns_cache_init(struct dns_cache *c, size_t max);
void dns_cache_done(struct dns_cache *c);
/* A reference of the caller's own, or NULL. */
const struct dns_answer *dns_cache_get(struct dns_cache *c, struct str key, usec_t now);
/* Takes a reference of its own; replaces what was there. */
void dns_cache_put(struct dns_cache *c, struct str key, const struct dns_answer *a);
void dns_cache_flush(struct dns_cache *c, struct str name); /* and below; empty: all */
