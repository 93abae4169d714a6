/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF records and macros: text in, terms or the place of the fault out. */
#include "auth/spf_macro.h"
#include "auth/spf_record.h"
#include "base/auto.h"
#include "base/test.h"

static void test_faults(void **state)
{
	static const struct {
		const char *record;
		int at; /* -1: no fault */
	} rows[] = {
		{"v=spf1", -1},
		{"v=spf1  a  mx -all ", -1},
		{"V=SPF1 A/24//64 MX:Example.com/0 ?PTR ~ALL", -1},
		{"v=spf1 a:%{d}/24 exists:%{ir}.%{v}._spf.%{d2} -all", -1},
		{"v=spf1 moo.cow-far_out=man:dog/cat redirect=_spf.example.com.", -1},
		{"v=spf1 a:foo:bar/baz.example.com -all", -1},
		{"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::ffff:1.2.3.4 -all", -1},
		{"v=spf1 -all moo", 12},
		{"v=spf1 a:museum -all", 9},
		{"v=spf1 a:abc.123", 13},
		{"v=spf1 a:", 7},
		{"v=spf1 a/33", 9},
		{"v=spf1 a/024", 9},
		{"v=spf1 a//129", 10},
		{"v=spf1 ip4:1.2.3", 11},
		{"v=spf1 ip4:01.2.3.4", 11},
		{"v=spf1 ip4:2001:db8::1", 11},
		{"v=spf1 ip6:192.0.2.1", 11},
		{"v=spf1 ip4:1.2.3.4/33", 19},
		{"v=spf1 all:foo", 10},
		{"v=spf1 include", 7},
		{"v=spf1 exists:%{q}.example.com", 14},
		{"v=spf1 exists:%{i0}.example.com", 14},
		{"v=spf1 exists:%{c}.example.com", 14},
		{"v=spf1 exists:%x.example.com", 14},
		{"v=spf1 -redirect=example.com", 8},
		{"v=spf1 redirect=a.example redirect=b.example", 26},
		{"v=spf1 a\tmx", 8},
		{"v=spf1 unknown=%abc", 15},
		{"v=spf1 =x", 7},
	};
	struct spf_record record;
	struct spf_fault fault;

	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_right = spf_record_check(str_from(rows[i].record), &record, &fault);
		assert_row(is_right == (rows[i].at < 0), rows[i].record);
		if (!is_right && (int)fault.at != rows[i].at)
			fail_msg("%s: at %zu, not %d: %s", rows[i].record, fault.at, rows[i].at, fault.text);
	}
}

static void test_is_record(void **state)
{
	assert_true(spf_is_record(STR("v=spf1")));
	assert_true(spf_is_record(STR("v=SPF1 -all")));
	assert_false(spf_is_record(STR("v=spf10 -all")));
	assert_false(spf_is_record(STR("v=spf1;-all")));
	assert_false(spf_is_record(STR(" v=spf1 -all")));
	assert_false(spf_is_record(STR("v=spf1\t-all")));
	assert_false(spf_is_record(STR("")));
}

/* RFC 7208 7.4, its own examples first. */
static void test_macros(void **state)
{
	static const struct {
		const char *text, *want;
		bool is_6;
	} rows[] = {
		{"%{s}", "strong-bad@email.example.com"}, {"%{o}", "email.example.com"}, {"%{d}", "email.example.com"},
		{"%{d4}", "email.example.com"}, {"%{d3}", "email.example.com"}, {"%{d2}", "example.com"}, {"%{d1}", "com"},
		{"%{dr}", "com.example.email"}, {"%{d2r}", "example.email"}, {"%{l}", "strong-bad"}, {"%{l-}", "strong.bad"},
		{"%{lr}", "strong-bad"}, {"%{lr-}", "bad.strong"}, {"%{l1r-}", "strong"},
		{"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"%{ir}.%{v}._spf.%{d2}", "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com", true},
		{"%%%_%-", "% %20"}, {"%{S}", "strong-bad%40email.example.com"}, {"%{p}", "unknown"}, {"%{d999999999}", "email.example.com"},
		{"%{h}%{t}", "mx.example.org1000"},
	};
	struct spf_macro_values v = {
		.local = STR("strong-bad"), .sender_domain = STR("email.example.com"), .domain = STR("email.example.com"),
		.helo = STR("mx.example.org"), .now = {.us = 1000 * USEC_S},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf out = {.max = 4096};
		ip_parse(rows[i].is_6 ? STR("2001:db8::cb01") : STR("192.0.2.3"), &v.ip);
		spf_macro_expand(&v, str_from(rows[i].text), &out);
		assert_str(buf_view(&out), rows[i].want);
	}
}

/* What strangers write may grow, but not without end, and names are cut from the left (RFC 7208 7.3). */
static void test_bounds(void **state)
{
	auto_arena struct arena arena;
	struct spf_macro_values v = {.sender_domain = STR("e.example"), .domain = STR("e.example")};
	char local[2000], spec[2100];

	arena_init(&arena, 1 << 20);
	memset(local, 'x', sizeof(local));
	for (size_t i = 60; i < sizeof(local); i += 61)
		local[i] = '.';
	v.local = (struct str){local, sizeof(local)};
	struct str name = spf_domain_expand(&v, STR("%{l}.z.example"), &arena);
	assert_true(name.n <= 253 && str_ends(name, STR(".z.example")));
	memset(spec, 0, sizeof(spec));
	for (size_t i = 0; i + 4 < 2000; i += 4)
		memcpy(spec + i, "%{L}", 4);
	assert_int_equal(spf_domain_expand(&v, str_from(spec), &arena).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults), cmocka_unit_test(test_is_record),
	                                   cmocka_unit_test(test_macros), cmocka_unit_test(test_bounds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
