/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies as servers really give them, and what each may be taken for. */
#include "verify/probe_reply.h"

#include "base/test.h"

struct row {
	const char *line; /* as on the wire, lines joined by '|' */
	enum probe_meaning meaning;
	enum cause_id cause; /* CAUSE_NONE: not looked at */
	const char *mx;
};

static struct reply parse(const char *line, char text[1024])
{
	struct reply r = {0};
	struct str s = str_from(line);
	uint64_t code = 0;
	size_t used;
	assert_true(str_to_u64(str_slice(s, 0, 3), 999, &code));
	r.code = (int)code;
	s = str_skip(s, 4);
	if (enhanced_code_parse(s, &r.enhanced, &used))
		s = str_trim(str_skip(s, used));
	assert_true(s.n < 1024);
	for (size_t i = 0; i < s.n; i++)
		text[i] = s.p[i] == '|' ? '\n' : s.p[i];
	r.text = (struct str){text, s.n};
	return r;
}

static void check(const struct row *rows, size_t n, enum probe_stage stage)
{
	char text[1024];
	for (size_t i = 0; i < n; i++) {
		struct reply r = parse(rows[i].line, text);
		struct probe_reading got = probe_reply_read(stage, &r, STR("joe"), str_from(rows[i].mx));
		if (got.meaning != rows[i].meaning || (rows[i].cause && got.cause != rows[i].cause))
			fail_msg("%s: read as %s, cause %d, not %s, %d", rows[i].line, probe_meaning_name(got.meaning), got.cause,
			         probe_meaning_name(rows[i].meaning), rows[i].cause);
	}
}

/* The rows "RCPT ..." of the table that this implements, with the providers' own words. */
static const struct row at_rcpt[] = {
	{"250 ok", PROBE_ACCEPTED, 0, NULL},
	{"250 2.1.5 Recipient ok", PROBE_ACCEPTED, 0, NULL},
	{"251 User not local; will forward", PROBE_ACCEPTED, 0, NULL},
	{"252 Cannot VRFY user, but will accept message", PROBE_UNVERIFIABLE, 0, NULL},

	/* absent: by code */
	{"550 5.1.1 <joe@d.example>: Recipient address rejected: User unknown in virtual mailbox table", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 5.1.1 The email account that you tried to reach does not exist. Please try|5.1.1 double-checking the recipient's email address for typos or|5.1.1 unnecessary spaces. Learn more at https://support.google.com/mail/?p=NoSuchUser - gsmtp", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 5.1.2 Bad destination system address", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"553 5.1.3 Bad destination mailbox address syntax", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"551 5.1.6 Mailbox has moved, no forwarding address", PROBE_ABSENT, CAUSE_MOVED, NULL},
	{"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient joe@d.example not found by SMTP address lookup", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 5.2.1 The email account that you tried to reach is disabled. gsmtp", PROBE_ABSENT, CAUSE_MAILBOX_DISABLED, NULL},
	{"550 sorry, no mailbox here by that name. (#5.1.1)", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"554 5.1.1 anything", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	/* absent: providers' known forms */
	{"550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB3EUR04FT003.eop-eur04.prod.protection.outlook.com]", PROBE_ABSENT, CAUSE_NO_MAILBOX, "d-example.mail.protection.outlook.com"},
	{"550 5.4.1 Recipient address rejected: Access denied", PROBE_AMBIGUOUS, 0, NULL},
	{"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", PROBE_ABSENT, CAUSE_NO_MAILBOX, "outlook-com.olc.protection.outlook.com"},
	{"550 5.5.0 Requested action not taken: mailbox unavailable", PROBE_AMBIGUOUS, 0, "mx.example.org"},
	/* absent: words */
	{"550 Unknown user", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 No Such User Here", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [abc.de1]", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 <joe@d.example>... User unknown", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"553 sorry, no mailbox here by that name", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"554 delivery error: dd This user doesn't have a yahoo.com account (joe@yahoo.com) [0] - mta1.mail.yahoo.com", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"552 1 Requested mail action aborted, mailbox not found", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"554 30 Sorry, your message to joe@yahoo.com cannot be delivered. This mailbox is disabled (554.30).", PROBE_ABSENT, CAUSE_MAILBOX_DISABLED, NULL},
	{"550 5.0.0 User unknown", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Empfänger unbekannt", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Benutzer unbekannt", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 utilisateur inconnu", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Usuario desconocido", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 Utente sconosciuto", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 conta inexistente", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 gebruiker onbekend", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 nie ma takiego uzytkownika", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 пользователь не найден", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 邮箱不存在", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 ユーザーが存在しません", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},
	{"550 5.1.1 User unknown; see http://antispam.example/spam-policy", PROBE_ABSENT, CAUSE_NO_MAILBOX, NULL},

	/* never absent: words against the code, codes against the words, nothing at all */
	{"550 5.1.1 blocked using zen.spamhaus.org", PROBE_AMBIGUOUS, CAUSE_BLOCKLIST, NULL},
	{"550 5.7.1 User unknown", PROBE_AMBIGUOUS, 0, NULL},
	{"550 user unknown (spamfilter01.example.net)", PROBE_AMBIGUOUS, 0, NULL},
	{"550 user unknown, or your IP is blocked", PROBE_AMBIGUOUS, 0, NULL},
	{"550 5.4.1 [joe@d.example]: Recipient address rejected: Access denied [BL2NAM02FT061.eop-nam02.prod.protection.outlook.com]", PROBE_AMBIGUOUS, 0, NULL},
	{"550 no", PROBE_AMBIGUOUS, CAUSE_POLICY, NULL},
	{"550 Recipient not liked", PROBE_AMBIGUOUS, 0, NULL},
	{"550 Requested action not taken: mailbox unavailable", PROBE_AMBIGUOUS, 0, NULL},
	{"550 #5.1.0 Address rejected.", PROBE_AMBIGUOUS, 0, NULL},
	{"550 Unrouteable address", PROBE_AMBIGUOUS, 0, NULL},
	{"550 Administrative prohibition", PROBE_AMBIGUOUS, 0, NULL},
	{"554 5.7.1 <joe@d.example>: Recipient address rejected: Access denied", PROBE_AMBIGUOUS, 0, NULL},
	{"550 5.3.0 rejected", PROBE_AMBIGUOUS, 0, NULL},
	{"550 5.5.1 command rejected", PROBE_AMBIGUOUS, 0, NULL},
	{"551 User not local; please try <joe@other.example>", PROBE_AMBIGUOUS, 0, NULL},
	{"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", PROBE_AMBIGUOUS, CAUSE_RELAY_DENIED, NULL},
	{"554 5.7.1 <joe@d.example>: Relay access denied", PROBE_AMBIGUOUS, CAUSE_RELAY_DENIED, NULL},
	{"550 relaying denied: no such user here", PROBE_AMBIGUOUS, CAUSE_RELAY_DENIED, NULL},

	/* an echo of the address says nothing */
	{"550 <no.such.user@d.example>: rejected", PROBE_AMBIGUOUS, 0, NULL},
	{"550 unknown-user@d.example not wanted", PROBE_AMBIGUOUS, 0, NULL},
	{"550 <spamhaus-blacklist@d.example>: User unknown", PROBE_ABSENT, 0, NULL},

	/* exists: full, or too fast */
	{"552 5.2.2 Over quota", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"550 5.2.2 mailbox full", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"552 Requested mail action aborted: exceeded storage allocation", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"452 4.2.2 The email account that you tried to reach is over quota. gsmtp", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"452 try later", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. gsmtp", PROBE_FULL, CAUSE_RCPT_RATE, NULL},
	{"450 User is receiving mail too quickly", PROBE_FULL, CAUSE_RCPT_RATE, NULL},
	{"552 sorry, mailbox joe@d.example is over quota temporarily (#5.1.1)", PROBE_FULL, CAUSE_QUOTA, NULL},
	{"550 Postfach voll", PROBE_FULL, CAUSE_QUOTA, NULL},

	/* greylisting, in its disguises */
	{"450 4.2.0 <joe@d.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/d.example.html", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"451 4.7.1 Greylisting in action, please come back in 00:05:00", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"457 Greylisted, please come back later.", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"452 4.2.2 Greylisted, please try again in a few moments.", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"450 4.2.0 try again", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"451 Temporary failure, please try again later.", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
	{"451 4.7.1 <joe@d.example>: Recipient address rejected", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},

	/* temporary */
	{"450 Temporary error", PROBE_TEMPORARY, CAUSE_MAILBOX_BUSY, NULL},
	{"450 4.1.1 <joe@d.example>: Recipient address rejected: User unknown", PROBE_TEMPORARY, 0, NULL},
	{"451 4.3.0 <joe@d.example>: Temporary lookup failure", PROBE_TEMPORARY, CAUSE_DIRECTORY, NULL},
	{"450 4.1.1 <joe@d.example>: Recipient address rejected: unverified address: Address verification in progress", PROBE_TEMPORARY, CAUSE_DIRECTORY, NULL},
	{"452 4.3.1 Insufficient system storage", PROBE_TEMPORARY, CAUSE_STORAGE, NULL},
	{"451 Requested action aborted: local error in processing", PROBE_TEMPORARY, CAUSE_LOCAL_ERROR, NULL},
	{"451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77712344)", PROBE_TEMPORARY, CAUSE_OVERLOAD, NULL},
	{"354 go ahead", PROBE_TEMPORARY, CAUSE_PROTOCOL, NULL},
	{"421 4.3.2 Service not available", PROBE_BUSY, 0, NULL},
	{"452 4.5.3 Too many recipients", PROBE_BUSY, CAUSE_RATE_LIMIT, NULL},
	{"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", PROBE_BUSY, CAUSE_REPUTATION, NULL},
	{"421 VS1-IP Excessive unknown recipients - possible Open Relay (#4.1.8)", PROBE_BUSY, CAUSE_RATE_LIMIT, NULL},
	{"450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", PROBE_REFUSED_NOW, CAUSE_NO_RDNS, NULL},
	{"450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", PROBE_REFUSED_NOW, CAUSE_NO_RDNS, NULL},

	/* they refuse us */
	{"550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus", PROBE_BLOCKED, CAUSE_BLOCKLIST, NULL},
	{"550 5.7.606 Access denied, banned sending IP [192.0.2.1]", PROBE_BLOCKED, CAUSE_REPUTATION, NULL},
	{"553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, see http://postmaster.yahoo.com/550-bl23.html", PROBE_BLOCKED, CAUSE_BLOCKLIST, NULL},
	{"554 5.7.1 Mail from 192.0.2.1 refused, poor reputation", PROBE_BLOCKED, CAUSE_REPUTATION, NULL},
	{"550 5.7.1 SBRS too low", PROBE_BLOCKED, CAUSE_REPUTATION, NULL},
	{"550 5.7.25 The IP address sending this message does not have a PTR record", PROBE_BLOCKED, CAUSE_NO_RDNS, NULL},
	{"550 Not sent - no reverse lookup", PROBE_BLOCKED, CAUSE_NO_RDNS, NULL},
	{"550 listed at ips.backscatterer.org", PROBE_BLOCKED, CAUSE_BLOCKLIST, NULL},
	{"554 You've reached your daily relay quota - 192.0.2.1", PROBE_BLOCKED, CAUSE_RATE_LIMIT, NULL},
	{"550 SPF check failed for your host", PROBE_BLOCKED, CAUSE_AUTH_POLICY, NULL},

	/* the sender that we showed */
	{"550 missing BATV signature", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 5.7.1 <>: Sender address rejected", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 5.1.1 null sender not accepted for this recipient", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 this address never sends mail, bounces not accepted", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 5.1.8 Domain of sender address does not exist", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 Sender verify failed", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
	{"550 No Such User Here Sender Verify Failed", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},

	/* not for strangers */
	{"550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", PROBE_RESTRICTED, CAUSE_AUTH_REQUIRED, NULL},
	{"550 5.7.1 Sender not authorized to send to this group", PROBE_RESTRICTED, CAUSE_POLICY, NULL},
	{"530 5.7.0 Must issue a STARTTLS command first", PROBE_RESTRICTED, CAUSE_TLS_POLICY, NULL},

	/* they do not want to be asked */
	{"550 5.7.1 address verification is not allowed here", PROBE_OPT_OUT, CAUSE_POLICY, NULL},
	{"450 sender callouts are not welcome: callouts not supported", PROBE_OPT_OUT, CAUSE_POLICY, NULL},
	{"550 5.1.1 possible directory harvest attack", PROBE_OPT_OUT, CAUSE_POLICY, NULL},
};

static void every_row_of_the_table_at_rcpt(void **state)
{
	(void)state;
	check(at_rcpt, COUNT(at_rcpt), PROBE_RCPT);
}

static void any_5xx_before_rcpt_is_inconclusive(void **state)
{
	static const struct row mail[] = {
		{"250 ok", PROBE_ACCEPTED, 0, NULL},
		{"550 Error for <>", PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED, NULL},
		{"550 5.1.1 user unknown", PROBE_NULL_REFUSED, 0, NULL},
		{"501 5.1.7 Bad sender address syntax", PROBE_NULL_REFUSED, 0, NULL},
		{"503 nested MAIL command", PROBE_TEMPORARY, CAUSE_PROTOCOL, NULL},
		{"550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", PROBE_BLOCKED, CAUSE_BLOCKLIST, NULL},
		{"530 Authentication required", PROBE_BLOCKED, CAUSE_AUTH_REQUIRED, NULL},
		{"451 4.7.1 greylisted", PROBE_GREYLISTED, CAUSE_GREYLIST, NULL},
		{"452 4.3.1 Insufficient system storage", PROBE_TEMPORARY, CAUSE_STORAGE, NULL},
		{"421 closing", PROBE_BUSY, 0, NULL},
	};
	static const struct row connect[] = {
		{"554 No SMTP service here", PROBE_BLOCKED, 0, NULL},
		{"554 gmx.net (mxgmx015) Nemesis ESMTP Service not available|No SMTP service|IP address is block listed.", PROBE_BLOCKED, CAUSE_BLOCKLIST, NULL},
		{"550 5.1.1 user unknown", PROBE_BLOCKED, 0, NULL},
		{"521 d.example does not accept mail", PROBE_BLOCKED, 0, NULL},
		{"421 4.3.2 too many connections", PROBE_BUSY, CAUSE_RATE_LIMIT, NULL},
		{"450 busy, come back later", PROBE_GREYLISTED, 0, NULL},
		{"554 we do not want callouts: no callouts please", PROBE_OPT_OUT, 0, NULL},
	};
	(void)state;
	check(mail, COUNT(mail), PROBE_MAIL);
	check(connect, COUNT(connect), PROBE_CONNECT);
}

/* Whatever a server answers with a 4xx, or before RCPT, or about itself: it is never read as absence. */
static void nothing_else_is_absence(void **state)
{
	char text[1024], line[1024];
	(void)state;
	for (size_t i = 0; i < COUNT(at_rcpt); i++) {
		assert_true(strlen(at_rcpt[i].line) < sizeof(line));
		strcpy(line, at_rcpt[i].line);
		struct reply r = parse(line, text);
		for (int stage = PROBE_CONNECT; stage <= PROBE_MAIL; stage++)
			assert_int_not_equal(probe_reply_read((enum probe_stage)stage, &r, STR("joe"), STR_NONE).meaning, PROBE_ABSENT);
		line[0] = '4';
		if (line[4] == '5' && line[5] == '.')
			line[4] = '4';
		r = parse(line, text);
		assert_int_not_equal(probe_reply_read(PROBE_RCPT, &r, STR("joe"), STR_NONE).meaning, PROBE_ABSENT);
	}
}

static void a_misleading_local_part_is_left_out(void **state)
{
	char text[1024];
	struct reply r = parse("550 nosuchuser: rejected", text);
	(void)state;
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR("nosuchuser"), STR_NONE).meaning, PROBE_AMBIGUOUS);
	r = parse("550 user unknown", text); /* a plain local part does not blind us */
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR("user"), STR_NONE).meaning, PROBE_ABSENT);
	r = parse("550 list-bounces: user unknown", text);
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR("list-bounces"), STR_NONE).meaning, PROBE_ABSENT);
}

static void what_names_us_is_marked_for_the_breaker(void **state)
{
	char text[1024];
	struct reply r = parse("550 5.7.1 listed by spamhaus", text);
	(void)state;
	assert_true(probe_reply_read(PROBE_RCPT, &r, STR("joe"), STR_NONE).says_us);
	r = parse("550 5.7.1 access denied", text);
	assert_false(probe_reply_read(PROBE_RCPT, &r, STR("joe"), STR_NONE).says_us);
	r = parse("554 no", text);
	assert_true(probe_reply_read(PROBE_CONNECT, &r, STR_NONE, STR_NONE).says_us);
}

static void odd_texts_are_survived(void **state)
{
	char big[5000];
	struct reply r = {.code = 550};
	(void)state;
	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < sizeof(big); i += 7)
		big[i] = i % 2 ? '<' : ' ';
	r.text = (struct str){big, sizeof(big)};
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR("joe"), STR_NONE).meaning, PROBE_AMBIGUOUS);
	memset(big, '\xff', sizeof(big));
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR("joe"), STR_NONE).meaning, PROBE_AMBIGUOUS);
	r.text = STR_NONE;
	assert_int_equal(probe_reply_read(PROBE_RCPT, &r, STR_NONE, STR_NONE).meaning, PROBE_AMBIGUOUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_at_rcpt),
		cmocka_unit_test(any_5xx_before_rcpt_is_inconclusive),
		cmocka_unit_test(nothing_else_is_absence),
		cmocka_unit_test(a_misleading_local_part_is_left_out),
		cmocka_unit_test(what_names_us_is_marked_for_the_breaker),
		cmocka_unit_test(odd_texts_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
