/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random sessions against a small reference machine: what each command is answered with, and that after each answer the
 * session's state is the machine's, above all that a refused or finished message leaves nothing behind.
 */
#include "gate/talk.h"

#include "base/random.h"

/* The reference: all that a session may remember from one command to the next. */
struct model {
	bool has_helo, is_open, is_chunked, needs_reset;
	bool is_spoiled;   /* a chunk had a look-alike of the end: told at the last one */
	size_t rcpts;
	uint64_t accepted;
};

static void forget(struct model *m)
{
	m->is_open = m->is_chunked = m->is_spoiled = false;
	m->rcpts = 0;
}

/* What stands in the way of MAIL, RCPT, data: 0 or 503. */
static int mail_fault(const struct model *m)
{
	return !m->has_helo || m->is_open || m->needs_reset ? 503 : 0;
}
static int rcpt_fault(const struct model *m)
{
	return !m->is_open || m->is_chunked ? 503 : 0;
}
static int data_fault(const struct model *m)
{
	return m->needs_reset || !m->is_open || m->rcpts == 0 ? 503 : 0;
}

static int end_message(struct model *m, int code)
{
	forget(m);
	m->accepted += code == 250;
	return code;
}

static int after_mail(struct model *m, int code)
{
	int fault = mail_fault(m);
	if (!fault && code == 250)
		m->is_open = true;
	return fault ? fault : code;
}
static int after_rcpt(struct model *m, int code)
{
	int fault = rcpt_fault(m);
	if (!fault && code == 250)
		m->rcpts++;
	return fault ? fault : code;
}

static int after_chunk(struct model *m, bool is_last, bool is_spoiled, bool is_too_big)
{
	bool was_open = m->is_open;
	if (data_fault(m)) {
		forget(m);
		m->needs_reset = m->needs_reset || (was_open && !is_last);
		return 503;
	}
	m->is_chunked = true;
	m->is_spoiled = m->is_spoiled || is_spoiled;
	if (is_too_big) {
		forget(m);
		m->needs_reset = !is_last;
		return 552;
	}
	if (!is_last)
		return 250;
	return end_message(m, m->is_spoiled ? 550 : 250);
}

enum {
	C_EHLO, C_HELO, C_HELO_EMPTY, C_MAIL, C_MAIL_NULL, C_MAIL_BAD, C_MAIL_BIG, C_MAIL_RULE, C_RCPT, C_RCPT_OTHER, C_RCPT_ABSENT,
	C_RCPT_RELAY, C_RCPT_BAD, C_RCPT_ERROR, C_DATA, C_DATA_SPOILED, C_DATA_BIG, C_BDAT, C_BDAT_LAST, C_BDAT_SPOILED, C_BDAT_BIG,
	C_BDAT_BIG_LAST, C_BDAT_ZERO, C_BDAT_ZERO_LAST, C_RSET, C_NOOP, C_VRFY, C_JUNK, C_LONG, C_COUNT
};

static char big[4001], long_line[3000];

static const struct {
	const char *name, *bytes;
} commands[C_COUNT] = {
	[C_EHLO] = {"EHLO", "EHLO c.example\r\n"},
	[C_HELO] = {"HELO", "HELO c.example\r\n"},
	[C_HELO_EMPTY] = {"HELO without name", "HELO\r\n"},
	[C_MAIL] = {"MAIL", "MAIL FROM:<a@good.example>\r\n"},
	[C_MAIL_NULL] = {"MAIL <>", "MAIL FROM:<>\r\n"},
	[C_MAIL_BAD] = {"bad MAIL", "MAIL FROM:<a@@>\r\n"},
	[C_MAIL_BIG] = {"big MAIL", "MAIL FROM:<a@good.example> SIZE=100000\r\n"},
	[C_MAIL_RULE] = {"refused MAIL", "MAIL FROM:<bad@good.example>\r\n"},
	[C_RCPT] = {"RCPT", "RCPT TO:<a@here.example>\r\n"},
	[C_RCPT_OTHER] = {"other RCPT", "RCPT TO:<joe@list.example>\r\n"},
	[C_RCPT_ABSENT] = {"absent RCPT", "RCPT TO:<nobody@list.example>\r\n"},
	[C_RCPT_RELAY] = {"relay RCPT", "RCPT TO:<a@other.example>\r\n"},
	[C_RCPT_BAD] = {"bad RCPT", "RCPT TO:a\r\n"},
	[C_RCPT_ERROR] = {"failing RCPT", "RCPT TO:<a@lost.example>\r\n"},
	[C_DATA] = {"DATA", "DATA\r\n"},
	[C_DATA_SPOILED] = {"spoiled DATA", "DATA\r\n"},
	[C_DATA_BIG] = {"big DATA", "DATA\r\n"},
	[C_BDAT] = {"BDAT", "BDAT 6\r\nRSET\r\n"},
	[C_BDAT_LAST] = {"BDAT LAST", "BDAT 6 LAST\r\nQUIT\r\n"},
	[C_BDAT_SPOILED] = {"spoiled BDAT", "BDAT 8\r\nx\n.\nMAIL"},
	[C_BDAT_BIG] = {"big BDAT", "BDAT 4000\r\n"},
	[C_BDAT_BIG_LAST] = {"big BDAT LAST", "BDAT 4000 LAST\r\n"},
	[C_BDAT_ZERO] = {"BDAT 0", "BDAT 0\r\n"},
	[C_BDAT_ZERO_LAST] = {"BDAT 0 LAST", "BDAT 0 LAST\r\n"},
	[C_RSET] = {"RSET", "RSET\r\n"},
	[C_NOOP] = {"NOOP", "NOOP\r\n"},
	[C_VRFY] = {"VRFY", "VRFY a\r\n"},
	[C_JUNK] = {"junk", "FOO\r\n"},
	[C_LONG] = {"long line", long_line},
};

/* The one place that says what RFC 5321 and 3030 make of it; DATA is told apart by the caller. */
static int expect(struct model *m, int command)
{
	switch (command) {
	case C_EHLO:
	case C_HELO:
		forget(m);
		m->has_helo = true;
		m->needs_reset = false;
		return 250;
	case C_HELO_EMPTY:
		return 501;
	case C_MAIL:
	case C_MAIL_NULL:
		return after_mail(m, 250);
	case C_MAIL_BAD:
		return after_mail(m, 501);
	case C_MAIL_BIG:
		return after_mail(m, 552);
	case C_MAIL_RULE:
		return after_mail(m, 550);
	case C_RCPT:
	case C_RCPT_OTHER:
		return after_rcpt(m, 250);
	case C_RCPT_ABSENT:
		return after_rcpt(m, 550);
	case C_RCPT_RELAY:
		return after_rcpt(m, 554);
	case C_RCPT_BAD:
		return after_rcpt(m, 501);
	case C_RCPT_ERROR:
		return after_rcpt(m, 451);
	case C_BDAT:
	case C_BDAT_ZERO:
		return after_chunk(m, false, false, false);
	case C_BDAT_LAST:
	case C_BDAT_ZERO_LAST:
		return after_chunk(m, true, false, false);
	case C_BDAT_SPOILED:
		return after_chunk(m, false, true, false);
	case C_BDAT_BIG:
		return after_chunk(m, false, false, true);
	case C_BDAT_BIG_LAST:
		return after_chunk(m, true, false, true);
	case C_RSET:
		forget(m);
		m->needs_reset = false;
		return 250;
	case C_NOOP:
		return 250;
	case C_VRFY:
		return 252;
	}
	return 500; /* junk, and lines that are too long */
}

static int expect_data(struct model *m)
{
	if (!data_fault(m) && !m->is_chunked)
		return 354;
	if (m->is_open && m->is_chunked && !data_fault(m)) {
		forget(m);
		m->needs_reset = true;
	}
	return 503;
}

struct run {
	struct bed *bed;
	struct stream *c;
	struct model model;
	char story[4096]; /* the commands so far, for the message of a failure */
};

static void check_reply(struct run *r, int wanted)
{
	char reply[600];
	if (atoi(bed_reply(r->c, reply)) != wanted)
		fail_msg("wanted %d, got \"%s\" after%s", wanted, reply, r->story);
}

static void check_state(struct run *r)
{
	const struct model *m = &r->model;
	const struct session *s = container_of(list_first(&r->bed->gate->sessions), struct session, link);
	bool same = (s->tx != NULL) == m->is_open && s->needs_reset == m->needs_reset && (s->helo != NULL) == m->has_helo &&
	            r->bed->gate->n_transactions == m->is_open && bed_accepted(r->bed) == m->accepted && !s->is_ending;
	if (same && s->tx)
		same = s->tx->is_chunked == m->is_chunked && s->tx->n_rcpts <= m->rcpts && (s->tx->n_rcpts > 0) == (m->rcpts > 0);
	if (same && !s->tx)
		same = r->bed->gate->memory == 0;
	if (!same)
		fail_msg("state differs after%s", r->story);
}

static void send_data(struct run *r, int command)
{
	if (command == C_DATA) {
		bed_send(r->c, STR("A: b\r\n\r\nRSET\r\n.\r\n"));
		check_reply(r, end_message(&r->model, 250));
	} else if (command == C_DATA_SPOILED) {
		bed_send(r->c, STR("A: b\r\n\r\nx\n.\r\nRSET\r\n.\r\n"));
		check_reply(r, end_message(&r->model, 550));
	} else {
		bed_send(r->c, str_from(big));
		bed_send(r->c, STR("\r\n.\r\n"));
		check_reply(r, end_message(&r->model, 552));
	}
}

static void send_command(struct run *r, int command)
{
	bool is_big = command == C_BDAT_BIG || command == C_BDAT_BIG_LAST;
	size_t n = strlen(r->story);
	if (n > sizeof r->story - 100)
		n = 0;
	snprintf(r->story + n, sizeof r->story - n, " %s;", commands[command].name);
	stream_write(r->c, str_from(commands[command].bytes));
	if (is_big)
		stream_write(r->c, str_from(big));
}

/* Up to five commands in one packet: pipelining must change nothing. DATA ends a packet (RFC 2920 3.1). */
static void step(struct run *r)
{
	int sent[5], n = 0, want = 1 + (int)random_below(5);
	struct err err;
	do {
		sent[n] = (int)random_below(C_COUNT);
		send_command(r, sent[n]);
	} while ((sent[n] < C_DATA || sent[n] > C_DATA_BIG) && ++n < want);
	stream_flush(r->c, &err);
	for (int i = 0; i < n; i++)
		check_reply(r, expect(&r->model, sent[i]));
	if (n < want) {
		int code = expect_data(&r->model);
		check_reply(r, code);
		if (code == 354)
			send_data(r, sent[n]);
	}
	check_state(r);
}

static void run_random_sessions(struct bed *b)
{
	uint64_t accepted = 0;
	for (int session = 0; session < 12; session++) {
		struct run *r = mem_new(struct run);
		struct err err;
		r->bed = b;
		r->model.accepted = accepted;
		r->c = bed_connect(b, "192.0.2.1");
		check_reply(r, 220);
		for (int i = 0; i < 400; i++)
			step(r);
		accepted = r->model.accepted;
		stream_close(r->c);
		while (gate_session_count(b->gate))
			assert_true(rt_yield(&err));
		assert_int_equal(b->gate->n_transactions, 0);
		free(r);
	}
	assert_true(accepted > 10); /* the walk does reach the end of messages */
}

static void no_limits(struct gate_conf *conf)
{
	conf->errors = conf->commands = conf->messages = INT32_MAX;
	conf->message_size = 3000;
	conf->session = conf->transaction = USEC_DAY;
}

static void test_random_sessions(void **state)
{
	const char *text = getenv("POSTERN_SEED");
	uint64_t first = text ? strtoull(text, NULL, 10) : 1;
	for (uint64_t seed = first; seed < first + 5; seed++)
		bed_run(run_random_sessions, &(struct bed_options){
			.mode = VERIFY_MODE_OFF,
			.seed = seed,
			.configure = no_limits,
			.exceptions = "sender bad@good.example refuse\n",
		});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_sessions)};
	memset(big, 'x', sizeof big - 1);
	memset(long_line, 'y', sizeof long_line - 3);
	memcpy(long_line + sizeof long_line - 3, "\r\n", 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
