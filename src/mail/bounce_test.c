/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Returned mails of several makes: kind, recipient, reply. */
#include "mail/bounce.h"

#include "base/auto.h"
#include "base/test.h"

#define DSN(fields) \
	"From: MAILER-DAEMON@mx.example\r\nTo: a@b.example\r\nSubject: Undelivered Mail\r\n" \
	"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"x\"\r\n\r\n--x\r\n\r\nSorry.\r\n--x\r\n" \
	"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n" fields "\r\n--x--\r\n"

static const struct {
	const char *name, *message;
	enum bounce_kind kind;
	const char *address, *status, *diagnostic;
} rows[] = {
	{"failed", DSN("Final-Recipient: rfc822; u@c.example\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.c.example\r\n"
	               "Diagnostic-Code: smtp; 550 5.1.1\r\n No such user\r\n"), BOUNCE_FAILED, "u@c.example", "5.1.1", "550 5.1.1 No such user"},
	{"delayed", DSN("Final-Recipient: rfc822;u@c.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n"), BOUNCE_DELAYED, "u@c.example", "4.4.1", ""},
	{"delivered", DSN("Final-Recipient: rfc822;u@c.example\r\nAction: delivered\r\nStatus: 2.1.5\r\n"), BOUNCE_DELIVERED, "u@c.example", "2.1.5", ""},
	{"what the sender wrote", DSN("Original-Recipient: rfc822;u@c.example\r\nFinal-Recipient: rfc822;box17@inside\r\nAction: failed\r\nStatus: 5.2.2\r\n"),
	 BOUNCE_FAILED, "u@c.example", "5.2.2", ""},
	{"qmail", "From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: failure notice\n\nHi. This is the qmail-send program.\n\n<u@c.example>:\n"
	          "Sorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nTo: other@d.example\n",
	 BOUNCE_FAILED, "u@c.example", "", "Sorry, no mailbox here by that name. (#5.1.1)"},
	{"warning", "From: postmaster@mx.example\nTo: a@b.example\nSubject: Warning: message delayed\n\nMail to the following address is still undelivered "
	            "and will be retried:\n\n  <u@c.example>\n    Connection timed out\n", BOUNCE_DELAYED, "u@c.example", "", "Connection timed out"},
	{"base64", "From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: failure notice\nContent-Transfer-Encoding: base64\n\nPHVAYy5leGFtcGxlPjoKVXNlciB1bmtub3duCg==\n",
	 BOUNCE_FAILED, "u@c.example", "", "User unknown"},
	{"complaint", "From: fbl@isp.example\nTo: abuse@b.example\nSubject: FW: hello\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\n\nspam\n--x\n"
	              "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <u@c.example>\n\n--x--\n",
	 BOUNCE_FEEDBACK, "u@c.example", "", "abuse"},
	{"away", "From: u@c.example\nTo: a@b.example\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nBack on Monday.\n", BOUNCE_VACATION, "u@c.example", "", "Out of office"},
	{"letter", "From: u@c.example\nTo: a@b.example\nSubject: Hello\n\nAsk x@y.example about it.\n", BOUNCE_NONE, NULL, "", ""},
	{"nothing", "", BOUNCE_NONE, NULL, "", ""},
};

static void reads_reports(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 8 << 20};
		struct bounce *b = arena_new(&arena, struct bounce);
		bounce_read(&arena, str_from(rows[i].message), b);
		assert_row(b->kind == rows[i].kind, rows[i].name);
		assert_row(b->n == (rows[i].address ? 1 : 0), rows[i].name);
		if (b->n == 0)
			continue;
		assert_str(b->rcpts[0].address, rows[i].address);
		assert_str(b->rcpts[0].status, rows[i].status);
		if (rows[i].diagnostic[0])
			assert_str(b->rcpts[0].diagnostic, rows[i].diagnostic);
	}
}

/* However much of a report arrives, it is read without a fault, and what is whole of it counts. */
static void reads_truncated_reports(void **state)
{
	struct str whole = str_from(rows[0].message);

	for (size_t n = 0; n <= whole.n; n++) {
		auto_arena struct arena arena = {.max = 8 << 20};
		struct bounce *b = arena_new(&arena, struct bounce);
		bounce_read(&arena, str_slice(whole, 0, n), b);
		assert_true(b->n <= 1);
		if (n + 12 >= whole.n)
			assert_int_equal(b->kind, BOUNCE_FAILED);
	}
}

static void finds_addresses(void **state)
{
	static const struct {
		const char *text, *address;
	} texts[] = {
		{"to <joe@example.org>:", "joe@example.org"}, {"mail joe@example.org.", "joe@example.org"}, {"\"a b\"@c.example", "\"a b\"@c.example"},
		{"dda:SMTP=joe@example.org;", "joe@example.org"}, {"joe@[192.0.2.1] x", "joe@[192.0.2.1]"}, {"@ nothing @", ""}, {"", ""},
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str rest = str_from(texts[i].text);
		assert_str(bounce_address_next(&rest), texts[i].address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_reports), cmocka_unit_test(reads_truncated_reports), cmocka_unit_test(finds_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
