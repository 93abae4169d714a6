/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_host() against scripted DNS: results, limits, identities, and the field that tells of it. */
#include "auth/spf_check.h"

#include "base/auto.h"
#include "base/test.h"

static const char script[] =
	"[[\"a.example\",\"TXT\",\"v=spf1 ip4:192.0.2.0/24 include:b.example -all exp=why.a.example\"],"
	"[\"why.a.example\",\"TXT\",\"%{i} is not ours, %{s}; ask %{r}\"],"
	"[\"b.example\",\"TXT\",\"v=spf1 a:host.b.example/24 -all\"],[\"host.b.example\",\"A\",\"198.51.100.7\"],"
	"[\"two.example\",\"TXT\",\"v=spf1 -all\"],[\"two.example\",\"TXT\",\"v=spf1 +all\"],"
	"[\"none.example\",\"TXT\",\"hello\"],[\"slow.example\",\"*\",\"TIMEOUT\"],[\"sick.example\",\"*\",\"SERVFAIL\"],"
	"[\"forged.example\",\"*\",\"BOGUS\"],"
	"[\"inc-none.example\",\"TXT\",\"v=spf1 include:none.example -all\"],"
	"[\"inc-sick.example\",\"TXT\",\"v=spf1 include:sick.example -all\"],"
	"[\"red-none.example\",\"TXT\",\"v=spf1 redirect=none.example\"],"
	"[\"red.example\",\"TXT\",\"v=spf1 redirect=a.example\"],"
	"[\"loop.example\",\"TXT\",\"v=spf1 include:loop.example -all\"],"
	"[\"voids.example\",\"TXT\",\"v=spf1 a:n1.example a:n2.example a:n3.example +all\"],"
	"[\"voids2.example\",\"TXT\",\"v=spf1 a:n1.example a:n2.example ~all\"],"
	"[\"ten.example\",\"TXT\",\"v=spf1 a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example "
	"a:h.example a:h.example a:h.example ?all\"],"
	"[\"eleven.example\",\"TXT\",\"v=spf1 a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example "
	"a:h.example a:h.example a:h.example a:h.example ?all\"],[\"h.example\",\"A\",\"203.0.113.1\"],"
	"[\"late.example\",\"TXT\",\"v=spf1 +all moo:\"],"
	"[\"ptr.example\",\"TXT\",\"v=spf1 ptr -all\"],[\"7.100.51.198.in-addr.arpa\",\"PTR\",\"mx.ptr.example\"],"
	"[\"mx.ptr.example\",\"A\",\"198.51.100.7\"],"
	"[\"nullmx.example\",\"TXT\",\"v=spf1 mx -all\"],[\"nullmx.example\",\"MX\",[0,\".\"]],"
	"[\"helo.example\",\"TXT\",\"v=spf1 a -all\"],[\"helo.example\",\"A\",\"192.0.2.1\"],"
	"[\"xn--bcher-kva.example\",\"TXT\",\"v=spf1 exists:%{o}.%{d}.h.example -all\"],"
	"[\"xn--bcher-kva.example.xn--bcher-kva.example.h.example\",\"A\",\"127.0.0.2\"],"
	"[\"odd.example\",\"TXT\",\"v=spf1 a:n1..example mx:n2..example exists:n3..example a:n4..example ~all\"],"
	"[\"six.example\",\"TXT\",\"v=spf1 ip6:2001:db8::/32 -all\"]]";

static const struct {
	const char *ip, *from, *helo;
	enum spf_result want;
	const char *mechanism;
} rows[] = {
	{"192.0.2.9", "joe@a.example", "x.example", SPF_PASS, "ip4:192.0.2.0/24"},
	{"198.51.100.250", "joe@a.example", "x.example", SPF_PASS, "include:b.example"},
	{"203.0.113.9", "joe@a.example", "x.example", SPF_FAIL, "-all"},
	{"203.0.113.9", "joe@red.example", "x.example", SPF_FAIL, "-all"},
	{"192.0.2.9", "joe@two.example", "x.example", SPF_PERMERROR, ""},
	{"192.0.2.9", "joe@none.example", "x.example", SPF_NONE, ""},
	{"192.0.2.9", "joe@nowhere.example", "x.example", SPF_NONE, ""},
	{"192.0.2.9", "joe@localhost", "x.example", SPF_NONE, ""},
	{"192.0.2.9", "joe@[192.0.2.9]", "x.example", SPF_NONE, ""},
	{"192.0.2.9", "joe@slow.example", "x.example", SPF_TEMPERROR, ""},
	{"192.0.2.9", "joe@sick.example", "x.example", SPF_TEMPERROR, ""},
	{"192.0.2.9", "joe@forged.example", "x.example", SPF_TEMPERROR, ""},
	{"192.0.2.9", "joe@inc-none.example", "x.example", SPF_PERMERROR, "include:none.example"},
	{"192.0.2.9", "joe@inc-sick.example", "x.example", SPF_TEMPERROR, "include:sick.example"},
	{"192.0.2.9", "joe@red-none.example", "x.example", SPF_PERMERROR, ""},
	{"192.0.2.9", "joe@loop.example", "x.example", SPF_PERMERROR, "include:loop.example"},
	{"192.0.2.9", "joe@voids.example", "x.example", SPF_PERMERROR, "a:n3.example"},
	{"192.0.2.9", "joe@voids2.example", "x.example", SPF_SOFTFAIL, "~all"},
	{"192.0.2.9", "joe@ten.example", "x.example", SPF_NEUTRAL, "?all"},
	{"192.0.2.9", "joe@eleven.example", "x.example", SPF_PERMERROR, "a:h.example"},
	{"192.0.2.9", "joe@late.example", "x.example", SPF_PERMERROR, ""},
	{"198.51.100.7", "joe@ptr.example", "x.example", SPF_PASS, "ptr"},
	{"192.0.2.9", "joe@ptr.example", "x.example", SPF_FAIL, "-all"},
	{"192.0.2.9", "joe@nullmx.example", "x.example", SPF_FAIL, "-all"},
	{"192.0.2.1", "", "helo.example", SPF_PASS, "a"},
	{"192.0.2.2", "", "HELO.example.", SPF_FAIL, "-all"},
	{"192.0.2.2", "", "helo", SPF_NONE, ""},
	{"::ffff:192.0.2.9", "joe@a.example", "x.example", SPF_PASS, "ip4:192.0.2.0/24"},
	{"192.0.2.9", "joe@b\xc3\xbc" "cher.example", "x.example", SPF_PASS, "exists:%{o}.%{d}.h.example"},
	{"192.0.2.9", "joe@B\xc3\x9c" "CHER\xe3\x80\x82" "example", "x.example", SPF_PASS, "exists:%{o}.%{d}.h.example"},
	{"192.0.2.9", "", "b\xc3\xbc" "cher.example", SPF_PASS, "exists:%{o}.%{d}.h.example"},
	{"192.0.2.9", "joe@b\xfc" "cher.example", "x.example", SPF_NONE, ""},
	{"192.0.2.9", "joe@odd.example", "x.example", SPF_SOFTFAIL, "~all"}, /* nothing was asked, so nothing is void */
	{"2001:db8::5", "joe@six.example", "x.example", SPF_PASS, "ip6:2001:db8::/32"},
	{"192.0.2.9", "joe@six.example", "x.example", SPF_FAIL, "-all"},
};

WAITS static void check(struct resolver *r, struct arena *arena, const char *ip, const char *from, const char *helo,
                        struct spf_query *q, struct spf_answer *answer)
{
	struct err err;

	*q = (struct spf_query){.helo = str_from(helo), .from = str_from(from), .receiver = STR("here.example"), .wants_trace = true};
	assert_true(ip_parse(str_from(ip), &q->ip));
	assert_true(spf_check(r, q, arena, answer, &err));
}

WAITS static void table(struct resolver *r, struct arena *arena)
{
	struct spf_query q;
	struct spf_answer a;

	for (size_t i = 0; i < COUNT(rows); i++) {
		check(r, arena, rows[i].ip, rows[i].from, rows[i].helo, &q, &a);
		if (a.result != rows[i].want)
			fail_msg("%s from %s: %s\n%.*s", rows[i].from, rows[i].ip, spf_result_name(a.result), STR_ARG(a.trace));
		assert_str(a.mechanism, rows[i].mechanism);
		assert_row((a.problem.n > 0) == (a.result >= SPF_TEMPERROR), rows[i].from);
		assert_row(a.lookups <= 11 && a.void_lookups <= 3, rows[i].from);
	}
}

WAITS static void words(struct resolver *r, struct arena *arena)
{
	auto_buf struct buf field = {.max = 4096};
	struct spf_query q;
	struct spf_answer a;

	check(r, arena, "203.0.113.9", "jo\"\r\ne@a.example", "x.example", &q, &a);
	assert_int_equal(a.explanation.n, 0); /* what is not printable is not repeated */
	check(r, arena, "203.0.113.9", "joe@a.example", "x.example", &q, &a);
	assert_str(a.explanation, "203.0.113.9 is not ours, joe@a.example; ask here.example");
	q.from = STR("j\"o\r\ne@a.example");
	spf_received_field(&q, &a, &field);
	assert_str(buf_view(&field), "Received-SPF: fail (here.example: domain of a.example\r\n\tdoes not designate the client as "
	                             "permitted sender)\r\n\tclient-ip=\"203.0.113.9\";\r\n\tenvelope-from=\"j\\\"o??e@a.example\";"
	                             "\r\n\thelo=\"x.example\";\r\n\treceiver=\"here.example\";\r\n\tidentity=mailfrom;"
	                             "\r\n\tmechanism=\"-all\"\r\n");
}

/* RFC 7208 4.6.4: a deadline that passes is a TempError, whose ever it is. */
WAITS static void late(struct resolver *r, struct arena *arena)
{
	struct deadline limit;
	struct spf_query q;
	struct spf_answer a;
	usec_t begun = rt_now();

	deadline_push(&limit, USEC_S, "test");
	check(r, arena, "192.0.2.9", "joe@slow.example.", "x.example", &q, &a);
	deadline_pop(&limit);
	assert_int_equal(a.result, SPF_TEMPERROR);
	assert_true(rt_now() - begun <= 2 * USEC_S);
}

WAITS static void in_fiber(void *arg)
{
	WAITS void (*test)(struct resolver *, struct arena *) = *(void (**)(struct resolver *, struct arena *))arg;
	auto_arena struct arena arena;
	struct dns_conf conf;
	struct err err;

	arena_init(&arena, 1 << 20);
	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	assert_non_null(r);
	test(r, &arena);
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

static void run(WAITS void (*test)(struct resolver *, struct arena *))
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	assert_true(rt_run(&options, in_fiber, &test, &err));
}

static void test_table(void **state)
{
	run(table);
}
static void test_words(void **state)
{
	run(words);
}
static void test_late(void **state)
{
	run(late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_words), cmocka_unit_test(test_late)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
