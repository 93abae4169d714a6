/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a failure says, and that no text from outside can spoil it. */
#include "base/err.h"

#include "base/test.h"

static void kinds(void **state)
{
	struct err err;
	assert_false(err_temp(&err, CAUSE_NETWORK, "no answer from %s", "mx1"));
	assert_true(err.is_temporary && err.kind == ERR_FAILED && err.cause == CAUSE_NETWORK);
	assert_string_equal(err.text, "no answer from mx1");
	assert_false(err_perm(&err, CAUSE_NO_DOMAIN, "x"));
	assert_true(!err.is_temporary && err.kind == ERR_FAILED && err.cause == CAUSE_NO_DOMAIN);
	assert_false(err_kind(&err, ERR_TIMEOUT, CAUSE_DNS_FAILURE, "late"));
	assert_true(err.is_temporary && err.kind == ERR_TIMEOUT);
	assert_false(err_context(&err, "MX of %s", "a.example"));
	assert_false(err_context(&err, "verify"));
	assert_string_equal(err.text, "verify: MX of a.example: late");
	assert_true(err.kind == ERR_TIMEOUT && err.cause == CAUSE_DNS_FAILURE);
	assert_false(err_temp(&err, CAUSE_STORAGE, "again: %s", err.text));
	assert_string_equal(err.text, "again: verify: MX of a.example: late");
}

static void strips_controls(void **state)
{
	struct err err;
	err_temp(&err, CAUSE_UNKNOWN, "%s", "a\r\nb\x1b[1mc\x7F\xC2\x9B"
	                                    "d\xFF\xC3\xBC");
	assert_string_equal(err.text, "ab[1mcd?\xC3\xBC");
}

static void cuts_between_characters(void **state)
{
	char text[2000];
	for (size_t shift = 0; shift < 4; shift++) {
		struct err err;
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof text; i += 4)
			memcpy(text + i, "\xF0\x9F\x98\x80", 5);
		err_temp(&err, CAUSE_UNKNOWN, "%s", text);
		size_t n = strlen(err.text);
		assert_in_range(n, sizeof err.text - 4, sizeof err.text - 1);
		assert_true(str_is_utf8(str_from(err.text)));
		assert_int_equal((n - shift) % 4, 0);
		err_context(&err, "%s", text);
		assert_true(str_is_utf8(str_from(err.text)));
		err_context(&err, "ctx");
		assert_memory_equal(err.text, "ctx: ", 5);
		assert_true(str_is_utf8(str_from(err.text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(strips_controls),
		cmocka_unit_test(cuts_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
