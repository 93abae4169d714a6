/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linear probing over slots of a power of two; the key and its hash stand in one block of their own. */
#include "base/map.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16

struct key {
	uint32_t hash; /* compared before the bytes, and spares hashing again when the table grows */
	uint32_t n;
	char bytes[];
};

struct map_slot {
	struct key *key; /* NULL: never used; &removed: a search goes on behind it */
	void *value;
};

static struct key removed;

void map_init(struct map *m)
{
	*m = (struct map){0};
}

static void key_free(struct key *key)
{
	if (key != &removed)
		free(key);
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->capacity; i++)
		key_free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){0};
}

static uint32_t hash_of(struct str key)
{
	return (uint32_t)str_hash(key);
}

static bool key_is(const struct key *key, uint32_t hash, struct str text)
{
	return key != &removed && key->hash == hash && key->n == text.n &&
	       (text.n == 0 || memcmp(key->bytes, text.p, text.n) == 0);
}

static struct map_slot *find(const struct map *m, struct str key, uint32_t hash)
{
	if (m->capacity == 0)
		return NULL;
	for (size_t i = hash;; i++) {
		struct map_slot *slot = &m->slots[i & (m->capacity - 1)];
		if (!slot->key)
			return NULL;
		if (key_is(slot->key, hash, key))
			return slot;
	}
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *slot = find(m, key, hash_of(key));
	return slot ? slot->value : NULL;
}

static void rebuild(struct map *m, size_t capacity)
{
	struct map_slot *slots = mem_alloc(capacity * sizeof *slots);
	for (size_t i = 0; i < m->capacity; i++) {
		struct key *key = m->slots[i].key;
		if (!key || key == &removed)
			continue;
		size_t to = key->hash & (capacity - 1);
		while (slots[to].key)
			to = (to + 1) & (capacity - 1);
		slots[to] = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->capacity = capacity;
	m->deleted = 0;
}

/* At most five eighths are used or removed: 1.8 probes for a hit at the fullest. */
static void make_room(struct map *m)
{
	size_t capacity = m->capacity ? m->capacity : FIRST_CAPACITY;
	if (m->capacity && (m->n + m->deleted + 1) * 8 <= capacity * 5)
		return;
	while ((m->n + 1) * 16 > capacity * 5)
		capacity *= 2;
	while (capacity > FIRST_CAPACITY && (m->n + 1) * 16 <= capacity)
		capacity /= 2; /* most were removed */
	rebuild(m, capacity);
}

void *map_put(struct map *m, struct str key, void *value)
{
	assert(value && key.n <= UINT32_MAX);
	uint32_t hash = hash_of(key);
	struct map_slot *slot = find(m, key, hash);
	if (slot) {
		void *former = slot->value;
		slot->value = value;
		return former;
	}
	make_room(m);
	size_t to = hash & (m->capacity - 1);
	while (m->slots[to].key && m->slots[to].key != &removed)
		to = (to + 1) & (m->capacity - 1);
	m->deleted -= m->slots[to].key == &removed;
	struct key *copy = mem_alloc(sizeof *copy + key.n);
	copy->hash = hash;
	copy->n = (uint32_t)key.n;
	if (key.n)
		memcpy(copy->bytes, key.p, key.n);
	m->slots[to] = (struct map_slot){copy, value};
	m->n++;
	return NULL;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_slot *slot = find(m, key, hash_of(key));
	if (!slot)
		return NULL;
	void *former = slot->value;
	/* `key` may be the very block that is freed here: not looked at again */
	free(slot->key);
	*slot = (struct map_slot){&removed, NULL};
	m->n--;
	m->deleted++;
	return former;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	while (*at < m->capacity) {
		const struct map_slot *slot = &m->slots[(*at)++];
		if (!slot->key || slot->key == &removed)
			continue;
		if (key)
			*key = (struct str){slot->key->bytes, slot->key->n};
		if (value)
			*value = slot->value;
		return true;
	}
	return false;
}
