/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What older mail programs wrote, read as UTF-8. */
#include "mail/charset.h"

#include "base/test.h"

static void texts_are_read(void **state)
{
	static const struct {
		const char *charset, *text, *want;
	} rows[] = {
		{"iso-2022-jp", "550 \x1b$B%f!<%6!<\x1b(B unknown", "550 ユーザー unknown"},
		{"", "550 \x1b$B%f!<%6!<\x1b(B unknown", "550 ユーザー unknown"},
		{"US-ASCII", "550 \x1b$B%f!<%6!<\x1b(B unknown", "550 ユーザー unknown"},
		{"shift_jis", "\x83\x86\x81[\x83U\x81[", "ユーザー"},
		{"euc-jp", "\xa5\xe6\xa1\xbc\xa5\xb6\xa1\xbc", "ユーザー"},
		{"iso-8859-1", "Empf\xe4nger unbekannt", "Empfänger unbekannt"},
		{"us-ascii", "Empf\xe4nger unbekannt", "Empfänger unbekannt"},
		{"koi8-r", "\xd1\xdd\xc9\xcb", "ящик"},
		{"windows-1251", "\xff\xf9\xe8\xea", "ящик"},
		{"gb2312", "\xd3\xc3\xbb\xa7", "用户"},
		{"euc-kr", "\xbb\xe7\xbf\xeb\xc0\xda", "사용자"},
		{"utf-8", "Empfänger", "Empfänger"},
		{"utf-8", "Empf\xe4nger", "Empf\xe4nger"},
		{"no-such-charset", "Empf\xe4nger", "Empf\xe4nger"},
		{"../../etc/passwd", "x", "x"},
		{"utf-16//IGNORE", "x", "x"},
		{"iso-2022-jp", "\x1b$B%f!", "ユ\xEF\xBF\xBD"},
		{"iso-2022-jp", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena;
		arena_init(&arena, 1 << 20);
		struct str got = charset_to_utf8(&arena, str_from(rows[i].charset), str_from(rows[i].text));
		if (!str_eq(got, str_from(rows[i].want)))
			print_error("%s: %s: got %.*s\n", rows[i].charset, rows[i].want, STR_ARG(got));
		assert_true(str_eq(got, str_from(rows[i].want)));
		arena_done(&arena);
	}
}

static void names_are_found(void **state)
{
	(void)state;
	assert_true(str_eq(charset_of(STR("text/plain; charset=\"ISO-2022-JP\"; format=flowed")), STR("ISO-2022-JP")));
	assert_true(str_eq(charset_of(STR("text/plain; charset=utf-8; x")), STR("utf-8")));
	assert_int_equal(charset_of(STR("text/plain")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read),
		cmocka_unit_test(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
