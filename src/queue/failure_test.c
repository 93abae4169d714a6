/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fails: retries, hosts and sites that are down, reports to the sender, mail that is kept because nobody may be told. */
#include "queue/test_world.h"

/* --- later or never --- */

WAITS static void retries(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.7.1 greylisted, come back", 3};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct queue_item i = item(w, id);
	assert_int_equal(i.attempts, 1);
	assert_str(i.last_reply, "mx.a.example: 451 4.7.1 greylisted, come back");
	assert_str(i.site, "mx.a.example");
	usec_t until = wall_diff(i.next_attempt, rt_wall());
	assert_true(until > 4 * USEC_MIN && until < 6 * USEC_MIN);
	pass(6 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 2);
	pass(7 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 2);
	pass(5 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 3);
	pass(25 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
	assert_true(was_told("greylist") && was_told("\"connect\"") && was_told("\"delivered\""));
}

WAITS static void expires(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 never"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(3 * USEC_HOUR);
	assert_int_equal(w->c.messages, 0);
	pass(8 * USEC_HOUR);
	assert_int_equal(w->c.messages, 1); /* the delay notice */
	assert_true(str_find(buf_view(&w->c.message), STR("Action: delayed")) < w->c.message.n);
	pass(4 * USEC_DAY);
	assert_int_equal(w->c.messages, 1);
	assert_true(item(w, id).attempts > 20);
	pass(USEC_DAY);
	assert_int_equal(w->c.messages, 2);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Action: failed")) < report.n);
	assert_true(str_find(report, STR("Status: 4.4.7")) < report.n);
	assert_true(str_find(report, STR("451 4.3.0 never")) < report.n);
	assert_true(server_heard(&w->c, "MAIL FROM:<>\nRCPT TO:<s@sender.example>"));
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).dsns, 2);
}

WAITS static void bounces(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<joe", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	submit(w, "s@sender.example", "joe@a.example ann@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(w->c.messages, 1);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("joe@a.example")) < report.n);
	assert_true(str_find(report, STR("Status: 5.1.1")) < report.n);
	assert_true(str_find(report, STR("Subject: test")) < report.n);
	assert_true(str_find(report, STR("ann@a.example")) == report.n);
	assert_int_equal(spooled(w), 0);
}

/* Each of these fails for good, and nobody may be told. */
WAITS static void keeps(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id null = submit(w, "", "joe@a.example");
	struct spool_id never = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_NEVER});
	struct spool_id delay = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_DELAY});
	struct spool_id gone = submit(w, "s@missing.example", "joe@a.example");
	pass(USEC_S);
	struct spool_id ids[] = {null, never, delay, gone};
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_true(item(w, ids[i]).has_kept);
		assert_int_equal(item(w, ids[i]).rcpts_open, 0);
	}
	assert_int_equal(w->c.messages, 0);
	assert_int_equal(stats(w).kept, 4);
	assert_int_equal(spooled(w), 4);
	struct err err;
	/* Mended on the other side: the operator has it tried once more, and it goes. */
	w->a.rules[0] = (struct rule){0};
	assert_true(queue_retry(w->queue, never, &err));
	assert_int_equal(item(w, never).rcpts_open, 1);
	assert_false(item(w, never).has_kept);
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 3);
	/* Not mended: kept as before. */
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	assert_true(queue_retry(w->queue, delay, &err));
	pass(USEC_S);
	assert_true(item(w, delay).has_kept);
	assert_int_equal(spooled(w), 3);
	assert_true(queue_remove(w->queue, null, &err));
	assert_int_equal(spooled(w), 2);
	pass(36 * USEC_DAY);
	assert_int_equal(spooled(w), 0); /* keep_failed */
}

WAITS static void lost_behind_dot(struct world *w)
{
	w->a.rules[0] = (struct rule){".", "!close", 1};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct str reply = item(w, id).last_reply;
	assert_true(str_find(reply, STR("a duplicate is possible")) < reply.n);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
}

WAITS static void told_421(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<b", "421 4.7.0 enough", 1};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "a@a.example b@a.example c@a.example");
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 3);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
}

/* The disk is full when a report should be written: nothing is final, nothing is lost. */
WAITS static void no_room_for_report(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.on_hold = true});
	struct err err;
	sim_fault(w->sim, SIM_WRITE, 1, 1000000, 28);
	assert_true(queue_release(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 1);
	assert_int_equal(w->c.messages, 0);
	sim_fault_clear(w->sim);
	pass(30 * USEC_MIN);
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(spooled(w), 0);
}

/* --- hosts and sites that are down --- */

WAITS static void fails_over(struct world *w)
{
	server_start(&w->b, &w->servers); /* mx.a is down */
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->b.messages, 1);
	/* Now it refuses at the door. */
	w->a.rules[0] = (struct rule){"", "421 4.3.2 busy"};
	server_start(&w->a, &w->servers);
	pass(10 * USEC_MIN);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(w->b.messages, 2);
	/* Refused lately: not asked again at once. */
	pass(5 * USEC_S);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(w->b.messages, 3);
}

WAITS static void refused_at_the_door(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "554 5.7.1 we do not want you"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(spooled(w), 0);
}

WAITS static void dead_site(struct world *w)
{
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	/* One or a few asked, all others were spared the question. */
	assert_true(stats(w).deferred <= 20);
	assert_int_equal(stats(w).messages, 50);
	server_start(&w->a, &w->servers);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 50);
	assert_int_equal(spooled(w), 0);
}

/* A door that stays shut is knocked at by one for all. */
WAITS static void shut_door(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "421 4.3.2 closed"};
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	unsigned first = w->a.sessions;
	assert_true(first <= 20);
	pass(30 * USEC_MIN);
	assert_true(w->a.sessions > first + 2 && w->a.sessions <= first + 8);
	assert_int_equal(stats(w).messages, 50);
	struct err err;
	unsigned before = w->a.sessions;
	assert_true(queue_retry(w->queue, (struct spool_id){0}, &err));
	pass(USEC_S);
	assert_int_equal(w->a.sessions, before + 1);
}

/* Nobody answers for five days: dialled now and then, and the senders hear of it all the same. */
WAITS static void expires_at_dead_site(struct world *w)
{
	server_start(&w->c, &w->servers);
	for (int i = 0; i < 10; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(10 * USEC_HOUR);
	assert_int_equal(w->c.messages, 10);
	pass(6 * USEC_DAY);
	assert_int_equal(w->c.messages, 20);
	assert_int_equal(spooled(w), 0);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Status: 4.4.7")) < report.n);
	assert_true(str_find(report, STR("refused")) < report.n);
}

/* --- domains that lead nowhere --- */

static const struct {
	const char *rcpt, *status, *words;
} nowhere[] = {
	{"x@null.example", "Status: 5.1.10", "null MX"},
	{"x@missing.example", "Status: 5.1.2", "does not exist"},
	{"x@ours.example", "Status: 5.4.6", "come back to this host"},
	{"x@loopback.example", "Status: 5.4.4", "never dialled"},
	{"x@[127.0.0.1]", "Status: 5.4.4", "never dialled"},
	{"x@self.example", "Status: 5.4.6", "come back to this host"},
};

WAITS static void leads_nowhere(struct world *w)
{
	server_start(&w->c, &w->servers);
	for (size_t i = 0; i < COUNT(nowhere); i++) {
		submit(w, "s@sender.example", nowhere[i].rcpt);
		pass(USEC_S);
		struct str report = buf_view(&w->c.message);
		assert_row(w->c.messages == i + 1, nowhere[i].rcpt);
		if (str_find(report, str_from(nowhere[i].status)) == report.n || str_find(report, str_from(nowhere[i].words)) == report.n)
			fail_msg("%s: %.*s", nowhere[i].rcpt, STR_ARG(report));
	}
	struct spool_id id = submit(w, "s@sender.example", "x@dnsdead.example");
	pass(USEC_MIN);
	struct queue_item i = item(w, id);
	assert_int_equal(i.attempts, 1);
	assert_true(str_find(i.last_reply, STR("SERVFAIL")) < i.last_reply.n);
}

/* --- running them --- */

static const struct scene scenes[] = {
	{"retries", retries}, {"expires", expires}, {"bounces", bounces}, {"keeps", keeps},
	{"fails_over", fails_over}, {"refused_at_the_door", refused_at_the_door}, {"dead_site", dead_site},
	{"shut_door", shut_door}, {"expires_at_dead_site", expires_at_dead_site},
	{"lost_behind_dot", lost_behind_dot}, {"told_421", told_421},
	{"leads_nowhere", leads_nowhere, .has_route_to_itself = true}, {"no_room_for_report", no_room_for_report},
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
