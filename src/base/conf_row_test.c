/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each type with its notations, limits and the sentence that a mistake earns. */
#include "base/conf_row.h"

#include "base/test.h"

struct sample {
	bool yes;
	int64_t number, size;
	usec_t wait;
	struct str text;
	int mode;
	struct conf_addr addr, resolver;
	struct conf_texts texts;
	struct ip_set nets;
};

enum { YES, NUMBER, SIZE, WAIT, TEXT, MODE, ADDR, RESOLVER, TEXTS, NETS };
#define AT(field) offsetof(struct sample, field)
static const struct conf_row rows[] = {
	[YES] = {"yes", CONF_BOOL, AT(yes), "yes", .help = "h"},
	[NUMBER] = {"number", CONF_INT, AT(number), "5", -10, 10, .help = "h"},
	[SIZE] = {"size", CONF_SIZE, AT(size), "64k", 1024, 1 << 30, .help = "h"},
	[WAIT] = {"wait", CONF_DURATION, AT(wait), "25s", USEC_S, USEC_HOUR, .help = "h"},
	[TEXT] = {"text", CONF_TEXT, AT(text), "plain, text", .help = "h"},
	[MODE] = {"mode", CONF_CHOICE, AT(mode), "observe", .choices = "off|observe|tag", .help = "h"},
	[ADDR] = {"addr", CONF_ADDR, AT(addr), NULL, .help = "h"},
	[RESOLVER] = {"resolver", CONF_ADDR, AT(resolver), "127.0.0.1", .min = 53, .help = "h"},
	[TEXTS] = {"texts", CONF_TEXTS, AT(texts), "a, \"b, c\"", .help = "h"},
	[NETS] = {"nets", CONF_NETS, AT(nets), "10.0.0.0/8, ::1", .help = "h"},
	CONF_ROWS_END,
};

static void defaults(void **state)
{
	struct sample s;
	conf_rows_default(rows, &s, sizeof s);
	assert_true(s.yes && s.number == 5 && s.size == 65536 && s.wait == 25 * USEC_S && s.mode == 1);
	assert_str(s.text, "plain, text");
	assert_true(s.addr.ip.family == 0 && s.addr.path.n == 0 && s.resolver.port == 53);
	assert_int_equal(s.texts.n, 2);
	assert_str(s.texts.items[0], "a");
	assert_str(s.texts.items[1], "b, c");
	assert_int_equal(s.nets.n, 2);
	conf_rows_done(rows, &s);
	assert_true(!s.text.p && !s.texts.items && !s.nets.nets);
	conf_rows_done(rows, &s);
}

static void accepts(void **state)
{
	static const struct {
		int row;
		const char *value;
		int64_t number; /* yes, number, size, wait, mode; how many for lists; the port */
	} cases[] = {
		{YES, "no", 0}, {YES, "On", 1}, {YES, "false", 0},
		{NUMBER, "-10", -10}, {NUMBER, "10", 10},
		{SIZE, "1024", 1024}, {SIZE, "1K", 1024}, {SIZE, "25M", 25 << 20}, {SIZE, "1g", 1 << 30},
		{WAIT, "1h", USEC_HOUR}, {WAIT, "30m30s", 1830 * USEC_S}, {WAIT, "1500ms", 1500000},
		{WAIT, "5min", 300 * USEC_S},
		{MODE, "TAG", 2}, {MODE, "off", 0},
		{ADDR, "127.0.0.1:25", 25}, {ADDR, "[::1]:2525", 2525}, {ADDR, "unix:/run/x", 0},
		{ADDR, "", 0}, {RESOLVER, "192.0.2.1", 53}, {RESOLVER, "2001:db8::1", 53},
		{RESOLVER, "[2001:db8::1]", 53}, {RESOLVER, "[2001:db8::1]:5353", 5353},
		{TEXTS, "", 0}, {TEXTS, "{}", 0}, {TEXTS, "{\"a\"}", 1}, {TEXTS, "a b , c", 2},
		{TEXTS, "\"\", x", 2}, {NETS, "{ 192.0.2.0/24, \"::/0\" }", 2},
	};
	struct sample s;
	struct err err;
	conf_rows_default(rows, &s, sizeof s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct conf_row *row = &rows[cases[i].row];
		assert_row(conf_row_set(row, &s, str_from(cases[i].value), &err), cases[i].value);
		int64_t got[] = {s.yes, s.number, s.size, s.wait, 0, s.mode, s.addr.port, s.resolver.port,
		                 (int64_t)s.texts.n, (int64_t)s.nets.n};
		assert_row(got[cases[i].row] == cases[i].number, cases[i].value);
	}
	assert_true(conf_row_set(&rows[ADDR], &s, STR("unix:/run/x"), &err));
	assert_str(s.addr.path, "/run/x");
	assert_true(conf_row_set(&rows[TEXTS], &s, STR("\"say \\\"x\\\\\""), &err));
	assert_str(s.texts.items[0], "say \"x\\");
	assert_true(conf_row_set(&rows[TEXTS], &s, STR(""), &err));
	assert_true(conf_row_add(&rows[TEXTS], &s, STR("a, \"b"), &err));
	assert_true(conf_row_add(&rows[TEXTS], &s, STR(""), &err));
	assert_int_equal(s.texts.n, 2);
	assert_str(s.texts.items[0], "a, \"b");
	assert_true(conf_row_add(&rows[NETS], &s, STR("10.0.0.0/8"), &err));
	assert_false(conf_row_add(&rows[NETS], &s, STR("10.0.0.0/8, ::1"), &err));
	assert_memory_equal(err.text, "nets: ", 6);
	assert_int_equal(s.nets.n, 3);
	assert_true(conf_row_is_list(&rows[NETS]) && !conf_row_is_list(&rows[TEXT]));
	conf_rows_done(rows, &s);
}

static void refuses(void **state)
{
	static const struct {
		int row;
		const char *value, *says;
	} cases[] = {
		{YES, "perhaps", "yes: \"perhaps\" is neither yes nor no"},
		{NUMBER, "11", "number: \"11\" is outside the limits; allowed is -10 to 10"},
		{NUMBER, "ten", "is not a whole number"}, {NUMBER, "", "is not"}, {NUMBER, "-", "is not"},
		{NUMBER, "99999999999999999999", "is not"}, {NUMBER, "1.5", "is not"},
		{SIZE, "1", "allowed is 1k to 1G"}, {SIZE, "64q", "is not a size"},
		{SIZE, "k", "is not a size"}, {SIZE, "1k5", "is not a size"},
		{SIZE, "99999999999T", "is not a size"},
		{WAIT, "25", "is not a duration; write 500ms, 25s"}, {WAIT, "2h", "allowed is 1 s to 1 h"},
		{WAIT, "0", "allowed is"}, {WAIT, "", "is not"}, {WAIT, "s", "is not"},
		{WAIT, "1m1h", "is not"}, {WAIT, "5m5m", "is not"}, {WAIT, "1h ", "is not"},
		{WAIT, "9223372036854775807w", "is not"}, {WAIT, "-5s", "is not"},
		{MODE, "enforced", "mode: \"enforced\" is not one of off|observe|tag"}, {MODE, "", "is not"},
		{MODE, "off|observe", "is not"},
		{ADDR, "127.0.0.1", "has no port"}, {ADDR, "127.0.0.1:0", "port from 1 to 65535"},
		{ADDR, "127.0.0.1:65536", "port"}, {ADDR, "mail.example:25", "is not an address"},
		{ADDR, "[127.0.0.1]:25", "is not an address"}, {ADDR, "[::1:25", "is not an address"},
		{ADDR, "::1]:25", "is not an address"}, {ADDR, ":25", "is not an address"},
		{ADDR, "[::1]x:25", "is not an address"}, {ADDR, "[", "is not an address"},
		{ADDR, "unix:run", "absolute path"}, {ADDR, "unix:", "absolute path"},
		{TEXTS, "a,,b", "empty or unended"}, {TEXTS, "a,", "ends in a comma"},
		{TEXTS, "\"a", "empty or unended"}, {TEXTS, "\"a\" b", "lacks a comma"},
		{TEXTS, ",", "empty or unended"}, {TEXTS, "\"a\\", "empty or unended"},
		{NETS, "10.0.0.0/8, 10.0.0.1/8", "nets: \"10.0.0.1/8\" has host bits"},
	};
	struct sample s, before;
	conf_rows_default(rows, &s, sizeof s);
	memcpy(&before, &s, sizeof s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = {0};
		const struct conf_row *row = &rows[cases[i].row];
		assert_row(!conf_row_set(row, &s, str_from(cases[i].value), &err), cases[i].value);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\" should say \"%s\"", err.text, cases[i].says);
		assert_int_equal(strncmp(err.text, row->key, strlen(row->key)), 0);
		assert_memory_equal(&s, &before, sizeof s);
	}
	conf_rows_done(rows, &s);
}

static void long_paths_are_refused(void **state)
{
	char text[200] = "unix:/";
	struct conf_addr addr;
	struct err err;
	memset(text + 6, 'x', 106);
	assert_true(conf_parse_addr(str_from(text), 0, &addr, &err));
	text[6 + 106] = 'x';
	assert_false(conf_parse_addr(str_from(text), 0, &addr, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(long_paths_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
