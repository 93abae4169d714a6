/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that ends together: one arena for a session, one for a transaction.
 *
 * Nothing taken from an arena is freed singly. The first block is small and chained blocks
 * double up to 16 KiB, so that an idle session costs little. `max` bounds what strangers can
 * make us keep: past it `arena_alloc` still succeeds, but `arena_is_full` turns true, and the
 * caller that takes outside input tests it and answers 4xx.
 */
#pragma once

#include "base/str.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out since the last clear */
	size_t max;
};

void arena_init(struct arena *a, size_t max);
void arena_clear(struct arena *a); /* keeps no block */
void arena_done(struct arena *a);

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
struct str arena_str(struct arena *a, struct str s);
/* A copy with a NUL behind it, for C libraries; bytes after an inner NUL are lost to them. */
char *arena_cstr(struct arena *a, struct str s);
struct str arena_lower(struct arena *a, struct str s); /* ASCII only */
struct str arena_printf(struct arena *a, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static inline bool arena_is_full(const struct arena *a)
{
	return a->used > a->max;
}
