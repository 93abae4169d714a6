/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The field as it is written, and forged ones that go. */
#include "auth/auth_results.h"
#include "base/auto.h"
#include "base/test.h"

static void test_write(void **state)
{
	auto_buf struct buf out = {.max = 65536};
	struct dkim_result results[] = {
		{.verdict = DKIM_PASS, .reason = "", .domain = STR("example.org"), .selector = STR("s1"),
		 .algorithm = STR("rsa-sha256"), .b = STR("abc/efghijk")},
		{.verdict = DKIM_PERMERROR, .reason = "d= is missing or no domain name", .algorithm = STR("x\"; spf=pass \r\n y")},
	};
	struct dkim_check dkim = {.verdict = DKIM_PASS, .results = results, .n = 2};
	struct dmarc_answer dmarc = {.result = DMARC_RESULT_FAIL, .policy = DMARC_REJECT, .disposition = DMARC_QUARANTINE,
	                             .from = STR("example.net"), .policy_domain = STR("example.net"), .reason = "x"};
	struct auth_results r = {.authserv_id = STR("mx.example.com")};

	auth_results_write(&r, &out);
	assert_str(buf_view(&out), "Authentication-Results: mx.example.com; none\r\n");
	buf_clear(&out);
	r.dkim = &dkim;
	r.dmarc = &dmarc;
	r.has_iprev = true;
	r.iprev = DNS_NXDOMAIN;
	assert_true(ip_parse(STR("2001:db8::1"), &r.ip));
	auth_results_write(&r, &out);
	assert_str(buf_view(&out), "Authentication-Results: mx.example.com;\r\n"
	                           "\tdkim=pass header.d=example.org header.s=s1 header.a=rsa-sha256\r\n"
	                           "\t header.b=\"abc/efgh\";\r\n"
	                           "\tdkim=permerror reason=\"d= is missing or no domain name\"\r\n"
	                           "\t header.a=\"x\\\"; spf=pass  y\";\r\n"
	                           "\tdmarc=fail (p=reject dis=quarantine) header.from=example.net;\r\n"
	                           "\tiprev=fail policy.iprev=\"2001:db8::1\"\r\n");
}

static void test_strip(void **state)
{
	static const char forged[] = "Received: x\r\n"
	                             "Authentication-Results: MX.example.com; spf=pass\r\n"
	                             "Authentication-Results: (c) \"mx.example.com\" 1;\r\n dkim=pass\r\n"
	                             "Authentication-Results: other.example; spf=pass\r\n"
	                             "From: a@example.org\r\n\r\nAuthentication-Results: mx.example.com; body\r\n";
	auto_buf struct buf out = {.max = 65536};
	struct header_keep k;
	struct str slice;

	auth_results_strip(&k, str_from(forged), STR("mx.example.com"));
	while (header_keep_next(&k, &slice))
		buf_str(&out, slice);
	assert_int_equal(k.dropped, 2);
	assert_str(buf_view(&out), "Received: x\r\nAuthentication-Results: other.example; spf=pass\r\n"
	                           "From: a@example.org\r\n\r\nAuthentication-Results: mx.example.com; body\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_write), cmocka_unit_test(test_strip)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
