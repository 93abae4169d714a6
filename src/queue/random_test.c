/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue forgets nothing: servers that hang up, say 421 and 451 at any place, an operator who holds, releases, hurries
 * and changes the configuration, all at random. When the trouble is over everything is delivered, nothing has failed, and the next
 * message goes at once.
 */
#include "queue/test_world.h"

#define SEEDS    20
#define MESSAGES 60

static const char *const everybody[] = {"joe@a.example", "ann@a2.example", "bob@b.example", "tim@two.example", "kim@hop.test",
	"lea@local.example", "max@local.example", "mia@maildir.example", "ned@maildir.example"};

static const struct rule troubles[] = {
	{"", "421 too many"}, {"", "!close"}, {"EHLO", "421 busy"}, {"LHLO", "!close"}, {"MAIL", "451 later"}, {"MAIL", "421 closing"},
	{"RCPT", "451 greylisted"}, {"RCPT", "452 too many recipients"}, {"RCPT", "421 closing"}, {"DATA", "451 no room"},
	{"DATA", "!close"}, {".", "451 no room"}, {".", "!close"}, {".", "421 closing"}, {"RSET", "!close"},
};

static bool one_in(uint64_t n)
{
	return random_below(n) == 0;
}

static void set_troubles(struct test_server *t)
{
	for (size_t i = 0; i < 10; i++) {
		t->rules[i] = troubles[random_below(COUNT(troubles))];
		t->rules[i].times = 1 + (int)random_below(6);
	}
	t->offers = one_in(2) ? "PIPELINING" : "";
	t->delay = one_in(3) ? USEC_S : 0;
}

static WAITS void submit_some(void *arg)
{
	char rcpts[200] = "";
	for (uint64_t n = 1 + random_below(3); n > 0; n--) {
		const char *rcpt = everybody[random_below(COUNT(everybody))];
		if (strstr(rcpts, rcpt))
			continue;
		strcat(strcat(rcpts, rcpts[0] ? " " : ""), rcpt);
	}
	submit(arg, one_in(4) ? "" : "s@sender.example", rcpts);
}

struct ids {
	struct spool_id id[2 * MESSAGES];
	size_t n;
};

static void note_id(void *arg, const struct queue_item *i)
{
	struct ids *all = arg;
	if (all->n < COUNT(all->id))
		all->id[all->n++] = i->id;
}

static WAITS void meddle(struct world *w)
{
	struct ids all = {.n = 0};
	struct err err;
	queue_each(w->queue, note_id, &all);
	if (all.n == 0)
		return;
	struct spool_id id = all.id[random_below(all.n)];
	switch (random_below(5)) {
	case 0:
		(void)queue_hold(w->queue, id, STR("a while"), &err);
		break;
	case 1:
		(void)queue_release(w->queue, id, &err);
		break;
	case 2:
		(void)queue_retry(w->queue, id, &err);
		break;
	case 3:
		(void)queue_retry(w->queue, (struct spool_id){.n = 0}, &err);
		break;
	default:
		queue_reconfigure(w->queue, &w->conf, w->domains);
		break;
	}
}

static WAITS void release_all(struct world *w)
{
	struct ids all = {.n = 0};
	struct err err;
	queue_each(w->queue, note_id, &all);
	for (size_t i = 0; i < all.n; i++)
		(void)queue_release(w->queue, all.id[i], &err); /* most are not on hold */
}

static WAITS void trouble(struct world *w)
{
	struct group senders;
	struct err err;
	group_init(&senders, "senders");
	for (int i = 0; i < MESSAGES; i++) {
		assert_true(group_go(&senders, "sender", submit_some, w, &err));
		if (one_in(3))
			meddle(w);
		if (one_in(2))
			pass((usec_t)random_below(one_in(4) ? 20 * USEC_MIN : 10 * USEC_MS));
	}
	assert_true(group_wait(&senders, &err));
	group_done(&senders);
}

static WAITS void submit_one(void *arg)
{
	submit(arg, "", everybody[random_below(COUNT(everybody))]);
}

/* A few messages together, when nobody makes trouble any more. */
static WAITS void goes_at_once(struct world *w)
{
	uint64_t n = 1 + random_below(8), before = stats(w).delivered;
	struct group senders;
	struct err err;
	group_init(&senders, "senders");
	for (uint64_t i = 0; i < n; i++) {
		assert_true(group_go(&senders, "sender", submit_one, w, &err));
		if (one_in(3))
			assert_true(rt_yield(&err));
	}
	assert_true(group_wait(&senders, &err));
	group_done(&senders);
	pass(one_in(4) ? 10 * USEC_S : 100 * USEC_MS); /* more than session_idle, or much less */
	assert_int_equal(stats(w).delivered, before + n);
}

static WAITS void forgets_nothing(struct world *w)
{
	struct test_server *const all[] = {&w->a, &w->b, &w->d};
	w->d = (struct test_server){.ip = B_IP, .port = 24, .is_lmtp = true};
	for (size_t i = 0; i < COUNT(all); i++) {
		set_troubles(all[i]);
		server_start(all[i], &w->servers);
	}
	server_start(&w->c, &w->servers); /* for reports of delay */
	trouble(w);
	release_all(w);
	pass(USEC_DAY);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).messages, 0);
	assert_int_equal(stats(w).failed + stats(w).kept, 0);
	for (size_t i = 0; i < COUNT(all); i++) {
		memset(all[i]->rules, 0, sizeof(all[i]->rules));
		all[i]->delay = 0;
	}
	for (int i = 0; i < 40; i++)
		goes_at_once(w);
}

static void test_it_forgets_nothing(void **state)
{
	const char *only = getenv("SEED");
	struct err err;
	log_open(LOG_TEXT, LOG_INFO_, no_log, NULL);
	for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= SEEDS || only; seed++) {
		struct rt_options o = {.is_fake = true, .seed = seed};
		random_seed(seed);
		struct scene scene = {"forgets_nothing", forgets_nothing, .concurrency = (int64_t)(1 + random_below(8)),
		                      .per_site = (int64_t)(1 + random_below(4)), .session_messages = (int64_t)(1 + random_below(6))};
		print_message("seed %d\n", (int)seed);
		assert_true(rt_run(&o, run_scene, &scene, &err));
		if (only)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_forgets_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
