/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the policy protocol: where they end, what they say, what is none. */
#include "base/test.h"
#include "gate/policy_request.h"

#include <stdio.h>

#define HEAD "request=smtpd_access_policy\n"

/* As Postfix 3.7 sends it at RCPT. */
static const char usual[] = HEAD
	"protocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.1\nclient_name=c.example\nclient_port=40000\n"
	"reverse_client_name=c.example\nserver_address=203.0.113.1\nserver_port=25\nhelo_name=c.example\nsender=joe@good.example\n"
	"recipient=jane@here.example\nrecipient_count=0\nqueue_id=\ninstance=1ab.65f0c1d2.e3b45.0\nsize=1234\netrn_domain=\nstress=\n"
	"sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
	"encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n";

static void test_usual(void **state)
{
	struct policy_request r;
	const char *why;
	assert_true(policy_request_parse(str_from(usual), &r, &why));
	assert_int_equal(r.state, POLICY_STATE_RCPT);
	assert_true(str_eq(r.sender, STR("joe@good.example")) && str_eq(r.recipient, STR("jane@here.example")));
	assert_true(str_eq(r.client_address, STR("192.0.2.1")) && str_eq(r.helo_name, STR("c.example")));
	assert_true(str_eq(r.instance, STR("1ab.65f0c1d2.e3b45.0")) && r.sasl_username.n == 0 && r.queue_id.n == 0);
	assert_int_equal(r.recipient_count, 0);
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		enum policy_state state;
		const char *sender;
		uint64_t count;
	} cases[] = {
		{HEAD "\n", POLICY_STATE_OTHER, "", 0},
		{HEAD "protocol_state=DATA\nsender=\nrecipient_count=3\n\n", POLICY_STATE_DATA, "", 3},
		{HEAD "protocol_state=END-OF-MESSAGE\nsender=a=b@c\n\n", POLICY_STATE_END, "a=b@c", 0},
		{HEAD "protocol_state=rcpt\nsender=a b@c\r\n\n", POLICY_STATE_OTHER, "a b@c\r", 0},
		{"protocol_state=MAIL\nnew_in_4.0=x\n=\n=x\n" HEAD "sender=\xc3\xa4@d\n\n", POLICY_STATE_OTHER, "\xc3\xa4@d", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_request r;
		const char *why = "";
		assert_true(policy_request_parse(str_from(cases[i].text), &r, &why));
		assert_int_equal(r.state, cases[i].state);
		assert_true(str_eq(r.sender, str_from(cases[i].sender)));
		assert_int_equal(r.recipient_count, cases[i].count);
	}
}

static void test_refused(void **state)
{
	static const struct {
		struct str text;
		const char *why;
	} cases[] = {
		{STR("\n"), "not request=smtpd_access_policy"},
		{STR("sender=a@b\n\n"), "not request=smtpd_access_policy"},
		{STR("request=junk\n\n"), "not request=smtpd_access_policy"},
		{STR("EHLO x\n\n"), "a line without ="},
		{STR(HEAD "sender=a@b\nsender=c@d\n\n"), "an attribute twice"},
		{STR(HEAD HEAD "\n"), "an attribute twice"},
		{STR(HEAD "sender=a\0b@c\n\n"), "a NUL"},
		{STR(HEAD "recipient_count=many\n\n"), "recipient_count is not a number"},
		{STR(HEAD "recipient_count=99999999999999999999\n\n"), "recipient_count is not a number"},
	};
	struct policy_request r = {.recipient_count = 77};
	const char *why;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_false(policy_request_parse(cases[i].text, &r, &why));
		assert_string_equal(why, cases[i].why);
	}
	assert_int_equal(r.recipient_count, 77); /* untouched */
}

static void test_many_attributes(void **state)
{
	char text[8192];
	struct policy_request r;
	const char *why;
	for (int n = POLICY_ATTRIBUTES_MAX; n <= POLICY_ATTRIBUTES_MAX + 1; n++) {
		int at = snprintf(text, sizeof text, HEAD);
		for (int i = 1; i < n; i++)
			at += snprintf(text + at, sizeof text - (size_t)at, "x%d=y\n", i);
		snprintf(text + at, sizeof text - (size_t)at, "\n");
		assert_int_equal(policy_request_parse(str_from(text), &r, &why), n == POLICY_ATTRIBUTES_MAX);
	}
	assert_string_equal(why, "too many attributes");
}

/* However the bytes come, the end is found once and in the same place. */
static void test_length(void **state)
{
	static const char two[] = "a=b\nc=d\n\na=e\n\n";
	size_t scanned = 0;
	for (size_t n = 1; n < 9; n++)
		assert_int_equal(policy_request_length((struct str){two, n}, &scanned), 0);
	assert_int_equal(policy_request_length((struct str){two, 9}, &scanned), 9);
	scanned = 0;
	assert_int_equal(policy_request_length(str_from(two), &scanned), 9);
	scanned = 0;
	assert_int_equal(policy_request_length(str_from(two + 9), &scanned), 5);
	scanned = 0;
	assert_int_equal(policy_request_length(STR("\nx"), &scanned), 1);
	assert_int_equal(policy_request_length(STR_NONE, &scanned), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),   cmocka_unit_test(test_values), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_attributes), cmocka_unit_test(test_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
