/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program said, where it said it, and how it ended. */
#include "cmd/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void output_errors_and_status(void **state)
{
	static const struct {
		const char *script, *said, *complained;
		int status;
	} rows[] = {
		{"echo out; echo err >&2", "out\n", "err\n", 0},
		{"exit 3", "", "", 3},
		{"kill -9 $$", "", "", 128 + 9},
		{"cat", "", "", 0}, /* standard input is empty */
		{"printf %04000d 0; exit 1", NULL, "", 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *const argv[] = {"sh", "-c", rows[i].script, NULL};
		struct buf said, complained;
		struct err err;
		int status = -1;
		buf_init(&said, 1000);
		buf_init(&complained, 1000);
		assert_true(program_run(argv, 20 * USEC_S, &said, &complained, &status, &err));
		assert_int_equal(status, rows[i].status);
		assert_true(buf_ok(&said) && str_eq(buf_view(&complained), str_from(rows[i].complained)));
		if (rows[i].said)
			assert_true(str_eq(buf_view(&said), str_from(rows[i].said)));
		else
			assert_int_equal(said.n, 1000); /* cut, and the program was read to its end */
		buf_done(&said);
		buf_done(&complained);
	}
}

static void ends_what_does_not_end(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo begun; exec sleep 1000", NULL};
	struct buf said;
	struct err err;
	int status = -1;

	buf_init(&said, 1000);
	assert_false(program_run(argv, 300 * USEC_MS, &said, &said, &status, &err));
	assert_non_null(strstr(err.text, "did not end in time"));
	assert_int_equal(status, -1);
	buf_done(&said);
}

static void says_what_is_not_there(void **state)
{
	const char *const argv[] = {"no-program-of-this-name", NULL};
	struct buf said = {.max = 10};
	struct err err;
	int status = -1;

	assert_false(program_run(argv, USEC_S, &said, &said, &status, &err));
	assert_non_null(strstr(err.text, "no-program-of-this-name"));
	buf_done(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_errors_and_status),
		cmocka_unit_test(ends_what_does_not_end),
		cmocka_unit_test(says_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
