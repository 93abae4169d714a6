/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery status notifications: each field, what is returned, and that nobody can break out of a part. */
#include "mail/dsn.h"

#include "base/auto.h"
#include "base/test.h"

#define ORIGINAL                                                                                   \
	"Message-ID: <m1@sender.example>\r\nSubject: Hello\r\nX-Long: a\r\n b\r\n\r\nBody line.\r\n"

static const struct wall now = {1795335330 * (int64_t)1000000};

static struct dsn_args base_args(const struct dsn_rcpt *rcpts, size_t n)
{
	return (struct dsn_args){
		.host = STR("gate.example"), .ref = STR("2F3A"), .to = STR("ann@sender.example"),
		.now = now, .arrived = {now.us - 60 * USEC_S}, .original = STR(ORIGINAL),
		.is_original_whole = true, .rcpts = rcpts, .n_rcpts = n,
	};
}

static void has(struct str text, const char *want)
{
	if (str_find(text, str_from(want)) == text.n)
		fail_msg("no \"%s\" in:\n%.*s", want, STR_ARG(text));
}

static void has_not(struct str text, const char *unwanted)
{
	if (str_find(text, str_from(unwanted)) < text.n)
		fail_msg("\"%s\" in:\n%.*s", unwanted, STR_ARG(text));
}

static void failure(void **state)
{
	const struct dsn_rcpt rcpts[] = {
		{.orcpt = STR("rfc822;Bob+2Btag@here.example"), .address = STR("bob+tag@there.example"),
		 .status = STR("5.1.1"), .remote_mta = STR("mx.there.example"),
		 .diagnostic = STR("550-5.1.1 No such\n550 5.1.1 user"), .last_attempt = now},
		{.address = STR("eve@there.example"), .explanation = STR("We gave up.")},
	};
	struct dsn_args a = base_args(rcpts, 2);
	auto_buf struct buf b = {.max = 65536};
	struct dsn_form form;

	a.envid = STR("QQ314159");
	dsn_build(&a, &b, &form);
	struct str t = buf_view(&b);
	assert_true(buf_ok(&b));
	assert_false(form.is_8bit || form.needs_smtputf8);
	has(t, "From: Mail Delivery System <MAILER-DAEMON@gate.example>\r\n");
	has(t, "To: <ann@sender.example>\r\n");
	has(t, "Subject: Your message could not be delivered\r\n");
	has(t, "Message-ID: <2F3A.failed@gate.example>\r\n");
	has(t, "In-Reply-To: <m1@sender.example>\r\n");
	has(t, "Auto-Submitted: auto-replied\r\n");
	has(t, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_2F3A_0\"\r\n");
	has(t, "This address does not exist there. Please check it for a typing error.\r\n"
	       "    mx.there.example said:\r\n    550-5.1.1 No such\r\n    550 5.1.1 user\r\n");
	has(t, "<eve@there.example>\r\n    We gave up.\r\n");
	has(t, "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; gate.example\r\n"
	       "Original-Envelope-Id: QQ314159\r\nArrival-Date: Sun, 22 Nov 2026 08:14:30 +0000\r\n"
	       "X-Postern-Reference: 2F3A\r\n\r\n"
	       "Original-Recipient: rfc822; Bob+tag@here.example\r\n"
	       "Final-Recipient: rfc822; bob+tag@there.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	       "Remote-MTA: dns; mx.there.example\r\n"
	       "Diagnostic-Code: smtp; 550-5.1.1 No such\r\n    550 5.1.1 user\r\n"
	       "Last-Attempt-Date: Sun, 22 Nov 2026 08:15:30 +0000\r\n\r\n"
	       "Final-Recipient: rfc822; eve@there.example\r\nAction: failed\r\nStatus: 5.0.0\r\n\r\n--");
	has(t, "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m1@sender.example>\r\nSubject: Hello\r\n"
	       "X-Long: a\r\n b\r\n\r\n--=_2F3A_0--\r\n");
	has_not(t, "Body line.");
}

static void delay(void **state)
{
	const struct dsn_rcpt rcpt = {
		.address = STR("bob@there.example"), .action = DSN_DELAYED, .status = STR("4.4.1"),
		.retry_until = {now.us + 4 * USEC_DAY}, .diagnostic = STR("no answer"),
	};
	struct dsn_args a = base_args(&rcpt, 1);
	auto_buf struct buf b = {.max = 65536};
	struct dsn_form form;

	a.return_full = true; /* means failures only */
	dsn_build(&a, &b, &form);
	has(buf_view(&b), "Subject: Your message is delayed (no need to send it again)\r\n");
	has(buf_view(&b), "If it still cannot be delivered by Thu, 26 Nov 2026 08:15:30 +0000,\r\n");
	has(buf_view(&b), "Action: delayed\r\nStatus: 4.4.1\r\nDiagnostic-Code: x-postern; no answer\r\n"
	                  "Will-Retry-Until: Thu, 26 Nov 2026 08:15:30 +0000\r\n");
	has_not(buf_view(&b), "Body line.");
}

static void returns_all(void **state)
{
	const struct dsn_rcpt rcpt = {.address = STR("bob@there.example")};
	struct dsn_args a = base_args(&rcpt, 1);
	auto_buf struct buf b = {.max = 1 << 20};
	struct dsn_form form;

	a.return_full = true;
	a.original = STR("Subject: x\r\n\r\n--=_2F3A_0\r\n--=_2F3A_1--\r\nK\xC3\xB6ln\r\n");
	dsn_build(&a, &b, &form);
	has(buf_view(&b), "boundary=\"=_2F3A_2\"");
	has(buf_view(&b), "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\n"
	                  "--=_2F3A_0\r\n--=_2F3A_1--\r\nK\xC3\xB6ln\r\n\r\n--=_2F3A_2--\r\n");
	assert_true(form.is_8bit && !form.needs_smtputf8);

	buf_clear(&b);
	a.original = STR("Subject: x\r\n\r\nK\0ln\r\n");
	dsn_build(&a, &b, &form);
	has(buf_view(&b), "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--");

	buf_clear(&b);
	a.original = STR(ORIGINAL);
	a.is_original_whole = false;
	dsn_build(&a, &b, &form);
	has_not(buf_view(&b), "Body line.");
}

static void utf8(void **state)
{
	const struct dsn_rcpt rcpt = {
		.address = STR("j\xC3\xB6+\xE2\x82\xAC@b\xC3\xBC" "cher.example"),
		.orcpt = STR("utf-8;j\\x{F6}@b.example"), .diagnostic = STR("550 n\xC3\xB6"),
	};
	struct dsn_args a = base_args(&rcpt, 1);
	auto_buf struct buf b = {.max = 65536};
	struct dsn_form form;

	dsn_build(&a, &b, &form); /* as ASCII */
	assert_false(form.is_8bit || form.needs_smtputf8);
	has(buf_view(&b), "Original-Recipient: utf-8; j\\x{F6}@b.example\r\n");
	has(buf_view(&b), "Final-Recipient: utf-8; j\\x{F6}\\x{2B}\\x{20AC}@b\\x{FC}cher.example\r\n");
	has(buf_view(&b), "Diagnostic-Code: smtp; 550 n\\xc3\\xb6\r\n");

	buf_clear(&b);
	a.allow_utf8 = true;
	dsn_build(&a, &b, &form);
	assert_true(form.is_8bit && form.needs_smtputf8);
	has(buf_view(&b), "report-type=global-delivery-status;");
	has(buf_view(&b), "Content-Type: message/global-delivery-status\r\n");
	has(buf_view(&b), "Final-Recipient: utf-8; j\xC3\xB6+\xE2\x82\xAC@b\xC3\xBC" "cher.example\r\n");
	has(buf_view(&b), "Diagnostic-Code: smtp; 550 n\xC3\xB6\r\n");
}

/* A reply and a recipient that try to add fields and parts. */
static void nobody_breaks_out(void **state)
{
	const struct dsn_rcpt rcpt = {
		.address = STR("\"a\r\nX-Evil: 1\"@there.example"), .status = STR("5.1.1\r\nX-Evil: 2"),
		.remote_mta = STR("mx\nX-Evil: 3"), .orcpt = STR("rfc822;a+0D+0AX-Evil:4"),
		.diagnostic = STR("550 \r\n\r\n--=_2F3A_0\r\nX-Evil: 5\x1b[2J"),
	};
	struct dsn_args a = base_args(&rcpt, 1);
	auto_buf struct buf b = {.max = 65536};
	struct dsn_form form;

	dsn_build(&a, &b, &form);
	has_not(buf_view(&b), "\nX-Evil");
	has_not(buf_view(&b), "\x1b");
	size_t parts = 0;
	for (struct str t = buf_view(&b); t.n > 0; t = str_skip(t, str_find(t, STR("\n--=_2F3A_0")) + 1))
		parts++;
	assert_int_equal(parts, 1 + 4);
}

static void long_header_is_cut_between_fields(void **state)
{
	const struct dsn_rcpt rcpt = {.address = STR("bob@there.example")};
	struct dsn_args a = base_args(&rcpt, 1);
	auto_buf struct buf b = {.max = 1 << 20}, original = {.max = 1 << 20};
	struct dsn_form form;

	while (original.n < 2 * DSN_HEADER_MAX)
		buf_str(&original, STR("X-Field: value value value\r\n"));
	a.original = buf_view(&original);
	dsn_build(&a, &b, &form);
	assert_true(b.n < DSN_HEADER_MAX + 4096);
	has(buf_view(&b), "X-Field: value value value\r\n\r\n--=_2F3A_0--\r\n");
}

static void explains(void **state)
{
	static const struct {
		const char *status, *begin;
	} rows[] = {
		{"5.1.1", "This address does not exist"}, {"5.1.10", "The part of the address behind the @ takes no"},
		{"4.2.2", "The recipient's mailbox is full"}, {"5.7.26", "The mail server there refused"},
		{"5.4.99", "There was trouble on the network"}, {"5.9.9", "The mail server there did not accept"},
		{"", "The mail server there did not accept"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_row(str_starts(dsn_explain(str_from(rows[i].status), false), str_from(rows[i].begin)),
		           rows[i].status);
	has(dsn_explain(STR("4.0.0"), true), "has not accepted the message yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure), cmocka_unit_test(delay), cmocka_unit_test(returns_all),
		cmocka_unit_test(utf8), cmocka_unit_test(nobody_breaks_out),
		cmocka_unit_test(long_header_is_cut_between_fields), cmocka_unit_test(explains),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
