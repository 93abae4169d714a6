/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduler: the run queue, parking and waking, the life of a fiber, and the turn of the loop.
 */
#include "rt/runtime.h"

#include "base/mem.h"
#include "base/metric.h"
#include "base/random.h"
#include "rt/backend.h"
#include "rt/offload.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	IO_CREDIT = 64,
	TRIM_BATCH = 512,
};
#define TRIM_AFTER USEC_S

struct runtime *the_rt;

static struct metric *metric_high_water, *metric_fibers;

/* --- parking and waking --- */

struct fiber *fiber_self(void)
{
	assert(the_rt && the_rt->current && "waiting is for fibers");
	return the_rt->current;
}

static void make_runnable(struct runtime *rt, struct fiber *f)
{
	f->state = FIBER_RUNNABLE;
	list_push_back(&rt->run, &f->queue);
	rt->n_run++;
}

void fiber_wake(struct fiber *f, enum wake why)
{
	if (f->state != FIBER_PARKED)
		return;
	link_remove(&f->queue);
	link_remove(&f->wait);
	timer_stop(&the_rt->timers, &f->timer);
	f->why = why;
	make_runnable(the_rt, f);
}

void fibers_wake_all(struct list *waiters)
{
	struct link *l;
	while ((l = list_first(waiters)) != NULL)
		fiber_wake(container_of(l, struct fiber, wait), WAKE_READY);
}

static void timer_fired(struct timer *t)
{
	struct fiber *f = container_of(t, struct fiber, timer);
	fiber_wake(f, f->timer_why);
}

static void set_timer(struct fiber *f, usec_t until)
{
	const struct deadline *d = deadline_nearest(f);
	bool is_deadline = d && d->at < until;
	usec_t at = is_deadline ? d->at : until;
	f->timer_why = is_deadline ? WAKE_LATE : WAKE_ELAPSED;
	if (at != INT64_MAX)
		timer_set(&the_rt->timers, &f->timer, at);
}

static void switch_away(struct fiber *f)
{
	struct runtime *rt = the_rt;
	rt->switches++;
	context_switch(&f->context, &rt->context);
}

static void park(struct fiber *f, struct list *waiters, const char *label)
{
	struct runtime *rt = the_rt;
	if (waiters)
		list_push_back(waiters, &f->wait);
	f->wait_label = label;
	f->since = rt->now;
	f->state = FIBER_PARKED;
	if (!rt->is_fake) {
		list_push_back(&rt->parked, &f->queue);
		if (rt->trim_timer.index == 0)
			timer_set(&rt->timers, &rt->trim_timer, rt->now + TRIM_AFTER);
	}
	switch_away(f);
	f->wait_label = NULL;
}

static bool cancelled(struct err *err)
{
	return err_kind(err, ERR_CANCELLED, CAUSE_MAINTENANCE, "cancelled");
}

bool fiber_may_wait(struct err *err)
{
	const struct fiber *f = fiber_self();
	if (f->is_cancelled)
		return cancelled(err);
	const struct deadline *d = deadline_nearest(f);
	if (d && d->at <= the_rt->now)
		return deadline_error(d, err);
	return true;
}

bool fiber_park(struct list *waiters, usec_t until, bool *elapsed, const char *label,
		struct err *err)
{
	struct fiber *f = fiber_self();
	if (!fiber_may_wait(err))
		return false;
	set_timer(f, until);
	park(f, waiters, label);
	if (f->why == WAKE_CANCELLED)
		return cancelled(err);
	if (f->why == WAKE_LATE)
		return deadline_error(deadline_nearest(f), err);
	if (elapsed)
		*elapsed = f->why == WAKE_ELAPSED;
	return true;
}

void fiber_park_firmly(struct list *waiters, const char *label)
{
	struct fiber *f = fiber_self();
	f->is_uninterruptible = true;
	park(f, waiters, label);
	f->is_uninterruptible = false;
}

static void go_behind(struct fiber *f)
{
	make_runnable(the_rt, f);
	switch_away(f);
}

void fiber_spend(void)
{
	struct fiber *f = fiber_self();
	if (--f->io_credit <= 0)
		go_behind(f);
}

bool rt_yield(struct err *err)
{
	if (!fiber_may_wait(err))
		return false;
	go_behind(fiber_self());
	return true;
}

bool rt_sleep_until(usec_t at, const char *label, struct err *err)
{
	bool elapsed;
	return fiber_park(NULL, at, &elapsed, label ? label : "sleep", err);
}

bool rt_sleep(usec_t duration, const char *label, struct err *err)
{
	return rt_sleep_until(time_after(duration), label, err);
}

/* --- the life of a fiber --- */

STARTS_FIBER static void fiber_main(void *arg)
{
	struct fiber *f = arg;
	f->fn(f->arg);
	assert(!f->deadline && "a deadline was pushed and not popped");
	f->state = FIBER_ENDED;
	f->context.is_ending = true;
	switch_away(f);
}

bool fiber_spawn(struct group *g, const char *label, WAITS void (*fn)(void *arg), void *arg,
		 struct err *err)
{
	struct runtime *rt = the_rt;
	assert(rt && "fibers need a running runtime");
	struct stack stack;
	if (!stack_take(&rt->stacks, &stack))
		return err_temp(err, CAUSE_OVERLOAD, "no memory for a fiber's stack");
	struct fiber *f = mem_new(struct fiber);
	f->stack = stack;
	f->group = g;
	f->fn = fn;
	f->arg = arg;
	f->name = label;
	f->born = f->since = rt->now;
	f->timer.fn = timer_fired;
	link_init(&f->wait);
	list_push_back(&g->fibers, &f->member);
	g->n++;
	list_push_back(&rt->all, &f->all);
	rt->n_fibers++;
	context_make(&f->context, stack.low, stack.size, fiber_main, f);
	make_runnable(rt, f);
	return true;
}

static void fiber_end(struct runtime *rt, struct fiber *f)
{
	struct group *g = f->group;
	context_done(&f->context);
	stack_give(&rt->stacks, f->stack);
	link_remove(&f->all);
	link_remove(&f->member);
	rt->n_fibers--;
	free(f);
	if (--g->n == 0)
		fibers_wake_all(&g->waiters);
}

static void resume(struct runtime *rt, struct fiber *f)
{
	f->state = FIBER_RUNNING;
	f->io_credit = IO_CREDIT;
	rt->current = f;
	rt->switches++;
	context_switch(&rt->context, &f->context);
	rt->current = NULL;
	if (f->state == FIBER_ENDED)
		fiber_end(rt, f);
}

/* --- the turn --- */

/* Runs those who are runnable now; who becomes runnable meanwhile comes next, after a look at the
 * outside. */
static void run_batch(struct runtime *rt)
{
	rt->backend->order(rt);
	for (unsigned n = rt->n_run; n > 0; n--) {
		rt->n_run--;
		resume(rt, container_of(list_pop_front(&rt->run), struct fiber, queue));
	}
	struct post *ends = rt->turn_ends;
	rt->turn_ends = NULL;
	posts_run(ends);
}

static void run_timers(struct runtime *rt)
{
	struct timer *t;
	while ((t = timer_due(&rt->timers, rt->now)) != NULL)
		t->fn(t);
}

/* `parked` is in the order of parking, so the sweep looks only at those whose time has come. */
static void trim_sweep(struct timer *t)
{
	struct runtime *rt = container_of(t, struct runtime, trim_timer);
	struct link *l = list_first(&rt->parked);
	usec_t next = rt->now + USEC_S / 4;
	for (int n = 0; l; l = list_first(&rt->parked)) {
		struct fiber *f = container_of(l, struct fiber, queue);
		if (f->since + TRIM_AFTER > rt->now)
			break;
		if (++n > TRIM_BATCH) {
			next = rt->now + 10 * USEC_MS; /* sessions first */
			break;
		}
		link_remove(l);
		stack_trim(&rt->stacks, f->stack, f->context.sp);
	}
	metric_set(metric_high_water, (double)stack_pool_high_water(&rt->stacks));
	metric_set(metric_fibers, rt->n_fibers);
	if (l)
		timer_set(&rt->timers, t, next);
}

static void run_loop(struct runtime *rt)
{
	for (;;) {
		run_batch(rt);
		if (rt->n_fibers == 0)
			break;
		rt->backend->poll(rt, rt->n_run > 0, timer_next(&rt->timers));
		run_timers(rt);
	}
}

static size_t default_stack_size(void)
{
#if CONTEXT_ASAN || CONTEXT_TSAN
	return (size_t)256 * 1024;
#else
	return (size_t)64 * 1024;
#endif
}

static bool runtime_open(struct runtime *rt, const struct rt_options *o, struct err *err)
{
	rt->is_fake = o->is_fake;
	rt->backend = o->is_fake ? &backend_fake : &backend_uv;
	rt->seed = o->seed;
	rt->fake_wall = o->fake_wall;
	rt->posts_end = &rt->posts;
	rt->trim_timer.fn = trim_sweep;
	list_init(&rt->run);
	list_init(&rt->parked);
	list_init(&rt->all);
	pthread_mutex_init(&rt->post_lock, NULL);
	pthread_cond_init(&rt->post_here, NULL);
	stack_pool_init(&rt->stacks, o->stack_size ? o->stack_size : default_stack_size());
	context_init(&rt->context);
	group_init(&rt->root, "root");
	rt->scratch = mem_alloc(SCRATCH_SIZE);
	rt->reserve_fd = o->is_fake ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
	metric_high_water = metric_gauge("postern_fiber_stack_high_water_bytes", NULL, NULL,
					 "Deepest use of a fiber's stack, in whole pages");
	metric_fibers = metric_gauge("postern_fibers", NULL, NULL, "Fibers that exist");
	the_rt = rt;
	if (rt->backend->open(rt, err) && offload_open(rt, o->offload_threads, err))
		return true;
	return false;
}

static void runtime_close(struct runtime *rt)
{
	offload_close(rt);
	while (posts_are_waiting(rt)) /* of work whose fibers had left */
		posts_run(posts_take(rt));
	metric_set(metric_high_water, (double)stack_pool_high_water(&rt->stacks));
	rt->backend->close(rt);
	the_rt = NULL;
	timer_heap_done(&rt->timers);
	stack_pool_done(&rt->stacks);
	pthread_cond_destroy(&rt->post_here);
	pthread_mutex_destroy(&rt->post_lock);
	if (rt->reserve_fd >= 0)
		close(rt->reserve_fd);
	free(rt->scratch);
}

bool rt_run(const struct rt_options *options, WAITS void (*fn)(void *arg), void *arg,
	    struct err *err)
{
	assert(!the_rt && "one runtime at a time");
	struct runtime *rt = mem_new(struct runtime);
	signal(SIGPIPE, SIG_IGN); /* a peer that left is an errno */
	bool ok = runtime_open(rt, options, err) && fiber_spawn(&rt->root, "main", fn, arg, err);
	if (ok)
		run_loop(rt);
	runtime_close(rt);
	free(rt);
	return ok;
}

/* --- questions --- */

bool rt_is_fake(void)
{
	return the_rt && the_rt->is_fake;
}

usec_t rt_now(void)
{
	assert(the_rt);
	return the_rt->now;
}

struct wall rt_wall(void)
{
	assert(the_rt);
	return the_rt->backend->wall(the_rt);
}

void fiber_name(const char *name)
{
	fiber_self()->name = name;
}

void fiber_label(const char *label)
{
	fiber_self()->label = label;
}

bool fiber_is_cancelled(void)
{
	return fiber_self()->is_cancelled;
}

void fibers_each(void (*fn)(void *arg, const struct fiber_info *info), void *arg)
{
	assert(the_rt);
	list_each(l, &the_rt->all)
	{
		const struct fiber *f = container_of(l, struct fiber, all);
		struct fiber_info info = {.name = f->name,
					  .label = f->label,
					  .wait = f->wait_label,
					  .since = f->since,
					  .age = the_rt->now - f->born};
		fn(arg, &info);
	}
}

void rt_stats(struct rt_stats *out)
{
	assert(the_rt);
	*out = (struct rt_stats){.fibers = the_rt->n_fibers,
				 .stack_high_water = stack_pool_high_water(&the_rt->stacks),
				 .switches = the_rt->switches};
}
