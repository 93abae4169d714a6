/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sender verification as a client meets it: at MAIL, at RCPT, at the dot, in each mode, with mail hosts in memory. */
#include "gate/session_hosts.h"
#include "gate/talk.h"

/* One message from `sender`; the reply at the dot, or the refusal before it. */
static const char *send_from(struct stream *c, const char *sender, const char *rcpt, char reply[600])
{
	stream_printf(c, "MAIL FROM:<%s>\r\n", sender);
	if (atoi(bed_reply(c, reply)) != 250)
		return reply;
	stream_printf(c, "RCPT TO:<%s>\r\n", rcpt);
	if (atoi(bed_reply(c, reply)) != 250)
		return reply;
	stream_printf(c, "DATA\r\n");
	assert_int_equal(atoi(bed_reply(c, reply)), 354);
	stream_printf(c, "Subject: x\r\n\r\nbody\r\n.\r\n");
	return bed_reply(c, reply);
}

static void expect_from(struct stream *c, const char *sender, const char *rcpt, const char *wanted)
{
	char reply[600];
	struct err err;
	send_from(c, sender, rcpt, reply);
	if (!str_starts(str_from(reply), str_from(wanted)))
		fail_msg("from %s: wanted \"%s\", got \"%s\"", sender, wanted, reply);
	stream_printf(c, "RSET\r\n");
	stream_flush(c, &err);
	assert_int_equal(atoi(bed_reply(c, reply)), 250);
}

/* The header of the message accepted with this reply. */
static void header_of(struct bed *b, const char *reply, char out[4096])
{
	struct spool_id id;
	struct err err;
	size_t got;
	assert_true(spool_id_parse(str_from(strrchr(reply, ' ') + 1), &id));
	assert_true(spool_read(b->spool, id, 0, out, 4095, &got, &err));
	out[got] = '\0';
}

static void expect_header(struct bed *b, struct stream *c, const char *sender, const char *has, const char *has_not)
{
	char reply[600], header[4096];
	send_from(c, sender, "jane@here.example", reply);
	if (strncmp(reply, "250 2.0.0 Ok", 12) != 0)
		fail_msg("from %s: got \"%s\"", sender, reply);
	header_of(b, reply, header);
	if ((has && !strstr(header, has)) || (has_not && strstr(header, has_not)))
		fail_msg("from %s: wanted %s and not %s, got\n%s", sender, has ? has : "", has_not ? has_not : "", header);
}

static struct stream *connect_and_greet(struct bed *b, const char *ip)
{
	struct stream *c = bed_connect(b, ip);
	talk(c, GREET);
	return c;
}

static void pass(usec_t time)
{
	struct err err;
	assert_true(rt_sleep(time, "test", &err));
}

/* --- enforce --- */

static void enforces(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	expect_header(b, c, "joe@good.example", "x-sender-verify=pass (exists)", "X-Postern-Sender");
	expect_header(b, c, "joe@all.example", "x-sender-verify=neutral (catch_all)", "X-Postern-Sender");
	uint64_t before = bed_accepted(b);
	expect_from(c, "nobody@good.example", "jane@here.example", "550 5.1.7 <nobody@good.example>: Sender verify failed");
	unsigned asked = hosts[0].sessions;
	/* Heard once at the dot, it is repeated at RCPT, to this network, and not for postmaster. */
	talk(c, "> MAIL FROM:<nobody@good.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 550 5.1.7\n> RSET\n< 250\n");
	assert_int_equal(bed_accepted(b), before);
	expect_from(c, "nobody@good.example", "postmaster@here.example", "250 2.0.0 Ok");
	expect_from(c, "nobody@good.example", "abuse@here.example", "250 2.0.0 Ok");
	struct stream *other = connect_and_greet(b, "203.0.113.77");
	talk(other, "> MAIL FROM:<nobody@good.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n> RSET\n< 250\n");
	expect_from(other, "nobody@good.example", "jane@here.example", "550 5.1.7");
	assert_int_equal(hosts[0].sessions, asked); /* answered from the cache */
	stream_close(other);
	stream_close(c);
}

static void test_enforce(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, enforces);
}

/* --- the free certainty of DNS --- */

static void knows_dns(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	talk(c, "> MAIL FROM:<a@nomail.example>\n< 550 5.7.27\n> MAIL FROM:<a@nowhere.example>\n< 550 5.1.8\n"
	        "> MAIL FROM:<a@loop.example>\n< 550 5.1.8\n> MAIL FROM:<a@broken.example>\n< 451 4.4.3\n"
	        "> RCPT TO:<jane@here.example>\n< 503\n> QUIT\n< 221\n");
	stream_close(c);
	/* Patience with a stranger's broken DNS ends, and the message is marked. */
	for (int hour = 1; hour < 5; hour++) {
		talk_alone(b, "192.0.2.9", GREET "> MAIL FROM:<a@broken.example>\n< 451 4.4.3\n");
		pass(USEC_HOUR);
	}
	talk_alone(b, "192.0.2.9", GREET "> MAIL FROM:<a@broken.example>\n< 250\n");
	c = connect_and_greet(b, "192.0.2.9");
	expect_header(b, c, "a@broken.example", "X-Postern-Sender: temporary", NULL);
	stream_close(c);
}

static void test_dns(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, knows_dns);
}

/* --- held --- */

static void see_held(void *arg, const struct gate_session_info *info)
{
	if (strcmp(info->state, "held") == 0)
		++*(int *)arg;
}

static void holds(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	char reply[600];
	int held = 0;
	talk(c, "> MAIL FROM:<joe@mute.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n> DATA\n< 354\n> x: y\n> .\n~ 20\n");
	gate_sessions(b->gate, see_held, &held);
	assert_int_equal(held, 1);
	assert_false(stream_has_input(c));
	usec_t begun = rt_now();
	bed_reply(c, reply);
	assert_true(strncmp(reply, "451 4.1.7 <joe@mute.example>: Could not complete sender verify callout: ", 72) == 0);
	assert_true(rt_now() - begun <= 6 * USEC_S);
	/* The work went on; its end is in the cache. */
	talk(c, "~ 60\n");
	begun = rt_now();
	expect_from(c, "joe@mute.example", "jane@here.example", "451 4.1.7");
	assert_true(rt_now() - begun < USEC_S);
	stream_close(c);
	assert_int_equal(bed_accepted(b), 0);
	for (int hour = 1; hour < 4; hour++) {
		pass(USEC_HOUR);
		c = connect_and_greet(b, "192.0.2.1");
		expect_from(c, "joe@mute.example", "jane@here.example", "451 4.1.7");
		stream_close(c);
	}
	pass(USEC_HOUR);
	c = connect_and_greet(b, "192.0.2.1");
	double before = metric_value(b->gate->metrics.refused_then_accepted);
	expect_header(b, c, "joe@mute.example", "X-Postern-Sender: temporary", NULL);
	assert_true(metric_value(b->gate->metrics.refused_then_accepted) == before + 1);
	assert_true(metric_value(b->gate->metrics.held) == 0);
	stream_close(c);
}

static void test_hold(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, holds);
}

/* A client that leaves while its message is held leaves nothing behind. */
static void leaves(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	talk(c, "> MAIL FROM:<joe@mute.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n> DATA\n< 354\n> x: y\n> .\n~ 5\n");
	stream_close(c);
	pass(40 * USEC_S);
	assert_int_equal(bed_accepted(b), 0);
	assert_int_equal(gate_session_count(b->gate), 0);
	assert_int_equal(b->gate->memory, 0);
}

static void test_leave(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, leaves);
}

/* --- who is never asked --- */

static void asks_not(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1"), *local = connect_and_greet(b, "10.1.2.3");
	expect_from(c, "", "jane@here.example", "250 2.0.0 Ok");
	expect_from(c, "friend@good.example", "jane@here.example", "250 2.0.0 Ok");
	expect_from(c, "nobody@good.example", "shop@here.example", "250 2.0.0 Ok");
	expect_from(local, "nobody@good.example", "jane@here.example", "250 2.0.0 Ok");
	expect_from(local, "a@nowhere.example", "jane@here.example", "250 2.0.0 Ok");
	expect_from(c, "joe@list.example", "jane@here.example", "250 2.0.0 Ok");
	expect_from(c, "anybody@here.example", "jane@here.example", "250 2.0.0 Ok");
	expect_from(c, "nobody@list.example", "jane@here.example", "550 5.1.7");
	expect_from(c, "x@lost.example", "jane@here.example", "451 4.1.7");
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_int_equal(hosts[i].sessions, 0);
	/* One ordinary recipient among trusted ones is enough to ask. */
	talk(c, "> MAIL FROM:<nobody@good.example>\n< 250\n> RCPT TO:<postmaster@here.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n"
	        "> DATA\n< 354\n> x: y\n> .\n< 550 5.1.7\n");
	assert_int_equal(hosts[0].sessions, 1);
	stream_close(local);
	stream_close(c);
}

static void test_never(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, "sender friend@good.example never-ask\nrecipient shop@here.example accept\n", NULL, asks_not);
}

/* --- modes --- */

static void only_tags(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	expect_header(b, c, "joe@good.example", "x-sender-verify=pass", "X-Postern-Sender");
	expect_header(b, c, "nobody@good.example", "X-Postern-Sender: absent", NULL);
	expect_header(b, c, "a@nowhere.example", "X-Postern-Sender: absent", NULL);
	expect_header(b, c, "a@broken.example", "X-Postern-Sender: temporary", NULL);
	stream_close(c);
}

static void test_tag(void **state)
{
	run_with(VERIFY_MODE_TAG, NULL, NULL, only_tags);
}

static void only_observes(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	struct str *found;
	struct err err;
	size_t n;
	expect_header(b, c, "nobody@good.example", "Received: from", "X-Postern-Sender");
	expect_header(b, c, "nobody@good.example", "Received: from", "Authentication-Results");
	expect_header(b, c, "a@nowhere.example", "Received: from", "X-Postern-Sender");
	pass(5 * USEC_S);
	assert_true(history_find(b->history, HISTORY_ADDRESS, STR("nobody@good.example"), 1, &arena, &found, &n, &err));
	assert_int_equal(n, 1);
	assert_true(str_find(found[0], STR("550 5.1.7 <nobody@good.example>")) < found[0].n);
	/* Switched on at run time, the next message meets it. */
	verify_set_mode(b->verify, VERIFY_MODE_ENFORCE);
	expect_from(c, "nobody@good.example", "jane@here.example", "550 5.1.7");
	verify_set_mode(b->verify, VERIFY_MODE_OFF);
	expect_from(c, "nobody@good.example", "jane@here.example", "250 2.0.0 Ok");
	stream_close(c);
}

static void test_observe(void **state)
{
	run_with(VERIFY_MODE_OBSERVE, NULL, NULL, only_observes);
}

/* --- verification and large or broken messages --- */

static void refuses_before_asking_longer(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	usec_t begun = rt_now();
	talk(c, "> MAIL FROM:<joe@mute.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n> DATA\n< 354\n! x\\n.\\r\\n\\r\\n.\\r\\n\n< 550 5.6.11\n");
	assert_true(rt_now() - begun < USEC_S);
	/* BDAT is verified as DATA is. */
	talk(c, "> MAIL FROM:<nobody@good.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n! BDAT 2\\r\\nx:\n< 250\n! BDAT 2 LAST\\r\\n\\r\\n\n< 550 5.1.7\n"
	        "> MAIL FROM:<joe@good.example>\n< 250\n> RCPT TO:<jane@here.example>\n< 250\n! BDAT 2 LAST\\r\\n\\r\\n\n< 250 2.0.0 Ok\n");
	stream_close(c);
}

static void test_broken(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, refuses_before_asking_longer);
}

/* --- call-ahead: a recipient's next hop that is down is doubt, never absence --- */

static void calls_ahead(struct bed *b)
{
	struct stream *c = connect_and_greet(b, "192.0.2.1");
	talk(c, "> MAIL FROM:<>\n< 250\n> RCPT TO:<a@ahead.example>\n< 451 4.1.1 <a@ahead.example>: Could not verify recipient\n"
	        "> RCPT TO:<postmaster@ahead.example>\n< 250\n");
	stream_close(c);
}

static void test_call_ahead(void **state)
{
	run_with(VERIFY_MODE_ENFORCE, NULL, NULL, calls_ahead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enforce), cmocka_unit_test(test_dns),    cmocka_unit_test(test_hold),
		cmocka_unit_test(test_leave),   cmocka_unit_test(test_never),  cmocka_unit_test(test_tag),
		cmocka_unit_test(test_observe), cmocka_unit_test(test_broken), cmocka_unit_test(test_call_ahead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
