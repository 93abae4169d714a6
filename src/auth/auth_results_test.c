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

/* One field, and whether it goes. RFC 8601 5: what bears our name and came from outside must not be seen behind us. */
static void test_strip(void **state)
{
	static const struct { const char *field; bool is_forged; } rows[] = {
		{"Authentication-Results: mx.example.com; spf=pass", true},
		{"Authentication-Results: MX.Example.COM; spf=pass", true},
		{"AUTHENTICATION-results: mx.example.com; spf=pass", true},
		{"Authentication-Results : mx.example.com; spf=pass", true},
		{"Authentication-Results:mx.example.com;spf=pass", true},
		{"Authentication-Results: mx.example.com 1; spf=pass", true},
		{"Authentication-Results: mx.example.com / 1; spf=pass", true},
		{"Authentication-Results: mx.example.com(c); spf=pass", true},
		{"Authentication-Results: mx.example.com", true},
		{"Authentication-Results:\r\n\tmx.example.com;\r\n spf=pass", true},
		{"Authentication-Results: (a (nested\\) comment)) (another)\r\n \"mx.example.com\" 1; dkim=pass", true},
		{"Authentication-Results: \"mx\\.example.com\"; dkim=pass", true},
		{"Authentication-Results: \" mx.example.com \"; dkim=pass", true},
		{"Authentication-Results: mx.example.com.; dkim=pass", true},
		{"Authentication-Results: mx.example\xe3\x80\x82" "com; dkim=pass", true}, /* an ideographic full stop */
		{"Authentication-Results: \xef\xbd\x8dx.example.com; dkim=pass", true}, /* a full-width m */
		{"Authentication-Results: \xc2\xa0mx.example.com; dkim=pass", true},    /* a no-break space */
		{"Authentication-Results: \vmx.example.com; dkim=pass", true},
		{"Authentication-Results: (no end mx.example.com; dkim=pass", true},
		{"Authentication-Results: \"mx.example.com; dkim=pass", true},
		{"Authentication-Results: ; mx.example.com; dkim=pass", true},
		{"Authentication-Results: =?utf-8?q?mx.example.com?=; dkim=pass", true},
		{"Authentication-Results: other.example; spf=pass", false},
		{"Authentication-Results: other.example; spf=pass smtp.helo=mx.example.com", false},
		{"Authentication-Results: (mx.example.com) other.example; spf=pass", false},
		{"Authentication-Results: mx.example.com.other.example; spf=pass", false},
		{"Authentication-Results: notmx.example.com; spf=pass", false},
		{"ARC-Authentication-Results: i=1; mx.example.com; spf=pass", false}, /* part of a chain, and judged as one */
		{"X-Authentication-Results: mx.example.com; spf=pass", false},
		{"Subject: Authentication-Results: mx.example.com; spf=pass", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf message = {.max = 65536}, out = {.max = 65536}, want = {.max = 65536};
		struct header_keep k;
		struct str slice;
		static const char end[] = "From: a@example.org\r\n\r\nAuthentication-Results: mx.example.com; body\r\n";
		buf_printf(&message, "Received: x\r\n%s\r\n%s", rows[i].field, end);
		buf_printf(&want, "Received: x\r\n%s%s%s", rows[i].is_forged ? "" : rows[i].field, rows[i].is_forged ? "" : "\r\n", end);
		auth_results_strip(&k, buf_view(&message), STR("mx.example.com"));
		while (header_keep_next(&k, &slice))
			buf_str(&out, slice);
		assert_row(k.dropped == rows[i].is_forged, rows[i].field);
		assert_row(str_eq(buf_view(&out), buf_view(&want)), rows[i].field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_write), cmocka_unit_test(test_strip)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
