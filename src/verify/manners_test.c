/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Budgets, breakers and turns by themselves. */
#include "verify/test_bed.h"

#include "verify/breaker.h"
#include "verify/budget.h"
#include "verify/never_ask.h"
#include "verify/turns.h"

/* --- budgets --- */

static enum budget_limit take(struct budget *g, const struct verify_conf *conf, const char *client, const char *domain,
                              const char *op, bool is_vouched, usec_t *wait)
{
	struct budget_asker a = {.domain = str_from(domain), .mx_operator = str_from(op), .is_vouched = is_vouched};
	if (client)
		assert_true(ip_parse(str_from(client), &a.client));
	return budget_take(g, conf, &a, rt_wall(), wait);
}

static void budget_body(void *arg)
{
	struct bed b = {0};
	struct budget g;
	struct err err;
	usec_t wait;
	(void)arg;
	bed_open(&b);
	assert_true(budget_open(&g, b.store, &err));
	b.conf.per_second = 100000;
	for (int i = 0; i < 20; i++)
		assert_int_equal(take(&g, &b.conf, NULL, "d.example", "op", false, &wait), BUDGET_OK);
	assert_int_equal(take(&g, &b.conf, NULL, "d.example", "op", false, &wait), BUDGET_DOMAIN);
	assert_int_equal(wait, 3 * USEC_MIN); /* twenty an hour */
	for (int i = 0; i < 180; i++) /* forged ones have used up nothing of this */
		assert_int_equal(take(&g, &b.conf, NULL, "d.example", "op", true, &wait), BUDGET_OK);
	assert_int_equal(take(&g, &b.conf, NULL, "other.example", "op", false, &wait), BUDGET_OPERATOR);
	assert_int_equal(take(&g, &b.conf, NULL, "other.example", "", false, &wait), BUDGET_OK);
	pass(wait = 3 * USEC_MIN);
	assert_int_equal(take(&g, &b.conf, NULL, "d.example", "op", false, &wait), BUDGET_OK);
	/* a refused question takes nothing from the other buckets */
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(&g, &b.conf, "198.18.0.1", "e.example", "", true, &wait), BUDGET_OK);
	assert_int_equal(take(&g, &b.conf, "198.18.0.200", "e.example", "", true, &wait), BUDGET_CLIENT);
	assert_int_equal(take(&g, &b.conf, "198.18.1.1", "e.example", "", true, &wait), BUDGET_OK);
	struct ip same_net = client_at("198.18.0.3").client, other_net = client_at("198.18.9.3").client;
	assert_false(budget_client_has(&g, &b.conf, same_net, rt_wall()));
	assert_true(budget_client_has(&g, &b.conf, other_net, rt_wall()));
	b.conf.per_second = 2;
	pass(USEC_S);
	int n = 0;
	for (int i = 0; i < 10; i++)
		n += take(&g, &b.conf, NULL, "f.example", "", true, &wait) == BUDGET_OK;
	assert_int_equal(n, 2);
	bed_close(&b);
}
FAKE_TEST(budget)

/* --- breakers --- */

static enum breaker_state look(struct breaker *k)
{
	struct breaker_look l;
	breaker_look(k, STR("op"), rt_wall(), &l);
	return l.state;
}

static bool trip(struct breaker *k, enum breaker_why why)
{
	return breaker_trip(k, STR("op"), why, STR("550 blocked"), 6 * USEC_HOUR, rt_wall());
}

static void breaker_body(void *arg)
{
	struct bed b = {0};
	struct breaker k;
	struct err err;
	(void)arg;
	bed_open(&b);
	assert_true(breaker_open(&k, b.store, &err));
	assert_int_equal(look(&k), BREAKER_CLOSED);
	for (int i = 0; i < 10; i++) /* at once is one time */
		assert_false(trip(&k, BREAKER_BLOCKED));
	pass(2 * USEC_MIN);
	assert_false(trip(&k, BREAKER_BLOCKED));
	pass(2 * USEC_MIN);
	assert_true(trip(&k, BREAKER_BLOCKED));
	assert_int_equal(look(&k), BREAKER_OPEN);
	assert_false(trip(&k, BREAKER_BLOCKED)); /* said once */
	pass(6 * USEC_HOUR);
	assert_int_equal(look(&k), BREAKER_HALF_OPEN);
	assert_int_equal(look(&k), BREAKER_OPEN); /* one at a time */
	assert_true(trip(&k, BREAKER_BLOCKED));   /* still: twice as long */
	pass(7 * USEC_HOUR);
	assert_int_equal(look(&k), BREAKER_OPEN);
	pass(5 * USEC_HOUR);
	assert_int_equal(look(&k), BREAKER_HALF_OPEN);
	breaker_release(&k, STR("op"), rt_wall()); /* found out nothing */
	assert_int_equal(look(&k), BREAKER_HALF_OPEN);
	breaker_answered(&k, STR("op"), rt_wall());
	assert_int_equal(look(&k), BREAKER_CLOSED);
	assert_false(trip(&k, BREAKER_BLOCKED)); /* counts from the beginning */
	assert_true(breaker_reset(&k, STR("op")));
	assert_false(breaker_reset(&k, STR("op")));
	/* one word is enough */
	assert_true(trip(&k, BREAKER_OPT_OUT));
	assert_int_equal(look(&k), BREAKER_OPEN);
	assert_true(breaker_reset(&k, STR("op")));
	/* a storm is many in a short time */
	for (int i = 0; i < 7; i++)
		assert_false(trip(&k, BREAKER_STORM));
	pass(11 * USEC_MIN);
	for (int i = 0; i < 7; i++)
		assert_false(trip(&k, BREAKER_STORM));
	assert_true(trip(&k, BREAKER_STORM));
	pass(31 * USEC_MIN);
	assert_int_equal(look(&k), BREAKER_HALF_OPEN);
	bed_close(&b);
}
FAKE_TEST(breaker)

static void never_asked_names(void **state)
{
	struct str items[] = {STR("yahoodns.net")};
	struct conf_texts list = {items, 1};
	(void)state;
	assert_str(never_ask_match(&list, STR("mta5.am0.yahoodns.net")), "yahoodns.net");
	assert_str(never_ask_match(&list, STR("YahooDNS.net")), "yahoodns.net");
	assert_int_equal(never_ask_match(&list, STR("notyahoodns.net")).n, 0);
	assert_int_equal(never_ask_match(&list, STR("net")).n, 0);
}

/* --- turns --- */

static struct turns turns_under_test;
static int inside, most, done;

static void one_turn(void *arg)
{
	struct err err;
	struct deadline d;
	if (arg)
		deadline_push(&d, USEC_S, "short of time");
	bool ok = turns_take(&turns_under_test, STR("192.0.2.1"), "turn", &err);
	if (arg)
		deadline_pop(&d);
	if (!ok)
		return;
	if (++inside > most)
		most = inside;
	pass(2 * USEC_S);
	inside--;
	done++;
	turns_give(&turns_under_test, STR("192.0.2.1"));
}

static void turns_body(void *arg)
{
	struct group g;
	struct err err;
	(void)arg;
	inside = most = done = 0;
	turns_init(&turns_under_test);
	group_init(&g, "turns");
	for (int i = 0; i < 6; i++)
		assert_true(group_go(&g, "one", one_turn, i == 3 ? &g : NULL, &err));
	assert_true(group_wait(&g, &err));
	assert_int_equal(most, 1);
	assert_true(done >= 5); /* all but the one that had no time, and it holds up nobody */
	turns_done(&turns_under_test);
}

static void turns_come_one_at_a_time(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++)
		run_fake(turns_body, NULL, seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budget),
		cmocka_unit_test(breaker),
		cmocka_unit_test(never_asked_names),
		cmocka_unit_test(turns_come_one_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
