/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of typed answers. */
#include "dns/cache.h"

#include "base/mem.h"
#include "dns/answer.h"

#include <assert.h>
#include <stdlib.h>

/* What an answer may cost on average before the bound in bytes is felt before the one in number. */
#define BYTES_EACH 2048

struct entry {
	struct link link;
	const struct dns_answer *answer;
};

struct str dns_key(struct str name, enum dns_type type, char out[DNS_KEY_MAX])
{
	assert(name.n <= DNS_KEY_MAX - 2);
	out[0] = (char)((unsigned)type >> 8);
	out[1] = (char)((unsigned)type & 0xff);
	if (name.n > 0)
		memcpy(out + 2, name.p, name.n);
	return (struct str){out, name.n + 2};
}

void dns_cache_init(struct dns_cache *c, size_t max)
{
	*c = (struct dns_cache){.max = max, .bytes_max = max * BYTES_EACH};
	map_init(&c->entries);
	list_init(&c->used);
}

static size_t cost(const struct dns_answer *a)
{
	return sizeof(struct entry) + sizeof(*a) + a->arena.used;
}

/* An entry that the map does not hold any more. */
static void entry_free(struct dns_cache *c, struct entry *e)
{
	link_remove(&e->link);
	c->n--;
	c->bytes -= cost(e->answer);
	dns_answer_release(e->answer);
	free(e);
}

static void drop(struct dns_cache *c, struct entry *e)
{
	char key[DNS_KEY_MAX];
	struct entry *removed = map_remove(&c->entries, dns_key(e->answer->name, e->answer->type, key));

	assert(removed == e);
	entry_free(c, e);
}

void dns_cache_done(struct dns_cache *c)
{
	map_done(&c->entries);
	list_each(it, &c->used)
		entry_free(c, container_of(it, struct entry, link));
}

const struct dns_answer *dns_cache_get(struct dns_cache *c, struct str key, usec_t now)
{
	struct entry *e = map_get(&c->entries, key);

	if (!e)
		return NULL;
	if (e->answer->expires <= now) {
		drop(c, e);
		return NULL;
	}
	link_remove(&e->link);
	list_push_front(&c->used, &e->link);
	return dns_answer_ref(e->answer);
}

void dns_cache_put(struct dns_cache *c, struct str key, const struct dns_answer *a)
{
	struct entry *e = mem_new(struct entry), *former;

	e->answer = dns_answer_ref(a);
	former = map_put(&c->entries, key, e);
	if (former)
		entry_free(c, former);
	list_push_front(&c->used, &e->link);
	c->n++;
	c->bytes += cost(a);
	while (c->n > c->max || (c->bytes > c->bytes_max && c->n > 1))
		drop(c, container_of(c->used.head.prev, struct entry, link));
}

static bool is_at_or_below(struct str name, struct str top)
{
	if (name.n <= top.n)
		return str_eq(name, top);
	return str_ends(name, top) && (top.n == 0 || name.p[name.n - top.n - 1] == '.');
}

void dns_cache_flush(struct dns_cache *c, struct str name)
{
	list_each(it, &c->used) {
		struct entry *e = container_of(it, struct entry, link);
		if (is_at_or_below(e->answer->name, name))
			drop(c, e);
	}
}
