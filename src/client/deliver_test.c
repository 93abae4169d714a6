/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions with next hops of all habits: what becomes of each recipient, and what the host has heard. */
#include "client/deliver.h"

#include "client/test_server.h"

#include <ctype.h>

#define HOST_IP "20.0.0.1"
#define SMALL   "Subject: x\r\n\r\n.dot\r\nbare\nline\rend"

struct source {
	struct str text;
	size_t fails_at;     /* 0: never */
	unsigned reads, dots;
};

static bool read_source(void *arg, uint64_t offset, void *out, size_t n, size_t *got, struct err *err)
{
	struct source *s = arg;
	s->reads++;
	if (s->fails_at && offset >= s->fails_at)
		return err_temp(err, CAUSE_STORAGE, "disk on fire");
	struct str piece = str_slice(str_skip(s->text, (size_t)offset), 0, n);
	memcpy(out, piece.p ? piece.p : "", piece.n);
	*got = piece.n;
	return true;
}

static void count_dot(void *arg)
{
	((struct source *)arg)->dots++;
}

/* One letter for each recipient: D delivered, T 4xx, P 5xx, small when it came at the end of data, ? unanswered. */
struct delivery_case {
	const char *name;
	struct test_server server;
	const char *rcpts;           /* "a b c" at example.net */
	const char *sender;
	const char *text;
	enum smtp_body body;
	bool smtputf8, has_dsn_wishes;
	size_t size;                 /* instead of text: that many bytes in lines */
	size_t fails_at;
	/* expected */
	bool is_broken;
	const char *results;
	unsigned messages, dots;
	bool is_in_doubt, is_lost;
	const char *heard, *never_heard, *message;
};

#define ALL "PIPELINING CHUNKING 8BITMIME SIZE SMTPUTF8 DSN"
static const struct delivery_case cases[] = {
	{"plain", {0}, "a b", .results = "DD", .messages = 1, .dots = 1, .heard = "RCPT TO:<b@example.net>\nDATA\n",
	 .message = "Subject: x\r\n\r\n.dot\r\nbare\r\nline\r\nend\r\n"},
	{"pipelined", {.offers = "PIPELINING"}, "a b", .results = "DD", .messages = 1, .dots = 1, .heard = "DATA\n",
	 .message = "Subject: x\r\n\r\n.dot\r\nbare\r\nline\r\nend\r\n"},
	{"one flight", {.offers = ALL}, "a b", .results = "DD", .messages = 1, .dots = 1,
	 .heard = "MAIL FROM:<s@example.org> SIZE=33\nRCPT TO:<a@example.net>\nRCPT TO:<b@example.net>\nBDAT 37 LAST\nQUIT\n",
	 .message = "Subject: x\r\n\r\n.dot\r\nbare\r\nline\r\nend\r\n"},
	{"large in DATA even with CHUNKING", {.offers = ALL}, "a", .size = 300000, .results = "D", .messages = 1, .dots = 1,
	 .heard = "DATA\n", .never_heard = "BDAT"},
	{"empty message", {.offers = ALL}, "a", .text = "", .results = "D", .messages = 1, .dots = 1, .heard = "DATA\n"},
	{"null sender", {0}, "a", .sender = "", .results = "D", .messages = 1, .dots = 1, .heard = "MAIL FROM:<>\n"},
	{"some refused", {.offers = "PIPELINING", .rules = {{"RCPT TO:<b", "550 5.1.1 no"}, {"RCPT TO:<c", "451 4.7.1 grey"}}},
	 "a b c", .results = "DPT", .messages = 1, .dots = 1},
	{"some refused, BDAT", {.offers = ALL, .rules = {{"RCPT TO:<b", "550 5.1.1 no"}}}, "a b", .results = "DP", .messages = 1,
	 .dots = 1, .never_heard = "RSET"},
	{"all refused", {0}, "a b", .results = "PP", .never_heard = "DATA", .heard = "RSET",
	 .server.rules = {{"RCPT", "550 5.1.1 no"}}},
	{"all refused, DATA refused too", {.offers = "PIPELINING", .rules = {{"RCPT", "550 5.1.1 no"}}}, "a b", .results = "PP",
	 .heard = "RSET"},
	{"all refused, DATA taken all the same", {.offers = "PIPELINING", .rules = {{"RCPT", "550 no"}, {"DATA", "354 ok"},
	 {".", "554 nobody"}}}, "a b", .results = "PP", .heard = "RSET"},
	{"all refused, BDAT", {.offers = ALL, .rules = {{"RCPT", "451 4.7.1 grey"}}}, "a b", .results = "TT", .dots = 1,
	 .heard = "RSET"},
	{"MAIL refused", {0}, "a b", .results = "PP", .server.rules = {{"MAIL", "550 5.7.1 you"}}, .never_heard = "RCPT"},
	{"MAIL deferred, pipelined", {.offers = "PIPELINING", .rules = {{"MAIL", "451 4.7.1 later"}, {"RCPT", "503 first MAIL"}}},
	 "a b", .results = "TT"},
	{"MAIL refused, BDAT", {.offers = ALL, .rules = {{"MAIL", "550 5.7.1 you"}, {"RCPT", "503 first MAIL"}}}, "a b",
	 .results = "PP", .dots = 1},
	{"421 at MAIL", {.offers = "PIPELINING", .rules = {{"MAIL", "421 4.3.2 bye"}}}, "a b", .results = "TT", .is_lost = true},
	{"421 at the second RCPT", {.rules = {{"RCPT TO:<b", "421 4.7.0 enough"}}}, "a b c", .results = "TTT", .is_lost = true},
	{"DATA deferred", {.offers = "PIPELINING", .rules = {{"DATA", "451 4.3.0 disk"}}}, "a b", .results = "tt", .heard = "RSET"},
	{"DATA answered 250", {.offers = "PIPELINING", .rules = {{"DATA", "250 what"}}}, "a", .results = "?", .is_broken = true,
	 .is_lost = true},
	{"dot refused", {.offers = "PIPELINING", .rules = {{".", "554 5.7.1 spam"}}}, "a b", .results = "pp", .dots = 1,
	 .never_heard = "RSET"},
	{"BDAT refused", {.offers = ALL, .rules = {{".", "452 4.3.1 disk"}}}, "a b", .results = "tt", .dots = 1, .heard = "RSET"},
	{"421 at the dot", {.offers = "PIPELINING", .rules = {{".", "421 4.3.2 closing"}}}, "a b", .results = "tt", .dots = 1,
	 .is_lost = true},
	{"lost behind the dot", {.offers = "PIPELINING", .rules = {{".", "!close"}}}, "a b", .results = "??", .dots = 1,
	 .is_broken = true, .is_in_doubt = true, .is_lost = true},
	{"silent behind the dot", {.offers = ALL, .rules = {{".", "!silent"}}}, "a", .results = "?", .dots = 1, .is_broken = true,
	 .is_in_doubt = true, .is_lost = true},
	{"lost at RCPT", {.rules = {{"RCPT TO:<b", "!close"}}}, "a b", .results = "??", .is_broken = true, .is_lost = true},
	{"lost within the data", {.offers = "PIPELINING", .rules = {{"..", "!reset"}}}, "a", .size = 3000000, .results = "?",
	 .is_broken = true, .is_lost = true},
	{"unreadable message", {.offers = "PIPELINING"}, "a", .size = 300000, .fails_at = 100000, .results = "?", .is_broken = true,
	 .is_lost = true},
	{"a small message is read in one piece", {.offers = ALL}, "a", .fails_at = 1, .size = 5000, .results = "D", .messages = 1, .dots = 1},
	{"LMTP, mixed", {.is_lmtp = true, .offers = "PIPELINING CHUNKING", .rules = {{"RCPT TO:<b", "550 5.1.1 no"},
	 {".", "250 2.0.0 kept", 1}, {".", "452 4.2.2 full", 1}, {".", "552 5.2.3 too large", 1}}}, "a b c d", .results = "DPtp",
	 .messages = 1, .dots = 1, .never_heard = "BDAT"},
	{"LMTP, lost between two answers", {.is_lmtp = true, .offers = "PIPELINING", .rules = {{".", "250 2.0.0 kept", 1},
	 {".", "!close", 1}}}, "a b", .results = "D?", .messages = 1, .dots = 1, .is_broken = true, .is_in_doubt = true,
	 .is_lost = true},
	{"too large", {.offers = "SIZE_1000"}, "a", .size = 1001, .results = "P", .never_heard = "MAIL"},
	{"just fits", {.offers = "SIZE_1000"}, "a", .size = 1000, .results = "D", .messages = 1, .dots = 1, .heard = "SIZE=1000"},
	{"8 bit for 7", {0}, "a", .text = "\r\nh\xc3\xa9", .body = SMTP_BODY_8BITMIME, .results = "P", .never_heard = "MAIL"},
	{"8 bit announced, none there", {0}, "a", .body = SMTP_BODY_8BITMIME, .results = "D", .messages = 1, .dots = 1,
	 .never_heard = "BODY="},
	{"8 bit", {.offers = "8BITMIME"}, "a", .text = "\r\nh\xc3\xa9", .body = SMTP_BODY_8BITMIME, .results = "D", .messages = 1,
	 .dots = 1, .heard = "BODY=8BITMIME"},
	{"UTF-8 recipient", {0}, "a \xc3\xa9", .smtputf8 = true, .results = "DP", .messages = 1, .dots = 1},
	{"UTF-8 domain of the sender", {0}, "a", .sender = "s@b\xc3\xbc" "cher.example", .smtputf8 = true, .results = "D",
	 .messages = 1, .dots = 1, .heard = "MAIL FROM:<s@xn--bcher-kva.example>\n"},
	{"UTF-8 sender", {0}, "a", .sender = "\xc3\xa9@example.org", .smtputf8 = true, .results = "P", .never_heard = "MAIL"},
	{"UTF-8 header", {.offers = "8BITMIME"}, "a", .text = "Subject: \xc3\xa9\r\n\r\nx", .smtputf8 = true, .results = "P"},
	{"UTF-8 body only", {.offers = "8BITMIME"}, "a", .text = "Subject: e\r\n\r\n\xc3\xa9", .smtputf8 = true,
	 .body = SMTP_BODY_8BITMIME, .results = "D", .messages = 1, .dots = 1},
	{"UTF-8 offered", {.offers = ALL}, "\xc3\xa9", .smtputf8 = true, .text = "Subject: \xc3\xa9\r\n\r\nx", .results = "D",
	 .messages = 1, .dots = 1, .heard = " SMTPUTF8\n"},
	{"DSN wishes", {.offers = "DSN"}, "a", .has_dsn_wishes = true, .results = "D", .messages = 1, .dots = 1,
	 .heard = "MAIL FROM:<s@example.org> RET=HDRS ENVID=QQ+2B1\nRCPT TO:<a@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x\n"},
	{"DSN wishes, not offered", {.offers = "SIZE"}, "a", .has_dsn_wishes = true, .results = "D", .messages = 1, .dots = 1,
	 .never_heard = "NOTIFY"},
	{"RCPTMAX", {.offers = "PIPELINING LIMITS_RCPTMAX=2"}, "a b c", .results = "DD?", .messages = 1, .dots = 1},
};

static char *many_lines(size_t n)
{
	char *p = mem_alloc(n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = "0123456789abcdef.\r\n"[i % 19];
	if (n > 1)
		memcpy(p + n - 2, "\r\n", 2);
	return p;
}

static size_t fill_rcpts(const char *names, struct arena *arena, struct deliver_rcpt *out, bool has_dsn_wishes)
{
	size_t n = 0;
	struct str rest = str_from(names), word;
	while (str_next_word(&rest, &word)) {
		out[n].address = arena_printf(arena, "%.*s@example.net", STR_ARG(word));
		if (has_dsn_wishes) {
			out[n].orcpt = STR("rfc822;a+2Bb@x");
			out[n].notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY;
		}
		n++;
	}
	return n;
}

static char letter(const struct deliver_rcpt *r)
{
	if (!r->is_answered)
		return '?';
	if (r->is_delivered)
		return 'D';
	char c = r->reply.code >= 500 ? 'P' : 'T';
	return r->is_data_stage ? (char)tolower(c) : c;
}

static void check_results(const struct delivery_case *t, const struct deliver_job *job)
{
	char got[40] = "";
	for (size_t i = 0; i < job->n; i++)
		got[i] = letter(&job->rcpts[i]);
	if (strcmp(got, t->results) != 0)
		fail_msg("%s: got %s, want %s", t->name, got, t->results);
}

static void deliver_case(const struct delivery_case *t, struct test_server *server, struct group *group)
{
	struct err err;
	struct ip ip;
	struct smtp_client c;
	struct reply said;
	enum client_open outcome;
	struct smtp_client_conf conf = {.helo = STR("me.example"), .is_lmtp = server->is_lmtp};
	auto_arena struct arena arena = {.max = 65536};
	auto_free char *lines = t->size ? many_lines(t->size) : NULL;
	struct source source = {.text = str_from(lines ? lines : t->text ? t->text : SMALL), .fails_at = t->fails_at};
	struct deliver_rcpt rcpts[8] = {0};
	struct deliver_job job = {.sender = t->sender ? str_from(t->sender) : STR("s@example.org"), .body = t->body,
		.smtputf8 = t->smtputf8, .size = source.text.n, .read = read_source, .before_dot = count_dot, .arg = &source,
		.rcpts = rcpts};
	if (t->has_dsn_wishes) {
		job.ret = SMTP_RET_HDRS;
		job.envid = STR("QQ+1");
	}
	job.n = fill_rcpts(t->rcpts, &arena, rcpts, t->has_dsn_wishes);
	assert_true(ip_parse(STR(HOST_IP), &ip));
	server_start(server, group);
	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &said, &err));
	assert_int_equal(outcome, CLIENT_READY);
	bool ok = deliver_run(&c, &job, &err);
	assert_row(ok == !t->is_broken, t->name);
	check_results(t, &job);
	assert_row(job.is_in_doubt == t->is_in_doubt, t->name);
	assert_row(job.is_sent == (t->dots > 0), t->name);
	assert_row(c.is_lost == t->is_lost, t->name);
	assert_row(source.dots == t->dots, t->name);
	smtp_client_close(&c);
	assert_row(server->messages == t->messages, t->name);
	assert_row(!t->heard || server_heard(server, t->heard), t->name);
	assert_row(!t->never_heard || !server_heard(server, t->never_heard), t->name);
	if (t->message)
		assert_str(buf_view(&server->message), t->message);
	if (t->size && t->messages)
		assert_true(str_eq(buf_view(&server->message), source.text) || !server->messages);
}

static void run_case(void *arg)
{
	const struct delivery_case *t = arg;
	struct group group;
	struct test_server server = t->server;
	server.ip = HOST_IP;
	group_init(&group, "servers");
	deliver_case(t, &server, &group);
	group_done(&group);
	server_stop(&server);
}

static void run(void (*fn)(void *), void *arg)
{
	struct err err;
	struct rt_options options = {.is_fake = true, .seed = 7};
	assert_true(rt_run(&options, fn, arg, &err));
}

static void delivers(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		run(run_case, (void *)&cases[i]);
}

/* --- a session's many messages, and many recipients --- */

static void deliver_many(void *arg)
{
	struct err err;
	struct ip ip;
	struct group group;
	struct smtp_client c;
	struct reply said;
	enum client_open outcome;
	struct smtp_client_conf conf = {.helo = STR("me.example")};
	struct test_server server = {.ip = HOST_IP, .offers = arg};
	auto_arena struct arena arena = {.max = 1 << 20};
	struct deliver_rcpt *rcpts = arena_alloc(&arena, 250 * sizeof(*rcpts));
	struct source source = {.text = STR(SMALL)};
	struct deliver_job job = {.sender = STR("s@example.org"), .size = source.text.n, .read = read_source, .arg = &source,
		.rcpts = rcpts, .n = 250};
	for (size_t i = 0; i < 250; i++)
		rcpts[i].address = arena_printf(&arena, "r%zu@example.net", i);
	group_init(&group, "servers");
	assert_true(ip_parse(STR(HOST_IP), &ip));
	server_start(&server, &group);
	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &said, &err));
	for (unsigned turn = 1; turn <= 3; turn++) {
		assert_true(deliver_run(&c, &job, &err));
		for (size_t i = 0; i < 250; i++)
			assert_true(rcpts[i].is_delivered);
		assert_int_equal(server.messages, turn);
		smtp_client_forget(&c);
	}
	smtp_client_close(&c);
	assert_int_equal(server_count(&server, "RCPT TO:"), 750);
	assert_int_equal(server.sessions, 1);
	group_done(&group);
	server_stop(&server);
}

static void delivers_to_many_in_one_session(void **state)
{
	run(deliver_many, (void *)"PIPELINING");
	run(deliver_many, (void *)"");
	run(deliver_many, (void *)ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers),
		cmocka_unit_test(delivers_to_many_in_one_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
