/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and what they become, or the sentence that they earn. */
#include "conf/conf.h"

#include "base/auto.h"
#include "base/test.h"

#include <unistd.h>

struct probe {
	usec_t wait;
	int mode;
	bool cache;
	int64_t budget, size;
	struct str helo, empty;
	struct conf_addr from;
	struct conf_texts skip;
	struct ip_set nets;
};
#define AT(type, field) offsetof(struct type, field)
static const struct conf_row probe_rows[] = {
	{"wait", CONF_DURATION, AT(probe, wait), "25s", USEC_S, USEC_HOUR,
	 .help = "How long a message is held while its sender is verified; what is not known by then is 451."},
	{"mode", CONF_CHOICE, AT(probe, mode), "observe", .choices = "off|observe|tag|enforce",
	 .help = "what becomes of a verdict"},
	{"cache", CONF_BOOL, AT(probe, cache), "yes", .help = "Whether answers are kept."},
	{"budget", CONF_INT, AT(probe, budget), "60", 1, 1000, .help = "Probes an hour."},
	{"size", CONF_SIZE, AT(probe, size), "64k", 1024, 1 << 30, .help = "Bytes kept."},
	{"helo", CONF_TEXT, AT(probe, helo), "say \"me\" \\", .help = "Our name."},
	{"empty", CONF_TEXT, AT(probe, empty), NULL, .help = "Nothing."},
	{"from", CONF_ADDR, AT(probe, from), "[::1]:25", .help = "Source address."},
	{"skip", CONF_TEXTS, AT(probe, skip), "a.example, \"b c\"", .help = "Domains never asked."},
	{"nets", CONF_NETS, AT(probe, nets), "10.0.0.0/8, ::1", .help = "Networks never asked."},
	CONF_ROWS_END,
};
static const struct conf_section probe_section = {"verify", "How senders are verified.", probe_rows,
                                                  sizeof(struct probe)};

struct route {
	struct str domain;
	struct str next_hop;
	int64_t port;
};
static const struct conf_row route_rows[] = {
	{"next_hop", CONF_TEXT, AT(route, next_hop), "", .help = "Where it goes."},
	{"port", CONF_INT, AT(route, port), "25", 1, 65535, .help = "Port."},
	CONF_ROWS_END,
};
static const struct conf_section route_section = {"route", "Where mail of a domain goes.", route_rows,
                                                  sizeof(struct route), true};
static const struct conf_section *const sections[] = {&probe_section, &route_section, NULL};

static struct conf *parse(const char *text, struct err *err)
{
	memset(err, 0, sizeof *err);
	return conf_parse("p.conf", str_from(text), sections, err);
}

static struct conf *parse_good(const char *text)
{
	struct err err;
	struct conf *c = parse(text, &err);
	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static void fills_the_structs(void **state)
{
	struct conf *c = parse_good("# $HOME may stand in comments\r\n"
	                            "verify {\n"
	                            "\twait = 30m // as a word\n"
	                            "\tmode = \"enforce\" /* in\nquotes */ cache = no\n"
	                            "\tbudget=7\r\n"
	                            "\tsize = 25M\n"
	                            "\thelo = 'it\\'s \"me\"'\n"
	                            "\tfrom = 127.0.0.1:2525\n"
	                            "\tskip = { # a comment within\n\t\t\"x, y\", z.example,\n\t}\n"
	                            "\tnets = { 192.0.2.0/24, \"2001:db8::/32\" }\n"
	                            "}\n"
	                            "route \"b.example\" { next_hop = \"[::1]:24\" }\n"
	                            "route c.example {}\n"
	                            "route \"a.example\" { port = 26 }");
	const struct probe *p = conf_get(c, &probe_section);
	assert_true(p->wait == 30 * USEC_MIN && p->mode == 3 && !p->cache && p->budget == 7);
	assert_true(p->size == 25 << 20 && p->from.port == 2525 && p->skip.n == 2 && p->nets.n == 2);
	assert_str(p->helo, "it's \"me\"");
	assert_str(p->empty, "");
	assert_str(p->skip.items[0], "x, y");
	assert_str(p->skip.items[1], "z.example");
	const char *titles[] = {"b.example", "c.example", "a.example"};
	for (size_t i = 0; i < COUNT(titles); i++) {
		const struct route *r = conf_get_titled(c, &route_section, i);
		assert_str(r->domain, titles[i]);
		assert_int_equal(r->port, i == 2 ? 26 : 25);
		assert_str(r->next_hop, i == 0 ? "[::1]:24" : "");
	}
	assert_null(conf_get_titled(c, &route_section, 3));
	assert_string_equal(conf_path(c), "p.conf");
	conf_unref(c);
}

static void defaults_where_nothing_is_said(void **state)
{
	static const char *const texts[] = {"", "\n\n", "# nothing", "verify {}", "\xEF\xBB\xBFverify{\n}\n"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct conf *c = parse_good(texts[i]);
		const struct probe *p = conf_get(c, &probe_section);
		assert_true(p->wait == 25 * USEC_S && p->mode == 1 && p->skip.n == 2 && p->nets.n == 2);
		assert_null(conf_get_titled(c, &route_section, 0));
		conf_unref(c);
	}
	struct err err;
	struct conf *c = conf_load(NULL, sections, &err);
	assert_null(conf_path(c));
	assert_int_equal(((const struct probe *)conf_get(c, &probe_section))->budget, 60);
	conf_unref(c);
}

static void lists_may_be_emptied_or_bare(void **state)
{
	struct conf *c = parse_good("verify { skip = {} nets = 192.0.2.1 }");
	const struct probe *p = conf_get(c, &probe_section);
	assert_int_equal(p->skip.n, 0);
	assert_int_equal(p->nets.n, 1);
	conf_unref(c);
}

/* Long because it is one table. */
static void refuses(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"verify {\n\twait = 25\n}", "p.conf:2: verify: wait: \"25\" is not a duration; write 500ms"},
		{"verify {\n/* a\nb */ /* c */\n\twait = 2d\n}", "p.conf:4: verify: wait: \"2d\" is outside"},
		{"verify { skip = { a # one\n # two\n, b }\nbudget = 0 }", "p.conf:4: verify: budget: \"0\" is outside"},
		{"verify {\n mode = enforced }", "p.conf:2: verify: mode: \"enforced\" is not one of off|observe"},
		{"verify {\n nets = {\n\"10.0.0.0/8\",\n\"10.0.0.1/8\" } }", "p.conf:4: verify: nets: \"10.0.0.1/8\" has host"},
		{"verify {\n\n wiat = 5s }", "p.conf:3: verify: there is no key \"wiat\"; did you mean \"wait\"?"},
		{"verify {\n zzzzzz = 5s }", "p.conf:2: verify: there is no key \"zzzzzz\""},
		{"verify {\n next_hop = 5s }", "p.conf:2: verify: there is no key \"next_hop\" here; section route has"},
		{"\nverfiy { }", "p.conf:2: there is no section \"verfiy\"; did you mean \"verify\"?"},
		{"wait = 5s", "p.conf:1: there is no section \"wait\" here; section verify has such a key"},
		{"route \"x\" {\n prot = 5 }", "p.conf:2: route \"x\": there is no key \"prot\"; did you mean \"port\"?"},
		{"route \"x\" {\n port = 0 }", "p.conf:2: route \"x\": port: \"0\" is outside the limits; allowed is 1 to"},
		{"route \"x\" {}\nroute \"x\" {}", "p.conf:2: found duplicate title 'x'"},
		{"route \"\" {}", "p.conf:1: route: the title is empty"},
		{"route {}", "p.conf:1: missing title for section 'route'"},
		{"verify x {}", "p.conf:1: missing opening brace for section 'verify'"},
		{"verify {}\nverify {\n wait = 5s }", "p.conf:3: verify: this section stood in the file before, up to line 1"},
		{"verify {}\nverify {}", "p.conf:2: verify: this section stood in the file before"},
		{"verify {\n wait = 5s\n wait = 6s }", "p.conf:3: wait was set in line 2 already"},
		{"verify {\n skip = a\n skip = b }", "p.conf:3: skip was set in line 2 already"},
		{"verify {\n skip += {a} }", "p.conf:2: \"+\" is not allowed here"},
		{"verify {\n helo = $HOME }", "p.conf:2: \"$\" is not allowed in values"},
		{"verify {\n helo = x${HOME} }", "p.conf:2: \"$\" is not allowed"},
		{"verify {\n helo = \"${HOME}\" }", "p.conf:2: \"$\" is not allowed"},
		{"verify {\n helo = 'a$' }", "p.conf:2: \"$\" is not allowed"},
		{"verify {\n helo = \"a\n\" }", "p.conf:2: the text in quotes does not end on its line"},
		{"verify { helo = \"a", "p.conf:1: the text in quotes does not end"},
		{"verify { helo = \"a\\", "p.conf:1: behind \"\\\""},
		{"verify { helo = \"\\x41\" }", "p.conf:1: behind \"\\\" only"},
		{"verify {\n wait = 5s\n", "p.conf:3: the section of line 1 is not closed"},
		{"verify {\n skip = { a,\n", "p.conf:3: the list of line 2 is not closed"},
		{"verify { } }", "p.conf:1: \"}\" closes nothing"},
		{"verify { { } }", "p.conf:1: \"{\" opens neither"},
		{"verify { helo = a#b }", "p.conf:1: \"a#\": a comment begins behind a space"},
		{"verify { helo = a\"b\" }", "p.conf:1: \"\"\" is not allowed here"},
		{"verify { helo = a*b }", "p.conf:1: \"*\" is not allowed here"},
		{"include(\"x\")", "p.conf:1: \"(\" is not allowed here"},
		{"verify { helo = a\x01 }", "p.conf:1: the byte 0x01 is not allowed"},
		{"\"verify|wait\" = 5s", "p.conf:1: "},
		{"verify { wait 5s }", "p.conf:1: verify: missing equal sign after option 'wait'"},
		{"verify { wait = }", "p.conf:1: verify: unexpected token '}'"},
		{"verify { wait = , }", "p.conf:1: verify: unexpected token ','"},
		{"verify { wait = {5s} }", "p.conf:1: verify: unexpected token '{'"},
		{"verify { skip = {a b} }", "p.conf:1: verify: unexpected token 'b'"},
		{"verify { skip = {a = b} }", "p.conf:1: verify: unexpected token '='"},
		{"/* x\n\n", "p.conf:3: the comment of line 1 does not end"},
		{"verify", "p.conf:1: premature end of file"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err;
		struct conf *c = parse(rows[i].text, &err);
		assert_row(!c, rows[i].text);
		if (strncmp(err.text, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("got  %s\nwant %s", err.text, rows[i].says);
		assert_false(err.is_temporary);
	}
	struct err err;
	assert_null(conf_parse("p.conf", STR("verify {}\n\0x"), sections, &err));
	assert_string_equal(err.text, "p.conf:2: the byte 0x00 is not allowed");
}

static void lives_until_its_last_user(void **state)
{
	struct conf *old = parse_good("verify { helo = old }"), *kept = conf_ref(old);
	const struct probe *p = conf_get(old, &probe_section);
	struct conf *fresh = parse_good("verify { helo = fresh }");
	conf_unref(old);
	assert_str(p->helo, "old");
	conf_unref(kept);
	assert_str(((const struct probe *)conf_get(fresh, &probe_section))->helo, "fresh");
	conf_unref(fresh);
	conf_unref(NULL);
}

static void reads_files(void **state)
{
	char path[] = "/tmp/postern-conf-XXXXXX";
	struct err err;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "verify { wait = 7s }", 20), 20);
	struct conf *c = conf_load(path, sections, &err);
	assert_non_null(c);
	assert_int_equal(((const struct probe *)conf_get(c, &probe_section))->wait, 7 * USEC_S);
	conf_unref(c);
	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	assert_null(conf_load(path, sections, &err));
	assert_non_null(strstr(err.text, "larger than"));
	close(fd);
	unlink(path);
	assert_null(conf_load(path, sections, &err));
	assert_non_null(strstr(err.text, "No such file or directory"));
	assert_null(conf_load("/tmp", sections, &err));
	assert_non_null(strstr(err.text, "Is a directory"));
}

static void long_lists_are_read_once(void **state)
{
	auto_buf struct buf text = {.max = 1 << 20};
	buf_str(&text, STR("verify { skip = {"));
	for (int i = 0; i < 50000; i++)
		buf_printf(&text, "%sd%d.example", i ? "," : "", i);
	buf_str(&text, STR("} }"));
	struct err err;
	struct conf *c = conf_parse("p.conf", buf_view(&text), sections, &err);
	assert_non_null(c);
	const struct probe *p = conf_get(c, &probe_section);
	assert_int_equal(p->skip.n, 50000);
	assert_str(p->skip.items[49999], "d49999.example");
	conf_unref(c);
}

/* The sample as it is, and with every key uncommented: both must be the defaults. */
static void sample_is_the_defaults(void **state)
{
	auto_buf struct buf sample = {.max = 1 << 16}, active = {.max = 1 << 16};
	conf_print_sample(sections, &sample);
	assert_true(buf_ok(&sample));
	struct str rest = buf_view(&sample), line;
	while (str_cut(&rest, '\n', &line)) {
		assert_true(line.n < 110);
		struct str word = str_trim(line);
		bool is_key = str_starts(word, STR("#")) && !str_starts(word, STR("# ")) && word.n > 1;
		buf_str(&active, is_key ? str_skip(word, 1) : line);
		buf_char(&active, '\n');
	}
	struct conf *before = conf_parse("sample", buf_view(&sample), sections, &(struct err){0});
	assert_non_null(before);
	struct err err = {0};
	struct conf *after = conf_parse("sample", buf_view(&active), sections, &err);
	assert_string_equal(err.text, "");
	const struct probe *a = conf_get(before, &probe_section), *b = conf_get(after, &probe_section);
	assert_true(a->wait == b->wait && a->mode == b->mode && a->cache == b->cache);
	assert_true(a->budget == b->budget && a->size == b->size && a->from.port == b->from.port);
	assert_true(str_eq(a->helo, b->helo) && a->skip.n == b->skip.n && a->nets.n == b->nets.n);
	assert_str(b->skip.items[1], "b c");
	assert_str(b->helo, "say \"me\" \\");
	const struct route *r = conf_get_titled(after, &route_section, 0);
	assert_str(r->domain, "example.org");
	assert_null(conf_get_titled(before, &route_section, 0));
	conf_unref(before);
	conf_unref(after);
	assert_true(str_find(buf_view(&sample), STR("\t# What becomes of a verdict. One of off, observe, tag, enforce.\n"
	                                            "\t#mode = observe\n")) < sample.n);
	assert_true(str_find(buf_view(&sample), STR("From 1 s to 1 h.\n\t#wait = 25s\n")) < sample.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_the_structs),
		cmocka_unit_test(defaults_where_nothing_is_said),
		cmocka_unit_test(lists_may_be_emptied_or_bare),
		cmocka_unit_test(refuses),
		cmocka_unit_test(lives_until_its_last_user),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(long_lists_are_read_once),
		cmocka_unit_test(sample_is_the_defaults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
