/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks: reuse, guards, measuring, and memory that really goes back. */
#include "rt/stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 64 * 1024, PAGE = 4096, N = 300 };

static size_t resident(struct stack s)
{
	unsigned char pages[SIZE / PAGE];
	size_t n = 0;
	assert_int_equal(mincore(s.low, s.size, pages), 0);
	for (size_t i = 0; i < SIZE / PAGE; i++)
		n += pages[i] & 1;
	return n;
}

static void touch(struct stack s, size_t bytes)
{
	memset(s.low + s.size - bytes, 1, bytes);
}

static void gives_memory_back(void **state)
{
	static struct stack s[N];
	struct stack_pool pool;
	size_t pages = 0;
	stack_pool_init(&pool, SIZE);
	for (int i = 0; i < N; i++) {
		assert_true(stack_take(&pool, &s[i]));
		assert_int_equal(resident(s[i]), 0);
		touch(s[i], 20 * 1024);
	}
	assert_int_equal(stack_pool_high_water(&pool), 0); /* sampled when given back */
	for (int i = 0; i < N; i++)
		stack_give(&pool, s[i]);
	assert_int_equal(stack_pool_high_water(&pool), 20 * 1024);
	for (int i = 0; i < N; i++)
		pages += resident(s[i]);
	assert_int_equal(pages, 64 * 5 + (N - 64) * 1); /* 64 stay warm */
	struct stack *again = &s[0];
	assert_true(stack_take(&pool, again));
	assert_int_equal(resident(*again), 5);
	stack_give(&pool, *again);
	stack_pool_done(&pool);
}

static void trims_below_the_stack_pointer(void **state)
{
	struct stack_pool pool;
	struct stack s;
	stack_pool_init(&pool, SIZE);
	assert_true(stack_take(&pool, &s));
	touch(s, 40 * 1024);
	stack_trim(&pool, s, s.low + s.size - 5000);
	assert_int_equal(resident(s), 2);
	for (int i = 1; i <= 5000; i++)
		assert_int_equal(s.low[s.size - i], 1);
	assert_int_equal(pool.high_water, 40 * 1024);
	stack_give(&pool, s);
	stack_pool_done(&pool);
}

/* Writes one byte below the stack in a child; true if that killed it. */
static bool overflow_kills(struct stack_pool *pool, bool gives)
{
	struct stack s;
	int status;
	assert_true(stack_take(pool, &s));
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		close(2);
		if (gives)
			memset(s.low, 0, 100);
		else
			s.low[-1] = 0;
		stack_give(pool, s);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	stack_give(pool, s);
	return WIFSIGNALED(status);
}

static void guards_by_every_means(void **state)
{
	for (int means = 0; means < 3; means++) {
		struct stack_pool pool;
		stack_pool_init(&pool, SIZE);
		pool.is_guard_by_mprotect = means > 0;
		pool.is_guard_failing = means > 1;
		assert_true(overflow_kills(&pool, means == 2));
		stack_pool_done(&pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_memory_back),
		cmocka_unit_test(trims_below_the_stack_pointer),
		cmocka_unit_test(guards_by_every_means),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
