/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: verbs, paths, parameters, and the reply to each mistake. */
#include "smtp/command.h"

#include "base/auto.h"
#include "base/test.h"
#include "smtp/path.h"

static void verbs(void **state)
{
	static const struct {
		const char *in;
		enum smtp_verb verb;
		const char *argument;
	} rows[] = {
		{"EHLO mx.example", SMTP_EHLO, "mx.example"}, {"ehlo  mx.example  ", SMTP_EHLO, "mx.example"},
		{"MAIL FROM:<a@b>", SMTP_MAIL, "FROM:<a@b>"}, {"QUIT", SMTP_QUIT, NULL}, {"QUIT ", SMTP_QUIT, ""},
		{"StartTLS", SMTP_STARTTLS, NULL}, {"DATA", SMTP_DATA, NULL}, {"BDAT\t5 LAST", SMTP_BDAT, "5 LAST"},
		{"LHLO x", SMTP_LHLO, "x"}, {"", SMTP_UNKNOWN, NULL}, {" MAIL", SMTP_UNKNOWN, "MAIL"},
		{"MAILX", SMTP_UNKNOWN, NULL}, {"DATA\r", SMTP_UNKNOWN, NULL}, {"GET / HTTP/1.1", SMTP_UNKNOWN, "/ HTTP/1.1"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_command c;
		smtp_command_parse(str_from(rows[i].in), &c);
		assert_row(c.verb == rows[i].verb, rows[i].in);
		assert_str(c.argument, rows[i].argument);
	}
}

static void mail_paths(void **state)
{
	static const struct {
		const char *in, *key; /* "<>": null; NULL: refused with the code behind */
		int code;
		unsigned subject, detail;
	} rows[] = {
		{"FROM:<a@B.example>", "a@b.example"}, {"from:<>", "<>"}, {"FROM: <a@b>", "a@b"},
		{"FROM:<@x.example,@y.example:a@b>", "a@b"}, {"FROM:<\"a>b\"@c>", "a>b@c"},
		{"FROM:<\"a\\\"> \"@c>", "a\"> @c"}, {"FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]"},
		{"FROM:<a@b> SIZE=1", "a@b"}, {"FROM:<a@b>  ", "a@b"},
		{"FROM:<j\xC3\xB6@b> SMTPUTF8", "j\xC3\xB6@b"},
		{"", NULL, 501, 5, 4}, {"FROM:", NULL, 501, 5, 4}, {"FROM:a@b", NULL, 501, 5, 4},
		{"FROM <a@b>", NULL, 501, 5, 4}, {"TO:<a@b>", NULL, 501, 5, 4}, {"FROM:<a@b", NULL, 501, 5, 4},
		{"FROM:<a@b>SIZE=1", NULL, 501, 5, 4}, {"FROM:<a@b>>", NULL, 501, 5, 4},
		{"FROM:<<a@b>>", NULL, 501, 5, 4}, {"FROM:x<a@b>", NULL, 501, 5, 4},
		{"FROM:<a>", NULL, 501, 1, 7}, {"FROM:<postmaster>", NULL, 501, 1, 7}, {"FROM:< >", NULL, 501, 1, 7},
		{"FROM:<@x.example>", NULL, 501, 1, 7}, {"FROM:<@:a@b>", NULL, 501, 1, 7},
		{"FROM:<@x,y:a@b>", NULL, 501, 1, 7}, {"FROM:<a@b..c>", NULL, 501, 1, 7},
		{"FROM:<a\x01@b>", NULL, 501, 1, 7}, {"FROM:<j\xC3\xB6@b>", NULL, 553, 6, 7},
		{"FROM:<j\xC3@b> SMTPUTF8", NULL, 501, 1, 7},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct smtp_mail m = {.size = 77};
		struct smtp_fault f = {0};
		bool ok = smtp_mail_parse(&arena, str_from(rows[i].in), &m, &f);
		assert_row(ok == (rows[i].key != NULL), rows[i].in);
		if (ok) {
			assert_row(m.path.is_null == (strcmp(rows[i].key, "<>") == 0), rows[i].in);
			if (!m.path.is_null)
				assert_str(address_key(&arena, &m.path.address), rows[i].key);
			continue;
		}
		assert_row(m.size == 77, rows[i].in);
		assert_row(f.code == rows[i].code && f.enhanced.class == f.code / 100, rows[i].in);
		assert_row(f.enhanced.subject == rows[i].subject && f.enhanced.detail == rows[i].detail, rows[i].in);
		assert_row(f.text.n > 0, rows[i].in);
	}
}

static void mail_params(void **state)
{
	static const struct {
		const char *in;
		int code; /* 0: taken */
		struct smtp_mail want;
	} rows[] = {
		{"SIZE=1000 BODY=8BITMIME", 0, {.size = 1000, .body = SMTP_BODY_8BITMIME}},
		{"size=0 body=7bit smtputf8", 0, {.smtputf8 = true}},
		{"BODY=BINARYMIME RET=HDRS ENVID=QQ+2B1", 0,
		 {.body = SMTP_BODY_BINARYMIME, .ret = SMTP_RET_HDRS, .envid = {"QQ+1", 4}}},
		{"RET=full", 0, {.ret = SMTP_RET_FULL}},
		{"SIZE=18446744073709551615", 0, {.size = UINT64_MAX}},
		{"SIZE=99999999999999999999", 0, {.size = UINT64_MAX}},
		{"SIZE=", 501, {.size = 0}}, {"SIZE", 501, {.size = 0}}, {"SIZE=1x", 501, {.size = 0}}, {"SIZE=-1", 501, {.size = 0}},
		{"SIZE=100000000000000000000", 501, {.size = 0}}, {"SIZE=1 SIZE=1", 501, {.size = 0}}, {"BODY=9BIT", 501, {.size = 0}},
		{"SMTPUTF8=1", 501, {.size = 0}}, {"RET=SOME", 501, {.size = 0}}, {"ENVID=a+00b", 501, {.size = 0}},
		{"ENVID=a+0Ab", 501, {.size = 0}}, {"ENVID=a+E9b", 501, {.size = 0}}, {"=1", 501, {.size = 0}}, {"-A", 501, {.size = 0}},
		{"A_B=1", 501, {.size = 0}}, {"AUTH=<>", 555, {.size = 0}}, {"XYZ", 555, {.size = 0}},
		{"A B C D E F G H I J K L M N O P Q R", 501, {.size = 0}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct smtp_mail m = {0};
		struct smtp_fault f = {0};
		struct str line = arena_printf(&arena, "FROM:<> %s", rows[i].in);
		bool ok = smtp_mail_parse(&arena, line, &m, &f);
		assert_row(ok == (rows[i].code == 0) && f.code == rows[i].code, rows[i].in);
		assert_row(m.size == rows[i].want.size && m.body == rows[i].want.body, rows[i].in);
		assert_row(m.smtputf8 == rows[i].want.smtputf8 && m.ret == rows[i].want.ret, rows[i].in);
		assert_row(str_eq(m.envid, rows[i].want.envid), rows[i].in);
	}
}

static void rcpts(void **state)
{
	static const struct {
		const char *in;
		bool utf8;
		const char *text; /* NULL: refused */
		int code;
		unsigned notify;
		const char *orcpt;
	} rows[] = {
		{"TO:<a@b>", false, "a@b", 0, 0, NULL},
		{"TO:<PostMaster>", false, "PostMaster", 0, 0, NULL},
		{"to:<a@b> NOTIFY=NEVER", false, "a@b", 0, SMTP_NOTIFY_NEVER, NULL},
		{"TO:<a@b> NOTIFY=success,FAILURE,delay", false, "a@b", 0,
		 SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, NULL},
		{"TO:<a@b> ORCPT=rfc822;a+2Bx@b", false, "a@b", 0, 0, "rfc822;a+2Bx@b"},
		{"TO:<a@b> ORCPT=utf-8;j\\x{F6}@b", false, "a@b", 0, 0, "utf-8;j\\x{F6}@b"},
		{"TO:<j\xC3\xB6@b> ORCPT=utf-8;j\xC3\xB6@b", true, "j\xC3\xB6@b", 0, 0, "utf-8;j\xC3\xB6@b"},
		{"TO:<>", false, NULL, 501, 0, NULL}, {"TO:<a>", false, NULL, 501, 0, NULL},
		{"TO:<j\xC3\xB6@b>", false, NULL, 553, 0, NULL}, {"TO:<a@b> SIZE=1", false, NULL, 555, 0, NULL},
		{"TO:<a@b> NOTIFY=NEVER,DELAY", false, NULL, 501, 0, NULL},
		{"TO:<a@b> NOTIFY=DELAY,DELAY", false, NULL, 501, 0, NULL},
		{"TO:<a@b> NOTIFY=", false, NULL, 501, 0, NULL}, {"TO:<a@b> NOTIFY=,", false, NULL, 501, 0, NULL},
		{"TO:<a@b> ORCPT=a@b", false, NULL, 501, 0, NULL}, {"TO:<a@b> ORCPT=;a@b", false, NULL, 501, 0, NULL},
		{"TO:<a@b> ORCPT=rfc822;", false, NULL, 501, 0, NULL},
		{"TO:<a@b> ORCPT=rfc822;a+0Ab", false, NULL, 501, 0, NULL},
		{"TO:<a@b> ORCPT=utf-8;j\xC3\xB6@b", false, NULL, 501, 0, NULL},
		{"TO:<a@b> ORCPT=rfc822;j\xC3\xB6@b", true, NULL, 501, 0, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct smtp_rcpt r = {0};
		struct smtp_fault f = {0};
		bool ok = smtp_rcpt_parse(&arena, str_from(rows[i].in), rows[i].utf8, &r, &f);
		assert_row(ok == (rows[i].text != NULL) && f.code == rows[i].code, rows[i].in);
		if (!ok)
			continue;
		assert_str(address_text(&arena, &r.path.address), rows[i].text);
		assert_row(r.notify == rows[i].notify, rows[i].in);
		assert_str(r.orcpt, rows[i].orcpt);
	}
}

static void bdat(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		uint64_t size;
		bool is_last;
	} rows[] = {
		{"0", true, 0, false}, {"0 LAST", true, 0, true}, {"1000 last", true, 1000, true},
		{"9223372036854775807", true, INT64_MAX, false}, {"9223372036854775808", false, 0, false},
		{"", false, 0, false}, {"x", false, 0, false}, {"-1", false, 0, false}, {"1 LAS", false, 0, false},
		{"1 LAST x", false, 0, false}, {"LAST", false, 0, false}, {"0x10", false, 0, false},
		{"99999999999999999999999999", false, 0, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t size = 0;
		bool is_last = false;
		assert_row(smtp_bdat_parse(str_from(rows[i].in), &size, &is_last) == rows[i].ok, rows[i].in);
		assert_row(size == rows[i].size && is_last == rows[i].is_last, rows[i].in);
	}
}

static void helo_names(void **state)
{
	static const struct {
		const char *in;
		bool ok;
	} rows[] = {
		{"mx.Example.org", true}, {"localhost", true}, {"[192.0.2.1]", true}, {"[IPv6:2001:db8::1]", true},
		{"my_host", true}, {"", false}, {"[192.0.2]", false}, {"[2001:db8::1]", false}, {"[]", false},
		{"a b", false}, {"a.", false}, {"-a", false}, {"b\xC3\xBC", false}, {"a@b", false}, {"a..b", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_row(smtp_helo_is_valid(str_from(rows[i].in)) == rows[i].ok, rows[i].in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs), cmocka_unit_test(mail_paths), cmocka_unit_test(mail_params),
		cmocka_unit_test(rcpts), cmocka_unit_test(bdat),       cmocka_unit_test(helo_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
