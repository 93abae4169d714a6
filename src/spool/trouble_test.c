/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spool in trouble: askers that leave, disks that are full or out, bytes that rot while the daemon runs. */
#include "spool/test_world.h"

/* --- askers that leave --- */

struct hasty {
	struct world *w;
	size_t size;
	bool was_accepted;
};

WAITS static void accept_hastily(void *arg)
{
	struct hasty *h = arg;
	struct err err;
	struct spool_id id;
	h->was_accepted = accept_one(h->w, h->size, 5, &id, &err);
}

/* The asker is cancelled at every possible moment: then its message is not there, however far it
 * had got. */
WAITS static void cancelled_askers(struct world *w)
{
	struct err err;
	unsigned left_early = 0;
	for (int turns = 0; turns < 40; turns++) {
		struct hasty h = {.w = w, .size = turns % 2 ? 30000 : 300};
		struct group g;
		group_init(&g, "hasty");
		assert_true(group_go(&g, "hasty", accept_hastily, &h, &err));
		for (int i = 0; i < turns / 2; i++)
			assert_true(rt_yield(&err));
		group_done(&g);
		left_early += !h.was_accepted;
		assert_true(rt_sleep(USEC_S, "settle", &err));
		must_reopen(w);
		assert_int_equal(w->n, h.was_accepted);
		assert_int_equal(files_in(w, "spool/incoming"), 0);
		assert_int_equal(files_in(w, "spool/large"), h.was_accepted && h.size > 4096);
		if (h.was_accepted)
			assert_true(spool_remove(w->spool, w->recovered[0], &err));
	}
	assert_true(left_early > 5 && left_early < 40);
}

/* The same with the real thread, where the writer may be at work on the message when its asker
 * leaves. */
WAITS static void cancelled_while_writing(struct world *w)
{
	enum { ASKERS = 12 };
	struct err err;
	struct lines lines = {0};
	for (int round = 0; round < 40; round++) {
		struct hasty askers[ASKERS];
		struct group g;
		size_t accepted = 0;
		uint64_t damaged;
		group_init(&g, "hasty");
		for (int i = 0; i < ASKERS; i++) {
			askers[i] = (struct hasty){.w = w, .size = i == 3 ? 9000 : 300};
			assert_true(group_go(&g, "hasty", accept_hastily, &askers[i], &err));
		}
		assert_true(rt_sleep((usec_t)random_below(600), "test", &err));
		group_done(&g);
		for (int i = 0; i < ASKERS; i++)
			accepted += askers[i].was_accepted;
		must_reopen(w);
		assert_int_equal(w->n, accepted);
		assert_true(spool_inspect(w->conf.directory.p, false, take_line, &lines, &damaged,
					  &err));
		for (size_t i = 0; i < accepted; i++)
			assert_true(spool_remove(w->spool, w->recovered[i], &err));
	}
	assert_true(lines.cancelled > 0);
}

/* A dead disk, an asker that has left, and then the end: nothing waits for ever. */
WAITS static void close_on_a_dead_disk(struct world *w)
{
	struct err err;
	struct hasty h = {.w = w, .size = 300};
	for (int round = 0; round < 6; round++) {
		struct group g;
		struct spool_id id = must_accept(w, 300, 1);
		sim_fault(w->sim, round % 2 ? SIM_SYNC : SIM_WRITE, 1, UINT32_MAX, EIO);
		group_init(&g, "hasty");
		assert_true(group_go(&g, "hasty", accept_hastily, &h, &err));
		for (int i = 0; i < round; i++)
			assert_true(rt_yield(&err));
		group_done(&g);
		spool_note_done(w->spool, id);
		spool_close(w->spool);
		w->spool = NULL;
		sim_fault_clear(w->sim);
		must_reopen(w);
	}
}

static void test_cancelled_askers(void **state)
{
	run_world(close_on_a_dead_disk, true);
	run_world(cancelled_askers, true);
	run_world(cancelled_while_writing, false);
}

/* --- room --- */

WAITS static void room_is_counted(struct world *w)
{
	struct err err;
	sim_set_capacity(w->sim, 10 << 20);
	w->conf.free_min = 1 << 20;
	must_reopen(w);
	assert_true(spool_has_room(w->spool, 1 << 20, &err));
	assert_false(spool_has_room(w->spool, 10 << 20, &err));
	assert_int_equal(err.cause, CAUSE_STORAGE);
	struct spool_body *b = spool_body_new(w->spool);
	spool_body_reserve(b, 8 << 20);
	assert_false(spool_has_room(w->spool, 1 << 20, &err)); /* promised to the other */
	spool_body_drop(b);
	assert_true(spool_has_room(w->spool, 1 << 20, &err));
	/* The disk fills up behind our back: noticed within about a second. */
	sim_set_capacity(w->sim, 1 << 20);
	for (int i = 0; i < 3; i++) {
		assert_true(rt_sleep(USEC_S, "settle", &err));
		spool_has_room(w->spool, 1, &err);
	}
	assert_false(spool_has_room(w->spool, 1, &err));
}

static void test_room(void **state)
{
	run_world(room_is_counted, true);
}

/* The disk is full: new mail is refused, states are still written, and it recovers by itself. */
WAITS static void full_disk(struct world *w)
{
	struct err err;
	enum { MANY = 200 };
	auto_free struct spool_id *ids = mem_alloc(MANY * sizeof *ids);
	struct spool_id id;
	size_t n = 0;
	sim_set_capacity(w->sim, 400 * 1024);
	while (n < MANY && accept_one(w, 3000, n, &id, &err))
		ids[n++] = id;
	assert_true(n > 20 && n < MANY);
	assert_int_equal(err.cause, CAUSE_STORAGE);
	assert_true(err.is_temporary);
	assert_false(spool_has_room(w->spool, 0, &err)); /* hence 452 */
	const struct spool_rcpt delivered = {.state = RCPT_DELIVERED, .last_reply = STR("250 ok")};
	for (size_t i = 0; i < n; i++)
		spool_note_rcpt(w->spool, ids[i], 0, &delivered);
	must_reopen(w);
	assert_int_equal(w->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(w->envelopes[i].rcpts[0].state, RCPT_DELIVERED);
		check_message(w, ids[i], 3000, i, 4096);
	}
	/* What is delivered makes room. */
	for (size_t i = 0; i + 2 < n; i++)
		spool_note_done(w->spool, ids[i]);
	assert_true(rt_sleep(10 * USEC_S, "settle", &err));
	assert_true(spool_has_room(w->spool, 0, &err));
	id = must_accept(w, 3000, 999);
	must_reopen(w);
	assert_int_equal(w->n, 3);
	check_message(w, id, 3000, 999, 4096);
}

static void test_full_disk(void **state)
{
	run_world(full_disk, true);
}

/* The disk is out for hours while the queue tries and notes: memory and, afterwards, the log stay
 * small. */
WAITS static void disk_is_out(struct world *w)
{
	struct spool_id ids[10];
	struct spool_stats stats;
	struct err err;
	struct spool_rcpt state = {.state = RCPT_DEFERRED,
				   .last_reply = STR("mx1.example: 451 4.7.1 try again later")};
	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = must_accept(w, 500, i);
	sim_fault(w->sim, SIM_WRITE, 1, UINT32_MAX, EIO);
	for (unsigned n = 1; n <= 3000; n++) {
		state.attempts = (uint16_t)n;
		for (size_t i = 0; i < COUNT(ids); i++)
			spool_note_rcpt(w->spool, ids[i], n % 2, &state);
		if (n % 50 == 0)
			assert_true(rt_sleep(USEC_S, "test", &err));
	}
	spool_note_done(w->spool, ids[3]);
	spool_stats(w->spool, &stats);
	assert_true(stats.is_read_only);
	uint64_t segments = sim_calls(w->sim, SIM_ALLOCATE);
	sim_fault_clear(w->sim);
	assert_true(rt_sleep(5 * USEC_S, "test", &err));
	spool_stats(w->spool, &stats);
	assert_false(stats.is_read_only);
	assert_true(sim_calls(w->sim, SIM_ALLOCATE) <=
		    segments + 16); /* 30,000 notes would be 80 */
	must_reopen(w);
	assert_int_equal(w->n, COUNT(ids) - 1);
	for (size_t i = 0; i < w->n; i++) {
		assert_int_equal(w->envelopes[i].rcpts[0].attempts, 3000);
		assert_int_equal(w->envelopes[i].rcpts[1].attempts, 2999);
	}
}

static void test_disk_is_out(void **state)
{
	run_world(disk_is_out, true);
}

static void spoil_address(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	static const char address[] = "b@example.org";
	for (size_t i = 0; i + sizeof address < n; i++)
		if (memcmp(bytes + i, address, sizeof address - 1) == 0) {
			bytes[i] = 'x'; /* the first message of the first segment */
			++*(unsigned *)arg;
			return;
		}
}

/* Bytes rot while the daemon runs: compaction does not make them good again by copying them. */
WAITS static void rot_is_not_copied(struct world *w)
{
	struct err err;
	struct spool_stats stats;
	struct spool_envelope e;
	struct spool_id bad = must_accept(w, 700, 1), good = must_accept(w, 700, 2);
	unsigned spoiled = 0;
	sim_each_file(w->sim, "spool/segments", spoil_address, &spoiled);
	assert_int_equal(spoiled, 1);
	assert_false(spool_read_envelope(w->spool, bad, &w->arena, &e, &err));
	assert_false(err.is_temporary);
	for (int i = 0; i < 200; i++)
		spool_note_done(w->spool, must_accept(w, 2000, 77));
	assert_true(rt_sleep(3 * USEC_S, "settle", &err));
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.damaged_records, 1);
	assert_int_equal(stats.messages, 1);
	assert_int_equal(files_in(w, "spool/damaged"), 1);
	check_message(w, good, 700, 2, 1000);
}

static void spoil_body(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	static const char prefix[] = "Received: x\r\n";
	unsigned *spoiled = arg;
	for (size_t i = 0; i + 100 < n && !*spoiled; i++)
		if (memcmp(bytes + i, prefix, sizeof prefix - 1) == 0) {
			bytes[i + 60] ^= 4;
			++*spoiled;
		}
}

static void spoil_large(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	bytes[n - 1] ^= 1;
}

/* Wrong bytes are not handed out, not even the right ones in front of them. */
WAITS static void rot_is_not_delivered(struct world *w)
{
	static const size_t pieces[] = {10, 699, 714, 100000};
	struct spool_id small_one = must_accept(w, 700, 1), large_one = must_accept(w, 50000, 2);
	unsigned spoiled = 0;
	char *bytes = NULL;
	size_t n = 0;
	struct err err;
	check_message(w, small_one, 700, 1, 800);
	check_message(w, large_one, 50000, 2, 800);
	sim_each_file(w->sim, "spool/segments", spoil_body, &spoiled);
	sim_each_file(w->sim, "spool/large", spoil_large, NULL);
	assert_int_equal(spoiled, 1);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		assert_false(read_all(w, small_one, pieces[i], &bytes, &n, &err));
		assert_false(err.is_temporary);
		assert_false(read_all(w, large_one, pieces[i], &bytes, &n, &err));
		assert_false(err.is_temporary);
	}
}

/* A survivor that cannot be read: nothing is concluded for minutes, then it is put away and
 * reported. */
WAITS static void unreadable_survivor(struct world *w)
{
	struct err err;
	struct spool_stats stats;
	struct spool_id id = must_accept(w, 700, 1);
	for (int i = 0; i < 200; i++)
		spool_note_done(w->spool, must_accept(w, 2000, 77));
	id = must_accept(w, 700, 5);
	sim_fault(w->sim, SIM_READ, 1, UINT32_MAX, EIO);
	for (int i = 0; i < 200; i++)
		spool_note_done(w->spool, must_accept(w, 2000, 77));
	assert_true(rt_sleep(5 * USEC_MIN, "out", &err));
	sim_fault_clear(w->sim);
	assert_true(rt_sleep(5 * USEC_S, "settle", &err));
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.messages, 2);
	assert_int_equal(stats.damaged_records, 0);
	check_message(w, id, 700, 5, 1000);
	sim_fault(w->sim, SIM_READ, 1, UINT32_MAX, EIO);
	for (int i = 0; i < 200; i++)
		spool_note_done(w->spool, must_accept(w, 2000, 77));
	assert_true(rt_sleep(30 * USEC_MIN, "out", &err));
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.messages, 0);
	assert_int_equal(stats.damaged_records, 2);
	assert_true(files_in(w, "spool/damaged") > 0);
	assert_true(stats.segments < 10);
	sim_fault_clear(w->sim);
}

static void test_rot_while_running(void **state)
{
	run_world(rot_is_not_delivered, true);
	run_world(rot_is_not_copied, true);
	run_world(unreadable_survivor, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancelled_askers),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_disk_is_out),
		cmocka_unit_test(test_rot_while_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
