/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Switching stacks; built once for each implementation of the machine. */
#include "rt/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SIZE = 256 * 1024, MANY = 200 };

struct walker {
	struct context context, *home;
	char *stack;
	int steps, limit;
	double x; /* floating point state must survive */
};

/* Some depth and some locals, so that a stack mixed up would be noticed. */
static int dive(struct walker *w, int depth)
{
	volatile int mark = depth * 7 + w->limit;
	if (depth == 0) {
		double x = w->x * 1.5;
		context_switch(&w->context, w->home);
		w->x = x;
		return mark;
	}
	int below = dive(w, depth - 1);
	assert_int_equal(mark, depth * 7 + w->limit);
	return below + mark;
}

static void walk(void *arg)
{
	struct walker *w = arg;
	for (; w->steps < w->limit; w->steps++)
		dive(w, w->steps % 9);
	w->context.is_ending = true;
	context_switch(&w->context, w->home);
}

static void start(struct walker *w, struct context *home, int limit)
{
	*w = (struct walker){.home = home, .limit = limit, .x = 1.0, .stack = malloc(SIZE)};
	context_make(&w->context, w->stack, SIZE, walk, w);
}

static void finish(struct walker *w)
{
	assert_int_equal(w->steps, w->limit);
	context_done(&w->context);
	free(w->stack);
}

static void goes_there_and_back(void **state)
{
	struct context home;
	struct walker w;
	context_init(&home);
	start(&w, &home, 1000);
	for (int i = 0; i <= 1000; i++) {
		assert_int_equal(w.steps, i ? i - 1 : 0);
		context_switch(&home, &w.context);
		if (i < 1000) {
			assert_true((char *)w.context.sp > w.stack);
			assert_true((char *)w.context.sp < w.stack + SIZE);
		}
	}
	assert_true(w.x > 1e100);
	finish(&w);
}

static void many_take_turns(void **state)
{
	struct context home;
	struct walker *w = malloc(MANY * sizeof(*w));
	context_init(&home);
	for (int i = 0; i < MANY; i++)
		start(&w[i], &home, i);
	for (int round = 0; round < MANY; round++)
		for (int i = 0; i < MANY; i++)
			if (round <= w[i].limit)
				context_switch(&home, &w[i].context);
	for (int i = 0; i < MANY; i++)
		finish(&w[i]);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_there_and_back),
		cmocka_unit_test(many_take_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
