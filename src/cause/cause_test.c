/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of causes is whole, and each situation says its fixed words. */
#include "cause/cause.h"

#include "base/auto.h"
#include "base/test.h"

static void table_is_whole(void **state)
{
	static const char *const names[] = {
		"none",
#define X(upper, lower) #lower,
		CAUSE_LIST(X)
#undef X
	};
	for (int id = 0; id < CAUSE_COUNT; id++) {
		const struct cause *c = cause_get((enum cause_id)id);
		assert_int_equal(c->id, id);
		assert_string_equal(c->name, names[id]);
		assert_str(cause_name((enum cause_id)id), names[id]);
		assert_row(c->meaning[0] && c->scope[0], names[id]);
		assert_row(cause_owner_name(c->owner).n > 0, names[id]);
		assert_row(c->wait >= 0 && c->wait <= 12 * USEC_HOUR, names[id]);
		assert_int_equal(cause_from_name(str_from(names[id])), id);
	}
	assert_int_equal(cause_from_name(STR("nonsense")), CAUSE_NONE);
	assert_int_equal(cause_from_name(STR("")), CAUSE_NONE);
	assert_int_equal(cause_get(CAUSE_COUNT)->id, CAUSE_UNKNOWN);
}

static void owners_and_waits(void **state)
{
	static const struct {
		enum cause_id id;
		enum cause_owner owner;
		bool is_temporary;
		usec_t wait;
	} rows[] = {
		{CAUSE_GREYLIST, OWNER_NOBODY, true, 5 * USEC_MIN},
		{CAUSE_SENDER_VERIFY, OWNER_SENDING_HOST, true, 15 * USEC_MIN},
		{CAUSE_SENDER_INVALID, OWNER_SENDING_HOST, false, 0},
		{CAUSE_NO_MAILBOX, OWNER_AUTHOR, false, 0},
		{CAUSE_QUOTA, OWNER_RECIPIENT, true, 4 * USEC_HOUR},
		{CAUSE_NETWORK, OWNER_NETWORK, true, 0},
		{CAUSE_LOOP, OWNER_UNKNOWN, false, 0},
		{CAUSE_AUTH_POLICY, OWNER_SENDER_DOMAIN, false, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct cause *c = cause_get(rows[i].id);
		assert_row(c->owner == rows[i].owner, c->name);
		assert_row(c->is_usually_temporary == rows[i].is_temporary, c->name);
		assert_row(c->wait == rows[i].wait, c->name);
	}
}

static const struct say_args all_args = {
	.sender = {"a@d.example", 11}, .recipient = {"r@h.example", 11}, .here = {"gate.example", 12},
	.ref = {"2F3A", 4}, .class = SAY_CLASS_DEFERRED, .retry_after = 5 * USEC_MIN,
};

/* Administrators grep for these: a change here is a change for them. */
static void fixed_words(void **state)
{
	static const struct {
		enum situation what;
		const char *reply;
		enum cause_id cause;
	} rows[] = {
		{SAY_SENDER_ABSENT, "550 5.1.7 <a@d.example>: Sender verify failed: no such mailbox at its own mail server; "
		                    "use a working return address, or write to postmaster@gate.example (2F3A)",
		 CAUSE_SENDER_INVALID},
		{SAY_SENDER_VERIFY_TEMP, "451 4.1.7 <a@d.example>: Could not complete sender verify callout: deferred; "
		                         "try again in 00:05:00 (2F3A)", CAUSE_SENDER_VERIFY},
		{SAY_SENDER_DNS_TEMP, "451 4.4.3 <a@d.example>: Domain of sender address does not resolve (DNS timed out); "
		                      "try again in 00:05:00 (2F3A)", CAUSE_SENDER_DOMAIN},
		{SAY_SENDER_NO_DOMAIN, "550 5.1.8 <a@d.example>: Domain of sender address not found (2F3A)", CAUSE_SENDER_DOMAIN},
		{SAY_SENDER_NULL_MX, "550 5.7.27 <a@d.example>: Sender domain accepts no mail (null MX) (2F3A)", CAUSE_SENDER_DOMAIN},
		{SAY_SPF_FAIL, "550 5.7.23 <a@d.example>: SPF validation failed: the domain of the sender does not let your address "
		               "send for it; ask postmaster of the sender's domain (2F3A)", CAUSE_AUTH_POLICY},
		{SAY_GREYLIST, "451 4.7.1 Greylisting in action, please come back in 00:05:00", CAUSE_GREYLIST},
		{SAY_DIRECTORY, "451 4.3.0 Directory lookup failed, try again later (2F3A)", CAUSE_DIRECTORY},
		{SAY_RCPT_VERIFY_TEMP, "451 4.1.1 <r@h.example>: Could not verify recipient at this time (2F3A)", CAUSE_RCPT_VERIFY},
		{SAY_RCPT_ABSENT, "550 5.1.1 <r@h.example>: No such user here", CAUSE_NO_MAILBOX},
		{SAY_CONTENT_FILTER, "451 4.3.0 Content filter unavailable, not accepted unscanned (2F3A)", CAUSE_CONTENT_FILTER},
		{SAY_DNS_POLICY, "451 4.4.3 DNS lookup for policy check failed (2F3A)", CAUSE_DNS_FAILURE},
		{SAY_SPOOL_ERROR, "451 4.3.0 Error writing spool (2F3A)", CAUSE_STORAGE},
		{SAY_STORAGE, "452 4.3.1 Insufficient system storage", CAUSE_STORAGE},
		{SAY_SHUTTING_DOWN, "421 4.3.2 Service shutting down", CAUSE_MAINTENANCE},
		{SAY_TOO_BUSY, "421 4.3.2 Too busy, try again later", CAUSE_OVERLOAD},
		{SAY_RATE_LIMIT, "451 4.7.1 Rate limit exceeded, try again in 00:05:00", CAUSE_RATE_LIMIT},
		{SAY_LOCAL_ERROR, "451 4.3.0 Requested action aborted: local error in processing (2F3A)", CAUSE_LOCAL_ERROR},
		{SAY_RELAY_DENIED, "554 5.7.1 <r@h.example>: Relay access denied", CAUSE_RELAY_DENIED},
		{SAY_TOO_MANY_CONNECTIONS, "421 4.7.0 Too many connections from your address", CAUSE_RATE_LIMIT},
		{SAY_TOO_BIG, "552 5.3.4 Message is too big", CAUSE_TOO_BIG},
		{SAY_SYNTAX, "501 5.5.4 Syntax error in parameters or arguments", CAUSE_PROTOCOL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf b = {.max = 4096};
		struct said said = cause_render(rows[i].what, &all_args, false, &b);
		assert_true(b.n > 2);
		assert_str(str_slice(buf_view(&b), 0, b.n - 2), rows[i].reply);
		assert_row(said.cause == rows[i].cause, rows[i].reply);
	}
}

/* Each situation, read back as a client would. */
static void every_situation(void **state)
{
	char evil[1200];
	struct say_args nasty = all_args;

	memset(evil, 'x', sizeof evil);
	memcpy(evil, "a\r\n250 b\x1b\xC3\xB6", 12);
	nasty.sender = nasty.recipient = nasty.detail = (struct str){evil, sizeof evil};
	for (int what = 0; what < SAY_COUNT; what++) {
		const struct say_args empty = {0}, *args[] = {&all_args, &empty, &nasty};
		const char *name = situation_name((enum situation)what);
		assert_non_null(name);
		for (size_t i = 0; i < COUNT(args); i++) {
			auto_buf struct buf b = {.max = 65536};
			struct said said = cause_render((enum situation)what, args[i], false, &b);
			struct reply_reader r;
			struct reply got = {0};
			struct err err;
			struct str rest = buf_view(&b), line;
			enum reply_step step = REPLY_MORE;
			reply_reader_init(&r);
			while (str_cut(&rest, '\n', &line)) {
				assert_row(step == REPLY_MORE && line.n + 1 <= 512, name);
				assert_row(line.p[line.n - 1] == '\r', name);
				for (size_t k = 0; k + 1 < line.n; k++)
					assert_row(line.p[k] >= ' ' && line.p[k] < 127, name);
				step = reply_reader_line(&r, str_slice(line, 0, line.n - 1), &got, &err);
			}
			assert_row(step == REPLY_WHOLE && got.code == said.code, name);
			assert_row(got.enhanced.class == said.code / 100, name);
			assert_row(got.enhanced.subject == said.enhanced.subject, name);
			assert_row(got.enhanced.detail == said.enhanced.detail, name);
			assert_row(got.text.n > 0 && said.cause != CAUSE_NONE, name);
			assert_row(str_find_char(got.text, '{') == got.text.n, name);
			reply_reader_done(&r);
		}
	}
}

static void details_and_classes(void **state)
{
	static const char *const classes[] = {"no answer", "deferred", "refused null sender", "refused us", "busy"};
	auto_buf struct buf b = {.max = 4096};
	struct say_args a = {.sender = STR("j\xC3\xB6@d"), .retry_after = 90 * USEC_S};

	for (int c = 0; c < 5; c++) {
		a.class = (enum say_class)c;
		buf_clear(&b);
		cause_render(SAY_SENDER_VERIFY_TEMP, &a, true, &b);
		assert_true(str_find(buf_view(&b), str_from(classes[c])) < b.n);
	}
	buf_clear(&b);
	a.detail = STR("at most 25 MB");
	cause_render(SAY_TOO_BIG, &a, true, &b);
	assert_str(buf_view(&b), "552 5.3.4 Message is too big: at most 25 MB\r\n");
	buf_clear(&b);
	cause_render(SAY_SYNTAX, &a, true, &b);
	assert_str(buf_view(&b), "501 5.5.4 at most 25 MB\r\n");
	buf_clear(&b);
	cause_render(SAY_SENDER_NO_DOMAIN, &a, true, &b);
	assert_str(buf_view(&b), "550 5.1.8 <j\xC3\xB6@d>: Domain of sender address not found\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_whole), cmocka_unit_test(owners_and_waits), cmocka_unit_test(fixed_words),
		cmocka_unit_test(every_situation), cmocka_unit_test(details_and_classes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
