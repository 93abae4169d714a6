/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spool as its users see it: accept, note, read, restart, compact; on the simulated and on a real disk. */
#include "spool/spool.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/test.h"
#include "spool/io_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One test is one fiber on one disk. `recovered` is what the last open told. */
enum { RECOVERED_MAX = 512 };
struct world {
	struct sim *sim; /* NULL: the real disk */
	struct spool_conf conf;
	struct group group;
	struct spool *spool;
	struct spool_id recovered[RECOVERED_MAX];
	struct spool_envelope envelopes[RECOVERED_MAX];
	size_t n;
	struct arena arena;
	WAITS void (*body)(struct world *w);
};

static void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
	struct world *w = arg;
	assert_true(w->n < RECOVERED_MAX);
	struct spool_envelope *copy = &w->envelopes[w->n];
	w->recovered[w->n++] = id;
	*copy = *e;
	copy->sender = arena_str(&w->arena, e->sender);
	copy->hold_reason = arena_str(&w->arena, e->hold_reason);
	copy->rcpts = arena_alloc(&w->arena, e->n_rcpts * sizeof *copy->rcpts);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		copy->rcpts[i] = e->rcpts[i];
		copy->rcpts[i].address = arena_str(&w->arena, e->rcpts[i].address);
		copy->rcpts[i].last_reply = arena_str(&w->arena, e->rcpts[i].last_reply);
	}
}

WAITS static bool reopen(struct world *w, struct err *err)
{
	if (w->spool)
		spool_close(w->spool);
	w->spool = NULL;
	w->n = 0;
	return spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, on_recovered, w, &w->spool, err);
}

WAITS static void must_reopen(struct world *w)
{
	struct err err;
	if (!reopen(w, &err))
		fail_msg("%s", err.text);
}

WAITS static void world_fiber(void *arg)
{
	struct world *w = arg;
	group_init(&w->group, "spool");
	must_reopen(w);
	w->body(w);
	if (w->spool)
		spool_close(w->spool);
	group_done(&w->group);
}

static void quiet(void *arg, enum log_level level, struct str line)
{
}

static const struct spool_conf small = {
        .directory = {"spool", 5},
        .segment_size = 64 * 1024,
        .inline_max = 4096,
        .inodes_min = 10,
        .reserve = 32 * 1024,
        .batch_max = 16,
};

static void run_world(WAITS void (*body)(struct world *w), bool is_fake)
{
	struct world *w = mem_new(struct world);
	struct rt_options options = {.is_fake = is_fake, .seed = 1};
	struct err err;
	char directory[] = "/tmp/postern-spool-XXXXXX";
	log_open(LOG_TEXT, LOG_INFO_, quiet, NULL);
	w->body = body;
	w->conf = small;
	arena_init(&w->arena, SIZE_MAX);
	if (is_fake) {
		w->sim = sim_new(1);
		sim_set_cold(w->sim, 3);
	} else {
		assert_non_null(mkdtemp(directory));
		w->conf.directory = str_from(directory);
	}
	if (!rt_run(&options, world_fiber, w, &err))
		fail_msg("%s", err.text);
	sim_free(w->sim);
	arena_done(&w->arena);
	free(w);
	if (!is_fake) {
		char command[80];
		snprintf(command, sizeof command, "rm -r %s", directory);
		assert_int_equal(system(command), 0);
	}
}

/* --- messages --- */

/* Bytes that anybody can make again. */
static void fill(uint8_t *p, size_t n, uint64_t seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(((at + i) * 2654435761u + seed * 40503u) >> 7);
}

WAITS static struct spool_body *body_of(struct world *w, size_t n, uint64_t seed)
{
	struct spool_body *b = spool_body_new(w->spool);
	struct err err;
	auto_free uint8_t *bytes = mem_alloc(n);
	fill(bytes, n, seed, 0);
	for (size_t at = 0, part; at < n; at += part) {
		part = 1 + (size_t)random_below(9000);
		part = part < n - at ? part : n - at;
		assert_true(spool_body_write(b, (struct str){(char *)bytes + at, part}, &err));
	}
	assert_int_equal(spool_body_size(b), n);
	return b;
}

static struct spool_rcpt two[] = {{.address = {"a@example.org", 13}}, {.address = {"b@example.org", 13}}};
static const struct spool_envelope plain = {.sender = {"s@example.net", 13}, .rcpts = two, .n_rcpts = 2};

WAITS static bool accept_one(struct world *w, size_t n, uint64_t seed, struct spool_id *id, struct err *err)
{
	struct spool_body *b = body_of(w, n, seed);
	*id = spool_next_id(w->spool);
	if (spool_accept(w->spool, *id, &plain, STR("Received: x\r\n"), NULL, 0, b, err))
		return true;
	spool_body_drop(b);
	return false;
}

WAITS static struct spool_id must_accept(struct world *w, size_t n, uint64_t seed)
{
	struct spool_id id;
	struct err err;
	if (!accept_one(w, n, seed, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

/* All of the message, read in pieces; freed by the caller. */
WAITS static bool read_all(struct world *w, struct spool_id id, size_t piece, char **out, size_t *n, struct err *err)
{
	size_t size = (size_t)spool_message_size(w->spool, id), at = 0, got;
	char *p = mem_alloc(size + piece);
	for (;;) {
		if (!spool_read(w->spool, id, at, p + at, piece, &got, err)) {
			free(p);
			return false;
		}
		if (!got)
			break;
		at += got;
		assert_true(at <= size);
	}
	assert_int_equal(at, size);
	*out = p;
	*n = size;
	return true;
}

WAITS static void check_message(struct world *w, struct spool_id id, size_t n, uint64_t seed, size_t piece)
{
	char *got;
	size_t size;
	struct err err;
	auto_free uint8_t *want = mem_alloc(n);
	if (!read_all(w, id, piece, &got, &size, &err))
		fail_msg("%s", err.text);
	fill(want, n, seed, 0);
	assert_int_equal(size, 13 + n);
	assert_memory_equal(got, "Received: x\r\n", 13);
	assert_memory_equal(got + 13, want, n);
	free(got);
}

/* --- tests --- */

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
	        {{{0, 0}}, 0, "0123456789"},        {{{0, 3}}, 1, "3456789"},
	        {{{2, 4}, {4, 6}}, 2, "016789"},    {{{0, 1}, {5, 6}, {9, 10}}, 3, "1234678"},
	        {{{0, 10}}, 1, ""},                 {{{3, 3}}, 1, "0123456789"},
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
		assert_true(spool_accept(w->spool, id, &plain, STR("P:"), rows[row].drop, rows[row].n, b, &err));
		char *got;
		size_t n, want = strlen(rows[row].want);
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

static void count_file(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	++*(unsigned *)arg;
}

static unsigned files_in(struct world *w, const char *path)
{
	unsigned n = 0;
	sim_each_file(w->sim, path, count_file, &n);
	return n;
}

WAITS static void a_refusal_leaves_nothing(struct world *w)
{
	uint64_t before = sim_calls(w->sim, SIM_WRITE);
	struct err err;
	struct spool_body *b = body_of(w, 3000, 1);
	spool_body_drop(b);
	assert_int_equal(sim_calls(w->sim, SIM_WRITE), before); /* not even a write */
	b = body_of(w, 200000, 1); /* enough for its file to begin */
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
	struct spool_id id = must_accept(w, 100, 1), gone = must_accept(w, 100, 2), removed = must_accept(w, 9000, 3);
	const struct spool_rcpt deferred = {.state = RCPT_DEFERRED,
	                                    .cause = CAUSE_GREYLIST,
	                                    .attempts = 1,
	                                    .next_attempt = {99},
	                                    .last_reply = STR("mx: 451 later")},
	                        delivered = {.state = RCPT_DELIVERED, .attempts = 2, .last_reply = STR("mx: 250 ok")};
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
	const struct spool_rcpt deferred = {.state = RCPT_DEFERRED, .attempts = 9, .last_reply = STR("451 x")};
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
	/* 3 MB went through segments of 64 KB. */
	assert_true(most <= 8);
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

/* The asker is cancelled at every possible moment: then its message is not there, however far it had got. */
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

struct lines {
	unsigned n, live, accepted, cancelled;
};

static void take_line(void *arg, struct str line)
{
	struct lines *l = arg;
	l->n++;
	l->live += str_starts(line, STR("live "));
	l->accepted += str_find(line, STR(" accepted ")) < line.n;
	l->cancelled += str_find(line, STR(" cancelled ")) < line.n;
}

/* The same with the real thread, where the writer may be at work on the message when its asker leaves. */
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
		assert_true(spool_inspect(w->conf.directory.p, false, take_line, &lines, &damaged, &err));
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

/* The disk is out for hours while the queue tries and notes: memory and, afterwards, the log stay small. */
WAITS static void disk_is_out(struct world *w)
{
	struct spool_id ids[10];
	struct spool_stats stats;
	struct err err;
	struct spool_rcpt state = {.state = RCPT_DEFERRED, .last_reply = STR("mx1.example: 451 4.7.1 try again later")};
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
	assert_true(sim_calls(w->sim, SIM_ALLOCATE) <= segments + 16); /* 30,000 notes would be 80 */
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
	char *bytes;
	size_t n;
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

/* A survivor that cannot be read: nothing is concluded for minutes, then it is put away and reported. */
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

/* --- the lock --- */

WAITS static void one_at_a_time(struct world *w)
{
	struct spool *other;
	struct err err;
	assert_false(spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, NULL, NULL, &other, &err));
	assert_int_equal(err.cause, CAUSE_STORAGE);
	/* With a deadline it waits. */
	struct deadline d;
	usec_t before = rt_now();
	deadline_push(&d, USEC_S / 2, "the other process");
	assert_false(spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, NULL, NULL, &other, &err));
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
	struct spool_id a = must_accept(w, 100, 1), b = must_accept(w, 9000, 2), c = must_accept(w, 5, 3);
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
	        cmocka_unit_test(test_cancelled_askers),
	        cmocka_unit_test(test_room),
	        cmocka_unit_test(test_full_disk),
	        cmocka_unit_test(test_disk_is_out),
	        cmocka_unit_test(test_rot_while_running),
	        cmocka_unit_test(test_lock),
	        cmocka_unit_test(test_offline_tools),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
