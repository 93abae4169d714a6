/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator and the process: hold, retry, remove, restart, drain, a new configuration. */
#include "queue/test_world.h"

/* --- the operator --- */

WAITS static void operates(struct world *w)
{
	struct err err;
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 later", 1};
	server_start(&w->a, &w->servers);
	struct spool_id held = submit_with(w, "s@sender.example", "h@a.example", (struct wishes){.on_hold = true});
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 0);
	assert_true(item(w, held).is_on_hold);
	assert_int_equal(stats(w).on_hold, 1);
	assert_true(queue_retry(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_false(queue_retry(w->queue, id, &err));
	assert_false(queue_retry(w->queue, held, &err));
	assert_true(queue_release(w->queue, held, &err));
	assert_false(queue_release(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	/* Held before its second attempt; removed. */
	w->a.rules[0].times = 0;
	id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_true(queue_hold(w->queue, id, STR("looks odd"), &err));
	pass(USEC_DAY);
	assert_int_equal(item(w, id).attempts, 1);
	assert_true(queue_remove(w->queue, id, &err));
	assert_false(queue_remove(w->queue, id, &err));
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).messages, 0);
	/* All at once. */
	for (int i = 0; i < 5; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	w->a.rules[0] = (struct rule){"none", ""};
	assert_true(queue_retry(w->queue, (struct spool_id){0}, &err));
	pass(USEC_S);
	assert_int_equal(spooled(w), 0);
}

WAITS static void removes_what_is_under_way(struct world *w)
{
	struct err err;
	w->a.delay = 5 * USEC_S;
	w->a.rules[0] = (struct rule){".", "451 4.3.0 hm"};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_true(item(w, id).is_active);
	assert_true(queue_remove(w->queue, id, &err));
	assert_int_equal(spooled(w), 0);
	pass(USEC_HOUR);
	assert_int_equal(server_count(&w->a, "RCPT"), 1);
}

/* A new configuration sends what is queued another way. */
WAITS static void reconfigures(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 later"};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct domains *old = w->domains;
	add_route(w, (struct route_conf){.domain = STR("a.example"), .kind = ROUTE_SMTP, .next_hop = STR("[20.0.0.2]:25")});
	world_domains(w);
	queue_reconfigure(w->queue, &w->conf, w->domains);
	domains_free(old);
	submit(w, "s@sender.example", "ann@a.example");
	pass(USEC_S);
	assert_true(server_heard(&w->b, "RCPT TO:<ann@a.example>"));
	pass(20 * USEC_MIN);
	assert_int_equal(w->b.messages, 2);
	assert_int_equal(spooled(w), 0);
}

/* --- restarts --- */

WAITS static void recovers(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<later", "451 4.7.1 later"};
	w->a.rules[1] = (struct rule){"RCPT TO:<gone", "550 5.1.1 no"};
	w->a.rules[2] = (struct rule){"RCPT TO:<slow", "!silent", 1};
	server_start(&w->a, &w->servers);
	struct spool_id later = submit(w, "s@sender.example", "later@a.example ok@a.example");
	struct spool_id kept = submit(w, "", "gone@a.example");
	struct spool_id held = submit_with(w, "s@sender.example", "h@a.example", (struct wishes){.on_hold = true});
	struct spool_id slow = submit(w, "s@sender.example", "slow@a.example");
	pass(USEC_MIN);
	struct wall next = item(w, later).next_attempt;
	assert_true(item(w, slow).is_active);
	world_close_queue(w, false);
	w->recovered = 0;
	world_open_queue(w);
	assert_int_equal(w->recovered, 4);
	assert_int_equal(item(w, later).rcpts_open, 1);
	assert_int_equal(item(w, later).attempts, 1);
	struct str reply = item(w, later).last_reply;
	assert_true(str_find(reply, STR("451 4.7.1 later")) < reply.n);
	usec_t moved = wall_diff(item(w, later).next_attempt, next);
	assert_true(moved < USEC_S && moved > -USEC_S);
	assert_true(item(w, kept).has_kept);
	assert_true(item(w, held).is_on_hold);
	pass(10 * USEC_S);
	struct queue_item none;
	assert_false(queue_find(w->queue, slow, &none)); /* sent at once */
	w->a.rules[0] = (struct rule){"none", ""};
	pass(20 * USEC_MIN);
	assert_int_equal(spooled(w), 2);
	assert_int_equal(server_count(&w->a, "RCPT TO:<ok@"), 1);
	assert_int_equal(server_count(&w->a, "RCPT TO:<later@"), 2);
}

/* Killed between the final dot and its answer: sent again, and said so. */
WAITS static void recovers_in_doubt(struct world *w)
{
	w->a.rules[0] = (struct rule){".", "!silent", 1};
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	in_doubt = 0;
	world_close_queue(w, false);
	world_open_queue(w);
	assert_int_equal(in_doubt, 1);
	pass(5 * USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
	/* Killed before the dot: no doubt. */
	w->a.rules[0] = (struct rule){"DATA", "!silent", 1};
	submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	world_close_queue(w, false);
	world_open_queue(w);
	assert_int_equal(in_doubt, 1);
	pass(5 * USEC_S);
	assert_int_equal(w->a.messages, 2);
}

WAITS static void drains(struct world *w)
{
	w->a.delay = 3 * USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	usec_t before = rt_now();
	world_close_queue(w, true);
	assert_true(rt_now() - before < 10 * USEC_S);
	unsigned sent = w->a.messages;
	assert_true(sent > 0 && sent < 50);
	w->recovered = 0;
	world_open_queue(w);
	assert_int_equal(w->recovered, 50 - sent);
	pass(USEC_MIN);
	assert_int_equal(w->a.messages, 50);
}

/* --- running them --- */

static const struct scene scenes[] = {
	{"recovers_in_doubt", recovers_in_doubt}, {"operates", operates},
	{"removes_what_is_under_way", removes_what_is_under_way}, {"recovers", recovers}, {"drains", drains},
	{"reconfigures", reconfigures},
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
