/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slices: each function with the empty text and the edges. */
#include "base/str.h"

#include "base/test.h"

static void compares(void **state)
{
	static const struct {
		const char *a, *b;
		bool eq, ieq;
		int order;
		bool starts, istarts, ends, iends; /* a with b */
	} rows[] = {
		{"", "", true, true, 0, true, true, true, true},
		{"a", "", false, false, 1, true, true, true, true},
		{"", "a", false, false, -1, false, false, false, false},
		{"Abc", "abc", false, true, -1, false, true, false, true},
		{"abc", "ab", false, false, 1, true, true, false, false},
		{"abc", "BC", false, false, 1, false, false, false, true},
		{"\xC4", "\xE4", false, false, -1, false, false, false, false},
		{"[", "{", false, false, -1, false, false, false, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str a = str_from(rows[i].a), b = str_from(rows[i].b);
		int order = str_cmp(a, b);
		assert_row(str_eq(a, b) == rows[i].eq, rows[i].a);
		assert_row(str_ieq(a, b) == rows[i].ieq, rows[i].a);
		assert_row((order > 0) - (order < 0) == rows[i].order, rows[i].a);
		assert_row(str_starts(a, b) == rows[i].starts, rows[i].a);
		assert_row(str_istarts(a, b) == rows[i].istarts, rows[i].a);
		assert_row(str_ends(a, b) == rows[i].ends, rows[i].a);
		assert_row(str_iends(a, b) == rows[i].iends, rows[i].a);
	}
	assert_null(str_from(NULL).p);
	assert_true(str_is_empty(STR_NONE) && str_eq(STR_NONE, STR("")));
}

static void finds(void **state)
{
	struct str s = STR("one, Two, two");
	assert_int_equal(str_find_char(s, ','), 3);
	assert_int_equal(str_rfind_char(s, ','), 8);
	assert_int_equal(str_find_char(s, 'x'), s.n);
	assert_int_equal(str_rfind_char(STR_NONE, 'x'), 0);
	assert_int_equal(str_find(s, STR("two")), 10);
	assert_int_equal(str_ifind(s, STR("two")), 5);
	assert_int_equal(str_find(s, STR("three")), s.n);
	assert_int_equal(str_ifind(s, STR("two, two, two")), s.n);
	assert_int_equal(str_find(s, STR("")), 0);
}

static void slices_stay_inside(void **state)
{
	struct str s = STR("abcdef");
	assert_str(str_slice(s, 2, 4), "cd");
	assert_str(str_slice(s, 4, 99), "ef");
	assert_str(str_slice(s, 9, 99), "");
	assert_str(str_slice(s, 4, 2), "");
	assert_str(str_skip(s, 5), "f");
	assert_str(str_skip(s, 7), "");
	assert_null(str_skip(STR_NONE, 3).p);
	assert_str(str_trim(STR(" \t a b\r\n")), "a b");
	assert_str(str_trim(STR(" \t ")), "");
}

static void cuts(void **state)
{
	struct str rest = STR("a::b:"), word;
	const char *want[] = {"a", "", "b"};
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(str_cut(&rest, ':', &word));
		assert_str(word, want[i]);
	}
	assert_false(str_cut(&rest, ':', &word));
	assert_str(word, "b");

	rest = STR("  MAIL\tFROM:<>  ");
	assert_true(str_next_word(&rest, &word));
	assert_str(word, "MAIL");
	assert_true(str_next_word(&rest, &word));
	assert_str(word, "FROM:<>");
	assert_false(str_next_word(&rest, &word));
}

static void reads_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		bool ok;
	} rows[] = {
		{"0", 0, 0, true},
		{"007", 7, 7, true},
		{"25", 24, 0, false},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
		{"18446744073709551616", UINT64_MAX, 0, false},
		{"99999999999999999999", UINT64_MAX, 0, false},
		{"", 9, 0, false},
		{"-1", 9, 0, false},
		{"+1", 9, 0, false},
		{" 1", 9, 0, false},
		{"1x", 9, 0, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 4711;
		bool ok = str_to_u64(str_from(rows[i].text), rows[i].max, &value);
		assert_row(ok == rows[i].ok, rows[i].text);
		assert_row(value == (ok ? rows[i].value : 4711), rows[i].text);
	}
}

static void knows_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{"", 0},           {"a", 1},           {"\x7F", 1},       {"\xC3\xA4", 2},
		{"\xC3", 0},       {"\xC0\x80", 0},    {"\xC1\xBF", 0},   {"\x80", 0},
		{"\xE2\x82\xAC", 3}, {"\xE2\x82", 0},  {"\xE0\x9F\xBF", 0}, {"\xED\xA0\x80", 0},
		{"\xED\x9F\xBF", 3}, {"\xF0\x9F\x98\x80", 4}, {"\xF0\x8F\xBF\xBF", 0},
		{"\xF4\x8F\xBF\xBF", 4}, {"\xF4\x90\x80\x80", 0}, {"\xF5\x80\x80\x80", 0}, {"\xFF", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(str_utf8_next(str_from(rows[i].text)), rows[i].n);
	assert_true(str_is_utf8(STR("gr\xC3\xBC\xC3\x9F")));
	assert_false(str_is_utf8(STR("gr\xFC\xDF")));
	for (size_t at = 0; at < 20; at++) { /* text is passed over in eights */
		char text[22];
		memset(text, 'a', sizeof text);
		text[at] = '\xC3';
		assert_false(str_is_utf8((struct str){text, sizeof text}));
		text[at + 1] = '\xBC';
		assert_true(str_is_utf8((struct str){text, sizeof text}));
		assert_false(str_is_utf8((struct str){text, at + 1}));
	}
}

static void hashes(void **state)
{
	char upper[256], lower[256];
	for (size_t n = 0; n < sizeof upper; n++) {
		for (size_t i = 0; i < n; i++) {
			upper[i] = (char)(i + n);
			lower[i] = ascii_lower(upper[i]);
		}
		struct str u = {upper, n}, l = {lower, n};
		assert_true(str_ihash(u) == str_ihash(l));
		assert_true(str_ihash(l) == str_hash(l));
		assert_true(str_eq(u, l) == (str_hash(u) == str_hash(l)));
	}
	/* a zero byte more is another text */
	assert_true(str_hash(STR("a")) != str_hash(STR("a\0")));
	assert_true(str_hash(STR("abcdefg")) != str_hash(STR("abcdefgh")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),      cmocka_unit_test(finds),
		cmocka_unit_test(slices_stay_inside), cmocka_unit_test(cuts),
		cmocka_unit_test(reads_numbers), cmocka_unit_test(knows_utf8),
		cmocka_unit_test(hashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
