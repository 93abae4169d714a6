/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Switching stacks by Boost.Context or ucontext, and telling ASan and TSan about it. */
#include "rt/context.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#if CONTEXT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if CONTEXT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

static void told_before_switch(struct context *from, struct context *to)
{
#if CONTEXT_ASAN
	__sanitizer_start_switch_fiber(from->is_ending ? NULL : &from->fake_stack, to->low,
				       to->size);
#endif
#if CONTEXT_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)from, (void)to;
}

/* Now running in `self`, come from `from`. */
static void told_after_switch(struct context *self, struct context *from)
{
#if CONTEXT_ASAN
	/* A thread's own stack is learnt here, when it is left for the first time. */
	__sanitizer_finish_switch_fiber(self->fake_stack, &from->low, &from->size);
#endif
	(void)self, (void)from;
}

#if defined(POSTERN_UCONTEXT)

/* makecontext hands over ints only; one thread switches, so a variable carries the pointers. */
static struct context *switching_from, *switching_to;

static void enter(void)
{
	struct context *self = switching_to;
	told_after_switch(self, switching_from);
	self->entry(self->arg);
	abort();
}

static void machine_make(struct context *c, void *low, size_t size)
{
	int rc = getcontext(&c->uc);
	assert(rc == 0);
	(void)rc;
	c->uc.uc_stack.ss_sp = low;
	c->uc.uc_stack.ss_size = size;
	c->uc.uc_link = NULL;
	makecontext(&c->uc, enter, 0);
}

static struct context *machine_switch(struct context *from, struct context *to)
{
	/* swapcontext's own frame lies below this one: leave it generous room. */
	from->sp = (char *)__builtin_frame_address(0) - 1024;
	switching_from = from;
	switching_to = to;
	swapcontext(&from->uc, &to->uc);
	return switching_from;
}

#else

/* Boost.Context's C interface (boost/context/detail/fcontext.hpp is C++): libs/context/src/asm. */
struct transfer {
	void *context;
	void *data;
};
extern struct transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *top, size_t size, void (*fn)(struct transfer t));

/* What goes along with a jump: who left (its place is known only on arrival) and who is meant. */
struct jump {
	struct context *from, *to;
};

static void enter(struct transfer t)
{
	const struct jump *jump = t.data;
	struct context *self = jump->to;
	struct context *from = jump->from;
	from->sp = t.context;
	told_after_switch(self, from);
	self->entry(self->arg);
	abort();
}

static void machine_make(struct context *c, void *low, size_t size)
{
	c->sp = make_fcontext((char *)low + size, size, enter);
}

static struct context *machine_switch(struct context *from, struct context *to)
{
	struct jump jump = {from, to};
	struct transfer t = jump_fcontext(to->sp, &jump);
	const struct jump *arrived = t.data;
	struct context *left = arrived->from;
	left->sp = t.context;
	return left;
}

#endif

void context_init(struct context *c)
{
	*c = (struct context){0};
#if CONTEXT_TSAN
	c->tsan = __tsan_get_current_fiber();
#endif
}

void context_make(struct context *c, void *low, size_t size, void (*entry)(void *arg), void *arg)
{
	*c = (struct context){.entry = entry, .arg = arg, .low = low, .size = size};
	machine_make(c, low, size);
#if CONTEXT_ASAN
	/* Frames of an earlier owner may have ended without unpoisoning. */
	__asan_unpoison_memory_region(low, size);
	/* A leak check scans parked stacks too. Told once for each life, not at each switch: the
	 * whole stack is a superset, and unregistering searches a list. */
	__lsan_register_root_region(low, size);
#endif
#if CONTEXT_TSAN
	c->tsan = __tsan_create_fiber(0);
#endif
}

void context_switch(struct context *from, struct context *to)
{
	told_before_switch(from, to);
	struct context *left = machine_switch(from, to);
	told_after_switch(from, left);
}

void context_done(struct context *c)
{
#if CONTEXT_ASAN
	__lsan_unregister_root_region(c->low, c->size);
	__asan_unpoison_memory_region(c->low, c->size);
#endif
#if CONTEXT_TSAN
	__tsan_destroy_fiber(c->tsan);
#endif
	(void)c;
}
