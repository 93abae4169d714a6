/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime: fibers on one event-loop thread, and everything in the program that waits.
 *
 * A fiber is a conversation that reads top to bottom. It is parked inside functions marked WAITS
 * and nowhere else, and it never moves to another thread. rt/ owns the run queue and the timer heap;
 * a backend (libuv, or the fake one that moves time itself) only delivers readiness and the clock.
 *
 * Rules: no lock, no database transaction, no pointer into a shared container across a wait.
 * A cancelled fiber's waits return false with ERR_CANCELLED at once, now and for ever after; stacks
 * always unwind by normal returns. All functions here are for the loop thread, save `rt_post`.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "rt/waits.h"

struct rt_options {
	bool is_fake;         /* no threads, no sockets, no real time */
	uint64_t seed;        /* fake: order of runnable fibers and of in-line completions */
	struct wall fake_wall; /* fake: wall time at start; 0 gives 2026-01-01 */
	int offload_threads;  /* real: size of the pool, 0 gives 4 */
	size_t stack_size;    /* 0 gives 64 KiB (256 KiB under a sanitizer) */
};

/* Starts the loop, runs `fn` as the first fiber, returns when it has returned and every group has
 * ended. One runtime at a time in a process. False: the loop could not be set up. */
bool rt_run(const struct rt_options *options, WAITS void (*fn)(void *arg), void *arg, struct err *err);
bool rt_is_fake(void);

usec_t rt_now(void); /* monotonic; one reading for each turn of the loop */
struct wall rt_wall(void);

/* --- waiting for time --- */
WAITS bool rt_sleep(usec_t duration, const char *label, struct err *err);
WAITS bool rt_sleep_until(usec_t at, const char *label, struct err *err);
/* Goes behind all that is runnable; for long loops without other waits. */
WAITS bool rt_yield(struct err *err);

/* --- deadlines: absolute, scoped, inherited --- */
/* While pushed, no wait of this fiber lasts beyond `at`; the earliest of all pushed counts. A wait that
 * meets it fails with ERR_TIMEOUT, CAUSE_NETWORK and "timed out after <duration>: <what>".
 * Pop in reverse order. `struct deadline` lives in the caller's frame. */
struct deadline {
	usec_t at, since;
	const char *what;
	struct deadline *outer;
};
void deadline_push(struct deadline *d, usec_t after, const char *what); /* after: from now */
void deadline_push_at(struct deadline *d, usec_t at, const char *what);
void deadline_pop(struct deadline *d);
usec_t deadline_left(void); /* until the earliest; INT64_MAX when there is none */

/* --- groups: fork and join, service roots --- */
/* Children belong to a group; a group ends when the last child has returned. `group_done` cancels,
 * waits (not interruptible: it is short, because cancelled waits fail at once) and must be called
 * before the group's storage goes. Service root groups are those made by long-lived services: work
 * that should outlive its asker is started there. */
struct group {
	struct list fibers;
	struct list waiters;
	const char *name;
	unsigned n;
	bool is_cancelled;
};
void group_init(struct group *g, const char *name);
/* `arg` must stay valid until fn returns; fn owns it. False, and fn will not run: no memory for a
 * stack, or the group is cancelled (ERR_CANCELLED). */
bool group_go(struct group *g, const char *label, WAITS void (*fn)(void *arg), void *arg,
              struct err *err);
void group_cancel(struct group *g);
/* Until all children have returned. When the waiter itself is cancelled or late, the wait fails and
 * the children go on: follow by group_done. */
WAITS bool group_wait(struct group *g, struct err *err);
WAITS void group_done(struct group *g);

/* --- conditions --- */
/* Always re-test the predicate: waking up promises nothing. */
struct cond {
	struct list waiters;
};
void cond_init(struct cond *c);
WAITS bool cond_wait(struct cond *c, const char *label, struct err *err);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* --- tickets: waiting for work that somebody else owns --- */
/* Counted, so that asker and worker may leave in any order. The worker calls ticket_complete exactly
 * once; `result` is freed with `free_result` (may be NULL) when the last holder lets go. A waiter that
 * runs out of time leaves; the work goes on. */
struct ticket;
struct ticket *ticket_new(const char *label);            /* count 1 */
struct ticket *ticket_ref(struct ticket *t);
void ticket_unref(struct ticket *t);                     /* accepts NULL */
void ticket_complete(struct ticket *t, void *result, void (*free_result)(void *));
bool ticket_is_complete(const struct ticket *t);
void *ticket_result(const struct ticket *t);             /* NULL before completion */
WAITS bool ticket_wait(struct ticket *t, struct err *err);

/* --- other threads --- */
/* Runs fn(arg) in the pool and parks until it is done. `arg` is heap memory owned by the call: when
 * the fiber is cancelled or late it detaches, and arg is freed with `drop` (may be NULL) on the loop
 * thread after fn; a fiber that was cancelled or late before the call does not run fn at all. On success
 * arg is the caller's again. Fake backend: runs in line, on the loop's own big stack. */
WAITS bool rt_offload(const char *label, void (*fn)(void *arg), void *arg, void (*drop)(void *arg),
                      struct err *err);
/* The same for what no client waits for: one thread of its own, which leaves the processor to all others (nice 10).
 * Without that, a kernel may let it run to the end of its slice, milliseconds, before the spool's thread. */
WAITS bool rt_offload_behind(const char *label, void (*fn)(void *arg), void *arg,
                             void (*drop)(void *arg), struct err *err);
/* From any thread: fn runs on the loop thread soon. `struct post` is embedded in memory that stays
 * valid until fn has run. Fake backend: runs in line in seeded order. */
struct post {
	struct post *next;
	void (*fn)(struct post *post);
};
void rt_post(struct post *post);
/* Loop thread: fn runs when the fibers that are runnable now have run, before the loop looks outside; so a thread is
 * woken once for all that a turn has made for it. Not given again before fn has run. */
void rt_at_turn_end(struct post *post);
/* Takes it back; nothing happens when fn has run already. */
void rt_turn_end_cancel(struct post *post);
/* Loop thread. A service thread that will rt_post counts as outstanding, so that fake time does not
 * jump past it. */
void rt_outstanding(int by);

/* Until fd is readable (1) or writable (2); a file descriptor that is not ours to read (libunbound's).
 * Not in the fake backend. One waiter for each fd. */
WAITS bool rt_wait_fd(int fd, int events, const char *label, struct err *err);
/* Until one of the signals set up here arrives; returns its number. Real backend only. */
WAITS bool rt_wait_signal(const int *signals, int n, int *got, struct err *err);

/* --- the current fiber, for people --- */
/* What the fiber is about ("smtp 192.0.2.1"), and what the next waits are about when the wait itself
 * has only a general label. Borrowed strings must outlive the fiber or the next call: pass memory of
 * the session. The printed form is "verify: RCPT at mx1.example, 3.2 s". */
void fiber_name(const char *name);
void fiber_label(const char *label);
struct fiber_info {
	const char *name, *label, *wait;
	usec_t since; /* parked since */
	usec_t age;
};
void fibers_each(void (*fn)(void *arg, const struct fiber_info *info), void *arg);
struct rt_stats {
	unsigned fibers;
	size_t stack_high_water; /* bytes, over all fibers so far; sampled when a fiber ends or is trimmed */
	uint64_t switches;
};
void rt_stats(struct rt_stats *out);
bool fiber_is_cancelled(void);
