/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store: its file, its sources and the fiber that writes behind. While nothing changes nothing runs;
 * after a first change the writer gathers for a tenth of a second and writes all that came: long enough for most
 * messages to be delivered before their story is written, short enough not to take a processor for long.
 */
#include "store/store.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <stdlib.h>

#define GATHER       (100 * USEC_MS)
#define RETRY_FIRST  USEC_S
#define RETRY_MAX    USEC_MIN
/* Rounds of one flush; each takes up to a few thousand rows of every source. */
#define ROUNDS_MAX   256
#define PATH_BYTES_MAX ((size_t)4096)

struct store {
	struct db *db;
	bool is_kept; /* false: memory only, and db is NULL or in memory for the history */
	struct list sources;
	struct cond wake;    /* something to write, or closing */
	struct cond settled; /* a flush or the writer has ended */
	bool has_work, is_flushing, has_writer, is_closing, is_failing;
	int refs;            /* the owner, the writer, who flushes */
	struct metric *failures, *written;
};

/* One transaction on its way through the pool; heap memory owned by the call. */
struct batch {
	struct db *db;
	struct job *jobs;
	bool is_written, was_reset, is_pending;
	struct err err;
};

/* --- opening --- */

static struct db *open_file(const char *dir, const char *file, struct err *err)
{
	auto_buf struct buf path;

	buf_init(&path, PATH_BYTES_MAX);
	buf_printf(&path, "%s/%s", dir, file);
	buf_char(&path, '\0');
	if (buf_ok(&path))
		return db_open(path.p, err);
	err_perm(err, CAUSE_STORAGE, "%s: the name is too long", dir);
	return NULL;
}

struct store *store_open(const char *dir, const char *file, struct err *err)
{
	struct db *db = dir ? open_file(dir, file, err) : NULL;
	struct store *s;

	if (dir && !db)
		return NULL;
	s = mem_new(struct store);
	s->db = db;
	s->is_kept = db != NULL;
	s->refs = 1;
	list_init(&s->sources);
	cond_init(&s->wake);
	cond_init(&s->settled);
	s->failures = metric_counter("postern_store_failures_total", NULL, NULL, "Batches that could not be written");
	s->written = metric_counter("postern_store_batches_total", NULL, NULL, "Batches written");
	return s;
}

static void store_unref(struct store *s)
{
	if (--s->refs > 0)
		return;
	list_each(it, &s->sources) {
		struct source *source = container_of(it, struct source, link);
		link_remove(it);
		source->free(source);
	}
	db_unref(s->db);
	free(s);
}

void store_add(struct store *s, struct source *source)
{
	list_push_back(&s->sources, &source->link);
}

bool store_is_kept(const struct store *s)
{
	return s->is_kept;
}

struct db *store_db(struct store *s, struct err *err)
{
	if (!s->db)
		s->db = db_open(NULL, err);
	return s->db;
}

void store_wake(struct store *s)
{
	if (!s->has_work)
		cond_signal(&s->wake);
	s->has_work = true;
}

/* --- batches --- */

static struct job *collect(struct store *s)
{
	struct job *first = NULL, **end = &first;

	list_each(it, &s->sources) {
		struct source *source = container_of(it, struct source, link);
		struct job *job = source->collect(source);
		if (!job)
			continue;
		job->source = source;
		job->next = NULL;
		*end = job;
		end = &job->next;
	}
	return first;
}

/* NULL: nothing is to be written. */
static struct batch *batch_new(struct store *s)
{
	struct job *jobs = collect(s);
	struct batch *b;

	if (!jobs)
		return NULL;
	b = mem_new(struct batch);
	b->db = db_ref(s->db);
	b->jobs = jobs;
	b->is_pending = true;
	db_sent(b->db);
	return b;
}

static void batch_end(struct batch *b)
{
	if (b->is_pending)
		db_ended(b->db);
	b->is_pending = false;
}

static void batch_free(void *arg)
{
	struct batch *b = arg;

	batch_end(b);
	while (b->jobs) {
		struct job *job = b->jobs;
		b->jobs = job->next;
		job->free(job);
	}
	db_unref(b->db);
	free(b);
}

static int write_jobs(sqlite3 *handle, void *arg)
{
	struct batch *b = arg;
	int rc = SQLITE_OK;

	for (struct job *job = b->jobs; job && rc == SQLITE_OK; job = job->next)
		rc = job->write(handle, job);
	return rc;
}

/* In the pool. */
static void batch_write(void *arg)
{
	struct batch *b = arg;

	b->is_written = db_transact(b->db, write_jobs, b, &b->was_reset, &b->err);
	for (struct job *job = b->jobs; job && b->is_written; job = job->next)
		if (job->written)
			job->written(job);
	batch_end(b);
}

static void log_result(struct store *s, const struct batch *b)
{
	metric_inc(b->is_written ? s->written : s->failures);
	if (!b->is_written && !s->is_failing)
		log_event(LOG_ERROR_, "store_write_failed", LOG_C("why", b->err.text));
	if (b->is_written && s->is_failing)
		log_event(LOG_INFO_, "store_write_recovered", LOG_I("failures", (int64_t)metric_value(s->failures)));
	s->is_failing = !b->is_written;
}

/* Back on the loop thread: sources learn what became of their jobs. */
static bool batch_settle(struct store *s, struct batch *b, struct err *err)
{
	bool is_written = b->is_written;

	log_result(s, b);
	for (struct job *job = b->jobs; job; job = job->next)
		job->source->settle(job->source, job, is_written);
	if (b->was_reset)
		list_each(it, &s->sources)
			container_of(it, struct source, link)->rewrite(container_of(it, struct source, link));
	if (!is_written) {
		*err = b->err;
		s->has_work = true;
	}
	batch_free(b);
	return is_written;
}

/* --- writing behind --- */

/* Batches go one after the other: a later value must not be overtaken by an earlier one. */
WAITS static bool wait_for_turn(struct store *s, struct err *err)
{
	while (s->is_flushing || db_pending(s->db) > 0)
		if (!(s->is_flushing ? cond_wait(&s->settled, "store: other flush", err)
		                     : rt_sleep(5 * USEC_MS, "store: a batch whose sender has left", err)))
			return false;
	return true;
}

WAITS static bool write_all(struct store *s, struct err *err)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		s->has_work = false;
		struct batch *b = batch_new(s);
		if (!b)
			return true;
		if (!rt_offload_behind("store: write", batch_write, b, batch_free, err))
			return false;
		if (!batch_settle(s, b, err))
			return false;
	}
	s->has_work = true;
	return true;
}

bool store_flush(struct store *s, struct err *err)
{
	bool is_written;

	if (!s->db)
		return true;
	s->refs++;
	is_written = wait_for_turn(s, err);
	/* Called off: what is collected now would be dropped unwritten. */
	if (is_written && fiber_is_cancelled())
		is_written = err_kind(err, ERR_CANCELLED, CAUSE_LOCAL_ERROR, "store: cancelled");
	if (is_written) {
		s->is_flushing = true;
		is_written = write_all(s, err);
		s->is_flushing = false;
		cond_broadcast(&s->settled);
	}
	store_unref(s);
	return is_written;
}

/* False: cancelled. Returns early when the store closes. */
WAITS static bool gather(struct store *s, usec_t duration)
{
	struct deadline d;
	struct err err = {.kind = ERR_TIMEOUT};
	bool is_woken = true;

	deadline_push(&d, duration, "store: gathering");
	while (is_woken && !s->is_closing)
		is_woken = cond_wait(&s->wake, "store: gathering", &err);
	deadline_pop(&d);
	return is_woken || err.kind == ERR_TIMEOUT;
}

WAITS static void write_behind(void *arg)
{
	struct store *s = arg;
	struct err err;
	usec_t delay = GATHER;

	while (!s->is_closing) {
		if (!s->has_work) {
			if (!cond_wait(&s->wake, "store: nothing to write", &err))
				break;
			continue;
		}
		if (!gather(s, delay) || s->is_closing)
			break;
		if (store_flush(s, &err))
			delay = GATHER;
		else if (fiber_is_cancelled())
			break;
		else
			delay = delay < RETRY_FIRST ? RETRY_FIRST : delay * 2 > RETRY_MAX ? RETRY_MAX : delay * 2;
	}
	s->has_writer = false;
	cond_broadcast(&s->settled);
	store_unref(s);
}

bool store_start(struct store *s, struct group *root, struct err *err)
{
	if (!s->db || s->has_writer)
		return true;
	if (!group_go(root, "store writer", write_behind, s, err))
		return false;
	s->has_writer = true;
	s->refs++;
	return true;
}

/* --- closing --- */

/* A batch whose sender was called off may still be at work; it must come first. */
static void write_last(void *arg)
{
	struct batch *b = arg;

	for (int i = 0; i < 6000 && db_pending(b->db) > 1; i++)
		usleep(5000);
	batch_write(b);
}

static void close_file(struct store *s)
{
	struct err err;
	struct batch *b;

	if (!s->is_kept)
		return;
	for (int round = 0; round < ROUNDS_MAX && (b = batch_new(s)); round++) {
		db_aside(write_last, b);
		if (!batch_settle(s, b, &err))
			return;
	}
}

void store_close(struct store *s)
{
	struct err err;

	if (!s)
		return;
	s->is_closing = true;
	cond_broadcast(&s->wake);
	while (s->has_writer || s->is_flushing)
		if (!cond_wait(&s->settled, "store: last write", &err))
			break;
	close_file(s);
	store_unref(s);
}
