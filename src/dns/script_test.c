/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripted answers, and with them the resolver: outcomes, CNAMEs, cache times on the fake clock, one
 * question for many askers, askers that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/metric.h"
#include "dns/answer.h"
#include "dns/dns.h"

static const char script[] =
	"[[\"Example.TEST.\", \"MX\", [20, \"mx2.example.test\"]],"
	" [\"example.test\", \"MX\", [10, \"MX1.example.test.\"], {\"ttl\": 60}],"
	" [\"example.test\", \"TXT\", [\"v=spf1 \", \"-all\"]],"
	" [\"example.test\", \"TXT\", \"two \\\"words]\"],"
	" [\"example.test\", \"TXT\", \"two \\\"words]\"],"
	" [\"mx1.example.test\", \"A\", \"192.0.2.1\", {\"ttl\": 7, \"secure\": true}],"
	" [\"mx1.example.test\", \"AAAA\", \"2001:db8::1\", {\"secure\": true}],"
	" [\"null.test\", \"MX\", [0, \"\"]],"
	" [\"dot.test\", \"MX\", [0, \".\"]],"
	" [\"alias.test\", \"CNAME\", \"MX1.example.test\", {\"secure\": true, \"ttl\": 5}],"
	" [\"dangling.test\", \"CNAME\", \"nowhere.test\"],"
	" [\"loop.test\", \"CNAME\", \"loop2.test\"], [\"loop2.test\", \"CNAME\", \"loop.test\"],"
	" [\"classless.test\", \"CNAME\", \"1.0/25.test\"], [\"1.0/25.test\", \"PTR\", \"host.test\"],"
	" [\"silent.test\", \"*\", \"TIMEOUT\"], [\"silent.test\", \"A\", \"192.0.2.9\"],"
	" [\"fail.test\", \"A\", \"SERVFAIL\"], [\"gone.test\", \"MX\", \"NXDOMAIN\"],"
	" [\"forged.test\", \"*\", \"BOGUS\"], [\"text.test\", \"TXT\", [\"TIMEOUT\"]],"
	" [\"_25._tcp.mx1.example.test\", \"TLSA\", \"3 1 1 ab cd\", {\"secure\": true}],"
	" [\"example.test\", \"SOA\", \"ns.test hostmaster.test 1 2 3 4 5\"],"
	" [\"slow.test\", \"A\", \"TIMEOUT\"], [\"slow.test\", \"MX\", [5, \"a.test\"]],"
	" [\"1.2.0.192.in-addr.arpa\", \"PTR\", \"liar.test\"],"
	" [\"1.2.0.192.in-addr.arpa\", \"PTR\", \"mx1.example.test\"], [\"liar.test\", \"A\", \"192.0.2.77\"],"
	" [\"2.2.0.192.in-addr.arpa\", \"PTR\", \"liar.test\"],"
	" [\"3.2.0.192.in-addr.arpa\", \"PTR\", \"liar.test\"], [\"3.2.0.192.in-addr.arpa\", \"PTR\", \"fail.test\"]]";

/* --- running a test as the first fiber on the fake clock --- */

static struct resolver *resolver;
static struct dns_conf conf;

WAITS static void in_fiber(void *arg)
{
	WAITS void (*test)(void) = *(void (**)(void))arg;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	metrics_reset();
	resolver = resolver_open_script(&conf, str_from(script), &err);
	if (!resolver)
		fail_msg("%s", err.text);
	test();
	resolver_close(resolver);
	conf_rows_done(dns_conf_rows, &conf);
}

static void run(void (*test)(void))
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	if (!rt_run(&options, in_fiber, &test, &err))
		fail_msg("%s", err.text);
}
#define FIBER_TEST(name)                                                                           \
	WAITS static void name##_fiber(void);                                                      \
	static void name(void **state)                                                             \
	{                                                                                          \
		run(name##_fiber);                                                                 \
	}                                                                                          \
	WAITS static void name##_fiber(void)

WAITS static const struct dns_answer *get(const char *name, enum dns_type type)
{
	const struct dns_answer *a;
	struct err err;

	if (!dns_lookup(resolver, str_from(name), type, &a, &err))
		fail_msg("%s", err.text);
	return a;
}

static double queries(void)
{
	return metric_value(metric_counter("postern_dns_lookups_total", "from", "query", ""));
}

static void assert_str(struct str got, const char *want)
{
	if (!str_eq(got, str_from(want)))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

/* --- what a script says --- */

FIBER_TEST(test_outcomes)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_outcome outcome;
		size_t n;
		bool is_secure;
		uint32_t ttl;
		const char *canonical;
	} cases[] = {
		{"example.test", DNS_MX, DNS_FOUND, 2, false, 60, "example.test"},
		{"EXAMPLE.test.", DNS_TXT, DNS_FOUND, 3, false, 300, "example.test"},
		{"example.test", DNS_A, DNS_NODATA, 0, false, 60, "example.test"},
		{"mx1.example.test", DNS_A, DNS_FOUND, 1, true, 7, "mx1.example.test"},
		{"mx1.example.test", DNS_TLSA, DNS_NODATA, 0, true, 7, "mx1.example.test"},
		{"unlisted.test", DNS_A, DNS_NXDOMAIN, 0, false, 300, "unlisted.test"},
		{"null.test", DNS_MX, DNS_FOUND, 1, false, 300, "null.test"},
		{"dot.test", DNS_MX, DNS_FOUND, 1, false, 300, "dot.test"},
		{"alias.test", DNS_A, DNS_FOUND, 1, true, 5, "mx1.example.test"},
		{"alias.test", DNS_CNAME, DNS_FOUND, 1, true, 5, "alias.test"},
		{"alias.test", DNS_MX, DNS_NODATA, 0, true, 5, "mx1.example.test"},
		{"dangling.test", DNS_A, DNS_NXDOMAIN, 0, false, 300, "nowhere.test"},
		{"loop.test", DNS_A, DNS_TEMPORARY, 0, false, 10, "loop.test"},
		{"classless.test", DNS_PTR, DNS_FOUND, 1, false, 300, "1.0/25.test"},
		{"silent.test", DNS_A, DNS_FOUND, 1, false, 300, "silent.test"},
		{"silent.test", DNS_MX, DNS_TEMPORARY, 0, false, 10, "silent.test"},
		{"fail.test", DNS_A, DNS_TEMPORARY, 0, false, 10, "fail.test"},
		{"fail.test", DNS_MX, DNS_NODATA, 0, false, 300, "fail.test"},
		{"gone.test", DNS_MX, DNS_NXDOMAIN, 0, false, 300, "gone.test"},
		{"forged.test", DNS_TXT, DNS_BOGUS, 0, false, 10, "forged.test"},
		{"text.test", DNS_TXT, DNS_FOUND, 1, false, 300, "text.test"},
		{"not..a name", DNS_A, DNS_NXDOMAIN, 0, false, 0, "not..a name"},
		{"", DNS_A, DNS_NXDOMAIN, 0, false, 0, ""},
		{"_25._tcp.mx1.example.test", DNS_TLSA, DNS_FOUND, 1, true, 300, "_25._tcp.mx1.example.test"},
		{"example.test", DNS_SOA, DNS_FOUND, 1, false, 300, "example.test"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_answer *a = get(cases[i].name, cases[i].type);
		if (a->outcome != cases[i].outcome || a->n != cases[i].n ||
		    a->is_secure != cases[i].is_secure || a->ttl != cases[i].ttl ||
		    !str_eq(a->canonical, str_from(cases[i].canonical)))
			fail_msg("%s %s: %s, %zu records, secure %d, ttl %u, canonical %.*s", cases[i].name,
			         dns_type_name(cases[i].type), dns_outcome_name(a->outcome), a->n, a->is_secure,
			         a->ttl, STR_ARG(a->canonical));
		dns_answer_release(a);
	}
}

FIBER_TEST(test_records)
{
	const struct dns_answer *a = get("example.test", DNS_MX);
	assert_int_equal(a->records[0].mx.preference, 10);
	assert_str(a->records[0].mx.host, "mx1.example.test");
	dns_answer_release(a);

	a = get("example.test", DNS_TXT);
	assert_str(a->records[0].text, "v=spf1 -all");
	assert_str(a->records[2].text, "two \"words]");
	dns_answer_release(a);

	a = get("text.test", DNS_TXT);
	assert_str(a->records[0].text, "TIMEOUT");
	dns_answer_release(a);

	a = get("null.test", DNS_MX);
	assert_int_equal(a->records[0].mx.host.n, 0);
	dns_answer_release(a);
	a = get("dot.test", DNS_MX);
	assert_int_equal(a->records[0].mx.host.n, 0);
	dns_answer_release(a);

	a = get("_25._tcp.mx1.example.test", DNS_TLSA);
	assert_int_equal(a->records[0].tlsa.usage, 3);
	assert_str(a->records[0].tlsa.data, "\xab\xcd");
	dns_answer_release(a);

	a = get("example.test", DNS_SOA);
	assert_str(a->records[0].soa.rname, "hostmaster.test");
	assert_int_equal(a->records[0].soa.minimum, 5);
	dns_answer_release(a);
}

FIBER_TEST(test_scripts_with_faults)
{
	static const char *const wrong[] = {
		"", "{}", "[1]", "[[\"a\",\"A\"]]", "[[\"a\",\"A\",\"192.0.2.1\",{},1]]",
		"[[\"a\",\"A\",\"2001:db8::1\"]]", "[[\"a\",\"AAAA\",\"192.0.2.1\"]]", "[[\"a\",\"A\",\"x\"]]",
		"[[\"a\",\"MX\",\"host\"]]", "[[\"a\",\"MX\",[70000,\"h\"]]]", "[[\"a\",\"MX\",[-1,\"h\"]]]",
		"[[\"a\",\"MX\",[1,\"a..b\"]]]", "[[\"a\",\"TXT\",1]]", "[[\"a\",\"TXT\",[\"x\",1]]]",
		"[[\"a\",\"TLSA\",\"3 1 1\"]]", "[[\"a\",\"TLSA\",\"3 1 1 abc\"]]", "[[\"a\",\"TLSA\",\"3 1 256 ab\"]]",
		"[[\"a\",\"SOA\",\"a b 1 2 3\"]]", "[[\"a\",\"WKS\",\"x\"]]", "[[\"a\",\"*\",\"192.0.2.1\"]]",
		"[[\"a\",\"A\",\"192.0.2.1\",{\"ttl\":-1}]]", "[[\"a\",\"A\",\"192.0.2.1\",{\"secure\":1}]]",
		"[[\"a\",\"A\",\"192.0.2.1\"],]",
	};
	struct err err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (resolver_open_script(&conf, str_from(wrong[i]), &err))
			fail_msg("accepted: %s", wrong[i]);
	assert_false(err.is_temporary);

	/* Refused before a recursive parser sees it; brackets in strings do not count. */
	static char deep[100000];
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = '[';
	assert_null(resolver_open_script(&conf, (struct str){deep, sizeof(deep)}, &err));
	assert_true(str_find(str_from(err.text), STR("deeper")) < strlen(err.text));
	struct resolver *r = resolver_open_script(NULL, STR("[[\"a\",\"TXT\",\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]]"), &err);
	assert_non_null(r);
	resolver_close(r);
}

/* --- the resolver --- */

FIBER_TEST(test_cache_times)
{
	struct err err;
	static const struct {
		const char *name;
		enum dns_type type;
		usec_t kept;
	} cases[] = {
		{"mx1.example.test", DNS_A, 7 * USEC_S},
		{"alias.test", DNS_A, 5 * USEC_S},
		{"fail.test", DNS_A, 10 * USEC_S},
		{"unlisted.test", DNS_A, 300 * USEC_S},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double before = queries();
		dns_answer_release(get(cases[i].name, cases[i].type));
		assert_true(queries() == before + 1);
		assert_true(rt_sleep(cases[i].kept - 1, "test", &err));
		dns_answer_release(get(cases[i].name, cases[i].type));
		assert_true(queries() == before + 1);
		const struct dns_answer *a = dns_lookup_cached(resolver, str_from(cases[i].name), cases[i].type);
		assert_non_null(a);
		dns_answer_release(a);
		assert_true(rt_sleep(1, "test", &err));
		assert_null(dns_lookup_cached(resolver, str_from(cases[i].name), cases[i].type));
		dns_answer_release(get(cases[i].name, cases[i].type));
		assert_true(queries() == before + 2);
	}
}

FIBER_TEST(test_caps_on_both_ends)
{
	static const char text[] = "[[\"short.test\",\"A\",\"192.0.2.1\",{\"ttl\":0}],"
	                           "[\"long.test\",\"A\",\"192.0.2.1\",{\"ttl\":2000000}],"
	                           "[\"no.test\",\"A\",\"NXDOMAIN\",{\"ttl\":90000}]]";
	static const struct {
		const char *name;
		uint32_t ttl;
	} cases[] = {{"short.test", 5}, {"long.test", 86400}, {"no.test", 900}};
	struct err err;
	struct resolver *outer = resolver;

	resolver = resolver_open_script(NULL, str_from(text), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_answer *a = get(cases[i].name, DNS_A);
		assert_int_equal(a->ttl, cases[i].ttl);
		assert_int_equal(a->expires - rt_now(), cases[i].ttl * USEC_S);
		dns_answer_release(a);
	}
	resolver_close(resolver);
	resolver = outer;
}

FIBER_TEST(test_a_time_out_takes_its_time)
{
	usec_t begun = rt_now();
	const struct dns_answer *a = get("slow.test", DNS_A);

	assert_int_equal(a->outcome, DNS_TEMPORARY);
	assert_str(a->why, "timed out after 10 s");
	assert_int_equal(rt_now() - begun, conf.timeout);
	dns_answer_release(a);
}

static int answers_seen;

WAITS static void ask_slow(void *arg)
{
	const struct dns_answer *a = get("slow.test", DNS_A);

	assert_int_equal(a->outcome, DNS_TEMPORARY);
	dns_answer_release(a);
	answers_seen++;
}

FIBER_TEST(test_a_hundred_askers_make_one_query)
{
	struct group g;
	struct err err;

	answers_seen = 0;
	group_init(&g, "askers");
	for (int i = 0; i < 100; i++)
		assert_true(group_go(&g, "asker", ask_slow, NULL, &err));
	assert_true(group_wait(&g, &err));
	group_done(&g);
	assert_int_equal(answers_seen, 100);
	assert_true(queries() == 1);
}

FIBER_TEST(test_the_work_outlives_its_asker)
{
	const struct dns_answer *a;
	struct deadline d;
	struct err err;

	deadline_push(&d, 2 * USEC_S, "session");
	assert_false(dns_lookup(resolver, STR("slow.test"), DNS_A, &a, &err));
	deadline_pop(&d);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(err.cause, CAUSE_DNS_FAILURE);
	assert_null(dns_lookup_cached(resolver, STR("slow.test"), DNS_A));
	assert_true(rt_sleep(9 * USEC_S, "test", &err));
	a = dns_lookup_cached(resolver, STR("slow.test"), DNS_A);
	assert_non_null(a);
	dns_answer_release(a);
	assert_true(queries() == 1);
}

static enum err_kind cancelled_with;

WAITS static void ask_and_be_cancelled(void *arg)
{
	const struct dns_answer *a;
	struct err err;

	assert_false(dns_lookup(resolver, STR("slow.test"), DNS_A, &a, &err));
	cancelled_with = err.kind;
}

FIBER_TEST(test_a_cancelled_asker)
{
	struct group g;
	struct err err;

	cancelled_with = ERR_FAILED;
	group_init(&g, "askers");
	assert_true(group_go(&g, "asker", ask_and_be_cancelled, NULL, &err));
	assert_true(rt_sleep(USEC_S, "test", &err));
	group_done(&g);
	assert_int_equal(cancelled_with, ERR_CANCELLED);
}

FIBER_TEST(test_close_answers_who_still_waits)
{
	struct resolver *outer = resolver;
	struct group g;
	struct err err;

	answers_seen = 0;
	resolver = resolver_open_script(&conf, str_from(script), &err);
	group_init(&g, "askers");
	assert_true(group_go(&g, "asker", ask_slow, NULL, &err));
	assert_true(rt_sleep(USEC_S, "test", &err));
	resolver_close(resolver);
	assert_true(group_wait(&g, &err));
	group_done(&g);
	assert_int_equal(answers_seen, 1);
	resolver = outer;
}

FIBER_TEST(test_flush_forgets)
{
	dns_answer_release(get("mx1.example.test", DNS_A));
	dns_answer_release(get("null.test", DNS_MX));
	dns_flush(resolver, STR("Example.test."));
	assert_null(dns_lookup_cached(resolver, STR("mx1.example.test"), DNS_A));
	const struct dns_answer *kept = dns_lookup_cached(resolver, STR("null.test"), DNS_MX);
	assert_non_null(kept);
	dns_answer_release(kept);
}

FIBER_TEST(test_iprev)
{
	static const struct {
		const char *ip;
		enum dns_outcome outcome;
		const char *name;
	} cases[] = {
		{"192.0.2.1", DNS_FOUND, "mx1.example.test"}, {"192.0.2.2", DNS_NODATA, "liar.test"},
		{"192.0.2.3", DNS_TEMPORARY, "liar.test"},    {"192.0.2.4", DNS_NXDOMAIN, ""},
		{"2001:db8::1", DNS_NXDOMAIN, ""},
	};
	struct err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena;
		struct ip ip;
		struct str name;
		enum dns_outcome outcome;

		arena_init(&arena, 1000);
		assert_true(ip_parse(str_from(cases[i].ip), &ip));
		assert_true(dns_iprev(resolver, ip, &arena, &outcome, &name, &err));
		if (outcome != cases[i].outcome)
			fail_msg("%s: %s", cases[i].ip, dns_outcome_name(outcome));
		assert_str(name, cases[i].name);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_scripts_with_faults),
		cmocka_unit_test(test_cache_times),
		cmocka_unit_test(test_caps_on_both_ends),
		cmocka_unit_test(test_a_time_out_takes_its_time),
		cmocka_unit_test(test_a_hundred_askers_make_one_query),
		cmocka_unit_test(test_the_work_outlives_its_asker),
		cmocka_unit_test(test_a_cancelled_asker),
		cmocka_unit_test(test_close_answers_who_still_waits),
		cmocka_unit_test(test_flush_forgets),
		cmocka_unit_test(test_iprev),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
