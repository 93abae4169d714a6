/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would have been is added up rightly, what speaks for a sender is found, and neither memory nor rows run away. */
#include "base/test.h"

#include <stdlib.h>

#include "base/metric.h"
#include "store/observed.h"

static struct err failure;

struct mail {
	const char *ref, *sender, *recipients, *ip;
	enum verdict would;  /* NONE: nothing would have happened */
	const char *check;   /* that would have: "verify", "spf" */
	const char *more[4]; /* a further entry: check, result, subject, text; NULL: none */
};

static void put(struct history *h, const struct mail *m)
{
	struct arena arena;
	struct trail t;

	arena_init(&arena, 1000000);
	trail_init(&t, &arena, rt_wall());
	t.ref = str_from(m->ref);
	t.sender = str_from(m->sender);
	t.recipients = str_from(m->recipients);
	t.verdict = VERDICT_ACCEPT;
	assert_true(ip_parse(str_from(m->ip), &t.client));
	if (m->more[0])
		trail_note(&t, rt_wall(), 0, m->more[0], m->more[1], CAUSE_NONE, str_from(m->more[2]), "%s", m->more[3]);
	if (m->would != VERDICT_NONE)
		trail_note_would(&t, rt_wall(), m->check ? m->check : "verify", m->would, CAUSE_SENDER_INVALID, t.sender, STR("550 would"));
	history_put(h, &t);
	arena_done(&arena);
}

WAITS static void pass(usec_t d)
{
	assert_true(rt_sleep(d, "test", &failure));
}

WAITS static struct observed *read_all(struct history *h, usec_t back, uint64_t max)
{
	struct observed *o;

	if (!observed_read(h, wall_add(rt_wall(), -back), rt_wall(), max, &o, &failure))
		fail_msg("%s", failure.text);
	observed_finish(o);
	return o;
}

static const struct observed_sender *sender(const struct observed *o, const char *address)
{
	return map_get(&o->senders_by_address, str_from(address));
}

static const struct observed_domain *domain(const struct observed *o, const char *name)
{
	return map_get(&o->domains_by_name, str_from(name));
}

#define REFUSE VERDICT_REJECT, "verify"
#define DIALOGUE {"verify", "absent", "x@a.test", "RCPT TO:<x@a.test>\n550 5.1.1 none"}

static const struct mail mails[] = {
	{"R1", "x@A.test", "joe@here.test", "192.0.2.1", REFUSE, {"verify", "absent", "x@a.test", "cached; 550"}},
	{"R2", "x@a.test", "ann@here.test", "192.0.2.2", REFUSE, DIALOGUE},
	{"R3", "y@a.test", "joe@here.test", "192.0.2.3", VERDICT_DEFER, "verify", {NULL}},
	{"R4", "z@b.test", "joe@here.test", "192.0.2.4", VERDICT_TAG, "verify", {NULL}},
	{"R5", "fine@c.test", "joe@here.test", "192.0.2.5", VERDICT_NONE, NULL, {"verify", "exists", "fine@c.test", "250"}},
	{"R6", "spf@d.test", "joe@here.test", "192.0.2.6", VERDICT_REJECT, "spf", {"spf", "fail", "d.test", "-all"}},
	/* What speaks for a sender. */
	{"R7", "replied@a.test", "joe@here.test", "192.0.2.7", REFUSE, {NULL}},
	{"R8", "joe@here.test", "other@e.test replied@A.test", "10.0.0.1", VERDICT_NONE, NULL, {NULL}},
	{"R9", "bounced@a.test", "joe@here.test", "192.0.2.7", REFUSE, {NULL}},
	{"Ra", "joe@here.test", "bounced@a.test", "10.0.0.1", VERDICT_NONE, NULL, {"deliver", "failed", "bounced@a.test", "550"}},
	{"Rb", "answered@a.test", "joe@here.test", "192.0.2.7", REFUSE, {NULL}},
	{"Rc", "", "answered@a.test", "10.0.0.1", VERDICT_NONE, NULL, {NULL}}, /* a bounce of ours is no reply */
	{"Rd", "later@a.test", "joe@here.test", "192.0.2.8", VERDICT_DEFER, "verify", {NULL}},
	{"Re", "later@a.test", "joe@here.test", "192.0.2.8", VERDICT_NONE, NULL, {"verify", "exists", "later@a.test", "250"}},
	{"Rf", "signed@sub.f.test", "joe@here.test", "192.0.2.9", REFUSE, {"dkim", "pass", "f.test", ""}},
	{"Rg", "alien@sub.f.test", "joe@here.test", "192.0.2.9", REFUSE, {"dkim", "pass", "test", ""}},
	{"Rh", "queue@g.test", "joe@here.test", "192.0.2.9", REFUSE, {NULL}},
	{"Ri", "queue@g.test", "joe@here.test", "198.51.100.9", REFUSE, {NULL}},
	{"Rj", "queue@g.test", "joe@here.test", "203.0.113.9", REFUSE, {NULL}},
	{"Rk", "bot@g.test", "joe@here.test", "192.0.2.9", REFUSE, {NULL}},
	{"Rl", "bot@g.test", "ann@here.test", "198.51.100.9", REFUSE, {NULL}},
	{"Rm", "bot@g.test", "zoe@here.test", "203.0.113.9", REFUSE, {NULL}},
};

static void check_domains(const struct observed *o)
{
	const struct observed_domain *a = domain(o, "a.test");

	assert_int_equal(o->messages, COUNT(mails));
	assert_int_equal(o->n[OBSERVED_REFUSE], 14);
	assert_int_equal(o->n[OBSERVED_DEFER], 2);
	assert_int_equal(o->n[OBSERVED_TAG], 1);
	assert_int_equal(a->n[OBSERVED_REFUSE], 5);
	assert_int_equal(a->n[OBSERVED_DEFER], 2);
	assert_int_equal(a->senders, 6);
	assert_int_equal(a->honest, 2);
	assert_null(domain(o, "c.test"));
	/* A dialogue is better than an answer from memory, though it is newer here; the deferral has a sample of its own. */
	assert_int_equal(a->n_samples, 2);
	const struct observed_sample *s = &a->samples[a->samples[0].kind == OBSERVED_REFUSE ? 0 : 1];
	assert_str(s->ref, "R2");
	assert_str(s->dialogue, "RCPT TO:<x@a.test>\n550 5.1.1 none");
	assert_str(s->reply, "550 would");
	/* Honest ones first. */
	for (size_t i = 1; i < o->n_domains; i++)
		assert_false(o->domains[i]->honest && !o->domains[i - 1]->honest);
	for (size_t i = 1; i < o->n_senders; i++)
		assert_false(o->senders[i]->proofs && !o->senders[i - 1]->proofs);
}

WAITS static void adding_up(void *arg)
{
	static const struct {
		const char *address;
		unsigned proofs;
	} cases[] = {
		{"x@a.test", 0}, {"replied@a.test", OBSERVED_REPLIED}, {"bounced@a.test", 0}, {"answered@a.test", 0},
		{"later@a.test", OBSERVED_EXISTED}, {"signed@sub.f.test", OBSERVED_ALIGNED}, {"alien@sub.f.test", 0},
		{"queue@g.test", OBSERVED_RETRIED}, {"bot@g.test", 0}, {"z@b.test", 0},
	};
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, 30 * USEC_DAY, 1000, &failure);

	for (size_t i = 0; i < COUNT(mails); i++) {
		put(h, &mails[i]);
		pass(USEC_S);
	}
	struct observed *o = read_all(h, USEC_DAY, 1000);
	check_domains(o);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_non_null(sender(o, cases[i].address));
		assert_row(sender(o, cases[i].address)->proofs == cases[i].proofs, cases[i].address);
	}
	assert_true(sender(o, "spf@d.test")->is_spf);
	assert_false(sender(o, "x@a.test")->is_spf);
	assert_int_equal(o->honest[OBSERVED_REFUSE], 1 + 1 + 3);
	observed_free(o);
	store_close(s);
}

static void run(WAITS void (*fn)(void *arg))
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	metrics_reset();
	if (!rt_run(&options, fn, NULL, &err))
		fail_msg("%s", err.text);
}

static void test_adding_up(void **state)
{
	run(adding_up);
}

/* Days: what is older than asked for is not counted; what happens at midnight belongs to the new day. */
WAITS static void by_days(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, 30 * USEC_DAY, 1000, &failure);

	pass(USEC_DAY - rt_wall().us % USEC_DAY); /* to midnight */
	for (int i = 0; i < 6; i++) {
		char ref[16];
		snprintf(ref, sizeof(ref), "D%d", i);
		put(h, &(struct mail){ref, "x@a.test", "joe@here.test", "192.0.2.1", REFUSE, {NULL}});
		pass(USEC_DAY / 2);
	}
	/* Three days have passed: 0 and 12 o'clock of each. */
	struct observed *o = read_all(h, 2 * USEC_DAY, 1000);
	assert_int_equal(o->n_days, 3);
	assert_int_equal(o->days[0].n[OBSERVED_REFUSE], 2);
	assert_int_equal(o->days[1].n[OBSERVED_REFUSE], 2);
	assert_int_equal(o->days[2].n[OBSERVED_REFUSE], 0);
	assert_int_equal(o->n[OBSERVED_REFUSE], 4);
	assert_int_equal(domain(o, "a.test")->n[OBSERVED_REFUSE], 4);
	observed_free(o);
	store_close(s);
}

static void test_by_days(void **state)
{
	run(by_days);
}

/* More than may be read: the counts are exact all the same, and the newest are those that are listed. */
WAITS static void many(void *arg)
{
	enum { ALL = 1000, READ = 500 };
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, 30 * USEC_DAY, 10 * ALL, &failure);
	char ref[16], from[32];

	for (int i = 0; i < ALL; i++) {
		snprintf(ref, sizeof(ref), "M%d", i);
		snprintf(from, sizeof(from), "m%d@d%d.test", i, i % 100);
		put(h, &(struct mail){ref, from, "joe@here.test", "192.0.2.1", REFUSE, {NULL}});
		pass(USEC_MS);
	}
	struct observed *o = read_all(h, USEC_DAY, READ);
	assert_true(o->is_partial);
	assert_int_equal(o->n[OBSERVED_REFUSE], ALL);
	assert_int_equal(o->n_senders, READ);
	assert_non_null(sender(o, "m999@d99.test"));
	assert_null(sender(o, "m0@d0.test"));
	observed_free(o);
	o = read_all(h, USEC_DAY, ALL);
	assert_false(o->is_partial);
	assert_int_equal(o->n_senders, ALL);
	assert_int_equal(o->n_domains, 100);
	observed_free(o);
	store_close(s);
}

static void test_many(void **state)
{
	run(many);
}

/* What has no room is counted and not kept. */
static void test_bounds(void **state)
{
	struct observed *o = observed_new((struct wall){USEC_DAY}, (struct wall){10 * USEC_DAY});
	char from[40];

	for (int i = 0; i < 60000; i++) {
		struct arena arena;
		struct trail t;
		arena_init(&arena, 10000);
		trail_init(&t, &arena, (struct wall){5 * USEC_DAY});
		snprintf(from, sizeof(from), "x%d@d%d.test", i, i % 7);
		t.sender = str_from(from);
		trail_note_would(&t, t.begun, "verify", VERDICT_REJECT, CAUSE_SENDER_INVALID, t.sender, STR("550"));
		observed_add(o, &t);
		arena_done(&arena);
	}
	assert_int_equal(o->n_senders, 50000);
	assert_int_equal(o->left_out, 10000);
	assert_int_equal(o->n_domains, 7);
	observed_free(o);
	/* A request for years is one for the last 400 days. */
	o = observed_new((struct wall){0}, (struct wall){20000 * USEC_DAY});
	assert_int_equal(o->n_days, 400);
	assert_true(o->days[399].begin.us == 20000 * USEC_DAY);
	observed_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adding_up),
		cmocka_unit_test(test_by_days),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
