/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting different addresses of one pattern, by their hashes. */
#include "verify/patterns.h"

#include "base/auto.h"
#include "mail/address.h"

#include <openssl/evp.h>
#include <stdio.h>

#define KEY_MAX 340

struct state {
	int64_t checked;
	uint64_t seen[PATTERN_TIMES];
	uint8_t n;
};

bool patterns_open(struct patterns *p, struct store *store, size_t max, struct err *err)
{
	struct table *t = store_table(store, "verify_pattern", max, err);
	if (!t)
		return false;
	p->table = t;
	return true;
}

/* "list-bounces+*@example.org"; false: the local part is plain. */
static bool pattern_key(struct str key, char out[KEY_MAX], struct str *pattern)
{
	auto_arena struct arena arena;
	arena_init(&arena, 4096);
	size_t at = str_rfind_char(key, '@');
	struct str local = address_pattern(&arena, str_slice(key, 0, at));
	if (at >= key.n || local.n == 0)
		return false;
	int n = snprintf(out, KEY_MAX, "%.*s%.*s", STR_ARG(local), STR_ARG(str_skip(key, at)));
	if (n <= 0 || n >= KEY_MAX)
		return false;
	*pattern = (struct str){out, (size_t)n};
	return true;
}

static bool load(struct patterns *p, struct str pattern, struct state *s)
{
	struct str value;
	if (!table_get(p->table, pattern, &value, NULL) || value.n != sizeof(*s))
		return false;
	memcpy(s, value.p, sizeof(*s));
	return s->n <= PATTERN_TIMES;
}

bool patterns_trust(struct patterns *p, struct str key, struct wall *checked)
{
	char space[KEY_MAX];
	struct str pattern;
	struct state s;
	if (!pattern_key(key, space, &pattern) || !load(p, pattern, &s) || s.n < PATTERN_TIMES)
		return false;
	*checked = (struct wall){s.checked};
	return true;
}

/* Stable between runs, which str_hash is not. */
static uint64_t hash_of(struct str s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	uint64_t h = 0;
	EVP_Digest(s.p, s.n, digest, &n, EVP_sha256(), NULL);
	memcpy(&h, digest, sizeof(h));
	return h;
}

void patterns_learn(struct patterns *p, struct str key, bool exists, usec_t ttl, struct wall now)
{
	char space[KEY_MAX];
	struct str pattern;
	struct state s;
	if (!pattern_key(key, space, &pattern))
		return;
	if (!exists) {
		table_remove(p->table, pattern);
		return;
	}
	if (!load(p, pattern, &s))
		s = (struct state){0};
	uint64_t hash = hash_of(key);
	for (uint8_t i = 0; i < s.n; i++)
		if (s.seen[i] == hash)
			return;
	if (s.n < PATTERN_TIMES)
		s.seen[s.n++] = hash;
	s.checked = now.us;
	table_put(p->table, pattern, (struct str){(const char *)&s, sizeof(s)}, wall_add(now, ttl));
}

struct forget {
	struct patterns *p;
	struct str domain;
	size_t n;
};

static void forget_one(void *arg, struct str key, struct str value, struct wall expires)
{
	struct forget *f = arg;
	(void)value;
	(void)expires;
	if (!str_eq(str_skip(key, str_rfind_char(key, '@') + 1), f->domain))
		return;
	table_remove(f->p->table, key);
	f->n++;
}

size_t patterns_forget(struct patterns *p, struct str domain)
{
	struct forget f = {p, domain, 0};
	table_each(p->table, STR_NONE, forget_one, &f);
	return f.n;
}
