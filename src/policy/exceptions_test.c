/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exceptions file: its grammar, whom a rule meets, expiry, and the file changing under us. */
#include "policy/exceptions.h"

#include "base/auto.h"
#include "base/test.h"
#include "policy/exception_line.h"

#include <stdlib.h>
#include <sys/stat.h>

static char directory[] = "/tmp/postern-exceptions-XXXXXX";
static char file[128];

static void write_file(const char *text)
{
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void parses_lines(void **state)
{
	static const struct {
		const char *line;
		enum exception_line got;
		enum exception_kind kind;
		enum exception_action action;
		const char *what, *why;
	} rows[] = {
		{"", EXCEPTION_LINE_EMPTY, 0, 0, "", ""},
		{"  # a comment", EXCEPTION_LINE_EMPTY, 0, 0, "", ""},
		{"sender Joe@Example.org never-ask", EXCEPTION_LINE_RULE, EXCEPTION_SENDER, EXCEPTION_NEVER_ASK,
		 "joe@example.org", ""},
		{"sender @Example.org accept # all", EXCEPTION_LINE_RULE, EXCEPTION_SENDER, EXCEPTION_ACCEPT, "@example.org",
		 ""},
		{"DOMAIN b\xc3\xbc" "cher.example refuse why \"a \\\"b\\\" # c\"", EXCEPTION_LINE_RULE, EXCEPTION_DOMAIN,
		 EXCEPTION_REFUSE, "xn--bcher-kva.example", "a \"b\" # c"},
		{"client 192.0.2.0/24 accept until 2026-12-24T00:00:00Z by root why x", EXCEPTION_LINE_RULE, EXCEPTION_CLIENT,
		 EXCEPTION_ACCEPT, "192.0.2.0/24", "x"},
		{"client 192.0.2.0/24 accept at 2026-11-24T00:00:00Z by root", EXCEPTION_LINE_RULE, EXCEPTION_CLIENT,
		 EXCEPTION_ACCEPT, "192.0.2.0/24", ""},
		{"client 192.0.2.0/24 accept at noon", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"client 192.0.2.1/24 accept", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"client example.org accept", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe accept", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org allow", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org none", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org accept until tomorrow", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org accept until", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org accept for ever", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"sender joe@example.org accept why \"open", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
		{"\"open", EXCEPTION_LINE_BROKEN, 0, 0, "", ""},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 1 << 20};
		struct exception e = {0};
		struct err err;
		enum exception_line got = exception_line_parse(&arena, str_from(rows[i].line), &e, &err);
		assert_row(got == rows[i].got, rows[i].line);
		if (got != EXCEPTION_LINE_RULE)
			continue;
		assert_row(e.kind == rows[i].kind && e.action == rows[i].action, rows[i].line);
		assert_str(e.what, rows[i].what);
		assert_str(e.why, rows[i].why);
		/* What is written reads back the same. */
		auto_buf struct buf text = {.max = 4096};
		struct exception again;
		assert_true(exception_line_write(&e, &text, &err));
		assert_int_equal(exception_line_parse(&arena, str_trim(buf_view(&text)), &again, &err), EXCEPTION_LINE_RULE);
		assert_true(again.kind == e.kind && again.action == e.action && again.until.us == e.until.us &&
		            again.at.us == e.at.us);
		assert_true(str_eq(again.what, e.what) && str_eq(again.why, e.why) && str_eq(again.by, e.by));
	}
}

static enum exception_action ask(struct exceptions *x, const char *sender, const char *client, const char *rcpt)
{
	auto_arena struct arena arena = {.max = 1 << 16};
	struct address from, to;
	struct ip ip = {0};
	struct err err;
	struct str why;
	if (sender)
		assert_true(address_parse(&arena, str_from(sender), false, &from, &err));
	if (rcpt)
		assert_true(address_parse(&arena, str_from(rcpt), false, &to, &err));
	if (client)
		assert_true(ip_parse(str_from(client), &ip));
	return exceptions_find(x, sender ? &from : NULL, ip, rcpt ? &to : NULL, &why);
}

static void matches_the_strongest(void *arg)
{
	static const struct {
		const char *sender, *client, *rcpt;
		enum exception_action action;
	} rows[] = {
		{"joe@example.org", NULL, NULL, EXCEPTION_NEVER_ASK},
		{"JOE@EXAMPLE.ORG", NULL, NULL, EXCEPTION_NEVER_ASK},
		{"jane@example.org", NULL, NULL, EXCEPTION_NONE},
		{"jane@list.example", NULL, NULL, EXCEPTION_ACCEPT},
		{"jane@a.list.example", NULL, NULL, EXCEPTION_ACCEPT},
		{"jane@notlist.example", NULL, NULL, EXCEPTION_NONE},
		{"joe@example.org", "192.0.2.7", NULL, EXCEPTION_ACCEPT},
		{"joe@example.org", "198.51.100.7", NULL, EXCEPTION_REFUSE},
		{NULL, NULL, "shop@here.example", EXCEPTION_NEVER_ASK},
		{"jane@bad.list.example", "192.0.2.7", NULL, EXCEPTION_REFUSE},
		{"old@example.org", NULL, NULL, EXCEPTION_NONE},
		{"x@all.example", NULL, NULL, EXCEPTION_NEVER_ASK},
		{"x@sub.all.example", NULL, NULL, EXCEPTION_NONE},
		{NULL, NULL, NULL, EXCEPTION_NONE},
	};
	write_file("sender joe@example.org never-ask\n"
	           "domain list.example accept\n"
	           "nonsense\n"
	           "client 192.0.2.0/24 accept\n"
	           "client 198.51.100.0/24 refuse why abuse\n"
	           "recipient shop@here.example never-ask\n"
	           "domain bad.list.example refuse\n"
	           "sender @all.example never-ask\n"
	           "sender old@example.org refuse until 2020-01-01T00:00:00Z");
	struct exceptions *x = exceptions_open(str_from(file));
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_row(ask(x, rows[i].sender, rows[i].client, rows[i].rcpt) == rows[i].action,
		           rows[i].sender ? rows[i].sender : "no sender");
	exceptions_close(x);
}

static void follows_the_file(void *arg)
{
	struct err err;
	unlink(file);
	struct exceptions *x = exceptions_open(str_from(file));
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_NONE);
	write_file("sender joe@example.org refuse\n");
	assert_true(rt_sleep(2 * USEC_S, "test", &err));
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_REFUSE);
	unlink(file);
	assert_true(rt_sleep(2 * USEC_S, "test", &err));
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_NONE);
	exceptions_close(x);
	x = exceptions_open(STR(""));
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_NONE);
	exceptions_close(x);
}

static void count_one(void *arg, const struct exception *e)
{
	++*(int *)arg;
}

static void adds_and_removes(void *arg)
{
	struct exception e = {.kind = EXCEPTION_SENDER, .action = EXCEPTION_ACCEPT, .what = STR("joe@example.org"),
	                      .by = STR("root"), .why = STR("a \"quoted\"\nticket")};
	struct err err;
	struct stat st;
	size_t removed;
	int n = 0;
	write_file("# mine\nclient 192.0.2.0/24 refuse");
	chmod(file, 0604);
	struct exceptions *x = exceptions_open(str_from(file));
	assert_true(exceptions_add(x, &e, &err));
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_ACCEPT);
	assert_int_equal(ask(x, "joe@example.org", "192.0.2.1", NULL), EXCEPTION_REFUSE);
	exceptions_each(x, count_one, &n);
	assert_int_equal(n, 2);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0604);
	e.what = STR("not an address");
	assert_false(exceptions_add(x, &e, &err));
	assert_true(exceptions_remove(x, STR("joe@example.org"), &removed, &err));
	assert_int_equal(removed, 1);
	assert_int_equal(ask(x, "joe@example.org", NULL, NULL), EXCEPTION_NONE);
	assert_true(exceptions_remove(x, STR("joe@example.org"), &removed, &err));
	assert_int_equal(removed, 0);
	/* Removed as it was written, not as it is kept. */
	e.kind = EXCEPTION_DOMAIN;
	e.what = STR("B\xc3\xbc" "cher.example");
	assert_true(exceptions_add(x, &e, &err));
	assert_true(exceptions_remove(x, e.what, &removed, &err));
	assert_int_equal(removed, 1);
	exceptions_close(x);
	char text[256] = "";
	FILE *f = fopen(file, "r");
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, "# mine\nclient 192.0.2.0/24 refuse\n");
}

static void run(void (*fn)(void *arg))
{
	const struct rt_options fake = {.is_fake = true, .seed = 1};
	struct err err;
	assert_true(rt_run(&fake, fn, NULL, &err));
}
static void test_match(void **state)
{
	run(matches_the_strongest);
}
static void test_follow(void **state)
{
	run(follows_the_file);
}
static void test_write(void **state)
{
	run(adds_and_removes);
}

static int clean_up(void **state)
{
	unlink(file);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_lines),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_write),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(file, sizeof file, "%s/exceptions", directory);
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
