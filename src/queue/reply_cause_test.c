/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies as they are met in the wild, and what they are taken for. */
#include "queue/reply_cause.h"

#include "base/test.h"

static const struct {
	enum reply_stage stage;
	const char *line;
	enum cause_id cause;
} rows[] = {
	{REPLY_AT_RCPT, "451 4.7.1 Greylisting in action, please come back in 00:05:00", CAUSE_GREYLIST},
	{REPLY_AT_RCPT, "450 4.2.0 <a@b>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/", CAUSE_GREYLIST},
	{REPLY_AT_RCPT, "550 5.1.1 <a@b>: Recipient address rejected: User unknown", CAUSE_NO_MAILBOX},
	{REPLY_AT_RCPT, "550 Requested action not taken: mailbox unavailable", CAUSE_NO_MAILBOX},
	{REPLY_AT_RCPT, "450 4.1.1 <a@b>: unverified address", CAUSE_RCPT_VERIFY},
	{REPLY_AT_RCPT, "450 mailbox busy", CAUSE_MAILBOX_BUSY},
	{REPLY_AT_RCPT, "452 4.2.2 mailbox full", CAUSE_QUOTA},
	{REPLY_AT_RCPT, "552 5.2.2 Over quota", CAUSE_QUOTA},
	{REPLY_AT_RCPT, "452 4.5.3 Too many recipients", CAUSE_BATCH_LIMIT},
	{REPLY_AT_RCPT, "552 too many recipients", CAUSE_BATCH_LIMIT},
	{REPLY_AT_RCPT, "452 4.3.1 Insufficient system storage", CAUSE_STORAGE},
	{REPLY_AT_RCPT, "554 5.7.1 <a@b>: Relay access denied", CAUSE_RELAY_DENIED},
	{REPLY_AT_RCPT, "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", CAUSE_BLOCKLIST},
	{REPLY_AT_MAIL, "451 4.1.8 <a@b>: Sender address rejected: Domain not found", CAUSE_SENDER_DOMAIN},
	{REPLY_AT_MAIL, "550 5.1.7 <a@b>: Sender verify failed: no such mailbox", CAUSE_SENDER_INVALID},
	{REPLY_AT_MAIL, "451 4.1.7 <a@b>: Could not complete sender verify callout", CAUSE_SENDER_VERIFY},
	{REPLY_AT_MAIL, "530 5.7.0 Authentication required", CAUSE_AUTH_REQUIRED},
	{REPLY_AT_MAIL, "552 5.3.4 Message size exceeds fixed limit", CAUSE_TOO_BIG},
	{REPLY_AT_DATA, "550 5.7.26 This mail has been blocked because the sender is unauthenticated", CAUSE_AUTH_POLICY},
	{REPLY_AT_DATA, "451 4.3.0 Content filter unavailable", CAUSE_CONTENT_FILTER},
	{REPLY_AT_DATA, "554 5.7.1 Message rejected as spam", CAUSE_SPAM_CONTENT},
	{REPLY_AT_DATA, "550 5.6.0 bad headers", CAUSE_PROTOCOL},
	{REPLY_AT_DATA, "452 disk full", CAUSE_STORAGE},
	{REPLY_AT_DATA, "550 5.4.6 too many hops", CAUSE_LOOP},
	{REPLY_AT_CONNECT, "421 4.3.2 Service shutting down", CAUSE_MAINTENANCE},
	{REPLY_AT_CONNECT, "421 too busy", CAUSE_OVERLOAD},
	{REPLY_AT_CONNECT, "421 4.7.0 Too many connections from 192.0.2.1", CAUSE_RATE_LIMIT},
	{REPLY_AT_CONNECT, "554 go away", CAUSE_POLICY},
	{REPLY_AT_RCPT, "556 5.1.10 null MX", CAUSE_NO_DOMAIN},
	{REPLY_AT_RCPT, "599 hm", CAUSE_UNKNOWN},
	{REPLY_AT_RCPT, "354 what", CAUSE_PROTOCOL},
};

static void names_causes(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply_reader reader;
		struct reply r;
		struct err err;
		reply_reader_init(&reader);
		assert_int_equal(reply_reader_line(&reader, str_from(rows[i].line), &r, &err), REPLY_WHOLE);
		enum cause_id got = reply_cause(rows[i].stage, &r);
		reply_reader_done(&reader);
		if (got != rows[i].cause)
			fail_msg("%s: got %d, want %d", rows[i].line, got, rows[i].cause);
	}
}

static void hears_when_to_come_back(void **state)
{
	struct reply r = {.code = 451, .text = STR("Greylisting in action, please come back in 00:20:00")};
	struct wall now = {0};

	assert_int_equal(reply_come_back(&r, now), 20 * USEC_MIN);
	r.text = STR("try again in 40 hours");
	assert_int_equal(reply_come_back(&r, now), 12 * USEC_HOUR);
	r.text = STR("try again later");
	assert_int_equal(reply_come_back(&r, now), 0);
	r = (struct reply){.code = 550, .text = STR("try again in 5 minutes")};
	assert_int_equal(reply_come_back(&r, now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_causes), cmocka_unit_test(hears_when_to_come_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
