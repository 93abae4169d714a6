/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has agreed to get reports, and every way in which a record may send them where nobody has. */
#include "auth/dmarc_report.h"

#include "base/auto.h"
#include "base/test.h"

#define LONG "a23456789012345678901234567890123456789012345678901234567890.b23456789012345678901234567890123456789012345678901234567890"

static const char script[] =
	"[[\"_dmarc.example.com\",\"TXT\",\"v=DMARC1; p=none\"],"
	"[\"blue.example.com._report._dmarc.red.example.net\",\"TXT\",\"v=DMARC1;\"],"
	"[\"blue.example.com._report._dmarc.moved.example.net\",\"TXT\",\"v=DMARC1; rua=mailto:here@moved.example.net; ruf=mailto:f@moved.example.net\"],"
	"[\"blue.example.com._report._dmarc.sly.example.net\",\"TXT\",\"v=DMARC1; rua=mailto:x@victim.example\"],"
	"[\"blue.example.com._report._dmarc.web.example.net\",\"TXT\",\"v=DMARC1; rua=https://web.example.net/\"],"
	"[\"blue.example.com._report._dmarc.wrong.example.net\",\"TXT\",\"hello\"],"
	"[\"blue.example.com._report._dmarc.wrong.example.net\",\"TXT\",\"v=dmarc1\"],"
	"[\"blue.example.com._report._dmarc.two.example.net\",\"TXT\",\"hello\"],"
	"[\"blue.example.com._report._dmarc.two.example.net\",\"TXT\",\"v=DMARC1\"],"
	"[\"blue.example.com._report._dmarc.sick.example.net\",\"TXT\",\"SERVFAIL\"],"
	"[\"blue.example.com._report._dmarc.xn--bcher-kva.example\",\"TXT\",\"v=DMARC1\"],"
	"[\"_dmarc.sub.example.com\",\"TXT\",\"v=DMARC1; psd=n\"],"
	"[\"_dmarc.bad.example.com\",\"TXT\",\"SERVFAIL\"]]";

static const struct {
	const char *uri;
	enum dmarc_report_state state;
	const char *host, *instead;
} rows[] = {
	{"mailto:d@blue.example.com", DMARC_REPORT_OWN, "blue.example.com", ""},
	{"mailto:d@EXAMPLE.com", DMARC_REPORT_OWN, "example.com", ""},
	{"mailto:d@mail.example.com", DMARC_REPORT_OWN, "mail.example.com", ""},
	{"mailto:d@sub.example.com", DMARC_REPORT_REFUSED, "sub.example.com", ""}, /* psd=n: an organization of its own */
	{"mailto:d@bad.example.com", DMARC_REPORT_REFUSED, "bad.example.com", ""},
	{"mailto:d@red.example.net", DMARC_REPORT_AUTHORISED, "red.example.net", ""},
	{"mailto:d@red.example.net!10m", DMARC_REPORT_AUTHORISED, "red.example.net", ""},
	{"mailto:d%2Be@red.example.net", DMARC_REPORT_AUTHORISED, "red.example.net", ""},
	{"mailto:d@moved.example.net", DMARC_REPORT_AUTHORISED, "moved.example.net", "mailto:here@moved.example.net"},
	{"mailto:d@sly.example.net", DMARC_REPORT_REFUSED, "sly.example.net", ""},
	{"mailto:d@web.example.net", DMARC_REPORT_REFUSED, "web.example.net", ""},
	{"mailto:d@wrong.example.net", DMARC_REPORT_REFUSED, "wrong.example.net", ""},
	{"mailto:d@two.example.net", DMARC_REPORT_AUTHORISED, "two.example.net", ""},
	{"mailto:d@victim.example", DMARC_REPORT_REFUSED, "victim.example", ""},
	{"mailto:d@sick.example.net", DMARC_REPORT_UNKNOWN, "sick.example.net", ""},
	{"mailto:d@xn--bcher-kva.example", DMARC_REPORT_AUTHORISED, "xn--bcher-kva.example", ""},
	{"mailto:d@" LONG "." LONG ".example.net", DMARC_REPORT_UNUSABLE, "", ""},
	{"mailto:d@" LONG ".c23456789012345678901234567890123456789012345678901234567890.net", DMARC_REPORT_REFUSED,
	 LONG ".c23456789012345678901234567890123456789012345678901234567890.net", ""},
	{"mailto:d@[192.0.2.1]", DMARC_REPORT_UNUSABLE, "", ""},
	{"mailto:d@red.example.net?cc=x@victim.example", DMARC_REPORT_UNUSABLE, "", ""},
	{"mailto:d@red.example.net%2Cx@victim.example", DMARC_REPORT_UNUSABLE, "", ""},
	{"mailto:x@victim.example%00@red.example.net", DMARC_REPORT_UNUSABLE, "", ""},
	{"https://red.example.net/reports", DMARC_REPORT_UNUSABLE, "", ""},
	{"d@red.example.net", DMARC_REPORT_UNUSABLE, "", ""},
};

WAITS static void check_row(struct resolver *r, size_t i)
{
	auto_arena struct arena arena;
	struct dmarc_answer answer = {.has_record = true, .policy_domain = STR("blue.example.com"), .reason = ""};
	struct dmarc_report *reports;
	struct err err;
	size_t n;

	arena_init(&arena, 1 << 20);
	answer.record.rua = str_from(rows[i].uri);
	assert_true(dmarc_report_list(r, NULL, &answer, &arena, &reports, &n, &err));
	assert_int_equal(n, 1);
	assert_row(reports[0].state == rows[i].state, rows[i].uri);
	assert_row(str_eq(reports[0].host, str_from(rows[i].host)), rows[i].uri);
	assert_row(str_eq(reports[0].instead, str_from(rows[i].instead)), rows[i].uri);
	assert_row(reports[0].why[0] != '\0', rows[i].uri);
}

WAITS static void check_lists(struct resolver *r)
{
	auto_arena struct arena arena;
	auto_buf struct buf many = {.max = 8192};
	struct dmarc_answer answer = {.has_record = true, .policy_domain = STR("blue.example.com"), .reason = ""};
	struct dmarc_report *reports;
	struct err err;
	size_t n;

	arena_init(&arena, 1 << 20);
	assert_true(dmarc_report_list(r, NULL, &answer, &arena, &reports, &n, &err));
	assert_int_equal(n, 0);
	answer.record.rua = STR("mailto:d@red.example.net, mailto:d@victim.example");
	answer.record.ruf = STR("mailto:d@moved.example.net");
	assert_true(dmarc_report_list(r, NULL, &answer, &arena, &reports, &n, &err));
	assert_int_equal(n, 3);
	assert_string_equal(reports[2].tag, "ruf");
	assert_str(reports[2].instead, "mailto:f@moved.example.net");
	assert_str(reports[1].query, "blue.example.com._report._dmarc.victim.example");
	for (int i = 0; i < 100; i++)
		buf_str(&many, STR("mailto:d@victim.example,"));
	answer.record.rua = buf_view(&many);
	assert_true(dmarc_report_list(r, NULL, &answer, &arena, &reports, &n, &err));
	assert_int_equal(n, DMARC_REPORTS_MAX);
}

WAITS static void in_fiber(void *arg)
{
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	assert_non_null(r);
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(r, i);
	check_lists(r);
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

static void test_reports(void **state)
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	assert_true(rt_run(&options, in_fiber, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
