/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deliveries: to sites in their turns and within their limits, over LMTP, into Maildirs, and what a next hop tells. */
#include "queue/test_world.h"

/* --- sites and sessions --- */

WAITS static void happy(struct world *w)
{
	w->a.offers = "PIPELINING CHUNKING SIZE";
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "Joe@a.example ann@a2.example");
	pass(USEC_S);
	/* Two domains with one MX set are one site, but each domain is asked for in its own turn. */
	assert_int_equal(stats(w).delivered, 2);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).messages, 0);
	assert_true(server_heard(&w->a, "RCPT TO:<Joe@a.example>"));
	assert_str(buf_view(&w->a.message), "Subject: test\r\n\r\nbody\r\n");
	assert_true(str_find(buf_view(&learned), STR("Joe@a.example ")) < learned.n);
	assert_true(was_told("\"connect\"") && was_told("delivered") && was_told("ann@a2.example") && was_told("Joe@a.example"));
}

WAITS static void large(struct world *w)
{
	w->a.offers = "PIPELINING CHUNKING SIZE";
	server_start(&w->a, &w->servers);
	submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.size = 500000});
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 1);
	assert_int_equal(w->a.message.n, 500000 / 50 * 51 + 23);
}

WAITS static void reuses(struct world *w)
{
	w->a.offers = "PIPELINING";
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 10; i++) {
		submit(w, "s@sender.example", "joe@a.example");
		pass(USEC_S);
	}
	assert_int_equal(w->a.messages, 10);
	assert_int_equal(w->a.sessions, 1);
	pass(3 * USEC_S); /* session_idle */
	assert_int_equal(w->a.open, 0);
	assert_int_equal(server_count(&w->a, "QUIT"), 1);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 2);
}

WAITS static void limits(struct world *w)
{
	w->a.delay = USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 60; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	assert_int_equal(w->a.open, 4);
	pass(60 * USEC_S);
	assert_int_equal(w->a.messages, 60);
	assert_int_equal(w->a.most_open, 4);
	/* session_messages = 5 */
	assert_true(w->a.sessions >= 12);
}

WAITS static void limits_in_all(struct world *w)
{
	w->a.delay = w->b.delay = USEC_S;
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@a.example");
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@b.example");
	pass(25 * USEC_S);
	assert_true(w->a.messages >= 10 && w->b.messages >= 10); /* in turns */
	pass(45 * USEC_S);
	assert_int_equal(w->a.messages, 30);
	assert_int_equal(w->b.messages, 30);
	assert_int_equal(w->a.most_open, 1);
	assert_int_equal(w->b.most_open, 1);
}

/* A site that takes two sessions and no more is used with two. */
WAITS static void takes_few_sessions(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "220 hello", 2};
	w->a.rules[1] = (struct rule){"", "421 4.7.0 too many connections"};
	w->a.delay = USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(50 * USEC_S);
	assert_int_equal(w->a.messages, 30);
	assert_int_equal(stats(w).deferred, 0);
}

/* A server may hang up on an idle session whenever it likes; that costs nobody a deferral. */
WAITS static void reused_session_is_gone(struct world *w)
{
	w->a.rules[0] = (struct rule){"MAIL", "250 ok", 1};
	w->a.rules[1] = (struct rule){"MAIL", "!close", 1};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	assert_int_equal(w->b.sessions, 0); /* nor does it make the host a bad one */
	assert_int_equal(w->a.sessions, 2);
	assert_int_equal(stats(w).deferred, 0);
}

WAITS static void tls_is_broken(struct world *w)
{
	w->a.offers = "STARTTLS";
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(w->a.tls_sessions, 0);
}

WAITS static void too_many_recipients(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<c", "452 4.5.3 too many recipients", 1};
	w->a.rules[1] = (struct rule){"RCPT TO:<d", "552 too many recipients", 1};
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "a@a.example b@a.example c@a.example d@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(spooled(w), 0);
}

/* --- several sites, routes --- */

WAITS static void several_sites(struct world *w)
{
	w->b.rules[0] = (struct rule){"RCPT TO:<2", "451 4.3.0 later", 1};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "1@a.example 2@b.example 3@a2.example 4@hop.test");
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 1);
	assert_true(server_heard(&w->b, "RCPT TO:<4@hop.test>"));
	pass(20 * USEC_MIN);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(server_count(&w->b, "RCPT TO:<2@b.example>"), 2);
}

WAITS static void mixed_lmtp(struct world *w)
{
	w->b.is_lmtp = true;
	w->b.port = 24;
	w->b.offers = "PIPELINING";
	w->b.rules[0] = (struct rule){".", "250 2.0.0 kept", 1};
	w->b.rules[1] = (struct rule){".", "452 4.2.2 full", 1};
	w->b.rules[2] = (struct rule){".", "550 5.2.1 disabled", 1};
	server_start(&w->b, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "x@local.example y@local.example z@local.example");
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 2); /* one of them the report */
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(item(w, id).rcpts_open, 1);
	pass(USEC_HOUR);
	assert_int_equal(item(w, id).rcpts_open, 1); /* a full mailbox is left alone for hours */
	pass(5 * USEC_HOUR);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(server_count(&w->b, "RCPT TO:<x@"), 1);
	assert_int_equal(server_count(&w->b, "RCPT TO:<y@"), 2);
	assert_true(server_heard(&w->b, "LHLO gate.example"));
}

WAITS static void into_maildir(struct world *w)
{
	char path[300];
	submit(w, "s@sender.example", "joe@maildir.example");
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 1);
	assert_int_equal(spooled(w), 0);
	snprintf(path, sizeof(path), "cat %s/maildir.example/joe/Maildir/new/* | grep -q '^Return-Path: <s@sender.example>'", w->maildir);
	assert_int_equal(system(path), 0);
}

static WAITS void submit_one(void *arg)
{
	submit(arg, "s@sender.example", "joe@maildir.example");
}

/* A session that is started for a message, and finds that another one has taken it, is free for the next: no message
 * waits until it goes. */
WAITS static void into_maildir_together(struct world *w)
{
	struct err err;
	uint64_t submitted = 0;
	for (int round = 0; round < 200; round++) {
		struct group senders;
		group_init(&senders, "senders");
		for (uint64_t n = 1 + random_below(8); n > 0; n--, submitted++) {
			assert_true(group_go(&senders, "sender", submit_one, w, &err));
			if (random_below(3) == 0)
				assert_true(rt_yield(&err));
		}
		assert_true(group_wait(&senders, &err));
		group_done(&senders);
		pass(100 * USEC_MS); /* much less than session_idle */
		assert_int_equal(stats(w).delivered, submitted);
	}
}

WAITS static void tells_of_success(struct world *w)
{
	server_start(&w->a, &w->servers);
	w->b.offers = "DSN";
	server_start(&w->b, &w->servers);
	server_start(&w->c, &w->servers);
	submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_SUCCESS, .orcpt = STR("rfc822;J@a.example")});
	pass(USEC_S);
	assert_int_equal(w->c.messages, 1);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Action: relayed")) < report.n);
	submit_with(w, "s@sender.example", "joe@b.example", (struct wishes){.notify = SMTP_NOTIFY_SUCCESS});
	pass(USEC_S);
	assert_int_equal(w->b.messages, 1);
	assert_true(server_heard(&w->b, "NOTIFY=SUCCESS"));
	assert_int_equal(w->c.messages, 1); /* the next hop tells */
}

/* --- running them --- */

static const struct scene scenes[] = {
	{"happy", happy}, {"large", large}, {"reuses", reuses},
	{"limits", limits, .per_site = 4, .session_messages = 5},
	{"limits_in_all", limits_in_all, .concurrency = 1}, {"mixed_lmtp", mixed_lmtp},
	{"takes_few_sessions", takes_few_sessions}, {"reused_session_is_gone", reused_session_is_gone},
	{"tls_is_broken", tls_is_broken}, {"too_many_recipients", too_many_recipients},
	{"several_sites", several_sites}, {"into_maildir", into_maildir},
	{"into_maildir_together", into_maildir_together}, {"tells_of_success", tells_of_success},
};

static void plays(void **state)
{
	play_scenes(scenes, COUNT(scenes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(plays)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
