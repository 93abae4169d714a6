/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash map from text to pointer, open addressing, keys copied.
 * Keys are compared byte by byte: fold case before. No pointer into the map survives a wait; look up
 * again. Cost: one hash and on average under two probes; grows by doubling, 16 bytes a slot and the key.
 */
#pragma once

#include "base/str.h"

struct map_slot;
struct map {
	struct map_slot *slots;
	size_t n, capacity, deleted;
};

void map_init(struct map *m);
void map_done(struct map *m); /* the values are the caller's */
void *map_get(const struct map *m, struct str key); /* NULL: not there */
/* Puts or replaces; returns the former value or NULL. value must not be NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key);
/* *at starts at 0; false at the end. Removing the item just returned is allowed, adding is not. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);
