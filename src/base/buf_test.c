/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growth, the maximum, and the two escapes. */
#include "base/auto.h"
#include "base/test.h"

static void grows_to_its_maximum(void **state)
{
	auto_buf struct buf b = {.max = 1000};
	for (int i = 0; i < 1000; i++)
		buf_char(&b, (char)('a' + i % 26));
	assert_true(buf_ok(&b) && b.n == 1000 && b.capacity == 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	buf_char(&b, 'x');
	assert_false(buf_ok(&b));
	buf_truncate(&b, 10);
	buf_str(&b, STR("late")); /* sticky: nothing is added although it would fit */
	assert_str(buf_view(&b), "abcdefghij");
	buf_clear(&b);
	buf_str(&b, STR("again"));
	assert_true(buf_ok(&b));
	assert_str(buf_view(&b), "again");
}

static void overflow_changes_nothing(void **state)
{
	auto_buf struct buf b = {.max = 5};
	buf_printf(&b, "%d", 123);
	buf_printf(&b, "%d", 456);
	assert_false(buf_ok(&b));
	assert_str(buf_view(&b), "123");
	auto_buf struct buf none = {0};
	assert_non_null(buf_reserve(&none, 0));
	assert_null(buf_reserve(&none, SIZE_MAX));
	assert_false(buf_ok(&none));
}

static void prints_to_the_last_byte(void **state)
{
	for (int n = 0; n < 300; n++) {
		auto_buf struct buf b = {.max = (size_t)n};
		buf_printf(&b, "%*s", n, "");
		assert_true(buf_ok(&b) && b.n == (size_t)n);
		buf_printf(&b, "%s", "");
		assert_true(buf_ok(&b));
	}
}

static void writes_numbers(void **state)
{
	static const int64_t values[] = {0, 7, -7, 10, 1234567890123, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		auto_buf struct buf b = {.max = 100};
		char text[32];
		snprintf(text, sizeof(text), "%lld", (long long)values[i]);
		buf_int(&b, values[i]);
		assert_str(buf_view(&b), text);
	}
	auto_buf struct buf small = {.max = 2};
	buf_int(&small, 100);
	assert_false(buf_ok(&small));
	assert_int_equal(small.n, 0);
	buf_char(&small, '1'); /* sticky, though there is room */
	assert_int_equal(small.n, 0);
}

static void drops_and_shrinks(void **state)
{
	auto_buf struct buf b;
	buf_init(&b, 4096);
	buf_printf(&b, "%0500d", 7);
	buf_drop_front(&b, 498);
	assert_str(buf_view(&b), "07");
	buf_shrink(&b);
	assert_int_equal(b.capacity, 2);
	buf_str(&b, STR("!"));
	assert_str(buf_view(&b), "07!");
	buf_drop_front(&b, 3);
	buf_shrink(&b);
	assert_null(b.p);
	memcpy(buf_reserve(&b, 2), "ok", 2);
	buf_added(&b, 2);
	assert_str(buf_view(&b), "ok");
}

static void escapes(void **state)
{
	static const struct {
		struct str in;
		const char *json, *escaped;
	} rows[] = {
		{{"", 0}, "\"\"", ""},
		{{"a\"b\\c", 5}, "\"a\\\"b\\\\c\"", "a\"b\\\\c"},
		{{"\r\n\t\0\x1b", 5}, "\"\\r\\n\\t\\u0000\\u001b\"", "\\x0d\\x0a\\x09\\x00\\x1b"},
		{{"\x7F", 1}, "\"\\u007f\"", "\\x7f"},
		{{"\xC3\xBC", 2}, "\"\xC3\xBC\"", "\\xc3\\xbc"},
		{{"\xC2\x9B", 2}, "\"\\u009b\"", "\\xc2\\x9b"},
		{{"x\xFFy\xC3", 4}, "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"", "x\\xffy\\xc3"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf b = {.max = 100};
		buf_json(&b, rows[i].in);
		assert_str(buf_view(&b), rows[i].json);
		buf_clear(&b);
		buf_escaped(&b, rows[i].in);
		assert_str(buf_view(&b), rows[i].escaped);
	}
}

/* Wherever the byte stands that does not stand for itself: plain text is passed over in eights. */
static void escapes_at_each_place(void **state)
{
	static const struct {
		char byte;
		const char *json;
	} rows[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {0x1f, "\\u001f"}, {0x7f, "\\u007f"}, {'\0', "\\u0000"},
	            {'\xff', "\xEF\xBF\xBD"}, {'!', "!"}, {'~', "~"}, {' ', " "}};
	auto_buf struct buf b = {.max = 100};
	char in[20], want[40];

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t at = 0; at < sizeof in; at++) {
			memset(in, ' ', sizeof in);
			in[at] = rows[i].byte;
			snprintf(want, sizeof want, "\"%*s%s%*s\"", (int)at, "", rows[i].json, (int)(sizeof in - at - 1), "");
			buf_clear(&b);
			buf_json(&b, (struct str){in, sizeof in});
			assert_str(buf_view(&b), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_to_its_maximum),
		cmocka_unit_test(overflow_changes_nothing),
		cmocka_unit_test(prints_to_the_last_byte),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(drops_and_shrinks),
		cmocka_unit_test(escapes),
		cmocka_unit_test(escapes_at_each_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
