/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the spool share: a world of one fiber on one disk, and messages that anybody can make again. */
#pragma once

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

static inline void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e,
			 uint64_t size)
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

WAITS static inline bool reopen(struct world *w, struct err *err)
{
	if (w->spool)
		spool_close(w->spool);
	w->spool = NULL;
	w->n = 0;
	return spool_open(&w->conf, w->sim ? sim_io(w->sim) : NULL, &w->group, on_recovered, w,
			  &w->spool, err);
}

WAITS static inline void must_reopen(struct world *w)
{
	struct err err;
	if (!reopen(w, &err))
		fail_msg("%s", err.text);
}

WAITS static inline void world_fiber(void *arg)
{
	struct world *w = arg;
	group_init(&w->group, "spool");
	must_reopen(w);
	w->body(w);
	if (w->spool)
		spool_close(w->spool);
	group_done(&w->group);
}

static inline void quiet(void *arg, enum log_level level, struct str line) {}

static const struct spool_conf small = {
	.directory = {"spool", 5},
	.segment_size = 64 * 1024,
	.inline_max = 4096,
	.inodes_min = 10,
	.reserve = 32 * 1024,
	.batch_max = 16,
};

static inline void run_world(WAITS void (*body)(struct world *w), bool is_fake)
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
static inline void fill(uint8_t *p, size_t n, uint64_t seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(((at + i) * 2654435761u + seed * 40503u) >> 7);
}

WAITS static inline struct spool_body *body_of(struct world *w, size_t n, uint64_t seed)
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

static struct spool_rcpt two[] = {{.address = {"a@example.org", 13}},
				  {.address = {"b@example.org", 13}}};
static const struct spool_envelope plain = {
	.sender = {"s@example.net", 13}, .rcpts = two, .n_rcpts = 2};

WAITS static inline bool accept_one(struct world *w, size_t n, uint64_t seed, struct spool_id *id,
			     struct err *err)
{
	struct spool_body *b = body_of(w, n, seed);
	*id = spool_next_id(w->spool);
	if (spool_accept(w->spool, *id, &plain, STR("Received: x\r\n"), NULL, 0, b, err))
		return true;
	spool_body_drop(b);
	return false;
}

WAITS static inline struct spool_id must_accept(struct world *w, size_t n, uint64_t seed)
{
	struct spool_id id;
	struct err err;
	if (!accept_one(w, n, seed, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

/* All of the message, read in pieces; freed by the caller. */
WAITS static inline bool read_all(struct world *w, struct spool_id id, size_t piece, char **out, size_t *n,
			   struct err *err)
{
	size_t size = (size_t)spool_message_size(w->spool, id), at = 0, got = 0;
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

WAITS static inline void check_message(struct world *w, struct spool_id id, size_t n, uint64_t seed,
				size_t piece)
{
	char *got = NULL;
	size_t size = 0;
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

static inline void count_file(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	++*(unsigned *)arg;
}

static inline unsigned files_in(struct world *w, const char *path)
{
	unsigned n = 0;
	sim_each_file(w->sim, path, count_file, &n);
	return n;
}

struct lines {
	unsigned n, live, accepted, cancelled;
};

static inline void take_line(void *arg, struct str line)
{
	struct lines *l = arg;
	l->n++;
	l->live += str_starts(line, STR("live "));
	l->accepted += str_find(line, STR(" accepted ")) < line.n;
	l->cancelled += str_find(line, STR(" cancelled ")) < line.n;
}
