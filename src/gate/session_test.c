/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dialogues: what each command is answered with, in and out of order, with verification off. */
#include "gate/talk.h"

static const char *const dialogues[] = {
	/* The whole of RFC 5321, once. */
	GREET ENVELOPE "> DATA\n< 354 \n> Subject: x\n> \n> body\n> ..\n> .\n< 250 2.0.0 Ok: queued as \n> QUIT\n< 221 2.0.0\n< closed\n",
	/* HELO is enough, names must be given, and MAIL needs one of them. */
	"< 220 \n> MAIL FROM:<a@good.example>\n< 503 5.5.1 Say EHLO first\n> HELO\n< 501 5.5.4\n> HELO c\n< 250 mx.here.example\n"
	"> MAIL FROM:<a@good.example>\n< 250 2.1.0\n",
	/* Sequence. */
	GREET "> RCPT TO:<a@here.example>\n< 503 5.5.1 Send MAIL\n> DATA\n< 503 5.5.1 Send MAIL\n"
	"> MAIL FROM:<a@good.example>\n< 250\n> MAIL FROM:<b@good.example>\n< 503 5.5.1 A transaction\n"
	"> DATA\n< 503 5.5.1 No valid recipients\n> RSET\n< 250 2.0.0\n> RCPT TO:<a@here.example>\n< 503\n",
	/* EHLO ends a transaction as RSET does. */
	GREET ENVELOPE "> EHLO again\n< 250 HELP\n> DATA\n< 503\n",
	/* Small commands. */
	GREET "> NOOP anything\n< 250 2.0.0\n> VRFY joe\n< 252 2.1.5\n> VRFY\n< 501 5.5.4\n> EXPN list\n< 502 5.5.1\n> HELP\n< 214 2.0.0\n"
	"> AUTH PLAIN\n< 502\n> ETRN x\n< 502\n> TURN\n< 500 5.5.2\n> LHLO x\n< 500 5.5.2\n> RSET now\n< 501\n> DATA now\n< 501\n"
	"> QUIT now\n< 501\n> quit\n< 221\n< closed\n",
	/* Addresses and parameters. */
	GREET "> MAIL FROM:a@b\n< 501 5.5.4\n> MAIL\n< 501\n> MAIL FROM:<a@good.example> FOO=1\n< 555 5.5.4\n"
	"> MAIL FROM:<a@good.example> BODY=BINARYMIME\n< 501 5.5.4\n> MAIL FROM:<@@>\n< 501 5.1.7\n"
	"> MAIL FROM:<j\xc3\xbcrg@good.example>\n< 553 5.6.7\n> MAIL FROM:<j\xc3\xbcrg@good.example> SMTPUTF8\n< 250\n> RSET\n< 250\n"
	"> MAIL FROM: <a@good.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x\n< 250\n"
	"> RCPT TO:<b@here.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@here.example\n< 250\n"
	"> RCPT TO:<c@here.example> NOTIFY=NEVER,DELAY\n< 501\n> RCPT TO:<>\n< 501\n> RCPT TO:<@x:b@here.example>\n< 250\n",
	/* Recipients. */
	GREET "> MAIL FROM:<>\n< 250\n> RCPT TO:<joe@list.example>\n< 250\n> RCPT TO:<JANE@LIST.example>\n< 250\n"
	"> RCPT TO:<nobody@list.example>\n< 550 5.1.1 <nobody@list.example>: No such user here\n> RCPT TO:<x@lost.example>\n< 451 4.3.0 Directory\n"
	"> RCPT TO:<x@elsewhere.example>\n< 554 5.7.1 <x@elsewhere.example>: Relay access denied\n> RCPT TO:<postmaster>\n< 250\n"
	"> RCPT TO:<PostMaster@lost.example>\n< 250\n> RCPT TO:<postmaster@elsewhere.example>\n< 554 5.7.1\n> RCPT TO:<x@[192.0.2.1]>\n< 554\n",
	/* All recipients refused, DATA pipelined behind them (RFC 2920 3.1). */
	GREET "! MAIL FROM:<a@good.example>\\r\\nRCPT TO:<nobody@list.example>\\r\\nDATA\\r\\nRSET\\r\\n\n< 250 2.1.0\n< 550 5.1.1\n< 503 5.5.1 No valid\n< 250 2.0.0\n",
	/* Pipelining, two messages in one go behind the 354s. */
	GREET "! MAIL FROM:<a@good.example>\\r\\nRCPT TO:<b@here.example>\\r\\nDATA\\r\\n\n< 250\n< 250\n< 354\n"
	"! A: b\\r\\n\\r\\nx\\r\\n.\\r\\nMAIL FROM:<c@good.example>\\r\\nRCPT TO:<d@here.example>\\r\\nDATA\\r\\n\n< 250 2.0.0 Ok: queued\n< 250\n< 250\n< 354\n"
	"! .\\r\\n\n< 250 2.0.0 Ok: queued\n",
	/* Only CR LF ends a line; a NUL ends the session. */
	GREET "! NOOP\\n\n< 500 5.5.2 Lines end\n! NO\\rOP\\r\\n\n< 500\n> NOOP\n< 250\n! NO\\0OP\\r\\n\n< 500\n< closed\n",
	/* Other protocols. */
	"< 220\n> GET / HTTP/1.1\n< 500 5.5.2\n< closed\n",
	"< 220\n> PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n< 421 4.3.5 PROXY\n< closed\n",
	"< 220\n! \\r\\n\\r\\n\\0\\r\\nQUIT\\n\n< 500\n< 500\n< 500\n< closed\n",
	/* CHUNKING, RFC 3030. */
	GREET ENVELOPE "! BDAT 6\\r\\nA: b\\r\\n\n< 250 2.0.0 6 octets\n! BDAT 4 LAST\\r\\n\\r\\nx\\n\n< 250 2.0.0 Ok: queued\n> RCPT TO:<a@here.example>\n< 503\n",
	GREET ENVELOPE "! BDAT 0 LAST\\r\\n\n< 250 2.0.0 Ok: queued\n",
	GREET ENVELOPE "! BDAT 0\\r\\nBDAT 1\\r\\nxBDAT 0 LAST\\r\\n\n< 250 2.0.0 0 oct\n< 250 2.0.0 1 oct\n< 250 2.0.0 Ok\n",
	GREET ENVELOPE "! BDAT 1\\r\\nx\n< 250\n> DATA\n< 503 5.5.1 BDAT has begun\n> MAIL FROM:<a@good.example>\n< 503 5.5.1 BDAT failed\n> RSET\n< 250\n> MAIL FROM:<a@good.example>\n< 250\n",
	GREET ENVELOPE "! BDAT 1\\r\\nx\n< 250\n> RCPT TO:<z@here.example>\n< 503\n> MAIL FROM:<a@good.example>\n< 503\n> RSET\n< 250\n! BDAT 4 LAST\\r\\nQUIT\n< 503 5.5.1 Send MAIL\n> NOOP\n< 250\n",
	GREET "! BDAT 6 LAST\\r\\nQUIT\\r\\n\n< 503 5.5.1 Send MAIL\n> NOOP\n< 250\n",
	GREET "> MAIL FROM:<a@good.example>\n< 250\n! BDAT 6\\r\\nRSET\\r\\nBDAT 6 LAST\\r\\nQUIT\\r\\n\n< 503 5.5.1 No valid\n< 503 5.5.1 BDAT failed\n> MAIL FROM:<a@good.example>\n< 503\n> RSET\n< 250\n> MAIL FROM:<a@good.example>\n< 250\n",
	GREET ENVELOPE "! BDAT x\\r\\nQUIT\\r\\n\n< 501 5.5.4 Syntax: BDAT\n< closed\n",
	GREET ENVELOPE "> BDAT -1\n< 501\n< closed\n",
	GREET ENVELOPE "> BDAT 99999999999999999999999\n< 501\n< closed\n",
	GREET ENVELOPE "> BDAT 9223372036854775807\n< 552 5.3.4\n< closed\n",
	GREET ENVELOPE "> BDAT 10 LATE\n< 501\n< closed\n",
	/* A look-alike of the end, in DATA and in chunks. */
	GREET ENVELOPE "> DATA\n< 354\n! x\\n.\\r\\ny\\r\\n.\\r\\n\n< 550 5.6.11\n> DATA\n< 503\n> NOOP\n< 250\n",
	GREET ENVELOPE "! BDAT 10 LAST\\r\\nxxx\\n.\\nyyyy\n< 550 5.6.11\n> DATA\n< 503\n",
	/* Too many hops. */
	/* Talking first. */
	"",
};

static void run_dialogues(struct bed *b)
{
	for (size_t i = 0; i < COUNT(dialogues); i++)
		talk_alone(b, "192.0.2.1", dialogues[i]);
}

static void test_dialogues(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		bed_run(run_dialogues, &(struct bed_options){.mode = VERIFY_MODE_OFF, .seed = seed});
}

/* --- what is offered --- */

static void check_ehlo(struct bed *b)
{
	static const char *const wanted[] = {
		"250-mx.here.example", "250-PIPELINING", "250-SIZE 52428800", "250-STARTTLS", "250-ENHANCEDSTATUSCODES",
		"250-8BITMIME", "250-DSN", "250-SMTPUTF8", "250-CHUNKING", "250-LIMITS RCPTMAX=1000 MAILMAX=10000", "250 HELP",
	};
	struct stream *c = bed_connect(b, "192.0.2.1");
	struct str line;
	struct err err;
	bool is_too_long;
	talk(c, "< 220\n> EHLO c.example\n");
	for (size_t i = 0; i < COUNT(wanted); i++) {
		assert_true(stream_read_line(c, 500, &line, NULL, &is_too_long, &err));
		assert_str(line, wanted[i]);
	}
	stream_close(c);
}

static void test_ehlo(void **state)
{
	bed_run(check_ehlo, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- who may relay, and the operator's exceptions --- */

static void check_relay(struct bed *b)
{
	talk_alone(b, "10.0.0.7", GREET "> MAIL FROM:<a@good.example>\n< 250\n> RCPT TO:<x@good.example>\n< 250\n"
	                                "> RCPT TO:<x@nowhere.example>\n< 550 5.1.2\n> RCPT TO:<x@nomail.example>\n< 550 5.1.2\n"
	                                "> RCPT TO:<x@broken.example>\n< 250\n> RCPT TO:<nobody@list.example>\n< 550 5.1.1\n");
	talk_alone(b, "192.0.2.1", GREET "> MAIL FROM:<a@here.example>\n< 250\n> RCPT TO:<x@good.example>\n< 554 5.7.1\n");
}

static void test_relay(void **state)
{
	bed_run(check_relay, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

static void check_exceptions(struct bed *b)
{
	talk_alone(b, "192.0.2.1", GREET "> MAIL FROM:<bad@good.example>\n< 550 5.7.1 <bad@good.example>: Refused by a rule\n"
	                                 "> MAIL FROM:<a@good.example>\n< 250\n> RCPT TO:<closed@here.example>\n< 550 5.7.1\n"
	                                 "> RCPT TO:<open@here.example>\n< 250\n");
	talk_alone(b, "198.51.100.1", GREET "> MAIL FROM:<a@good.example>\n< 550 5.7.1\n> MAIL FROM:<>\n< 550 5.7.1\n");
}

static void test_exceptions(void **state)
{
	bed_run(check_exceptions, &(struct bed_options){
		.mode = VERIFY_MODE_OFF,
		.exceptions = "sender bad@good.example refuse\nclient 198.51.100.0/24 refuse\nrecipient closed@here.example refuse\n",
	});
}

/* --- what is stored --- */

static struct spool_id id_of(const char *reply)
{
	struct spool_id id;
	const char *ref = strrchr(reply, ' ');
	assert_non_null(ref);
	assert_true(spool_id_parse(str_from(ref + 1), &id));
	return id;
}

static struct spool_id send_message(struct stream *c, const char *envelope, const char *message)
{
	char reply[600];
	talk(c, envelope);
	talk(c, "> DATA\n< 354\n");
	talk_raw(c, str_from(message));
	return id_of(bed_reply(c, reply));
}

static void read_message(struct bed *b, struct spool_id id, struct buf *out)
{
	struct err err;
	size_t got;
	do {
		char *room = buf_reserve(out, 4096);
		assert_true(spool_read(b->spool, id, out->n, room, 4096, &got, &err));
		buf_added(out, got);
	} while (got);
}

static void check_stored(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf text = {.max = 1 << 20};
	struct spool_envelope e;
	struct err err;
	talk(c, GREET);
	struct spool_id id = send_message(c, "> MAIL FROM:<Joe@good.example> RET=FULL ENVID=QQ BODY=8BITMIME SMTPUTF8\n< 250\n"
	                                     "> RCPT TO:<jane@here.example> NOTIFY=FAILURE ORCPT=rfc822;j@x\n< 250\n"
	                                     "> RCPT TO:<jane@here.example>\n< 250\n> RCPT TO:<postmaster>\n< 250\n",
	                                  "X-Postern-Sender: exists\\r\\nSubject: x\\r\\nAuthentication-Results: MX.Here.Example; spf=pass\\r\\n"
	                                  " smtp.mailfrom=x\\r\\nAuthentication-Results: other.example; spf=pass\\r\\nReturn-Path: <a@b>\\r\\n"
	                                  "\\r\\nbody\\r\\n..dot\\r\\nX-Postern-Sender: in the body\\r\\n.\\r\\n");
	assert_true(spool_read_envelope(b->spool, id, &arena, &e, &err));
	assert_str(e.sender, "Joe@good.example");
	assert_str(e.envid, "QQ");
	assert_str(e.helo, "c.example");
	assert_true(e.ret == SMTP_RET_FULL && e.body == SMTP_BODY_8BITMIME && e.smtputf8);
	assert_int_equal(e.n_rcpts, 2);
	assert_str(e.rcpts[0].address, "jane@here.example");
	assert_str(e.rcpts[0].orcpt, "rfc822;j@x");
	assert_int_equal(e.rcpts[0].notify, SMTP_NOTIFY_FAILURE);
	assert_str(e.rcpts[1].address, "postmaster@here.example");
	assert_true(str_find(e.trail, STR("queued as")) < e.trail.n);
	assert_true(str_find(e.trail, STR("jane@here.example")) < e.trail.n);
	read_message(b, id, &text);
	struct str message = buf_view(&text);
	assert_true(str_starts(message, STR("Received: from c.example ([192.0.2.1])")));
	assert_true(str_find(message, STR("with UTF8SMTP")) < message.n);
	size_t end = str_find(message, STR("Subject: x\r\n"));
	assert_str(str_skip(message, end), "Subject: x\r\nAuthentication-Results: other.example; spf=pass\r\n\r\nbody\r\n.dot\r\n"
	                                   "X-Postern-Sender: in the body\r\n");
	assert_true(str_find(str_slice(message, 0, end), STR("jane@here")) == end);
	text.n = 0;
	id = send_message(c, ENVELOPE, ".\\r\\n");
	read_message(b, id, &text);
	assert_true(str_find(buf_view(&text), STR("for <jane@here.example>")) < text.n);
	stream_close(c);
}

static void test_stored(void **state)
{
	bed_run(check_stored, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- history --- */

static void check_history(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct str *found;
	size_t n;
	struct err err;
	talk_alone(b, "192.0.2.1", GREET ENVELOPE "> DATA\n< 354\n> x: y\n> .\n< 250\n"
	                           "> MAIL FROM:<bad@good.example>\n< 550\n"
	                           "> MAIL FROM:<b@good.example>\n< 250\n> RCPT TO:<nobody@list.example>\n< 550\n> RSET\n< 250\n"
	                           "> MAIL FROM:<c@good.example>\n< 250\n> RSET\n< 250\n> QUIT\n< 221\n");
	assert_true(rt_sleep(5 * USEC_S, "test", &err));
	assert_true(history_find(b->history, HISTORY_IP, STR("192.0.2.1"), 10, &arena, &found, &n, &err));
	assert_int_equal(n, 3);
	assert_true(history_find(b->history, HISTORY_ADDRESS, STR("bad@good.example"), 10, &arena, &found, &n, &err));
	assert_int_equal(n, 1);
	assert_true(str_find(found[0], STR("550 5.7.1")) < found[0].n);
}

static void test_history(void **state)
{
	bed_run(check_history, &(struct bed_options){.mode = VERIFY_MODE_OFF, .exceptions = "sender bad@good.example refuse\n"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),  cmocka_unit_test(test_ehlo),    cmocka_unit_test(test_relay),
		cmocka_unit_test(test_exceptions), cmocka_unit_test(test_stored), cmocka_unit_test(test_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
