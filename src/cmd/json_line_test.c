/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read in one pass is what Jansson reads; what is not, Jansson is asked about. */
#include "cmd/json_line.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/test.h"

#define TEN  "[[[[[[[[[["
#define LAST "]]]]]]]]]]"

static const char *const read_here[] = {
	"{}", "[]", " { } ", "[ ]\n", "{\"id\":1}", "{\"id\" : -17 , \"b\" : [ 1,2 ,3 ]}\r\n", "[true,false,null]", "[0,-0,999999999999999999]",
	"{\"a\":\"\",\"b\":[\"x\",\"\"]}", "{\"a\":1,\"b\":2,\"a\":3}", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"a\\u0041\\u00e9\\u20AC\\uffff|\"]",
	"[\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x93\xA7\"]", "{\"gr\xC3\xBC\":{\"a\":[{\"b\":{}}]}}", "[\"tab\\there\",\"\\n\"]", "[\"\x7f\"]",
	TEN TEN TEN "[[1]]" LAST LAST LAST,
};

/* Rare: Jansson reads them. */
static const char *const left_to_jansson[] = {
	"[1.5]", "[1e3]", "[-0.0]", "[1234567890123456789]", "[\"\\ud83d\\udce7\"]", "[\"\\u0000\"]", "{\"a\\n\":1}",
	"[" TEN TEN TEN "[[1]]" LAST LAST LAST "]",
};

static const char *const wrong[] = {
	"", " ", "1", "\"a\"", "true", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "[01]", "[-]",
	"[+1]", "[tru]", "[truex]", "[nul", "[\"a]", "[\"a\\\"]", "[\"a\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]", "[\"\\ud800\"]", "[\"a\nb\"]",
	"[1] 2", "{}{}", "[1}", "{\"a\":1]", "[\"\xFF\"]", "[\"\xC0\xAF\"]", "[\"\xED\xA0\x80\"]", "{\"\xFF\":1}", "[1 2]", "{\"a\":1 \"b\":2}",
	"[18446744073709551616]", "\xEF\xBB\xBF[]", "[\"\x1f\"]", "{\"a\\u0000b\":1}",
};

static json_t *theirs(const char *text)
{
	json_error_t why;

	return json_loadb(text, strlen(text), JSON_ALLOW_NUL, &why);
}

static char *dump(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	return text;
}

static void test_reads_as_jansson(void **state)
{
	auto_buf struct buf scratch = {.max = 100};

	for (size_t i = 0; i < COUNT(read_here); i++) {
		auto_free char *ours = dump(json_line_read(str_from(read_here[i]), &scratch));
		auto_free char *want = dump(theirs(read_here[i]));
		assert_row(ours && want, read_here[i]);
		assert_string_equal(ours, want);
	}
}

static void test_leaves_the_rare(void **state)
{
	auto_buf struct buf scratch = {.max = 100};

	for (size_t i = 0; i < COUNT(left_to_jansson); i++) {
		auto_free char *want = dump(theirs(left_to_jansson[i]));
		assert_row(want && !json_line_read(str_from(left_to_jansson[i]), &scratch), left_to_jansson[i]);
	}
}

static void test_refuses_the_wrong(void **state)
{
	auto_buf struct buf scratch = {.max = 100};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_row(!theirs(wrong[i]), wrong[i]);
		assert_row(!json_line_read(str_from(wrong[i]), &scratch), wrong[i]);
	}
	assert_null(json_line_read((struct str){"[1]\0", 4}, &scratch));
	assert_null(json_line_read((struct str){NULL, 0}, &scratch));
}

/* Each beginning of a line is wrong, and nothing behind its end is looked at. */
static void test_cut(void **state)
{
	static const char text[] = "{\"id\":1,\"a\":[\"x\\n\\u00e9\",true,null,-12,{\"b\":\"\"}],\"c\":\"gr\xC3\xBC\"}";
	auto_buf struct buf scratch = {.max = 100};

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		auto_free char *copy = malloc(n ? n : 1);
		memcpy(copy, text, n);
		assert_null(json_line_read((struct str){copy, n}, &scratch));
	}
}

static void test_bound(void **state)
{
	auto_buf struct buf scratch = {.max = 4};

	assert_null(json_line_read(STR("[\"\\n2345\"]"), &scratch));
	auto_free char *fits = dump(json_line_read(STR("[\"\\n234\"]"), &scratch));
	assert_string_equal(fits, "[\"\\n234\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_as_jansson), cmocka_unit_test(test_leaves_the_rare), cmocka_unit_test(test_refuses_the_wrong),
		cmocka_unit_test(test_cut), cmocka_unit_test(test_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
