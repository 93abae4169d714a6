/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every x_test.c begins with: cmocka and the headers it needs, and a comparison of slices. */
#pragma once

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline void assert_str_at(struct str got, const char *want, const char *file, int line)
{
	if (str_eq(got, str_from(want)))
		return;
	print_error("got  \"%.*s\"\nwant \"%s\"\n", STR_ARG(got), want ? want : "(none)");
	_fail(file, line);
}
#define assert_str(got, want) assert_str_at((got), (want), __FILE__, __LINE__)

/* For tables: says which row it was. */
#define assert_row(condition, name)                                                                \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s: not so: %s", (name), #condition);                            \
	} while (0)
