/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For this folder's tests: run one function as the first fiber, in the backend of one's choice. */
#pragma once

#include "rt/rt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline void run_in(bool is_fake, uint64_t seed, void (*fn)(void *arg), void *arg)
{
	struct rt_options o = {.is_fake = is_fake, .seed = seed, .offload_threads = 2};
	struct err err;
	assert_true(rt_run(&o, fn, arg, &err));
}

/* One test body, as two tests. */
#define BOTH(body)                                          \
	static void body##_real(void **state)               \
	{                                                   \
		(void)state;                                \
		run_in(false, 0, body, NULL);               \
	}                                                   \
	static void body##_fake(void **state)               \
	{                                                   \
		(void)state;                                \
		for (uint64_t seed = 1; seed <= 20; seed++) \
			run_in(true, seed, body, NULL);     \
	}
#define TWO_TESTS(body) cmocka_unit_test(body##_real), cmocka_unit_test(body##_fake)

#define assert_near(a, b, slack)                                                    \
	do {                                                                        \
		usec_t assert_near_d = (a) - (b);                                   \
		assert_true(assert_near_d <= (slack) && assert_near_d >= -(slack)); \
	} while (0)
