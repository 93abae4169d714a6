/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The door as a whole: limits over sessions, PROXY, TLS, talking first, configuration change, drain. */
#include "gate/talk.h"

static void pass(usec_t time)
{
	struct err err;
	assert_true(rt_sleep(time, "test", &err));
}

static struct ip ip_of(const char *text)
{
	struct ip ip = {0};
	assert_true(ip_parse(str_from(text), &ip));
	return ip;
}

/* Through a listener of the fake network. */
static struct stream *dial(const char *ip, uint16_t port, const char *from)
{
	struct err err;
	return stream_dial(&(struct dial){.ip = ip_of(ip), .port = port, .source = ip_of(from), .label = "test"}, &err);
}

/* --- limits --- */

static void few_sessions(struct gate_conf *conf)
{
	conf->sessions = 4;
	conf->sessions_per_ip = 2;
	conf->connects_per_minute = 5;
	bed_row(gate_conf_rows, conf, "listen", "203.0.113.5:25, 203.0.113.5:2525");
}

static void limits(struct bed *b)
{
	struct stream *c[6];
	for (int i = 0; i < 2; i++) {
		c[i] = dial("203.0.113.5", 25, "192.0.2.1");
		talk(c[i], GREET);
	}
	struct stream *third = dial("203.0.113.5", 2525, "192.0.2.1");
	talk(third, "< 421 4.7.0 Too many connections from 192.0.2.1\n< closed\n");
	stream_close(third);
	for (int i = 2; i < 4; i++) {
		c[i] = dial("203.0.113.5", 25, i == 2 ? "192.0.2.2" : "10.0.0.1");
		talk(c[i], GREET);
	}
	assert_int_equal(gate_session_count(b->gate), 4);
	c[4] = dial("203.0.113.5", 25, "10.0.0.1");
	talk(c[4], "< 421 4.3.2 Too busy\n< closed\n");
	for (int i = 0; i < 5; i++)
		stream_close(c[i]);
	pass(USEC_S);
	assert_int_equal(gate_session_count(b->gate), 0);
	/* Three of five connects are used up; local networks are not counted. */
	for (int i = 0; i < 3; i++)
		talk_alone(b, "192.0.2.1", i < 2 ? "< 220\n> QUIT\n< 221\n" : "< 451 4.7.1 Rate limit exceeded, try again in 00:00:\n< closed\n");
	for (int i = 0; i < 20; i++)
		talk_alone(b, "10.0.0.1", "< 220\n> QUIT\n< 221\n");
	pass(USEC_MIN);
	talk_alone(b, "192.0.2.1", "< 220\n> QUIT\n< 221\n");
}

static void test_limits(void **state)
{
	bed_run(limits, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = few_sessions});
}

/* --- PROXY --- */

static void with_proxies(struct gate_conf *conf)
{
	bed_row(gate_conf_rows, conf, "proxy_networks", "203.0.113.0/24");
	bed_row(gate_conf_rows, conf, "local_networks", "10.0.0.0/8, 203.0.113.0/24");
	conf->sessions_per_ip = 1;
}

static void see_client(void *arg, const struct gate_session_info *info)
{
	char ip[IP_TEXT_MAX];
	snprintf(arg, IP_TEXT_MAX, "%.*s", STR_ARG(ip_text(info->client, ip)));
}

static void proxies(struct bed *b)
{
	char seen[IP_TEXT_MAX] = "";
	struct stream *c = bed_connect(b, "203.0.113.1");
	talk(c, "! PROXY TCP4 198.51.100.7 203.0.113.1 4000 25\\r\\n\n" GREET "> MAIL FROM:<a@good.example>\n< 250\n> RCPT TO:<x@good.example>\n< 554 5.7.1\n");
	gate_sessions(b->gate, see_client, seen);
	assert_string_equal(seen, "198.51.100.7");
	/* The limit is that of the client, not of the proxy. */
	talk_alone(b, "203.0.113.1", "! PROXY TCP4 198.51.100.7 203.0.113.1 4000 25\\r\\n\n< 421 4.7.0 Too many connections from 198.51.100.7\n< closed\n");
	talk_alone(b, "203.0.113.1", "! PROXY TCP4 198.51.100.8 203.0.113.1 4000 25\\r\\n\n< 220\n");
	stream_close(c);
	/* Version 2, in pieces; a local health check; what is no header. */
	talk_alone(b, "203.0.113.1", "! \\r\\n\\r\\n\\0\\r\\nQUIT\\n\n~ 1\n! \x21\x11\\0\x0c\n~ 1\n! \xc6\x33\x64\x09\xcb\\0\x71\x01\x0f\xa0\\0\x19\n< 220\n> QUIT\n< 221\n");
	talk_alone(b, "203.0.113.1", "! PROXY UNKNOWN\\r\\n\n< 220\n");
	talk_alone(b, "203.0.113.1", "> EHLO c\n< 421 4.3.5 PROXY\n< closed\n");
	talk_alone(b, "203.0.113.1", "~ 6\n< 421 4.3.5 PROXY\n< closed\n");
	talk_alone(b, "203.0.113.1", "! PROXY TCP4 1.2.3.4\\r\\n\n< 421 4.3.5\n< closed\n");
	talk_alone(b, "203.0.113.1", "! PROXY TCP4 198.51.100.7 203.0.113.1 4000 25\\r\\nEHLO early\\r\\n\n< 554 5.5.0 You talked\n< closed\n");
	/* From anybody else it is refused. */
	talk_alone(b, "192.0.2.1", "< 220\n! PROXY TCP4 10.0.0.1 203.0.113.1 4000 25\\r\\n\n< 421 4.3.5\n< closed\n");
}

static void test_proxy(void **state)
{
	bed_run(proxies, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = with_proxies});
}

/* --- talking first --- */

static void talks_first(struct bed *b)
{
	talk_alone(b, "192.0.2.1", "> EHLO early\n< 554 5.5.0 You talked before our greeting\n< closed\n");
}

static void test_talks_first(void **state)
{
	bed_run(talks_first, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

static void patient(struct gate_conf *conf)
{
	conf->is_pipelining_checked = false;
}

static void may_talk_first(struct bed *b)
{
	talk_alone(b, "192.0.2.1", "> EHLO early\n< 220\n< 250 HELP\n");
}

static void test_may_talk_first(void **state)
{
	bed_run(may_talk_first, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = patient});
}

/* --- STARTTLS --- */

static void starts_tls(struct bed *b)
{
	struct err err;
	struct stream *c = bed_connect(b, "192.0.2.1");
	char reply[600];
	/* A transaction is open, and more is pipelined: all of it is forgotten. */
	talk(c, GREET ENVELOPE "! STARTTLS\\r\\nRCPT TO:<injected@here.example>\\r\\nDATA\\r\\n\n< 220 2.0.0 Ready\n");
	assert_true(stream_tls_connect(c, b->tls, NULL, &err));
	talk(c, "> DATA\n< 503 5.5.1 Send MAIL\n> MAIL FROM:<a@good.example>\n< 503 5.5.1 Say EHLO first\n> EHLO c.example\n");
	struct str line;
	bool is_too_long;
	do {
		assert_true(stream_read_line(c, 500, &line, NULL, &is_too_long, &err));
		assert_true(str_find(line, STR("STARTTLS")) == line.n);
	} while (line.p[3] == '-');
	talk(c, "> STARTTLS\n< 503 5.5.1 TLS is already\n" ENVELOPE "> DATA\n< 354\n> x: y\n> .\n");
	bed_reply(c, reply);
	assert_int_equal(strncmp(reply, "250 2.0.0 Ok", 12), 0);
	struct spool_id id;
	char text[1024];
	size_t got;
	assert_true(spool_id_parse(str_from(strrchr(reply, ' ') + 1), &id));
	assert_true(spool_read(b->spool, id, 0, text, sizeof text - 1, &got, &err));
	text[got] = '\0';
	assert_non_null(strstr(text, "with ESMTPS"));
	assert_non_null(strstr(text, "TLS"));
	stream_close(c);
	assert_int_equal(bed_accepted(b), 1);
}

static void test_tls(void **state)
{
	bed_run(starts_tls, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* Not a handshake: the session is over, and never goes on in the clear. */
static void breaks_tls(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	char reply[600] = "";
	talk(c, GREET "> STARTTLS now\n< 501\n> STARTTLS\n< 220 2.0.0\n> EHLO c.example\n> NOOP\n");
	for (int i = 0; i < 20 && strcmp(reply, "closed") != 0; i++) {
		bed_reply(c, reply);
		assert_true(strncmp(reply, "250", 3) != 0);
	}
	assert_string_equal(reply, "closed");
	stream_close(c);
}

static void test_broken_tls(void **state)
{
	bed_run(breaks_tls, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- drain --- */

static void drain_in_background(void *arg)
{
	struct bed *b = arg;
	gate_drain(b->gate, true);
}

static void drains(struct bed *b)
{
	struct group g;
	struct err err;
	struct stream *idle = bed_connect(b, "192.0.2.1"), *busy = bed_connect(b, "192.0.2.2"), *slow = bed_connect(b, "192.0.2.3");
	talk(idle, GREET);
	talk(busy, GREET ENVELOPE "> DATA\n< 354\n> x: y\n");
	talk(slow, GREET ENVELOPE);
	group_init(&g, "drain");
	assert_true(group_go(&g, "drain", drain_in_background, b, &err));
	pass(USEC_S);
	/* Whoever comes now, and whoever is between messages, hears 421; a message is finished. */
	talk_alone(b, "192.0.2.4", "< 421 4.3.2 Service shutting down\n< closed\n");
	talk(idle, "> NOOP\n< 421 4.3.2\n< closed\n");
	talk(busy, "> .\n< 250 2.0.0 Ok: queued\n> MAIL FROM:<b@good.example>\n< 421 4.3.2\n< closed\n");
	usec_t begun = rt_now();
	assert_true(group_wait(&g, &err));
	assert_true(rt_now() - begun >= 28 * USEC_S && rt_now() - begun <= 30 * USEC_S);
	group_cancel(&b->sessions); /* sessions of the test are not the gate's fibers */
	talk(slow, "< 421 4.3.2 Service shutting down\n< closed\n");
	group_done(&g);
	stream_close(idle);
	stream_close(busy);
	stream_close(slow);
	pass(USEC_S);
	assert_int_equal(gate_session_count(b->gate), 0);
	assert_int_equal(bed_accepted(b), 1);
}

static void test_drain(void **state)
{
	bed_run(drains, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* With nothing open, a drain is over at once, and idle sessions hear why they end. */
static void drains_at_once(struct bed *b)
{
	struct stream *idle = dial("203.0.113.5", 25, "10.0.0.1");
	talk(idle, GREET);
	usec_t begun = rt_now();
	gate_drain(b->gate, false);
	assert_true(rt_now() - begun < USEC_S);
	talk(idle, "< 421 4.3.2 Service shutting down\n< closed\n");
	stream_close(idle);
	assert_null(dial("203.0.113.5", 25, "10.0.0.1"));
}

static void test_quick_drain(void **state)
{
	bed_run(drains_at_once, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = few_sessions});
}

/* --- a new configuration --- */

static void reconfigures(struct bed *b)
{
	static struct gate_conf next; /* the gate has it until its end */
	struct err err;
	struct stream *old = dial("203.0.113.5", 25, "10.0.0.1");
	talk(old, GREET);
	conf_rows_default(gate_conf_rows, &next, sizeof next);
	bed_row(gate_conf_rows, &next, "host", "new.here.example");
	bed_row(gate_conf_rows, &next, "listen", "203.0.113.5:25, 203.0.113.5:26");
	bed_row(gate_conf_rows, &next, "tls_certificate", "/nonexistent.pem");
	assert_false(gate_reconfigure(b->gate, &next, &b->deps, &err));
	bed_row(gate_conf_rows, &next, "tls_certificate", "");
	assert_true(gate_reconfigure(b->gate, &next, &b->deps, &err));
	assert_true(gate_uses(b->gate, &b->conf) && gate_uses(b->gate, &next));
	assert_null(dial("203.0.113.5", 2525, "10.0.0.1"));
	static const uint16_t ports[] = {25, 26};
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct stream *c = dial("203.0.113.5", ports[i], "10.0.0.1");
		assert_non_null(c);
		talk(c, "< 220 new.here.example\n");
		stream_close(c);
	}
	talk(old, "> HELO x\n< 250 mx.here.example\n");
	stream_close(old);
	pass(USEC_S);
	assert_false(gate_uses(b->gate, &b->conf));
}

static void test_reconfigure(void **state)
{
	bed_run(reconfigures, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = few_sessions});
}

/* --- a session at rest is small --- */

static void rests(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE "> DATA\n< 354\n> x: y\n> .\n< 250\n");
	const struct session *s = container_of(list_first(&b->gate->sessions), struct session, link);
	assert_null(s->tx);
	assert_true(session_memory(s) <= 512);
	assert_int_equal(stream_buffered(s->stream).n, 0);
	stream_close(c);
}

static void test_rest(void **state)
{
	bed_run(rests, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_proxy),       cmocka_unit_test(test_talks_first),
		cmocka_unit_test(test_may_talk_first), cmocka_unit_test(test_tls),     cmocka_unit_test(test_broken_tls),
		cmocka_unit_test(test_drain),      cmocka_unit_test(test_quick_drain), cmocka_unit_test(test_reconfigure),
		cmocka_unit_test(test_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
