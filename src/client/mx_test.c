/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MX selection over scripted DNS, and whose host is whose. */
#include "client/mx.h"

#include "base/auto.h"
#include "base/test.h"

static const char zone[] =
        "[[\"plain.example\",\"MX\",[20,\"b.plain.example\"]],[\"plain.example\",\"MX\",[10,\"a.plain.example\"]],"
        "[\"a.plain.example\",\"A\",\"20.0.0.1\"],[\"a.plain.example\",\"AAAA\",\"2a00::1\"],"
        "[\"b.plain.example\",\"A\",\"20.0.0.2\"],"
        "[\"implicit.example\",\"A\",\"20.0.0.3\"],"
        "[\"nothing.example\",\"TXT\",\"x\"],"
        "[\"null.example\",\"MX\",[0,\".\"]],"
        "[\"servfail.example\",\"MX\",\"SERVFAIL\"],"
        "[\"bogus.example\",\"MX\",\"BOGUS\"],"
        "[\"loop.example\",\"MX\",[10,\"lo.example\"]],[\"lo.example\",\"A\",\"127.0.0.1\"],"
        "[\"lab.example\",\"MX\",[10,\"lab1.example\"]],[\"lab1.example\",\"A\",\"127.9.0.7\"],"
        "[\"dangling.example\",\"MX\",[10,\"gone.example\"]],"
        "[\"halfdead.example\",\"MX\",[10,\"dead.example\"]],[\"halfdead.example\",\"MX\",[20,\"a.plain.example\"]],"
        "[\"dead.example\",\"A\",\"SERVFAIL\"],[\"dead.example\",\"AAAA\",\"SERVFAIL\"],"
        "[\"alldead.example\",\"MX\",[10,\"dead.example\"]],"
        "[\"backup.example\",\"MX\",[10,\"a.plain.example\"]],[\"backup.example\",\"MX\",[20,\"gate.example\"]],"
        "[\"backup.example\",\"MX\",[30,\"b.plain.example\"]],[\"gate.example\",\"A\",\"20.0.0.99\"],"
        "[\"ours.example\",\"MX\",[10,\"gate.example\"]],"
        "[\"byip.example\",\"MX\",[10,\"alias.example\"]],[\"byip.example\",\"MX\",[10,\"b.plain.example\"]],"
        "[\"alias.example\",\"A\",\"20.0.0.99\"],"
        "[\"six.example\",\"MX\",[10,\"six1.example\"]],[\"six1.example\",\"AAAA\",\"2a00::6\"],"
        "[\"implicitdead.example\",\"A\",\"SERVFAIL\"],"
        "[\"cname.example\",\"CNAME\",\"plain.example\"]]";

static const struct {
	const char *domain;
	enum mx_outcome outcome;
	const char *hosts;     /* names, each followed by its addresses */
	bool is_implicit, has_own;
	unsigned unusable;
	bool use_ipv6;
} cases[] = {
	{"plain.example", MX_FOUND, "a.plain.example 20.0.0.1 b.plain.example 20.0.0.2 ", .use_ipv6 = false},
	{"PLAIN.example.", MX_FOUND, "a.plain.example 20.0.0.1 2a00::1 b.plain.example 20.0.0.2 ", .use_ipv6 = true},
	{"cname.example", MX_FOUND, "a.plain.example 20.0.0.1 b.plain.example 20.0.0.2 "},
	{"implicit.example", MX_FOUND, "implicit.example 20.0.0.3 ", .is_implicit = true},
	{"nothing.example", MX_NO_DOMAIN, "", .is_implicit = true},
	{"missing.example", MX_NO_DOMAIN, ""},
	{"null.example", MX_NULL, ""},
	{"servfail.example", MX_TEMPORARY, ""},
	{"bogus.example", MX_TEMPORARY, ""},
	{"implicitdead.example", MX_TEMPORARY, "implicitdead.example? ", .is_implicit = true},
	{"loop.example", MX_UNUSABLE, "", .unusable = 1},
	{"lab.example", MX_FOUND, "lab1.example 127.9.0.7 "},
	{"dangling.example", MX_UNUSABLE, ""},
	{"halfdead.example", MX_FOUND, "dead.example? a.plain.example 20.0.0.1 "},
	{"alldead.example", MX_TEMPORARY, "dead.example? "},
	{"backup.example", MX_FOUND, "a.plain.example 20.0.0.1 ", .has_own = true},
	{"ours.example", MX_UNUSABLE, "", .has_own = true},
	{"byip.example", MX_UNUSABLE, "", .has_own = true},
	{"six.example", MX_TEMPORARY, ""},
	{"six.example", MX_FOUND, "six1.example 2a00::6 ", .use_ipv6 = true},
	{"[20.0.0.9]", MX_FOUND, "[20.0.0.9] 20.0.0.9 "},
	{"[IPv6:2a00::9]", MX_FOUND, "[IPv6:2a00::9] 2a00::9 ", .use_ipv6 = true},
	{"[127.0.0.1]", MX_UNUSABLE, "", .unusable = 1},
	{"[20.0.0.99]", MX_UNUSABLE, "", .unusable = 1, .has_own = true},
	{"[nonsense]", MX_NO_DOMAIN, ""},
};

static void print_hosts(const struct mx_list *list, struct buf *out)
{
	char ip[IP_TEXT_MAX];
	for (size_t i = 0; i < list->n; i++) {
		buf_str(out, list->hosts[i].name);
		buf_str(out, list->hosts[i].is_unresolved ? STR("? ") : STR(" "));
		for (size_t k = 0; k < list->hosts[i].n_ips; k++)
			buf_printf(out, "%.*s ", STR_ARG(ip_text(list->hosts[i].ips[k], ip)));
	}
}

static void run_cases(void *arg)
{
	struct err err;
	struct dns_conf dns;
	struct mx_conf conf = {.port = 25, .own_host = STR("Gate.example.")};
	conf_rows_default(dns_conf_rows, &dns, sizeof(dns));
	assert_true(ip_set_add(&conf.dial_networks, STR("127.9.0.0/16"), &err));
	assert_true(ip_set_add(&conf.own_addresses, STR("20.0.0.99"), &err));
	struct resolver *r = resolver_open_script(&dns, str_from(zone), &err);
	assert_non_null(r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		auto_arena struct arena arena;
		auto_buf struct buf hosts;
		struct mx_list list;
		arena_init(&arena, 65536);
		buf_init(&hosts, 4096);
		conf.use_ipv6 = cases[i].use_ipv6;
		assert_true(mx_find(r, &conf, str_from(cases[i].domain), &arena, &list, &err));
		print_hosts(&list, &hosts);
		if (!str_eq(buf_view(&hosts), str_from(cases[i].hosts)))
			fail_msg("%s: hosts %.*s", cases[i].domain, STR_ARG(buf_view(&hosts)));
		assert_row(list.outcome == cases[i].outcome, cases[i].domain);
		assert_row(list.is_implicit == cases[i].is_implicit, cases[i].domain);
		assert_row(list.has_own == cases[i].has_own, cases[i].domain);
		assert_row(list.unusable == cases[i].unusable, cases[i].domain);
		bool has_words = list.outcome == MX_TEMPORARY || list.outcome == MX_UNUSABLE;
		assert_row(!has_words || list.why.n > 0, cases[i].domain);
		assert_row(list.outcome != MX_FOUND || list.ttl > 0, cases[i].domain);
	}
	resolver_close(r);
	ip_set_done(&conf.dial_networks);
	ip_set_done(&conf.own_addresses);
	conf_rows_done(dns_conf_rows, &dns);
}

static void finds_the_hosts_of_a_domain(void **state)
{
	struct err err;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct rt_options o = {.is_fake = true, .seed = seed};
		assert_true(rt_run(&o, run_cases, NULL, &err));
	}
}

static void knows_operators(void **state)
{
	static const struct {
		const char *host, *operator;
	} rows[] = {
		{"example-com.mail.protection.outlook.com", "protection.outlook.com"},
		{"hotmail-com.olc.protection.outlook.com", "olc.protection.outlook.com"},
		{"aspmx.l.google.com", "google.com"},
		{"ALT1.ASPMX.L.GOOGLE.COM.", "google.com"},
		{"aspmx2.googlemail.com", "google.com"},
		{"mta5.am0.yahoodns.net", "yahoodns.net"},
		{"mx01.mail.icloud.com", "icloud.com"},
		{"mx-ha03.web.de", "gmx.net"},
		{"mx00.emig.gmx.net", "gmx.net"},
		{"mx1.example.org", "example.org"},
		{"mx.a.b.c.example.co.uk", "example.co.uk"},
		{"mx.example.uk", "example.uk"},
		{"mail.example.com.br", "example.com.br"},
		{"co.uk", "co.uk"},
		{"localhost", "localhost"},
		{"notgoogle.com", "notgoogle.com"},
		{"mx.notgoogle.com", "notgoogle.com"},
		{"[192.0.2.1]", "[192.0.2.1]"},
		{"", ""},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_str(mx_operator(str_from(rows[i].host)), rows[i].operator);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_hosts_of_a_domain),
		cmocka_unit_test(knows_operators),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
