/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time, order, deadlines, memory, and what people see of fibers; in both worlds. */
#include "rt/runtime.h"
#include "rt/test_support.h"

#include <stdlib.h>
#include <sys/mman.h>

/* --- time --- */

static void sleeps_in_order(void *arg)
{
	struct err err;
	usec_t before = rt_now();
	assert_true(rt_sleep(20 * USEC_MS, "nap", &err));
	assert_true(rt_now() - before >= 20 * USEC_MS);
	assert_near(rt_now() - before, 20 * USEC_MS, 200 * USEC_MS);
	assert_true(rt_sleep_until(before, "past", &err));
	assert_true(rt_yield(&err));
}
BOTH(sleeps_in_order)

static void five_days(void *arg)
{
	struct err err;
	struct wall before = rt_wall();
	usec_t now = rt_now();
	for (int i = 0; i < 5 * 24; i++)
		assert_true(rt_sleep(USEC_HOUR, "hour", &err));
	assert_int_equal(rt_now() - now, 5 * USEC_DAY);
	assert_int_equal(wall_diff(rt_wall(), before), 5 * USEC_DAY);
}

static void fake_time_passes_five_days(void **state)
{
	run_in(true, 1, five_days, NULL);
}

/* --- many, and their order --- */

struct many {
	int done;
	int order[64];
};

struct runner {
	struct many *many;
	int number;
};

static void run_one(void *arg)
{
	struct runner *r = arg;
	struct err err;
	assert_true(rt_yield(&err));
	assert_true(rt_sleep((r->number % 7) * USEC_MS, "one of many", &err));
	if (r->many->done < 64)
		r->many->order[r->many->done] = r->number;
	r->many->done++;
}

static void thousands(void *arg)
{
	enum { N = 5000 };
	struct many many = {0};
	struct runner *runners = calloc(N, sizeof(*runners));
	struct group g;
	struct err err;
	group_init(&g, "thousands");
	for (int i = 0; i < N; i++) {
		runners[i] = (struct runner){&many, i};
		assert_true(group_go(&g, "one", run_one, &runners[i], &err));
	}
	struct rt_stats stats;
	rt_stats(&stats);
	assert_int_equal(stats.fibers, N + 1);
	assert_true(group_wait(&g, &err));
	assert_int_equal(many.done, N);
	group_done(&g);
	rt_stats(&stats);
	assert_int_equal(stats.fibers, 1);
	assert_true(stats.stack_high_water >= 4096);
	assert_true(stats.switches >= 4 * N);
	free(runners);
}
static void thousands_real(void **state)
{
	run_in(false, 0, thousands, NULL);
}
static void thousands_fake(void **state)
{
	run_in(true, 3, thousands, NULL);
}

static void fifty(void *arg)
{
	struct many *many = arg;
	struct runner runners[50];
	struct group g;
	struct err err;
	group_init(&g, "fifty");
	for (int i = 0; i < 50; i++) {
		runners[i] = (struct runner){many, i};
		assert_true(group_go(&g, "one", run_one, &runners[i], &err));
	}
	assert_true(group_wait(&g, &err));
	group_done(&g);
}

static void seeded_order_repeats(void **state)
{
	struct many a = {0}, b = {0}, c = {0};
	run_in(true, 7, fifty, &a);
	run_in(true, 7, fifty, &b);
	run_in(true, 8, fifty, &c);
	assert_memory_equal(a.order, b.order, sizeof(a.order));
	assert_memory_not_equal(a.order, c.order, sizeof(a.order));
}

/* --- deadlines --- */

static void deadlines_nest(void *arg)
{
	struct deadline outer, inner;
	struct err err;
	usec_t start = rt_now();
	assert_int_equal(deadline_left(), INT64_MAX);
	deadline_push(&outer, 30 * USEC_MS, "the session");
	deadline_push(&inner, USEC_HOUR, "the command");
	assert_int_equal(deadline_left(), 30 * USEC_MS);
	assert_false(rt_sleep(USEC_MIN, "long", &err)); /* the outer is earlier */
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(err.cause, CAUSE_NETWORK);
	assert_true(err.is_temporary);
	assert_string_equal(err.text, "timed out after 30 ms: the session");
	assert_near(rt_now() - start, 30 * USEC_MS, 200 * USEC_MS);
	assert_false(rt_yield(&err)); /* and stays so */
	deadline_pop(&inner);
	deadline_pop(&outer);
	assert_true(rt_yield(&err));
	deadline_push(&outer, USEC_HOUR, "the session");
	deadline_push(&inner, 10 * USEC_MS, "the command");
	assert_false(rt_sleep(USEC_MIN, "long", &err));
	assert_string_equal(err.text, "timed out after 10 ms: the command");
	deadline_pop(&inner);
	assert_true(rt_sleep(USEC_MS, "short", &err));
	deadline_pop(&outer);
}
BOTH(deadlines_nest)

static void signal_twice(void *arg)
{
	struct cond *cond = arg;
	struct err err;
	assert_true(rt_sleep(5 * USEC_MS, "first", &err));
	cond_signal(cond);
	assert_true(rt_sleep(40 * USEC_MS, "second", &err));
	cond_signal(cond);
}

/* The timer of a deadline that was not needed must not disturb a later wait. */
static void popped_deadlines_are_forgotten(void *arg)
{
	struct cond cond;
	struct group g;
	struct deadline d;
	struct err err;
	cond_init(&cond);
	group_init(&g, "signaller");
	assert_true(group_go(&g, "signaller", signal_twice, &cond, &err));
	deadline_push(&d, 20 * USEC_MS, "patience");
	assert_true(cond_wait(&cond, "first", &err));
	deadline_pop(&d);
	usec_t before = rt_now();
	assert_true(cond_wait(&cond, "second", &err));
	assert_true(rt_now() - before >= 39 * USEC_MS);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
BOTH(popped_deadlines_are_forgotten)

/* --- memory --- */

static size_t resident_pages(const struct stack *stack)
{
	unsigned char pages[64];
	size_t n = 0;
	assert_true(stack->size / 4096 <= sizeof(pages));
	assert_int_equal(mincore(stack->low, stack->size, pages), 0);
	for (size_t i = 0; i < stack->size / 4096; i++)
		n += pages[i] & 1;
	return n;
}

/* Twenty frames of a page's half each. */
__attribute__((noinline)) static int use_stack(int depth)
{
	volatile char much[2000];
	for (size_t i = 0; i < sizeof(much); i += 100)
		much[i] = (char)depth;
	int below = depth > 0 ? use_stack(depth - 1) : 0;
	return below + much[100];
}

static void deep_then_idle(void *arg)
{
	struct fiber **self = arg;
	struct err err;
	volatile int mark = 4711;
	assert_int_equal(use_stack(20), 210);
	*self = fiber_self();
	assert_true(rt_sleep(1700 * USEC_MS, "idle", &err));
	assert_int_equal(mark, 4711);
}

static void idle_stacks_are_trimmed(void *arg)
{
	struct fiber *idle;
	struct group g;
	struct err err;
	struct rt_stats stats;
	group_init(&g, "idle");
	assert_true(group_go(&g, "idle", deep_then_idle, &idle, &err));
	assert_true(rt_sleep(500 * USEC_MS, "before", &err));
	size_t before = resident_pages(&idle->stack);
	assert_true(before >= 10);
	assert_true(rt_sleep(900 * USEC_MS, "after", &err));
	assert_true(resident_pages(&idle->stack) <= before - 9);
	rt_stats(&stats);
	assert_true(stats.stack_high_water >= 40000);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
static void idle_stacks_are_trimmed_real(void **state)
{
	run_in(false, 0, idle_stacks_are_trimmed, NULL);
}

/* --- fairness --- */

static void hog(void *arg)
{
	bool *stop = arg;
	struct err err;
	while (!*stop)
		assert_true(rt_yield(&err));
}

static void yielding_starves_nobody(void *arg)
{
	bool stop = false;
	struct group g;
	struct err err;
	struct deadline d;
	group_init(&g, "hogs");
	for (int i = 0; i < 3; i++)
		assert_true(group_go(&g, "hog", hog, &stop, &err));
	assert_true(rt_sleep(5 * USEC_MS, "a timer", &err));
	deadline_push(&d, INT64_MAX, "never");
	assert_true(deadline_left() == INT64_MAX);
	deadline_pop(&d);
	stop = true;
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
static void yielding_starves_nobody_real(void **state)
{
	run_in(false, 0, yielding_starves_nobody, NULL);
}

/* --- what people see --- */

static void note(void *arg, const struct fiber_info *info)
{
	char *out = arg;
	sprintf(out + strlen(out), "%s|%s|%s\n", info->name, info->label ? info->label : "-",
		info->wait ? info->wait : "-");
}
static void named(void *arg)
{
	struct err err;
	fiber_name("smtp 192.0.2.1");
	fiber_label("RCPT");
	assert_false(rt_sleep(USEC_DAY, "verify: RCPT at mx1.example", &err));
}
static void fibers_are_listed(void *arg)
{
	char out[256] = "";
	struct group g;
	struct err err;
	group_init(&g, "g");
	assert_true(group_go(&g, "session", named, NULL, &err));
	assert_true(rt_sleep(USEC_MS, "x", &err));
	fibers_each(note, out);
	assert_string_equal(out, "main|-|-\nsmtp 192.0.2.1|RCPT|verify: RCPT at mx1.example\n");
	group_done(&g);
}
BOTH(fibers_are_listed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TESTS(sleeps_in_order),
		cmocka_unit_test(fake_time_passes_five_days),
		cmocka_unit_test(thousands_real),
		cmocka_unit_test(thousands_fake),
		cmocka_unit_test(seeded_order_repeats),
		TWO_TESTS(deadlines_nest),
		TWO_TESTS(popped_deadlines_are_forgotten),
		cmocka_unit_test(idle_stacks_are_trimmed_real),
		cmocka_unit_test(yielding_starves_nobody_real),
		TWO_TESTS(fibers_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
