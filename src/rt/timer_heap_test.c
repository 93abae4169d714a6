/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heap against a plain search, through random insertions, moves and removals. */
#include "rt/timer_heap.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TIMERS = 500, STEPS = 200000 };

static usec_t earliest(const struct timer *t)
{
	usec_t best = INT64_MAX;
	for (int i = 0; i < TIMERS; i++)
		if (t[i].index && t[i].at < best)
			best = t[i].at;
	return best;
}

static void behaves_like_a_search(void **state)
{
	static struct timer t[TIMERS];
	struct timer_heap h = {0};
	size_t set = 0;
	random_seed(1);
	assert_int_equal(timer_next(&h), INT64_MAX);
	for (int step = 0; step < STEPS; step++) {
		struct timer *one = &t[random_below(TIMERS)];
		bool was_set = one->index > 0;
		if (random_below(3) > 0) {
			timer_set(&h, one, (usec_t)random_below(1000));
			set += !was_set;
		} else {
			timer_stop(&h, one);
			set -= was_set;
		}
		assert_int_equal(h.n, set);
		if (step % 16 == 0)
			assert_int_equal(timer_next(&h), earliest(t));
	}
	usec_t last = 0;
	assert_null(timer_due(&h, -1));
	for (; set > 0; set--) {
		struct timer *due = timer_due(&h, 1000);
		assert_non_null(due);
		assert_true(due->at >= last);
		assert_int_equal(due->index, 0);
		last = due->at;
	}
	assert_null(timer_due(&h, INT64_MAX));
	timer_heap_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(behaves_like_a_search)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
