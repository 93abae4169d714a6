/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes: which one a domain takes, which domains are local, and which settings are refused. */
#include "policy/domains.h"

#include "base/test.h"

static struct route_conf route(const char *domain, int kind, const char *hop, int recipients, bool is_local)
{
	return (struct route_conf){.domain = str_from(domain), .kind = kind, .next_hop = str_from(hop),
	                           .recipients = recipients, .is_local = is_local, .maildir = STR("/var/mail"),
	                           .recipients_file = STR("/etc/recipients")};
}

static void finds_the_nearest_route(void **state)
{
	const struct route_conf all[] = {
		route("*", ROUTE_SMTP, "smart.example", RECIPIENTS_ANY, true),
		route("*.Example.Org", ROUTE_MX, "", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_LMTP, "unix:/run/lmtp", RECIPIENTS_FILE, true),
		route("deep.sub.example.org", ROUTE_MX, "", RECIPIENTS_ANY, false),
		route("bücher.example", ROUTE_MAILDIR, "", RECIPIENTS_ANY, true),
	};
	const struct route_conf *list[COUNT(all)];
	static const struct {
		const char *domain;
		int route;
		bool is_local;
	} rows[] = {
		{"example.org", 2, true},           {"a.example.org", 1, true},
		{"b.a.example.org", 1, true},       {"deep.sub.example.org", 3, false},
		{"x.deep.sub.example.org", 1, true}, {"example.com", 0, false},
		{"notexample.org", 0, false},       {"org", 0, false},
		{"xn--bcher-kva.example", 4, true}, {"", 0, false},
		{"*", 0, false},                    {".example.org", 1, true},
	};
	struct err err;
	for (size_t i = 0; i < COUNT(all); i++)
		list[i] = &all[i];
	struct domains *d = domains_new(list, COUNT(all), &err);
	assert_non_null(d);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str domain = str_from(rows[i].domain);
		assert_row(domains_route(d, domain) == &all[rows[i].route], rows[i].domain);
		assert_row(domains_is_local(d, domain) == rows[i].is_local, rows[i].domain);
	}
	assert_str(domains_first_local(d), "example.org");
	domains_free(d);
	d = domains_new(list + 1, COUNT(all) - 1, &err);
	assert_null(domains_route(d, STR("example.com")));
	domains_free(d);
}

static void refuses_what_cannot_work(void **state)
{
	const struct route_conf rows[] = {
		route("example.org", ROUTE_SMTP, "", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_SMTP, "host:0", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_SMTP, "host:70000", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_SMTP, "[::1", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_SMTP, "ho st", RECIPIENTS_ANY, true),
		route("example.org", ROUTE_MX, "", RECIPIENTS_CALL_AHEAD, true),
		route("example.org", ROUTE_MAILDIR, "", RECIPIENTS_CALL_AHEAD, true),
		route("example.org", ROUTE_LMTP, "unix:/x", RECIPIENTS_CALL_AHEAD, true),
		route("exa mple.org", ROUTE_MX, "", RECIPIENTS_ANY, true),
		route("", ROUTE_MX, "", RECIPIENTS_ANY, true),
	};
	struct err err;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct route_conf *one = &rows[i];
		assert_null(domains_new(&one, 1, &err));
		assert_non_null(strstr(err.text, "route \""));
	}
	const struct route_conf a = route("Example.ORG", ROUTE_MX, "", RECIPIENTS_ANY, true),
	                        b = route("example.org", ROUTE_MX, "", RECIPIENTS_ANY, true);
	const struct route_conf *twice[] = {&a, &b};
	assert_null(domains_new(twice, 2, &err));
	const struct route_conf elsewhere = route("example.org", ROUTE_MX, "", RECIPIENTS_CALL_AHEAD, false);
	const struct route_conf *one = &elsewhere;
	struct domains *d = domains_new(&one, 1, &err);
	assert_non_null(d);
	assert_null(domains_first_local(d).p);
	domains_free(d);
}

static void takes_next_hops_apart(void **state)
{
	static const struct {
		const char *text, *host, *path;
		int kind, port, family;
	} rows[] = {
		{"mx.example", "mx.example", "", ROUTE_SMTP, 25, 0},
		{"mx.example", "mx.example", "", ROUTE_LMTP, 24, 0},
		{"mx.example:2525", "mx.example", "", ROUTE_SMTP, 2525, 0},
		{"192.0.2.1", "192.0.2.1", "", ROUTE_SMTP, 25, 4},
		{"[192.0.2.1]:26", "192.0.2.1", "", ROUTE_SMTP, 26, 4},
		{"[2001:db8::1]", "2001:db8::1", "", ROUTE_SMTP, 25, 6},
		{"[2001:db8::1]:10024", "2001:db8::1", "", ROUTE_LMTP, 10024, 6},
		{"unix:/run/lmtp", "", "/run/lmtp", ROUTE_LMTP, 0, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct next_hop hop;
		struct err err;
		assert_row(next_hop_parse(str_from(rows[i].text), (enum route_kind)rows[i].kind, &hop, &err), rows[i].text);
		assert_row(str_eq(hop.host, str_from(rows[i].host)), rows[i].text);
		assert_row(str_eq(hop.path, str_from(rows[i].path)), rows[i].text);
		assert_row(hop.port == rows[i].port && hop.ip.family == rows[i].family, rows[i].text);
	}
}

static void has_sane_rows(void **state)
{
	struct route_conf conf;
	conf_rows_default(route_conf_rows, &conf, sizeof conf);
	assert_int_equal(conf.kind, ROUTE_MX);
	assert_int_equal(conf.recipients, RECIPIENTS_CALL_AHEAD);
	assert_true(conf.is_local);
	conf_rows_done(route_conf_rows, &conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_nearest_route),
		cmocka_unit_test(refuses_what_cannot_work),
		cmocka_unit_test(takes_next_hops_apart),
		cmocka_unit_test(has_sane_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
