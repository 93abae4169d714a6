/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slabs of stacks, their guards, and giving pages back. */
#include "rt/stack.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum {
	STACKS_IN_SLAB = 64,
	WARM_MAX = 64, /* free stacks that keep their pages: sessions come and go by the thousand */
	CANARY_BYTES = 64,
	CANARY = 0xC5,
};

struct stack_slab {
	struct stack_slab *next;
	char *memory;
	size_t bytes;
};

/* Lies at the top of a free stack, on the page that stays. */
struct stack_free {
	struct stack_free *next;
	struct stack stack;
};

void stack_pool_init(struct stack_pool *pool, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	*pool = (struct stack_pool){.size = (size + page - 1) / page * page, .page = page};
	pool->residency = malloc(pool->size / page);
	assert(pool->residency);
}

void stack_pool_done(struct stack_pool *pool)
{
	while (pool->slabs) {
		struct stack_slab *slab = pool->slabs;
		pool->slabs = slab->next;
		munmap(slab->memory, slab->bytes);
		free(slab);
	}
	free(pool->residency);
	*pool = (struct stack_pool){0};
}

static bool slab_add(struct stack_pool *pool)
{
	struct stack_slab *slab = malloc(sizeof(*slab));
	if (!slab)
		return false;
	slab->bytes = STACKS_IN_SLAB * (pool->size + pool->page);
	slab->memory = mmap(NULL, slab->bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (slab->memory == MAP_FAILED) {
		free(slab);
		return false;
	}
	/* A huge page would make 32 idle stacks resident at once. */
	madvise(slab->memory, slab->bytes, MADV_NOHUGEPAGE);
	slab->next = pool->slabs;
	pool->slabs = slab;
	pool->fresh = slab->memory;
	pool->n_fresh = STACKS_IN_SLAB;
	return true;
}

static bool guard(struct stack_pool *pool, char *page)
{
	if (!pool->is_guard_by_mprotect) {
		if (madvise(page, pool->page, MADV_GUARD_INSTALL) == 0)
			return true;
		pool->is_guard_by_mprotect = true;
	}
	if (!pool->is_guard_failing && mprotect(page, pool->page, PROT_NONE) == 0)
		return true;
	pool->is_guard_failing = true; /* ENOMEM: vm.max_map_count; it will not get better */
	return false;
}

static bool fresh_take(struct stack_pool *pool, struct stack *out)
{
	if (pool->n_fresh == 0 && !slab_add(pool))
		return false;
	char *memory = pool->fresh;
	pool->fresh += pool->size + pool->page;
	pool->n_fresh--;
	*out = (struct stack){.low = memory + pool->page, .size = pool->size};
	out->has_canary = !guard(pool, memory);
	if (out->has_canary)
		memset(out->low, CANARY, CANARY_BYTES);
	return true;
}

bool stack_take(struct stack_pool *pool, struct stack *out)
{
	struct stack_free **list = pool->warm ? &pool->warm : &pool->cold;
	if (!*list)
		return fresh_take(pool, out);
	if (*list == pool->warm)
		pool->n_warm--;
	*out = (*list)->stack;
	*list = (*list)->next;
	return true;
}

static void check_canary(struct stack stack)
{
	for (int i = 0; stack.has_canary && i < CANARY_BYTES; i++)
		assert((unsigned char)stack.low[i] == CANARY && "a fiber's stack has overflown");
}

/* Pages that are resident were touched: a cheap measure, exact to the page, and without painting
 * the stack, which would make all of it resident. */
static void measure(struct stack_pool *pool, struct stack stack)
{
	size_t pages = stack.size / pool->page;
	size_t lowest = stack.has_canary ? 1 : 0;
	if (mincore(stack.low, stack.size, pool->residency) != 0)
		return;
	while (lowest < pages && !(pool->residency[lowest] & 1))
		lowest++;
	size_t used = (pages - lowest) * pool->page;
	if (used > pool->high_water)
		pool->high_water = used;
}

static void give_back(struct stack_pool *pool, struct stack stack, char *from)
{
	char *low = stack.low + (stack.has_canary ? pool->page : 0);
	if (from > low)
		madvise(low, (size_t)(from - low), MADV_DONTNEED);
}

void stack_give(struct stack_pool *pool, struct stack stack)
{
	check_canary(stack);
	struct stack_free *item =
		(struct stack_free *)(void *)(stack.low + stack.size - sizeof(struct stack_free));
	bool is_warm = pool->n_warm < WARM_MAX;
	if (!is_warm) {
		measure(pool, stack);
		give_back(pool, stack, stack.low + stack.size - pool->page);
	}
	struct stack_free **list = is_warm ? &pool->warm : &pool->cold;
	pool->n_warm += is_warm;
	*item = (struct stack_free){.next = *list, .stack = stack};
	*list = item;
}

void stack_trim(struct stack_pool *pool, struct stack stack, const void *sp)
{
	check_canary(stack);
	measure(pool, stack);
	/* 256: more than the red zone of any ABI. */
	uintptr_t keep = ((uintptr_t)sp - 256) & ~(uintptr_t)(pool->page - 1);
	assert(keep <= (uintptr_t)stack.low + stack.size);
	if (keep > (uintptr_t)stack.low)
		give_back(pool, stack, stack.low + (keep - (uintptr_t)stack.low));
}

size_t stack_pool_high_water(struct stack_pool *pool)
{
	for (struct stack_free *item = pool->warm; item; item = item->next)
		measure(pool, item->stack);
	return pool->high_water;
}
