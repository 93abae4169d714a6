/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history on the loop thread: trails wait in a bounded queue, each as JSON with the words that it is found by, until
 * the store's writer takes them along. Cost of a trail of 600 bytes: some 3 us here, and 8 to 15 us in the writer's thread.
 */
#include "store/history.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"
#include "store/history_inside.h"
#include "store/store.h"

#include <stdlib.h>

#define TRAIL_MAX       ((size_t)512 * 1024)
#define QUEUE_MAX       10000
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define JOB_TRAILS_MAX  1000
#define JOB_BYTES_MAX   ((size_t)4 * 1024 * 1024)
#define SWEEP_EVERY     (5 * USEC_MIN)

struct history {
	struct source source;
	struct store *store;
	struct db *db; /* the store's */
	usec_t retention, sweep_at;
	int64_t rows_max;
	struct list queue;
	struct map waiting; /* reference → item in the queue */
	size_t queued, queued_bytes;
	struct metric *dropped;
};

/* --- the queue --- */

static size_t cost(const struct history_item *item)
{
	return sizeof(*item) + item->body.capacity + item->words.capacity;
}

void history_item_free(struct history_item *item)
{
	link_remove(&item->link);
	buf_done(&item->body);
	buf_done(&item->words);
	free((void *)(uintptr_t)item->ref.p);
	free(item);
}

static struct history_item *item_new(const struct trail *t)
{
	struct history_item *item = mem_new(struct history_item);

	link_init(&item->link);
	item->at = t->begun.us;
	item->ref = (struct str){mem_cstr(t->ref), t->ref.n};
	buf_init(&item->body, TRAIL_MAX);
	buf_init(&item->words, HISTORY_WORDS_MAX);
	buf_reserve(&item->body, 1024); /* most fit; what is left over is given back */
	trail_encode(t, &item->body);
	history_words(t, &item->words);
	buf_shrink(&item->body);
	buf_shrink(&item->words);
	return item;
}

static void unqueue(struct history *h, struct history_item *item)
{
	link_remove(&item->link);
	if (item->ref.n > 0)
		map_remove(&h->waiting, item->ref);
	h->queued--;
	h->queued_bytes -= cost(item);
}

/* Most messages are delivered before the writer has come round to their acceptance: one trail is written, not two.
 * What comes back to the front is older than what waits. */
static bool is_superseded(struct history *h, struct history_item *item, bool at_front)
{
	struct history_item *other = item->ref.n > 0 ? map_get(&h->waiting, item->ref) : NULL;

	if (other && !at_front) {
		unqueue(h, other);
		history_item_free(other);
		return false;
	}
	return other != NULL;
}

static void enqueue(struct history *h, struct history_item *item, bool at_front)
{
	if (buf_ok(&item->body) && is_superseded(h, item, at_front)) {
		history_item_free(item);
		return;
	}
	if (!buf_ok(&item->body) || h->queued >= QUEUE_MAX || h->queued_bytes + cost(item) > QUEUE_BYTES_MAX) {
		metric_inc(h->dropped);
		history_item_free(item);
		return;
	}
	if (at_front)
		list_push_front(&h->queue, &item->link);
	else
		list_push_back(&h->queue, &item->link);
	if (item->ref.n > 0)
		map_put(&h->waiting, item->ref, item);
	h->queued++;
	h->queued_bytes += cost(item);
}

static struct history_item *dequeue(struct history *h)
{
	struct link *first = list_first(&h->queue);

	if (!first)
		return NULL;
	unqueue(h, container_of(first, struct history_item, link));
	return container_of(first, struct history_item, link);
}

void history_put(struct history *h, const struct trail *t)
{
	/* When the disk cannot follow, what will be dropped is not made ready first. */
	if (h->queued >= QUEUE_MAX && (t->ref.n == 0 || !map_get(&h->waiting, t->ref))) {
		metric_inc(h->dropped);
		return;
	}
	enqueue(h, item_new(t), false);
	store_wake(h->store);
}

/* --- what the store asks for --- */

static void free_items(struct job *job)
{
	list_each(it, &container_of(job, struct history_job, job)->items)
		history_item_free(container_of(it, struct history_item, link));
}

static void free_job(struct job *job)
{
	free_items(job);
	free(container_of(job, struct history_job, job));
}

static struct job *collect(struct source *source)
{
	struct history *h = container_of(source, struct history, source);
	struct history_job *j;
	struct history_item *item;
	size_t bytes = 0;

	if (list_is_empty(&h->queue))
		return NULL;
	j = mem_new(struct history_job);
	j->job = (struct job){.write = history_write, .written = free_items, .free = free_job};
	list_init(&j->items);
	for (int i = 0; i < JOB_TRAILS_MAX && bytes < JOB_BYTES_MAX && (item = dequeue(h)); i++) {
		list_push_back(&j->items, &item->link);
		bytes += cost(item);
	}
	if (rt_now() >= h->sweep_at) {
		h->sweep_at = rt_now() + SWEEP_EVERY;
		j->is_sweep = true;
		j->sweep_before = wall_add(rt_wall(), -h->retention).us;
		j->rows_max = h->rows_max;
	}
	return &j->job;
}

/* What was not written goes back in front, in its order; what does not fit any more is dropped and counted. */
static void settle(struct source *source, struct job *job, bool is_written)
{
	struct history *h = container_of(source, struct history, source);
	struct history_job *j = container_of(job, struct history_job, job);

	while (!is_written && !list_is_empty(&j->items)) {
		struct link *last = j->items.head.prev;
		link_remove(last);
		enqueue(h, container_of(last, struct history_item, link), true);
	}
	if (!is_written && j->is_sweep)
		h->sweep_at = 0;
}

/* The trails of a file that was set aside stay in it. */
static void rewrite(struct source *source)
{
}

static void history_free(struct source *source)
{
	struct history *h = container_of(source, struct history, source);
	struct history_item *item;

	while ((item = dequeue(h)))
		history_item_free(item);
	map_done(&h->waiting);
	free(h);
}

/* --- opening --- */

struct opening {
	struct db *db;
	struct err err;
	bool is_made;
};

static void make_schema(void *arg)
{
	struct opening *o = arg;

	o->is_made = db_schema(o->db, history_schema, &o->err);
}

struct history *history_open(struct store *s, usec_t retention, int64_t rows_max, struct err *err)
{
	struct opening o = {.db = store_db(s, err)};
	struct history *h;

	if (!o.db)
		return NULL;
	db_aside(make_schema, &o);
	if (!o.is_made) {
		*err = o.err;
		return NULL;
	}
	h = mem_new(struct history);
	h->store = s;
	h->db = o.db;
	h->retention = retention;
	h->rows_max = rows_max;
	list_init(&h->queue);
	map_init(&h->waiting);
	h->dropped = metric_counter("postern_trails_dropped_total", NULL, NULL,
	                            "Trails that the history had no room for");
	h->source = (struct source){.collect = collect, .settle = settle, .rewrite = rewrite, .free = history_free};
	store_add(s, &h->source);
	return h;
}

struct db *history_db(struct history *h)
{
	return db_ref(h->db);
}

bool history_flush(struct history *h, struct err *err)
{
	struct err not_written;

	/* What cannot be written just now is missing from the answer; what can be read is still told. */
	if (store_flush(h->store, &not_written) || not_written.kind == ERR_FAILED)
		return true;
	*err = not_written;
	return false;
}
