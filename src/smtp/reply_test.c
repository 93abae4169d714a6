/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies: what servers say, and what we say. */
#include "smtp/reply.h"

#include "base/auto.h"
#include "base/test.h"

static void reads(void **state)
{
	static const struct {
		const char *in; /* lines by '\n' */
		int code;       /* 0: broken */
		const char *enhanced, *text;
	} rows[] = {
		{"250 ok", 250, "0.0.0", "ok"},
		{"250", 250, "0.0.0", ""},
		{"250 ", 250, "0.0.0", ""},
		{"250 2.1.0 Sender ok", 250, "2.1.0", "Sender ok"},
		{"550 5.1.1", 550, "5.1.1", ""},
		{"550-5.1.1 No such\n550 5.1.1 user", 550, "5.1.1", "No such\nuser"},
		{"550-5.1.1 No such\n550 5.7.1 user", 550, "5.1.1", "No such\n5.7.1 user"},
		{"550-No such\n550 5.1.1 user", 550, "0.0.0", "No such\n5.1.1 user"},
		{"450 5.1.1 class differs", 450, "0.0.0", "5.1.1 class differs"},
		{"250-mx.example\n250-SIZE 100\n250 HELP", 250, "0.0.0", "mx.example\nSIZE 100\nHELP"},
		{"220 5.6.7.8 ESMTP", 220, "0.0.0", "5.6.7.8 ESMTP"},
		{"354 go", 354, "0.0.0", "go"},
		{"550 5.7.509 dmarc", 550, "5.7.509", "dmarc"},
		{"451 4.7.1 \xC3\xB6\x01", 451, "4.7.1", "\xC3\xB6\x01"},
		{"", 0, NULL, NULL}, {"25", 0, NULL, NULL}, {"2500 x", 0, NULL, NULL}, {"150 x", 0, NULL, NULL},
		{"650 x", 0, NULL, NULL}, {"25x ok", 0, NULL, NULL}, {"250_x", 0, NULL, NULL},
		{" 250 x", 0, NULL, NULL}, {"HTTP/1.1 400", 0, NULL, NULL}, {"250-a\n251 b", 0, NULL, NULL},
		{"250-a\nb", 0, NULL, NULL},
	};
	struct reply_reader r;

	reply_reader_init(&r);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str rest = str_from(rows[i].in), line = STR("");
		enum reply_step step = REPLY_MORE;
		struct reply got = {0};
		struct err err;
		char enhanced[16];
		do {
			str_cut(&rest, '\n', &line);
			step = reply_reader_line(&r, line, &got, &err);
		} while (step == REPLY_MORE && rest.n > 0);
		assert_row(step == (rows[i].code ? REPLY_WHOLE : REPLY_BROKEN), rows[i].in);
		assert_row(got.code == rows[i].code, rows[i].in);
		if (step == REPLY_BROKEN)
			continue;
		assert_str(got.text, rows[i].text);
		assert_str(enhanced_code_text(got.enhanced, enhanced), rows[i].enhanced);
	}
	reply_reader_done(&r);
}

static void is_bounded(void **state)
{
	struct reply_reader r;
	struct reply got;
	struct err err;
	char line[600];

	memset(line, 'x', sizeof line);
	memcpy(line, "250-", 4);
	reply_reader_init(&r);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(reply_reader_line(&r, (struct str){line, sizeof line}, &got, &err), REPLY_MORE);
	assert_int_equal(r.text.n, 8192);
	assert_int_equal(reply_reader_line(&r, STR("250 end"), &got, &err), REPLY_BROKEN);
	for (int i = 0; i < 150; i++)
		assert_int_equal(reply_reader_line(&r, STR("250-a"), &got, &err), REPLY_MORE);
	assert_int_equal(reply_reader_line(&r, STR("250 end"), &got, &err), REPLY_WHOLE);
	assert_true(got.is_cut);
	assert_int_equal(got.text.n, 100 * 2 - 1);
	assert_int_equal(reply_reader_line(&r, STR("250 ok"), &got, &err), REPLY_WHOLE);
	assert_false(got.is_cut);
	reply_reader_done(&r);
}

static void enhanced_codes(void **state)
{
	static const struct {
		const char *in, *out;
		size_t used;
	} rows[] = {
		{"5.1.1", "5.1.1", 5}, {"4.7.123 x", "4.7.123", 7}, {"2.0.0\tx", "2.0.0", 5}, {"5.10.999", "5.10.999", 8},
		{"3.1.1", NULL, 0}, {"5.1", NULL, 0}, {"5.1.", NULL, 0}, {"5..1", NULL, 0}, {"5.1.1234", NULL, 0},
		{"5.1.1.1", NULL, 0}, {"5.1.1x", NULL, 0}, {"", NULL, 0}, {"5,1,1", NULL, 0}, {"55.1.1", NULL, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct enhanced_code c;
		size_t used = 0;
		char text[16];
		bool ok = enhanced_code_parse(str_from(rows[i].in), &c, &used);
		assert_row(ok == (rows[i].out != NULL), rows[i].in);
		assert_row(used == rows[i].used, rows[i].in);
		if (ok)
			assert_str(enhanced_code_text(c, text), rows[i].out);
	}
}

static void writes(void **state)
{
	static const struct {
		int code;
		struct enhanced_code enhanced;
		const char *text;
		bool utf8;
		const char *out;
	} rows[] = {
		{250, {0}, "ok", false, "250 ok\r\n"},
		{250, {2, 1, 0}, "ok", false, "250 2.1.0 ok\r\n"},
		{250, {0}, "a\nb\nc", false, "250-a\r\n250-b\r\n250 c\r\n"},
		{250, {0}, "a\n", false, "250 a\r\n"},
		{250, {0}, "", false, "250 \r\n"},
		{550, {5, 1, 1}, "a\nb", false, "550-5.1.1 a\r\n550 5.1.1 b\r\n"},
		{550, {5, 1, 1}, "<\"a\\\"b\"@c>\r\x01\x7F\xC3\xB6", false,
		 "550 5.1.1 <\"a\\\"b\"@c>\\x0d\\x01\\x7f\\xc3\\xb6\r\n"},
		{550, {5, 1, 1}, "<j\xC3\xB6@c>", true, "550 5.1.1 <j\xC3\xB6@c>\r\n"},
		{550, {5, 1, 1}, "<j\xC3@c>", true, "550 5.1.1 <j\\xc3@c>\r\n"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf b = {.max = 4096};
		reply_write(&b, rows[i].code, rows[i].enhanced, str_from(rows[i].text), rows[i].utf8);
		assert_str(buf_view(&b), rows[i].out);
	}
}

/* What is written can be read, no line is over 512 octets, and no text is lost. */
static void wraps(void **state)
{
	const char *const pieces[] = {"word ", "x", "\xC3\xB6", "\x01", "long-word-without-a-blank-", "  "};
	char text[3000];

	for (size_t i = 0; i < COUNT(pieces); i++) {
		auto_buf struct buf b = {.max = 65536};
		size_t n = sizeof text / strlen(pieces[i]) * strlen(pieces[i]), letters = 0;
		for (size_t k = 0; k < n; k++)
			text[k] = pieces[i][k % strlen(pieces[i])];
		reply_write(&b, 550, (struct enhanced_code){5, 7, 1}, (struct str){text, n}, true);
		struct str rest = buf_view(&b), line;
		struct reply_reader r;
		struct reply got;
		struct err err;
		enum reply_step step = REPLY_MORE;
		reply_reader_init(&r);
		while (str_cut(&rest, '\n', &line)) {
			assert_true(line.n + 1 <= 512 && line.p[line.n - 1] == '\r');
			assert_true(str_is_utf8(line));
			letters += line.n - 1 - 10;
			assert_int_equal(step, REPLY_MORE);
			step = reply_reader_line(&r, str_slice(line, 0, line.n - 1), &got, &err);
		}
		assert_int_equal(step, REPLY_WHOLE);
		if (pieces[i][strlen(pieces[i]) - 1] != ' ')
			assert_int_equal(letters, pieces[i][0] == 1 ? 4 * n : n);
		reply_reader_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),  cmocka_unit_test(is_bounded), cmocka_unit_test(enhanced_codes),
		cmocka_unit_test(writes), cmocka_unit_test(wraps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
