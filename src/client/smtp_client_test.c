/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a session with hosts of all habits. */
#include "client/smtp_client.h"

#include "client/test_server.h"

#define HOST_IP "20.0.0.1"

struct opening {
	const char *name;
	struct test_server server;
	bool is_down, is_mute, has_tls, require_tls, is_lmtp;
	enum client_open outcome;
	int code;                    /* of the refusing reply */
	const char *said;            /* part of its text, or of the dialogue */
	unsigned sessions;
	bool tls_failed, is_esmtp;
};

static const struct opening openings[] = {
	{"friendly", {.offers = "PIPELINING SIZE_1000 8BITMIME"}, .outcome = CLIENT_READY, .sessions = 1, .is_esmtp = true},
	{"helo only", {.rules = {{"EHLO", "502 5.5.1 what"}}}, .outcome = CLIENT_READY, .sessions = 1, .said = "→ HELO me.example"},
	{"refuses both", {.rules = {{"EHLO", "550 no"}, {"HELO", "554 5.7.1 never"}}}, .outcome = CLIENT_REFUSED_PERM, .code = 554,
	 .sessions = 1},
	{"hangs up behind EHLO", {.rules = {{"EHLO", "550 5.7.1 not you"}, {"HELO", "!close"}}}, .outcome = CLIENT_REFUSED_PERM,
	 .code = 550, .said = "not you", .sessions = 1},
	{"greets 554", {.rules = {{"", "554 5.7.1 no service for 192.0.2.1"}}}, .outcome = CLIENT_REFUSED_PERM, .code = 554,
	 .said = "no service", .sessions = 1},
	{"greets 421", {.rules = {{"", "421 4.3.2 busy"}}}, .outcome = CLIENT_REFUSED_TEMP, .code = 421, .sessions = 1},
	{"EHLO 451", {.rules = {{"EHLO", "451 4.3.0 later"}}}, .outcome = CLIENT_REFUSED_TEMP, .code = 451, .sessions = 1},
	{"closes at once", {.rules = {{"", "!close"}}}, .outcome = CLIENT_UNREACHABLE, .said = "closed", .sessions = 1},
	{"never greets", {.rules = {{"", "!silent"}}}, .outcome = CLIENT_UNREACHABLE, .said = "timed out after 5 min", .sessions = 1},
	{"speaks HTTP", {.rules = {{"", "HTTP/1.1 400 Bad Request"}}}, .outcome = CLIENT_NONSENSE, .said = "not an SMTP", .sessions = 1},
	{"greets 354", {.rules = {{"", "354 odd"}}}, .outcome = CLIENT_NONSENSE, .code = 354, .sessions = 1},
	{"down", {0}, .is_down = true, .outcome = CLIENT_UNREACHABLE, .said = "refused"},
	{"packets lost", {0}, .is_mute = true, .outcome = CLIENT_UNREACHABLE, .said = "timed out"},
	{"TLS", {.offers = "STARTTLS PIPELINING"}, .has_tls = true, .outcome = CLIENT_READY, .sessions = 1, .said = "TLS", .is_esmtp = true},
	{"TLS broken", {.offers = "STARTTLS"}, .outcome = CLIENT_READY, .sessions = 2, .tls_failed = true,
	 .said = "once more in clear", .is_esmtp = true},
	{"TLS declined", {.offers = "STARTTLS", .rules = {{"STARTTLS", "454 4.7.0 not now"}}}, .outcome = CLIENT_READY, .sessions = 1,
	 .said = "← 454", .is_esmtp = true},
	{"TLS required, declined", {.offers = "STARTTLS", .rules = {{"STARTTLS", "454 4.7.0 not now"}}}, .require_tls = true,
	 .outcome = CLIENT_NO_TLS, .said = "refused", .sessions = 1, .is_esmtp = true},
	{"TLS required, broken", {.offers = "STARTTLS"}, .require_tls = true, .outcome = CLIENT_NO_TLS, .sessions = 1,
	 .is_esmtp = true},
	{"TLS required, not offered", {0}, .require_tls = true, .outcome = CLIENT_NO_TLS, .said = "no STARTTLS", .sessions = 1,
	 .is_esmtp = true},
	{"LMTP", {.is_lmtp = true, .offers = "PIPELINING"}, .is_lmtp = true, .outcome = CLIENT_READY, .said = "→ LHLO", .sessions = 1,
	 .is_esmtp = true},
};

static void open_once(const struct opening *o, struct test_server *server)
{
	struct err err;
	struct ip ip;
	struct group group;
	struct smtp_client c;
	struct reply said;
	enum client_open outcome;
	struct smtp_client_conf conf = {.helo = STR("me.example"), .use_tls = true, .require_tls = o->require_tls,
		.is_lmtp = o->is_lmtp, .tls = tls_client_context(&err)};
	group_init(&group, o->name);
	assert_true(ip_parse(STR(HOST_IP), &ip));
	if (o->is_mute)
		fake_net_fault(ip, 25, FAKE_SILENT);
	if (!o->is_down && !o->is_mute)
		server_start(server, &group);
	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &said, &err));
	assert_row(outcome == o->outcome, o->name);
	assert_row(said.code == o->code, o->name);
	struct str dialogue = buf_view(&c.dialogue), words = str_from(o->said);
	if (o->said && str_find(dialogue, words) == dialogue.n && str_find(said.text, words) == said.text.n)
		fail_msg("%s: %.*s: %.*s", o->name, STR_ARG(said.text), STR_ARG(dialogue));
	assert_row(c.tls_failed == o->tls_failed, o->name);
	assert_row(c.is_esmtp == o->is_esmtp, o->name);
	assert_row(!c.stream || stream_has_tls(c.stream) == o->has_tls, o->name);
	smtp_client_close(&c);
	assert_row(server->sessions == o->sessions, o->name);
	fake_net_fault(ip, 25, FAKE_OK);
	group_done(&group);
	if (server->listener)
		server_stop(server);
	tls_context_unref(conf.tls);
}

static void run_opening(void *arg)
{
	const struct opening *o = arg;
	struct err err;
	struct test_server server = o->server;
	server.ip = HOST_IP;
	if (o->has_tls)
		server.tls = tls_self_signed_context("test.example", &err);
	open_once(o, &server);
	tls_context_unref(server.tls);
}

static void run(void (*fn)(void *), void *arg)
{
	struct err err;
	struct rt_options options = {.is_fake = true, .seed = 7};
	assert_true(rt_run(&options, fn, arg, &err));
}

static void opens_sessions(void **state)
{
	for (size_t i = 0; i < COUNT(openings); i++)
		run(run_opening, (void *)&openings[i]);
}

/* --- what EHLO said, and manners --- */

/* Long because it is one list of exchanges with one host. */
static void talk(void *arg)
{
	struct err err;
	struct ip ip;
	struct group group;
	struct smtp_client c;
	struct reply r;
	enum client_open outcome;
	struct smtp_client_conf conf = {.helo = STR("me.example")};
	struct test_server server = {.ip = HOST_IP, .offers = "PIPELINING SIZE_5000 8BITMIME SMTPUTF8 CHUNKING DSN "
		"ENHANCEDSTATUSCODES LIMITS_RCPTMAX=7_MAILMAX=9", .rules = {{"NOOP", "250-2.0.0 one\r\n250 2.0.0 two"},
		{"VRFY", "550 5.1.1 no\033[31m\r\n"}, {"HELP", "421 4.3.2 closing"}}};
	group_init(&group, "talk");
	assert_true(ip_parse(STR(HOST_IP), &ip));
	server_start(&server, &group);
	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &r, &err));
	assert_true(c.has_pipelining && c.has_8bitmime && c.has_smtputf8 && c.has_chunking && c.has_dsn && c.has_enhanced);
	assert_int_equal(c.size_max, 5000);
	assert_false(c.has_starttls);
	assert_int_equal(c.rcpt_max, 7);
	assert_int_equal(c.mail_max, 9);

	smtp_client_send(&c, "NOOP", "NOOP");
	smtp_client_send(&c, "RSET", "RSET");
	assert_true(smtp_client_reply(&c, 0, &r, &err));
	assert_str(r.text, "one\ntwo");
	assert_true(smtp_client_reply(&c, 0, &r, &err));
	assert_true(smtp_client_ask(&c, 0, "VRFY", &r, &err, "VRFY %s", "someone"));
	assert_int_equal(r.code, 550);
	assert_int_equal(r.enhanced.detail, 1);
	assert_true(str_find(buf_view(&c.dialogue), STR("no\\x1b[31m")) < c.dialogue.n);
	assert_str(c.label, "VRFY at mx.test.example");
	/* The rule's own line end makes an empty line behind it, which is no reply. */
	assert_false(smtp_client_ask(&c, 0, "RSET", &r, &err, "RSET"));
	assert_true(c.is_lost);
	smtp_client_close(&c);
	assert_false(server_heard(&server, "QUIT"));

	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &r, &err));
	for (int i = 0; i < 300; i++)
		assert_true(smtp_client_ask(&c, 0, "NOOP", &r, &err, "NOOP %0100d", i));
	assert_true(c.dialogue.n <= 8192 && buf_ok(&c.dialogue));
	assert_true(str_ends(buf_view(&c.dialogue), STR("…\n")));
	smtp_client_forget(&c);
	assert_int_equal(c.dialogue.n, 0);
	/* A command with a line end in it is never sent. */
	assert_false(smtp_client_ask(&c, 0, "MAIL", &r, &err, "MAIL FROM:<%s>", "a@b>\r\nRCPT TO:<c@d"));
	assert_false(server_heard(&server, "RCPT"));
	smtp_client_close(&c);

	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &r, &err));
	assert_true(smtp_client_ask(&c, 0, "HELP", &r, &err, "HELP"));
	assert_int_equal(r.code, 421);
	assert_true(c.is_lost);
	assert_false(smtp_client_ask(&c, 0, "NOOP", &r, &err, "NOOP"));
	smtp_client_close(&c);
	assert_false(server_heard(&server, "QUIT"));

	assert_true(smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &r, &err));
	smtp_client_close(&c);
	assert_true(server_heard(&server, "QUIT"));
	assert_int_equal(server.sessions, 4);
	group_done(&group);
	server_stop(&server);
}

static void talks_and_parts_well(void **state)
{
	run(talk, NULL);
}

/* A fiber that is cancelled gets a failure, not an outcome. */
struct asker {
	struct group *group;
	bool has_ended, result;
	enum err_kind kind;
};

static void ask_mute(void *arg)
{
	struct asker *a = arg;
	struct err err = {0};
	struct ip ip;
	struct smtp_client c;
	struct reply r;
	enum client_open outcome;
	struct smtp_client_conf conf = {.helo = STR("me.example")};
	assert_true(ip_parse(STR(HOST_IP), &ip));
	a->result = smtp_client_open(&c, &conf, STR("mx.test.example"), ip, 25, &outcome, &r, &err);
	a->kind = err.kind;
	smtp_client_close(&c);
	a->has_ended = true;
}

static void cancel(void *arg)
{
	struct err err;
	struct group group, askers;
	struct asker a = {0};
	struct test_server server = {.ip = HOST_IP, .rules = {{"", "!silent"}}};
	group_init(&group, "servers");
	group_init(&askers, "askers");
	server_start(&server, &group);
	assert_true(group_go(&askers, "asker", ask_mute, &a, &err));
	assert_true(rt_sleep(USEC_S, "a little", &err));
	assert_false(a.has_ended);
	group_done(&askers);
	assert_true(a.has_ended);
	assert_false(a.result);
	assert_int_equal(a.kind, ERR_CANCELLED);
	group_done(&group);
	server_stop(&server);
}

static void unwinds_when_cancelled(void **state)
{
	run(cancel, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_sessions),
		cmocka_unit_test(talks_and_parts_well),
		cmocka_unit_test(unwinds_when_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
