/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks for fibers, cut from slabs, with a guard page below each.
 *
 * Memory counts when it is touched: an idle fiber costs the one or two pages that its frames lie
 * on. The few stacks that were used last stay warm; others give back all but their top page when
 * they are free. The guard is MADV_GUARD_INSTALL where the kernel has it (6.13), because it costs
 * no mapping; else mprotect, which costs two mappings each; and where vm.max_map_count forbids more
 * of these, a canary.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct stack {
	char *low; /* lowest usable byte; the guard lies below */
	size_t size;
	bool has_canary;
};

struct stack_slab;
struct stack_free;
struct stack_pool {
	size_t size, page;
	struct stack_slab *slabs;
	char *fresh; /* the next never used stack of the newest slab */
	unsigned n_fresh;
	struct stack_free *warm, *cold;
	unsigned n_warm;
	size_t high_water;
	unsigned char *residency; /* scratch for mincore */
	bool is_guard_by_mprotect, is_guard_failing;
};

void stack_pool_init(struct stack_pool *pool, size_t size); /* rounded up to pages */
void stack_pool_done(struct stack_pool *pool);
bool stack_take(struct stack_pool *pool, struct stack *out); /* false: out of memory */
void stack_give(struct stack_pool *pool, struct stack stack);
/* Gives the pages wholly below sp back; what was there is lost. */
void stack_trim(struct stack_pool *pool, struct stack stack, const void *sp);
/* Bytes from the top to the deepest page ever touched, over all stacks given back or trimmed. */
size_t stack_pool_high_water(struct stack_pool *pool);
