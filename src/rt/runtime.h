/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of rt/: the fiber, the runtime, and how a wait is made. Not for other folders.
 *
 * A fiber is NEW, then goes RUNNABLE → RUNNING → PARKED → RUNNABLE … → ENDED. Parked, it may stand
 * in one list of waiters (of a condition, group, ticket) or in one watch, and have its timer set.
 * Whatever happens first wakes it: `fiber_wake` takes it out of list and heap, so later events find
 * nothing.
 */
#pragma once

#include "rt/context.h"
#include "rt/rt.h"
#include "rt/stack.h"
#include "rt/timer_heap.h"

#include <pthread.h>

struct backend;
struct offload;
struct offload_pool;

enum fiber_state { FIBER_RUNNABLE, FIBER_RUNNING, FIBER_PARKED, FIBER_ENDED };

enum wake {
	WAKE_READY,	/* what was waited for has come */
	WAKE_ELAPSED,	/* the time given for this very wait is over */
	WAKE_LATE,	/* a deadline has passed */
	WAKE_CANCELLED, /* the group was cancelled */
};

struct fiber {
	struct link queue;  /* run queue; parked: those whose stack is not yet trimmed */
	struct link wait;   /* a list of waiters */
	struct link member; /* of the group */
	struct link all;
	struct timer timer;
	struct context context;
	struct stack stack;
	struct group *group;
	struct deadline *deadline; /* innermost */
	WAITS void (*fn)(void *arg);
	void *arg;
	const char *name, *label, *wait_label;
	usec_t born, since; /* parked since */
	int io_credit;	    /* operations that may succeed before others get their turn */
	enum fiber_state state;
	enum wake why, timer_why;
	bool is_cancelled, is_uninterruptible;
};

struct runtime {
	const struct backend *backend;
	void *backend_state;
	bool is_fake;
	usec_t now;

	struct context context; /* of the thread that runs the loop */
	struct fiber *current;
	struct list run, parked, all;
	unsigned n_run, n_fibers;
	struct timer_heap timers;
	struct timer trim_timer;
	struct stack_pool stacks;
	uint64_t switches;
	struct group root;

	pthread_mutex_t post_lock;
	pthread_cond_t post_here; /* the fake backend sleeps on it while threads are outstanding */
	struct post *posts, **posts_end;
	struct post *turn_ends; /* the loop thread's own */
	int outstanding;
	struct offload_pool *pool, *behind;

	uint64_t seed; /* state of the fake backend's order */
	struct wall fake_wall;
	usec_t fake_start;
	int reserve_fd; /* given up for a moment when descriptors run out */
	char *scratch;	/* where reads land before their size is known; never held across a wait */
};

#define SCRATCH_SIZE ((size_t)64 * 1024)

/* The one runtime of the process; NULL outside rt_run. Fields are the loop thread's, save the
 * posts. */
extern struct runtime *the_rt;

/* The running fiber; asserts that there is one: waiting outside a fiber is a mistake. */
struct fiber *fiber_self(void);
/* False when the fiber must not wait any more: it is cancelled or a deadline has passed. */
bool fiber_may_wait(struct err *err);
/* Parks the fiber, at the end of `waiters` (may be NULL), until woken, until `until` (INT64_MAX: no
 * limit of its own), a deadline, or cancellation; the last two fail. *elapsed (may be NULL if
 * `until` is INT64_MAX) tells that `until` came. label NULL: what fiber_label said. */
WAITS bool fiber_park(struct list *waiters, usec_t until, bool *elapsed, const char *label,
		      struct err *err);
/* The same without deadline and cancellation: for joins, which are short. */
WAITS void fiber_park_firmly(struct list *waiters, const char *label);
/* Nothing happens to a fiber that is not parked. */
void fiber_wake(struct fiber *f, enum wake why);
void fibers_wake_all(struct list *waiters);
/* After an operation that succeeded without waiting: from time to time lets the others run, so that
 * one busy peer cannot hold the loop. */
WAITS void fiber_spend(void);
bool fiber_spawn(struct group *g, const char *label, WAITS void (*fn)(void *arg), void *arg,
		 struct err *err);
/* From now; without overflow: INT64_MAX means never. */
usec_t time_after(usec_t duration);
/* The earliest of the fiber's deadlines, or NULL. */
struct deadline *deadline_nearest(const struct fiber *f);
bool deadline_error(const struct deadline *d, struct err *err);

/* Moves all posts that have arrived to the caller. */
struct post *posts_take(struct runtime *rt);
void posts_run(struct post *first);
bool posts_are_waiting(struct runtime *rt);
