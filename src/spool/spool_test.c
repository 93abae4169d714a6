/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spool as its users see it: accept, note, read, restart, compact; on the simulated and on a real disk. */
#include "spool/test_world.h"

static const size_t sizes[] = {0, 1, 7, 8, 500, 4095, 4096, 4097, 9000, 200000, 300000};

WAITS static void accept_and_read(struct world *w)
{
	struct spool_id ids[COUNT(sizes)];
	for (size_t i = 0; i < COUNT(sizes); i++)
		ids[i] = must_accept(w, sizes[i], i);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			check_message(w, ids[i], sizes[i], i, 500000);
			check_message(w, ids[i], sizes[i], i, 1000);
		}
		must_reopen(w);
		assert_int_equal(w->n, COUNT(sizes));
		for (size_t i = 0; i < COUNT(sizes); i++) {
			assert_int_equal(w->recovered[i].n, ids[i].n); /* oldest first */
			assert_str(w->envelopes[i].sender, "s@example.net");
			assert_int_equal(w->envelopes[i].n_rcpts, 2);
		}
	}
	struct spool_stats stats;
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.messages, COUNT(sizes));
	assert_int_equal(stats.damaged_records, 0);
	assert_int_equal(stats.torn_ends, 0);
}

static void test_accept_and_read(void **state)
{
	run_world(accept_and_read, true);
}

static void test_accept_and_read_on_disk(void **state)
{
	run_world(accept_and_read, false);
}

WAITS static void dropped_ranges(struct world *w)
{
	static const struct {
		struct spool_range drop[3];
		size_t n;
		const char *want;
	} rows[] = {
		{{{0, 0}}, 0, "0123456789"},
		{{{0, 3}}, 1, "3456789"},
		{{{2, 4}, {4, 6}}, 2, "016789"},
		{{{0, 1}, {5, 6}, {9, 10}}, 3, "1234678"},
		{{{0, 10}}, 1, ""},
		{{{3, 3}}, 1, "0123456789"},
	};
	/* Small bodies in memory, and the same ranges in front of a large one. */
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		size_t row = i / 2, tail = i % 2 ? 20000 : 0;
		struct spool_body *b = spool_body_new(w->spool);
		struct spool_id id = spool_next_id(w->spool);
		struct err err;
		auto_free char *filler = mem_alloc(tail + 1);
		memset(filler, 'x', tail);
		assert_true(spool_body_write(b, STR("0123456789"), &err));
		assert_true(spool_body_write(b, (struct str){filler, tail}, &err));
		assert_true(spool_accept(w->spool, id, &plain, STR("P:"), rows[row].drop,
					 rows[row].n, b, &err));
		char *got = NULL;
		size_t n = 0, want = strlen(rows[row].want);
		assert_true(read_all(w, id, 7, &got, &n, &err));
		assert_row(n == 2 + want + tail, rows[row].want);
		assert_row(memcmp(got, "P:", 2) == 0 && memcmp(got + 2, rows[row].want, want) == 0,
			   rows[row].want);
		assert_row(memcmp(got + 2 + want, filler, tail) == 0, rows[row].want);
		free(got);
	}
}

static void test_dropped_ranges(void **state)
{
	run_world(dropped_ranges, true);
}

WAITS static void body_in_memory_and_file(struct world *w)
{
	enum { BIG = 10000 };
	struct err err;
	struct spool_body *b = spool_body_new(w->spool);
	assert_int_equal(spool_body_head(b).n, 0);
	assert_true(spool_body_write(b, STR("abc"), &err));
	assert_str(spool_body_head(b), "abc");
	assert_true(spool_body_memory(b) < 10000);
	auto_free char *big = mem_alloc(BIG);
	memset(big, 'y', BIG);
	assert_true(spool_body_write(b, (struct str){big, BIG}, &err));
	assert_int_equal(spool_body_size(b), 10003);
	assert_int_equal(spool_body_head(b).n, 4096); /* the first inline_max, at least */
	assert_memory_equal(spool_body_head(b).p, "abcyyy", 6);
	spool_body_drop(b);
	spool_body_drop(NULL);
	assert_true(rt_sleep(USEC_S, "settle", &err));
}

WAITS static void a_refusal_leaves_nothing(struct world *w)
{
	uint64_t before = sim_calls(w->sim, SIM_WRITE);
	struct err err;
	struct spool_body *b = body_of(w, 3000, 1);
	spool_body_drop(b);
	assert_int_equal(sim_calls(w->sim, SIM_WRITE), before); /* not even a write */
	b = body_of(w, 200000, 1);				/* enough for its file to begin */
	assert_int_equal(files_in(w, "spool/incoming"), 1);
	spool_body_drop(b);
	assert_true(rt_sleep(USEC_S, "settle", &err));
	assert_int_equal(files_in(w, "spool/incoming"), 0);
	assert_int_equal(files_in(w, "spool/large"), 0);
	must_reopen(w);
	assert_int_equal(w->n, 0);
}

static void test_bodies(void **state)
{
	run_world(body_in_memory_and_file, true);
	run_world(a_refusal_leaves_nothing, true);
}

WAITS static void states_fold(struct world *w)
{
	struct err err;
	struct arena arena;
	struct spool_envelope e;
	struct spool_id id = must_accept(w, 100, 1), gone = must_accept(w, 100, 2),
			removed = must_accept(w, 9000, 3);
	const struct spool_rcpt deferred = {.state = RCPT_DEFERRED,
					    .cause = CAUSE_GREYLIST,
					    .attempts = 1,
					    .next_attempt = {99},
					    .last_reply = STR("mx: 451 later")},
				delivered = {.state = RCPT_DELIVERED,
					     .attempts = 2,
					     .last_reply = STR("mx: 250 ok")};
	spool_note_rcpt(w->spool, id, 0, &deferred);
	spool_note_rcpt(w->spool, id, 1, &deferred);
	spool_note_sending(w->spool, id);
	spool_note_rcpt(w->spool, id, 7, &delivered); /* there is no such recipient */
	spool_note_hold(w->spool, id, true, STR("operator says"));
	spool_note_done(w->spool, gone);
	spool_note_done(w->spool, gone);
	assert_true(spool_remove(w->spool, removed, &err));
	assert_false(spool_remove(w->spool, removed, &err));
	assert_int_equal(files_in(w, "spool/large"), 0);
	for (int round = 0; round < 3; round++) {
		arena_init(&arena, SIZE_MAX);
		assert_true(spool_read_envelope(w->spool, id, &arena, &e, &err));
		assert_int_equal(e.rcpts[0].state, RCPT_DEFERRED);
		assert_int_equal(e.rcpts[0].cause, CAUSE_GREYLIST);
		assert_int_equal(e.rcpts[0].next_attempt.us, 99);
		assert_str(e.rcpts[0].last_reply, "mx: 451 later");
		assert_int_equal(e.rcpts[1].state, round == 2 ? RCPT_DELIVERED : RCPT_DEFERRED);
		assert_true(e.is_on_hold);
		assert_str(e.hold_reason, "operator says");
		assert_int_equal(e.is_sending, round < 2);
		arena_done(&arena);
		assert_false(spool_read_envelope(w->spool, gone, &w->arena, &e, &err));
		if (round == 1)
			spool_note_rcpt(w->spool, id, 1, &delivered);
		must_reopen(w);
		assert_int_equal(w->n, 1);
		assert_int_equal(w->recovered[0].n, id.n);
	}
	spool_note_hold(w->spool, id, false, STR_NONE);
	must_reopen(w);
	assert_false(w->envelopes[0].is_on_hold);
	assert_int_equal(w->envelopes[0].rcpts[1].state, RCPT_DELIVERED);
}

static void test_states_fold(void **state)
{
	run_world(states_fold, true);
}

/* Much mail passes, some stays: the space of what passed comes back. */
WAITS static void space_comes_back(struct world *w)
{
	struct spool_id stay[8];
	struct spool_stats stats;
	struct err err;
	const struct spool_rcpt deferred = {
		.state = RCPT_DEFERRED, .attempts = 9, .last_reply = STR("451 x")};
	for (size_t i = 0; i < COUNT(stay); i++) {
		stay[i] = must_accept(w, i == 3 ? 50000 : 1000 + i, i);
		spool_note_rcpt(w->spool, stay[i], 1, &deferred);
	}
	uint64_t most = 0;
	for (int i = 0; i < 1500; i++) {
		struct spool_id id = must_accept(w, 2000, 77);
		spool_note_done(w->spool, id);
		spool_stats(w->spool, &stats);
		most = stats.segments > most ? stats.segments : most;
	}
	/* 3 MB went through segments of 64 KB, and through few files. */
	assert_true(most <= 8);
	assert_in_range(stats.segments_reused, 30, 50);
	assert_true(rt_sleep(3 * USEC_S, "settle", &err));
	for (int round = 0; round < 2; round++) {
		spool_stats(w->spool, &stats);
		assert_int_equal(stats.messages, COUNT(stay));
		assert_true(stats.segments <= 5);
		for (size_t i = 0; i < COUNT(stay); i++) {
			struct spool_envelope e;
			check_message(w, stay[i], i == 3 ? 50000 : 1000 + i, i, 4096);
			assert_true(spool_read_envelope(w->spool, stay[i], &w->arena, &e, &err));
			assert_int_equal(e.rcpts[1].attempts, 9);
			assert_int_equal(e.rcpts[0].state, RCPT_QUEUED);
		}
		must_reopen(w);
		assert_int_equal(w->n, COUNT(stay));
	}
}

static void test_space_comes_back(void **state)
{
	run_world(space_comes_back, true);
}

/* Restarts leave short segments behind; they do not pile up. */
WAITS static void many_restarts(struct world *w)
{
	struct spool_stats stats;
	struct spool_id id = must_accept(w, 100, 1);
	for (int i = 0; i < 60; i++) {
		struct spool_id other = must_accept(w, 10, 2);
		spool_note_done(w->spool, other);
		must_reopen(w);
	}
	spool_stats(w->spool, &stats);
	assert_true(stats.segments < 25);
	check_message(w, id, 100, 1, 100);
}

static void test_many_restarts(void **state)
{
	run_world(many_restarts, true);
}

/* --- many at once --- */

struct sender {
	struct world *w;
	unsigned *running;
	uint64_t seed;
	struct spool_id id[20];
};

WAITS static void send_some(void *arg)
{
	struct sender *s = arg;
	for (size_t i = 0; i < COUNT(s->id); i++)
		s->id[i] = must_accept(s->w, 100 * i + s->seed % 100, s->seed * 1000 + i);
	--*s->running;
}

WAITS static void many_senders(struct world *w)
{
	enum { SENDERS = 20 };
	struct sender *senders = mem_alloc(SENDERS * sizeof *senders);
	unsigned running = SENDERS;
	struct group g;
	struct err err;
	struct spool_stats stats;
	group_init(&g, "senders");
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.w = w, .running = &running, .seed = i};
		assert_true(group_go(&g, "sender", send_some, &senders[i], &err));
	}
	assert_true(group_wait(&g, &err));
	assert_int_equal(running, 0);
	group_done(&g);
	spool_stats(w->spool, &stats);
	assert_int_equal(stats.accepted, SENDERS * 20);
	/* One sync serves many. */
	assert_true(stats.syncs < SENDERS * 20 / 2);
	for (unsigned i = 0; i < SENDERS; i++)
		for (size_t n = 0; n < 20; n++)
			check_message(w, senders[i].id[n], 100 * n + i % 100, i * 1000 + n, 4096);
	must_reopen(w);
	assert_int_equal(w->n, SENDERS * 20);
	free(senders);
}

static void test_many_senders(void **state)
{
	run_world(many_senders, true);
	run_world(many_senders, false);
}

/* --- the lock --- */

WAITS static void one_at_a_time(struct world *w)
{
	struct spool *other;
	struct err err;
	assert_false(spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, NULL, NULL,
				&other, &err));
	assert_int_equal(err.cause, CAUSE_STORAGE);
	/* With a deadline it waits. */
	struct deadline d;
	usec_t before = rt_now();
	deadline_push(&d, USEC_S / 2, "the other process");
	assert_false(spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, NULL, NULL,
				&other, &err));
	deadline_pop(&d);
	assert_true(rt_now() - before >= USEC_S / 2);
	must_accept(w, 10, 1);
}

static void test_lock(void **state)
{
	run_world(one_at_a_time, true);
	run_world(one_at_a_time, false);
}

/* --- offline --- */

WAITS static void offline_tools(struct world *w)
{
	struct err err;
	struct lines lines = {0};
	uint64_t damaged = 7, written = 7;
	char to[200];
	const char *directory = w->conf.directory.p;
	struct spool_id a = must_accept(w, 100, 1), b = must_accept(w, 9000, 2),
			c = must_accept(w, 5, 3);
	spool_note_done(w->spool, c);
	/* While the daemon runs. */
	if (!spool_inspect(directory, false, take_line, &lines, &damaged, &err))
		fail_msg("%s", err.text);
	assert_int_equal(damaged, 0);
	assert_int_equal(lines.accepted, 3);
	assert_true(lines.live == 2 || lines.live == 3); /* the last note may still be on its way */
	must_reopen(w);
	lines = (struct lines){0};
	assert_true(spool_inspect(directory, true, take_line, &lines, &damaged, &err));
	assert_int_equal(lines.n, 1);
	assert_int_equal(damaged, 0);
	snprintf(to, sizeof to, "%s/out", directory);
	assert_true(spool_export(directory, to, NULL, &written, &err));
	assert_int_equal(written, 2);
	assert_true(spool_export(directory, to, &b, &written, &err));
	assert_int_equal(written, 1);
	assert_false(spool_export(directory, to, &c, &written, &err));
	char path[300], id[SPOOL_ID_MAX], text[200];
	snprintf(path, sizeof path, "%s/%s.eml", to, spool_id_text(a, id).p);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	uint8_t want[100];
	fill(want, sizeof want, 1, 0);
	assert_int_equal(fread(text, 1, sizeof text, f), 113);
	assert_memory_equal(text + 13, want, 100);
	fclose(f);
	snprintf(path, sizeof path, "%s/%s.json", to, id);
	f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	assert_non_null(strstr(text, "\"sender\":\"s@example.net\""));
	fclose(f);
	assert_false(spool_inspect("/nonexistent/spool", true, take_line, &lines, &damaged, &err));
}

static void test_offline_tools(void **state)
{
	run_world(offline_tools, false);
}

static void test_conf(void **state)
{
	struct spool_conf conf;
	conf_rows_default(spool_conf_rows, &conf, sizeof conf);
	assert_int_equal(conf.segment_size, 64 << 20);
	assert_int_equal(conf.inline_max, 256 << 10);
	assert_int_equal(conf.batch_max, 256);
	conf_rows_done(spool_conf_rows, &conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_accept_and_read),
		cmocka_unit_test(test_accept_and_read_on_disk),
		cmocka_unit_test(test_dropped_ranges),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_states_fold),
		cmocka_unit_test(test_space_comes_back),
		cmocka_unit_test(test_many_restarts),
		cmocka_unit_test(test_many_senders),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_offline_tools),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
