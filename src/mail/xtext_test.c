/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xtext there and back, and what is none. */
#include "mail/xtext.h"

#include "base/auto.h"
#include "base/test.h"

static void decodes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"abc", "abc"}, {"a+2Bb+3D", "a+b="}, {"a+20b", "a b"}, {"+c3+B6", "\xC3\xB6"}, {"", ""},
		{"+", NULL}, {"+2", NULL}, {"a+2G", NULL}, {"a=b", NULL}, {"a b", NULL}, {"a+00", NULL},
		{"a+0A", NULL}, {"a+0D", NULL}, {"a+7F", NULL}, {"\xC3\xB6", NULL}, {"a\x7F", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 4096};
		struct str out = STR_NONE;
		assert_row(xtext_decode(&arena, str_from(rows[i].in), &out) == (rows[i].out != NULL), rows[i].in);
		assert_str(out, rows[i].out);
	}
}

static void encodes_every_byte(void **state)
{
	char bytes[256];
	auto_buf struct buf b = {.max = 4096};
	auto_arena struct arena arena = {.max = 4096};
	struct str back;

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	xtext_encode(&b, (struct str){bytes, 127});
	assert_true(str_find(buf_view(&b), STR("+20!\"#")) < b.n);
	assert_false(xtext_decode(&arena, buf_view(&b), &back)); /* it holds controls */
	buf_clear(&b);
	xtext_encode(&b, (struct str){bytes + ' ', 127 - ' '});
	xtext_encode(&b, (struct str){bytes + 128, 128});
	assert_true(xtext_decode(&arena, buf_view(&b), &back));
	assert_int_equal(back.n, 127 - ' ' + 128);
	assert_memory_equal(back.p, bytes + ' ', 127 - ' ');
	assert_memory_equal(back.p + 127 - ' ', bytes + 128, 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decodes), cmocka_unit_test(encodes_every_byte)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
