/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered, for how long, over restarts, and shown: layers, times to live, patterns, the hot path. */
#include "verify/test_bed.h"

#include "base/random.h"
#include "verify/cache.h"
#include "verify/random_local.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct habit truthful = {.name = "truthful"};
static const struct habit takes_all = {.name = "takes everything", .unknown = "250 ok"};
static const struct habit closes = {.name = "hangs up", .greeting = "!close"};

/* --- times to live --- */

static void times_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful), *e = bed_mx(&b, "192.88.1.2", &takes_all);
	ask(&b, "joe@d.example");
	ask(&b, "nobody@d.example");
	ask(&b, "any@e.example");
	pass(USEC_HOUR);
	assert_true(ask(&b, "nobody@d.example")->is_cached);
	pass(USEC_HOUR); /* absent: two hours, and not two from the last look */
	assert_false(ask(&b, "nobody@d.example")->is_cached);
	assert_true(ask(&b, "joe@d.example")->is_cached);
	pass(6 * USEC_DAY);
	assert_true(ask(&b, "joe@d.example")->is_cached);
	assert_int_equal(ask(&b, "other@e.example")->verdict, VERIFY_CATCH_ALL);
	assert_int_equal(e->sessions, 1); /* a catch-all domain answers for every address */
	pass(2 * USEC_DAY);
	unsigned rcpts = m->rcpts;
	assert_false(ask(&b, "joe@d.example")->is_cached);
	assert_int_equal(m->rcpts, rcpts + 2); /* and the domain is looked at again */
	assert_false(ask(&b, "other@e.example")->is_cached);
	bed_close(&b);
}
FAKE_TEST(times)

static void jitter_body(void *arg)
{
	struct bed b = {0};
	struct err err;
	struct cache c;
	struct wall first = {INT64_MAX}, last = {0}, at;
	char key[32] = "";
	(void)arg;
	bed_open(&b);
	assert_true(cache_open(&c, b.store, &b.conf, &err));
	struct wall now = rt_wall();
	for (int i = 0; i < 200; i++) {
		struct address_record r = {.verdict = i % 2 ? VERIFY_EXISTS : VERIFY_ABSENT, .checked = now};
		struct str k = {key, (size_t)snprintf(key, sizeof(key), "a%d@d.example", i)};
		assert_true(cache_put_address(&c, k, &r, 100 * USEC_S, now));
		assert_true(table_get(c.addresses, k, NULL, &at));
		usec_t live = wall_diff(at, now);
		assert_true(live >= 90 * USEC_S && live <= (i % 2 ? 110 : 100) * USEC_S);
		first = wall_is_before(at, first) ? at : first;
		last = wall_is_before(last, at) ? at : last;
	}
	assert_true(wall_diff(last, first) > 10 * USEC_S);
	bed_close(&b);
}
FAKE_TEST(jitter)

/* A question that could not be completed takes nothing away from an answer that was. */
static void demotion_body(void *arg)
{
	struct bed b = {0};
	struct err err;
	struct cache c;
	struct address_record r;
	(void)arg;
	bed_open(&b);
	assert_true(cache_open(&c, b.store, &b.conf, &err));
	struct wall now = rt_wall();
	static const enum verify_verdict good[] = {VERIFY_EXISTS, VERIFY_ABSENT, VERIFY_CATCH_ALL},
	                                 poor[] = {VERIFY_TEMPORARY, VERIFY_BLOCKED, VERIFY_UNVERIFIABLE};
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++) {
			struct address_record before = {.verdict = good[i]}, after = {.verdict = poor[j]};
			cache_drop_address(&c, STR("k@d"));
			assert_true(cache_put_address(&c, STR("k@d"), &after, USEC_HOUR, now));
			assert_true(cache_put_address(&c, STR("k@d"), &before, USEC_HOUR, now));
			assert_false(cache_put_address(&c, STR("k@d"), &after, USEC_HOUR, now));
			assert_true(cache_address(&c, STR("k@d"), &r));
			assert_int_equal(r.verdict, good[i]);
		}
	/* a real answer replaces a real answer */
	struct address_record absent = {.verdict = VERIFY_ABSENT};
	assert_true(cache_put_address(&c, STR("k@d"), &(struct address_record){.verdict = VERIFY_EXISTS}, USEC_HOUR, now));
	assert_true(cache_put_address(&c, STR("k@d"), &absent, USEC_HOUR, now));
	bed_close(&b);
}
FAKE_TEST(demotion)

static void records_come_back_as_they_were(void **state)
{
	char bytes[RECORD_MAX], cut[RECORD_MAX];
	char said[300];
	struct address_record a = {VERIFY_ABSENT, VERIFY_CLASS_DEFERRED, CAUSE_GREYLIST, 550, true, true, 7, {11}, {12}, {13},
	                           STR("mx.d.example"), STR("550 no")}, a2;
	struct domain_record d = {DOMAIN_CATCH_ALL, {1}, {2}, {3}, {4}, {5}, {6}, {7}, CAUSE_REPUTATION, VERIFY_CLASS_REFUSED_US, 250,
	                          STR("mx"), STR("")}, d2;
	struct host_record h = {{1}, {2}, 3, CAUSE_NETWORK, VERIFY_CLASS_NO_ANSWER, 421, STR("busy")}, h2;
	(void)state;
	memset(said, 'x', sizeof(said));
	a.said = (struct str){said, sizeof(said)};
	struct str v = address_record_encode(&a, bytes);
	assert_true(address_record_decode(v, &a2));
	assert_true(a2.verdict == a.verdict && a2.class == a.class && a2.cause == a.cause && a2.code == 550 && a2.null_refused &&
	            a2.control_refused && a2.attempts == 7 && a2.checked.us == 11 && a2.first.us == 12 && a2.retry_at.us == 13);
	assert_str(a2.host, "mx.d.example");
	assert_int_equal(a2.said.n, RECORD_SAID_MAX);
	for (size_t n = 0; n < v.n; n++) /* cut anywhere, or longer: not read */
		assert_false(address_record_decode((struct str){bytes, n}, &a2));
	for (size_t i = 0; i < 5; i++) { /* version, number of causes, kind, verdict, class out of range */
		memcpy(cut, bytes, v.n);
		cut[i] = '\xff';
		assert_false(address_record_decode((struct str){cut, v.n}, &a2));
	}
	v = domain_record_encode(&d, bytes);
	assert_true(domain_record_decode(v, &d2));
	assert_true(d2.kind == DOMAIN_CATCH_ALL && d2.kind_at.us == 1 && d2.kind_until.us == 2 && d2.null_refused_at.us == 3 &&
	            d2.null_refused_until.us == 4 && d2.postmaster_at.us == 5 && d2.blocked_at.us == 6 && d2.blocked_until.us == 7 &&
	            d2.blocked_cause == CAUSE_REPUTATION && d2.code == 250);
	assert_false(address_record_decode(v, &a2));
	v = host_record_encode(&h, bytes);
	assert_true(host_record_decode(v, &h2));
	assert_true(h2.down_until.us == 1 && h2.blocked_until.us == 2 && h2.steps == 3 && h2.code == 421);
	assert_str(h2.said, "busy");
}

/* --- the random local part --- */

static void the_random_local_part_is_stable_for_a_week(void **state)
{
	char a[RANDOM_LOCAL_N], b[RANDOM_LOCAL_N];
	struct wall monday, sunday;
	(void)state;
	assert_true(wall_parse_rfc3339(STR("2026-11-23T00:00:00Z"), &monday));
	assert_true(wall_parse_rfc3339(STR("2026-11-29T23:59:59Z"), &sunday));
	struct str x = random_local(STR("key"), STR("d.example"), monday, a);
	assert_true(str_eq(x, random_local(STR("key"), STR("d.example"), sunday, b)));
	assert_false(str_eq(x, random_local(STR("key"), STR("d.example"), wall_add(sunday, USEC_S), b)));
	assert_false(str_eq(x, random_local(STR("key"), STR("e.example"), monday, b)));
	assert_false(str_eq(x, random_local(STR("other"), STR("d.example"), monday, b)));
	for (size_t i = 0; i < x.n; i++)
		assert_true(x.p[i] >= 'a' && x.p[i] <= 'z');
}

/* --- patterns --- */

static void patterns_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	ask(&b, "joe+1@d.example");
	ask(&b, "joe+2@d.example");
	ask(&b, "joe+2@d.example"); /* the same one does not count twice */
	assert_int_equal(m->rcpts, 3);
	ask(&b, "joe+3@d.example");
	assert_int_equal(m->rcpts, 4);
	struct verify_answer *a = ask(&b, "joe+4@d.example");
	assert_int_equal(a->verdict, VERIFY_EXISTS);
	assert_true(a->is_cached);
	assert_int_equal(m->rcpts, 4);
	/* another pattern is another matter, and a plain address always */
	assert_int_equal(ask(&b, "mary+1@d.example")->verdict, VERIFY_ABSENT);
	pass(3 * USEC_MIN);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(m->rcpts, 6);
	assert_true(verify_cache_flush(b.v, STR("d.example")) >= 6);
	ask(&b, "joe+5@d.example");
	assert_int_equal(m->rcpts, 8);
	bed_close(&b);
}
FAKE_TEST(patterns)

static void learned_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &closes);
	verify_learn_exists(b.v, STR("partner@d.example"));
	assert_int_equal(ask(&b, "partner@d.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(m->sessions, 0);
	bed_close(&b);
}
FAKE_TEST(learned)

/* --- restart --- */

static void restart_body(void *arg)
{
	static const struct habit grey = {.greylists = 5 * USEC_MIN, .mail_null = NULL};
	char dir[] = "/tmp/postern-verify-XXXXXX", path[64];
	struct bed b = {0};
	struct err err;
	(void)arg;
	assert_non_null(mkdtemp(dir));
	bed_open(&b);
	verify_close(b.v);
	store_close(b.store);
	b.store = store_open(dir, "state.db", &err);
	assert_non_null(b.store);
	bed_verify_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful), *e = bed_mx(&b, "192.88.1.2", &grey);
	ask(&b, "joe@d.example");
	ask(&b, "joe@e.example");
	assert_int_equal(e->sessions, 1);
	struct str probe = buf_view(&e->heard);
	size_t at = str_find(probe, STR("RSET")) + strlen("RSET\nMAIL FROM:<>\n");
	struct str control = arena_str(&b.arena, str_slice(probe, at, at + 40));
	verify_close(b.v);
	store_close(b.store);
	b.store = store_open(dir, "state.db", &err);
	assert_non_null(b.store);
	bed_verify_open(&b);
	assert_true(ask(&b, "joe@d.example")->is_cached);
	assert_int_equal(m->sessions, 1);
	/* the re-probe is taken up again, with the same secret and so the same triplets */
	pass(6 * USEC_MIN);
	assert_int_equal(ask(&b, "joe@e.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(e->sessions, 2);
	assert_int_equal(heard(e, arena_cstr(&b.arena, control)), 2);
	bed_close(&b);
	static const char *const files[] = {"state.db", "state.db-wal", "state.db-shm"};
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}
FAKE_TEST(restart)

/* --- show and flush --- */

static bool shows(struct bed *b, const char *what, bool as_json, const char *text)
{
	struct buf out;
	buf_init(&out, 1u << 20);
	verify_cache_show(b->v, str_from(what), as_json, &out);
	bool has = str_find(buf_view(&out), str_from(text)) < out.n;
	if (!has)
		print_error("%.*s\n", STR_ARG(buf_view(&out)));
	buf_done(&out);
	return has;
}

static void show_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	bed_mx(&b, "192.88.1.1", &truthful);
	ask(&b, "joe@d.example");
	ask(&b, "joe@e.example");
	assert_true(shows(&b, "joe@d.example", false, "joe@d.example  exists, checked"));
	assert_true(shows(&b, "joe@d.example", false, "refuses unknown addresses, kept for"));
	assert_true(shows(&b, "joe@d.example", true, "\"verdict\":\"exists\""));
	assert_true(shows(&b, "d.example", true, "\"kind\":\"tells\""));
	assert_true(shows(&b, "d.example", true, "\"count\":1}"));
	assert_true(shows(&b, "192.88.1.2", false, "no answer; left alone for"));
	assert_true(shows(&b, "192.88.1.2", true, "\"down_until\":"));
	assert_true(shows(&b, "none.example", false, "nothing remembered"));
	assert_true(shows(&b, "x@none.example", true, "{\"record\":null,\"domain\":{\"domain\":\"none.example\""));
	assert_true(shows(&b, "", true, "{\"addresses\":2,"));
	assert_int_equal(verify_cache_flush(b.v, STR("192.88.1.2")), 1);
	assert_true(shows(&b, "192.88.1.2", false, "nothing remembered"));
	assert_int_equal(verify_cache_flush(b.v, STR("joe@d.example")), 1);
	assert_int_equal(verify_cache_flush(b.v, STR("joe@d.example")), 0);
	assert_int_equal(verify_cache_flush(b.v, STR("d.example")), 1);
	bed_close(&b);
}
FAKE_TEST(show)

/* --- the hot path --- */

static void hot_body(void *arg)
{
	struct bed b = {0};
	struct verify_answer out;
	struct timespec t0, t1;
	char key[40] = "";
	(void)arg;
	bed_open(&b);
	for (int i = 0; i < 1000; i++) {
		struct str k = {key, (size_t)snprintf(key, sizeof(key), "user%d@d.example", i)};
		verify_learn_exists(b.v, k);
	}
	enum { ROUNDS = 20000 };
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < ROUNDS; i++) {
		struct str k = {key, (size_t)snprintf(key, sizeof(key), "user%d@d.example", i % 1000)};
		assert_true(verify_lookup(b.v, k, &out));
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	double us = ((double)(t1.tv_sec - t0.tv_sec) * 1e6 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e3) / ROUNDS;
	print_message("verify_lookup: %.2f us\n", us);
#ifndef __SANITIZE_ADDRESS__
	assert_true(us < 25); /* 40,000 a second at the very least */
#endif
	assert_false(verify_lookup(b.v, STR("other@d.example"), &out));
	bed_close(&b);
}
FAKE_TEST(hot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),
		cmocka_unit_test(jitter),
		cmocka_unit_test(demotion),
		cmocka_unit_test(records_come_back_as_they_were),
		cmocka_unit_test(the_random_local_part_is_stable_for_a_week),
		cmocka_unit_test(patterns),
		cmocka_unit_test(learned),
		cmocka_unit_test(restart),
		cmocka_unit_test(show),
		cmocka_unit_test(hot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
