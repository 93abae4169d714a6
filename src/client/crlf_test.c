/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Line ends, cut at every byte. */
#include "client/crlf.h"

#include "base/auto.h"
#include "base/test.h"

static const struct {
	const char *in, *crlf, *lf;
} cases[] = {
	{"a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n"},
	{"a\nb", "a\r\nb\r\n", "a\nb\n"},
	{"a\rb\r\r\nc\r", "a\r\nb\r\nc\r\n", "a\nb\nc\n"},
	{"\n\n", "\r\n\r\n", "\n\n"},
	{"\r\r\r\n", "\r\n", "\n"},
	{"", "", ""},
	{".\r\n..\r\n", ".\r\n..\r\n", ".\n..\n"},
	{"x\n.\ny", "x\r\n.\r\ny\r\n", "x\n.\ny\n"},
	{"x\n.\r\ny", "x\r\n.\r\ny\r\n", "x\n.\ny\n"},
};

static void check(const char *in, struct str newline, const char *want, size_t cut)
{
	auto_buf struct buf out;
	struct crlf w;
	struct str all = str_from(in);
	buf_init(&out, 1000);
	crlf_init(&w, newline);
	crlf_feed(&w, str_slice(all, 0, cut), &out);
	crlf_feed(&w, str_skip(all, cut), &out);
	crlf_finish(&w, &out);
	assert_str(buf_view(&out), want);
}

static void makes_one_kind_of_line_end(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 0; cut <= strlen(cases[i].in); cut++) {
			check(cases[i].in, STR("\r\n"), cases[i].crlf, cut);
			check(cases[i].in, STR("\n"), cases[i].lf, cut);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(makes_one_kind_of_line_end)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
