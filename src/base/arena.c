/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chain of blocks that double in size; the newest is in front and is the one that is filled. */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BLOCK 512
#define LAST_BLOCK  16384

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

#if defined(__SANITIZE_ADDRESS__)
#define EACH_ALONE true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ALONE true
#endif
#endif
#ifndef EACH_ALONE
#define EACH_ALONE false /* with ASan each allocation is a block, so that a step beyond it is seen */
#endif

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

void arena_clear(struct arena *a)
{
	struct arena_block *next;
	for (struct arena_block *block = a->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	a->blocks = NULL;
	a->used = 0;
}

void arena_done(struct arena *a)
{
	arena_clear(a);
}

static struct arena_block *new_block(size_t size)
{
	struct arena_block *block = mem_alloc(sizeof *block + size);
	block->size = size;
	return block;
}

/* What is larger than half a block gets one of its own, behind the block being filled. */
static void *alloc_alone(struct arena *a, size_t n)
{
	struct arena_block *block = new_block(n);
	block->used = n;
	if (a->blocks) {
		block->next = a->blocks->next;
		a->blocks->next = block;
	} else {
		a->blocks = block;
	}
	return block->bytes;
}

static size_t next_size(const struct arena *a)
{
	size_t size = FIRST_BLOCK - sizeof(struct arena_block);
	if (a->blocks && a->blocks->size >= size)
		size = 2 * (a->blocks->size + sizeof(struct arena_block)) - sizeof(struct arena_block);
	size_t last = LAST_BLOCK - sizeof(struct arena_block);
	return size < last ? size : last;
}

void *arena_alloc(struct arena *a, size_t n)
{
	assert(n < SIZE_MAX / 4);
	a->used += n;
	if (EACH_ALONE)
		return alloc_alone(a, n);
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *block = a->blocks;
	if (!block || n > block->size - block->used) {
		size_t size = next_size(a);
		if (n > size / 2)
			return alloc_alone(a, n);
		block = new_block(size);
		block->next = a->blocks;
		a->blocks = block;
	}
	void *p = block->bytes + block->used;
	block->used += n;
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	if (!s.p)
		return STR_NONE;
	return (struct str){arena_cstr(a, s), s.n};
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.n + 1);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

struct str arena_lower(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		copy[i] = ascii_lower(s.p[i]);
	return (struct str){copy, s.n};
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	char text[256]; /* nearly all are shorter, and are formatted once */
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(text, sizeof text, format, args);
	assert(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof text)
		memcpy(p, text, (size_t)n);
	else
		vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct str){p, (size_t)n};
}
