/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trails are found by what an administrator has at hand, grow with their message, expire and stay bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/metric.h"
#include "store/history.h"

static struct err failure;
static char dir[64];

static void run(bool is_fake, WAITS void (*fn)(void *arg))
{
	struct rt_options options = {.is_fake = is_fake, .seed = 1, .offload_threads = 2};
	struct err err;

	metrics_reset();
	if (!rt_run(&options, fn, NULL, &err))
		fail_msg("%s", err.text);
}

static void put(struct history *h, const char *ref, const char *sender, const char *recipients, const char *ip,
                enum verdict verdict, enum cause_id cause)
{
	struct arena arena;
	struct trail t;

	arena_init(&arena, 100000);
	trail_init(&t, &arena, rt_wall());
	t.ref = str_from(ref);
	t.sender = str_from(sender);
	t.recipients = str_from(recipients);
	t.verdict = verdict;
	assert_true(ip_parse(str_from(ip), &t.client));
	trail_note(&t, rt_wall(), 0, "test", "done", cause, STR_NONE, "%s", ref);
	history_put(h, &t);
	arena_done(&arena);
}

/* The references found, newest first, separated by spaces. */
WAITS static void expect(struct history *h, enum history_by by, const char *what, size_t limit, const char *want)
{
	struct arena arena;
	struct str *found;
	struct trail t;
	struct buf refs;
	size_t n;

	arena_init(&arena, 10000000);
	buf_init(&refs, 100000);
	if (!history_find(h, by, str_from(what), limit, &arena, &found, &n, &failure))
		fail_msg("%s", failure.text);
	for (size_t i = 0; i < n; i++) {
		if (!trail_decode(&arena, found[i], &t, &failure))
			fail_msg("%s", failure.text);
		buf_printf(&refs, "%s%.*s", i ? " " : "", STR_ARG(t.ref));
	}
	if (!str_eq(buf_view(&refs), str_from(want)))
		fail_msg("%s: \"%.*s\", want \"%s\"", what, STR_ARG(buf_view(&refs)), want);
	buf_done(&refs);
	arena_done(&arena);
}

WAITS static void pass(usec_t d)
{
	assert_true(rt_sleep(d, "test", &failure));
}

static const usec_t month = 30 * USEC_DAY;

WAITS static void finding(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 1000, &failure);

	assert_non_null(h);
	put(h, "R1", "Joe@Example.org", "a@here.test b@there.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	pass(USEC_S);
	put(h, "R2", "", "a@here.test", "2001:db8::1", VERDICT_DEFER, CAUSE_SENDER_VERIFY);
	pass(USEC_S);
	put(h, "R2b", "late@slow.test", "x@y.test", "192.0.2.7", VERDICT_ACCEPT, CAUSE_GREYLIST); /* by the next hop */
	pass(USEC_S);
	put(h, "R3", "ann@example.org", "c@here.test", "192.0.2.1", VERDICT_REJECT, CAUSE_NO_DOMAIN);
	static const struct {
		enum history_by by;
		const char *what;
		size_t limit;
		const char *want;
	} cases[] = {
		{HISTORY_REF, "R2", 10, "R2"},
		{HISTORY_REF, "r2", 10, ""},
		{HISTORY_ADDRESS, "joe@example.org", 10, "R1"},
		{HISTORY_ADDRESS, "JOE@example.ORG", 10, "R1"},
		{HISTORY_ADDRESS, "@example.org", 10, "R3 R1"},
		{HISTORY_ADDRESS, "example.org", 10, "R3 R1"},
		{HISTORY_ADDRESS, "R3", 10, "R3"},
		{HISTORY_ADDRESS, "a@here.test", 10, "R2 R1"},
		{HISTORY_ADDRESS, "@here.test", 2, "R3 R2"},
		{HISTORY_ADDRESS, "<>", 10, "R2"},
		{HISTORY_ADDRESS, "nobody@example.org", 10, ""},
		{HISTORY_IP, "192.0.2.1", 10, "R3 R1"},
		{HISTORY_IP, "2001:db8::1", 10, "R2"},
		{HISTORY_FAILURES, "", 10, "R3 R2b R2"},
		{HISTORY_FAILURES, "failures", 10, "R3 R2b R2"},
		{HISTORY_FAILURES, "sender_verify", 10, "R2"},
		{HISTORY_FAILURES, "greylist", 10, "R2b"},
		{HISTORY_FAILURES, "quota", 10, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(h, cases[i].by, cases[i].what, cases[i].limit, cases[i].want);

	/* A trail that has grown replaces its former self, and is found by what it now says only. */
	put(h, "R2", "", "new@here.test", "192.0.2.9", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "a@here.test", 10, "R1");
	expect(h, HISTORY_ADDRESS, "new@here.test", 10, "R2");
	expect(h, HISTORY_FAILURES, "", 10, "R3 R2b");

	put(h, "", "x@none.test", "a@b.test", "192.0.2.9", VERDICT_REJECT, CAUSE_PROTOCOL);
	put(h, "", "y@none.test", "a@b.test", "192.0.2.9", VERDICT_REJECT, CAUSE_PROTOCOL);
	expect(h, HISTORY_ADDRESS, "@none.test", 10, " "); /* two, without a name */
	store_close(s);
}

/* What changes again and again is found once, by what it says now, and stands where it began. */
WAITS static void changing(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 1000, &failure);

	for (int i = 0; i < 3; i++) {
		put(h, "R1", "a@x.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
		put(h, "R2", "a@x.test", "c@d.test", "192.0.2.2", VERDICT_ACCEPT, CAUSE_NONE);
		expect(h, HISTORY_ADDRESS, "a@x.test", 9, "R2 R1");
		put(h, "R2", "b@x.test", "c@d.test", "192.0.2.2", VERDICT_DEFER, CAUSE_QUOTA);
		expect(h, HISTORY_ADDRESS, "a@x.test", 9, "R1");
		expect(h, HISTORY_ADDRESS, "b@x.test", 9, "R2");
		expect(h, HISTORY_FAILURES, "quota", 9, "R2");
	}
	/* In one batch: a newer one, and an older one that has grown a word. */
	put(h, "R3", "new@x.test", "c@d.test", "192.0.2.3", VERDICT_ACCEPT, CAUSE_NONE);
	put(h, "R1", "new@x.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "new@x.test", 9, "R3 R1");
	expect(h, HISTORY_ADDRESS, "c@d.test", 2, "R3 R2");
	expect(h, HISTORY_ADDRESS, "@d.test", 9, "R3 R2 R1");
	store_close(s);
}

static void test_changing(void **state)
{
	run(true, changing);
}

static void test_finding(void **state)
{
	run(true, finding);
}

WAITS static void expiring(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 5, &failure);

	put(h, "OLD", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_REF, "OLD", 10, "OLD");
	pass(month + USEC_S);
	put(h, "NEW", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "a@b.test", 10, "NEW");

	for (int i = 0; i < 9; i++) {
		char ref[8];
		snprintf(ref, sizeof(ref), "N%d", i);
		pass(USEC_S);
		put(h, ref, "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	}
	pass(USEC_HOUR); /* sweeps are rare */
	put(h, "LAST", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "@b.test", 10, "LAST N8 N7 N6 N5");
	store_close(s);
}

/* One that began first and ended last takes nothing along that is younger than the limit. */
WAITS static void long_in_the_making(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 1000, &failure);
	struct wall begun = rt_wall();
	struct arena arena;
	struct trail t;

	pass(2 * USEC_HOUR);
	put(h, "SHORT", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_REF, "SHORT", 10, "SHORT");
	pass(USEC_S);
	arena_init(&arena, 100000);
	trail_init(&t, &arena, begun);
	t.ref = STR("LONG");
	t.sender = STR("a@b.test");
	history_put(h, &t);
	arena_done(&arena);
	expect(h, HISTORY_ADDRESS, "a@b.test", 10, "LONG SHORT");
	pass(month - USEC_HOUR); /* LONG began longer ago than that, SHORT did not */
	put(h, "NEW", "x@y.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "a@b.test", 10, "LONG SHORT");
	pass(2 * USEC_HOUR);
	put(h, "NEWER", "x@y.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "a@b.test", 10, "");
	store_close(s);
}

static void test_long_in_the_making(void **state)
{
	run(true, long_in_the_making);
}

static void test_retention_and_rows(void **state)
{
	run(true, expiring);
}

WAITS static void flooding(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 100000, &failure);
	char ref[16];

	for (int i = 0; i < 10100; i++) {
		snprintf(ref, sizeof(ref), "R%d", i);
		put(h, ref, "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	}
	assert_true(metric_value(metric_counter("postern_trails_dropped_total", NULL, NULL, "")) == 100);
	expect(h, HISTORY_REF, "R9999", 1, "R9999");
	expect(h, HISTORY_REF, "R10000", 1, "");
	store_close(s);
}

static void test_the_queue_is_bounded(void **state)
{
	run(true, flooding);
}

/* A trail that grows while it waits takes one place, and the last one counts. */
WAITS static void growing(void *arg)
{
	struct store *s = store_open(NULL, NULL, &failure);
	struct history *h = history_open(s, month, 100000, &failure);
	struct metric *dropped = metric_counter("postern_trails_dropped_total", NULL, NULL, "");
	double before = metric_value(dropped);

	for (int i = 0; i < 20200; i++)
		put(h, "R1", i % 2 ? "new@b.test" : "old@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	put(h, "", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_DEFER, CAUSE_NONE);
	put(h, "", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_DEFER, CAUSE_NONE);
	assert_true(metric_value(dropped) == before);
	expect(h, HISTORY_ADDRESS, "old@b.test", 9, "");
	expect(h, HISTORY_ADDRESS, "new@b.test", 9, "R1");
	expect(h, HISTORY_REF, "R1", 9, "R1");
	put(h, "R1", "again@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "new@b.test", 9, "");
	expect(h, HISTORY_ADDRESS, "again@b.test", 9, "R1");
	store_close(s);
}

static void test_a_trail_grows_while_it_waits(void **state)
{
	run(true, growing);
}

WAITS static void first_life(void *arg)
{
	struct group root;
	struct store *s = store_open(dir, "h.db", &failure);
	struct history *h = history_open(s, month, 1000, &failure);

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	put(h, "R1", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	store_close(s);
	group_done(&root);
}

WAITS static void second_life(void *arg)
{
	struct store *s = store_open(dir, "h.db", &failure);
	struct history *h = history_open(s, month, 1000, &failure);

	put(h, "R2", "a@b.test", "c@d.test", "192.0.2.2", VERDICT_ACCEPT, CAUSE_NONE);
	expect(h, HISTORY_ADDRESS, "a@b.test", 10, "R2 R1");
	store_close(s);
}

static void test_restart(void **state)
{
	char path[128];

	snprintf(dir, sizeof(dir), "/tmp/postern-history-XXXXXX");
	assert_non_null(mkdtemp(dir));
	run(false, first_life);
	run(false, second_life);
	snprintf(path, sizeof(path), "%s/h.db", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* closing leaves no journal behind */
}

/* The file cannot grow for a while: the trail waits, and is written without anybody asking for it. */
WAITS static void failing(void *arg)
{
	struct group root;
	struct store *s = store_open(dir, "h.db", &failure);
	struct history *h = history_open(s, month, 1000, &failure);
	struct rlimit before, none;
	double written = metric_value(metric_counter("postern_store_batches_total", NULL, NULL, ""));

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	put(h, "R1", "a@b.test", "c@d.test", "192.0.2.1", VERDICT_ACCEPT, CAUSE_NONE);
	pass(700 * USEC_MS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(metric_value(metric_counter("postern_store_failures_total", NULL, NULL, "")) >= 1);
	pass(1500 * USEC_MS);
	assert_true(metric_value(metric_counter("postern_store_batches_total", NULL, NULL, "")) == written + 1);
	expect(h, HISTORY_REF, "R1", 1, "R1");
	store_close(s);
	group_done(&root);
}

static void test_a_failed_write_comes_again(void **state)
{
	char path[128];

	snprintf(dir, sizeof(dir), "/tmp/postern-history-XXXXXX");
	assert_non_null(mkdtemp(dir));
	run(false, failing);
	snprintf(path, sizeof(path), "%s/h.db", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_changing),
		cmocka_unit_test(test_retention_and_rows),
		cmocka_unit_test(test_long_in_the_making),
		cmocka_unit_test(test_the_queue_is_bounded),
		cmocka_unit_test(test_a_trail_grows_while_it_waits),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_a_failed_write_comes_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
