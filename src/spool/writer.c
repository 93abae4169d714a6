/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches records into segments: one write and one sync for all that wait. */
#include "spool/writer.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	IOV_SLOTS = 512,           /* two for each record */
	TAKE_MAX = 2048,           /* items of one step, messages or not */
	RETRY_AFTER = 1000 * 1000, /* µs between attempts to open a segment */
};

struct fifo {
	struct item *first, **end;
};

struct writer {
	struct writer_conf conf;
	const struct spool_io *io;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct fifo queue, settled; /* under the lock */
	bool is_posted, is_kicked, is_stopping;
	struct post post, kick;

	/* The writer's own. */
	struct segment *current;
	uint32_t end, synced_end;
	uint64_t last_generation, previous;
	uint32_t previous_end, previous_torn;
	struct fifo placed, written, backlog, refused;
	struct iovec iov[IOV_SLOTS];
	int n_iov;
	struct item *ended; /* settles behind all others */
	struct segment *recovered;
	usec_t now, retry_at;
	int error; /* why the disk takes nothing now, or took something not */

	atomic_uint_fast64_t syncs, sync_failures;
	atomic_bool is_read_only, is_full;
};

/* --- queues --- */

static void fifo_init(struct fifo *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void fifo_push(struct fifo *q, struct item *it)
{
	it->next = NULL;
	*q->end = it;
	q->end = &it->next;
}

static struct item *fifo_pop(struct fifo *q)
{
	struct item *it = q->first;
	if (it && !(q->first = it->next))
		q->end = &q->first;
	return it;
}

static void fifo_move(struct fifo *to, struct fifo *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	fifo_init(from);
}

static bool is_message(const struct item *it)
{
	return it->kind == ITEM_ACCEPT;
}
/* Must not get lost: written again if need be. */
static bool is_state(const struct item *it)
{
	return it->kind == ITEM_NOTE || it->kind == ITEM_DONE || it->kind == ITEM_CANCEL ||
	       it->kind == ITEM_END;
}

/* --- back to the loop thread --- */

static void settle(struct writer *w, struct item *it)
{
	pthread_mutex_lock(&w->lock);
	fifo_push(&w->settled, it);
	bool must_post = !w->is_posted && w->has_thread;
	w->is_posted |= must_post;
	pthread_mutex_unlock(&w->lock);
	if (must_post)
		rt_post(&w->post);
}

static void drain(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct fifo settled;
	fifo_init(&settled);
	fifo_move(&settled, &w->settled);
	w->is_posted = false;
	pthread_mutex_unlock(&w->lock);
	for (struct item *it; (it = fifo_pop(&settled));)
		it->settled(w->conf.owner, it);
}

static void drain_posted(struct post *post)
{
	drain(container_of(post, struct writer, post));
}

static void settle_as(struct writer *w, struct item *it, int error)
{
	it->error = error;
	settle(w, it);
}

/* Never taken for success. */
static void settle_failed(struct writer *w, struct item *it, int error)
{
	settle_as(w, it, error < 0 ? error : -EIO);
}

/* --- durable --- */

static void unlink_large(struct writer *w, uint64_t id)
{
	char name[SPOOL_ID_MAX];
	spool_id_text((struct spool_id){id}, name);
	/* Should it fail, the next start clears it away. */
	w->io->unlink(w->io->self, w->conf.dirs->large, name);
}

static void settle_written(struct writer *w)
{
	for (struct item *it; (it = fifo_pop(&w->written));) {
		if (it->is_large && (it->kind == ITEM_DONE || it->kind == ITEM_CANCEL))
			unlink_large(w, it->id);
		if (it->kind == ITEM_END)
			w->ended = it;
		else
			settle(w, it);
	}
}

static void cancel_settled(void *owner, struct item *it)
{
	free(it);
}

static struct item *cancel_for(const struct item *message)
{
	struct item *it = mem_alloc(sizeof *it + RECORD_HEADER);
	it->kind = ITEM_CANCEL;
	it->id = message->id;
	it->is_large = message->is_large;
	it->head = (uint8_t *)(it + 1);
	it->head_n = RECORD_HEADER;
	it->settled = cancel_settled;
	return it;
}

/* After a failed write or sync nobody knows what is on the disk behind synced_end (and the kernel may say next time
 * that all is well). The next segment's header ends this one there, and says again what must not be lost. */
static void condemn(struct writer *w, int error)
{
	atomic_fetch_add(&w->sync_failures, 1);
	w->error = error;
	w->previous = w->current->generation;
	w->previous_end = w->previous_torn = w->synced_end;
	struct segment_item *event = mem_new(struct segment_item);
	event->item.kind = ITEM_SEGMENT;
	event->item.error = error;
	event->item.settled = w->conf.on_segment;
	event->sealed = w->current;
	event->sealed_end = w->synced_end;
	settle(w, &event->item);
	w->current = NULL;
	w->n_iov = 0;
	fifo_move(&w->written, &w->placed);
	for (struct item *it; (it = fifo_pop(&w->written));) {
		it->error = error;
		if (is_message(it)) {
			fifo_push(&w->backlog, cancel_for(it));
			fifo_push(&w->refused, it);
		} else if (is_state(it)) {
			fifo_push(&w->backlog, it);
		} else {
			settle(w, it);
		}
	}
}

/* --- writing --- */

static bool flush(struct writer *w)
{
	if (w->n_iov == 0)
		return true;
	uint64_t at = w->placed.first->offset;
	int rc = io_write_all(w->io, w->current->fd, w->iov, w->n_iov, at, NULL);
	w->n_iov = 0;
	if (rc < 0) {
		condemn(w, rc);
		return false;
	}
	fifo_move(&w->written, &w->placed);
	return true;
}

static bool sync_segment(struct writer *w, enum spool_sync site)
{
	if (!flush(w))
		return false;
	if (w->current && w->end > w->synced_end) {
		int rc = w->io->sync(w->io->self, w->current->fd, site);
		if (rc < 0) {
			condemn(w, rc);
			return false;
		}
		atomic_fetch_add(&w->syncs, 1);
		w->synced_end = w->end;
	}
	settle_written(w);
	return true;
}

static bool is_want_of_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

static void seal(struct writer *w, struct segment *next)
{
	struct segment_item *event = mem_new(struct segment_item);
	event->item.kind = ITEM_SEGMENT;
	event->item.settled = w->conf.on_segment;
	event->item.segment = next;
	event->sealed = w->current;
	event->sealed_end = w->end;
	settle(w, &event->item);
	/* Space that was allocated and not used; the new header says where it ends, so this needs no sync. */
	if (w->current && w->current->size > w->end)
		w->io->truncate(w->io->self, w->current->fd, w->end);
	if (w->recovered && w->recovered->size > w->previous_end)
		w->io->truncate(w->io->self, w->recovered->fd, w->previous_end);
	segment_unref(w->recovered);
	w->recovered = NULL;
}

/* The next segment. On failure the old one, if any, stays in use. */
static bool roll(struct writer *w, uint64_t need, bool may_use_reserve)
{
	if (w->now < w->retry_at)
		return false;
	if (w->current && !sync_segment(w, SYNC_ROLL))
		return false;
	struct segment_header h = {
	        .size = w->conf.segment_size,
	        .generation = ++w->last_generation,
	        .previous = w->current ? w->current->generation : w->previous,
	        .previous_end = w->current ? w->end : w->previous_end,
	        .previous_torn = w->current ? w->end : w->previous_torn,
	};
	if (SEGMENT_DATA + need > h.size)
		h.size = (uint32_t)(SEGMENT_DATA + need);
	struct segment *next;
	bool is_reserve = false;
	int rc = segment_create(w->io, w->conf.dirs, h, false, &next);
	if (is_want_of_room(rc) && may_use_reserve && SEGMENT_DATA + need <= w->conf.reserve) {
		is_reserve = true;
		h.generation = ++w->last_generation;
		h.size = w->conf.reserve;
		rc = segment_create(w->io, w->conf.dirs, h, true, &next);
	}
	atomic_store(&w->is_full, is_want_of_room(rc) || is_reserve);
	atomic_store(&w->is_read_only, rc < 0);
	if (rc < 0 || is_reserve)
		w->retry_at = w->now + RETRY_AFTER;
	w->error = is_reserve ? -ENOSPC : rc;
	if (rc < 0)
		return false;
	seal(w, next);
	w->current = next;
	w->end = w->synced_end = SEGMENT_DATA;
	if (!is_reserve)
		reserve_create(w->io, w->conf.dirs, w->conf.reserve); /* again, where it was used */
	return true;
}

/* A segment with room for this item's record. */
static bool room(struct writer *w, const struct item *it, uint64_t need)
{
	bool fits = w->current && w->end + need <= w->current->size;
	if (fits && (!w->current->is_reserve || is_state(it)))
		return true;
	/* Copies give room back in the end, but must leave some for states. */
	if (fits && it->kind == ITEM_COPY &&
	    w->end + need <= w->current->size - w->current->size / 4)
		return true;
	return roll(w, need, !is_message(it)) && (!w->current->is_reserve || !is_message(it));
}

static void add_iov(struct writer *w, const void *p, size_t n)
{
	if (n)
		w->iov[w->n_iov++] = (struct iovec){(void *)p, n};
}

/* Nothing fails here: the item stands in the segment, and settles with it. */
static void place(struct writer *w, struct item *it)
{
	static const enum record_type types[] = {
	        [ITEM_ACCEPT] = RECORD_ACCEPTED, [ITEM_NOTE] = RECORD_NOTE,
	        [ITEM_DONE] = RECORD_DONE,       [ITEM_CANCEL] = RECORD_CANCELLED,
	        [ITEM_COPY] = RECORD_COPIED,     [ITEM_END] = RECORD_END,
	};
	uint64_t seed = w->current->seed;
	const uint8_t *meta = it->head + RECORD_HEADER, *body = meta + it->meta_length;
	size_t body_n = it->head_n - RECORD_HEADER - it->meta_length;
	struct record_header h = {
	        .type = types[it->kind],
	        .offset = w->end,
	        .batch = w->synced_end,
	        .meta_length = it->meta_length,
	        .body_length = (uint32_t)(body_n + it->tail.n),
	        .id = it->id,
	        .meta_sum = record_sum(meta, it->meta_length, seed),
	        .body_sum = record_sum_two(body, body_n, it->tail.p, it->tail.n, seed),
	};
	record_header_encode(&h, seed, it->head);
	it->segment = w->current;
	it->offset = w->end;
	it->body_sum = h.body_sum;
	it->error = 0;
	add_iov(w, it->head, it->head_n);
	add_iov(w, it->tail.p, it->tail.n);
	w->end += (uint32_t)record_size(&h);
	fifo_push(&w->placed, it);
	if (w->n_iov > IOV_SLOTS - 2)
		flush(w);
}

/* --- copies --- */

/* The survivor's base with its present state behind it; the body as it is. False: settled with the error. */
static bool load_copy(struct writer *w, struct copy_item *c)
{
	struct message_meta meta;
	uint32_t meta_n = c->from_meta_length, n = meta_n + c->from_body_length;
	uint64_t seed = c->from->seed;
	c->record = mem_resize(NULL, n);
	int rc = io_read_all(w->io, c->from->fd, c->record, n, c->from_offset + RECORD_HEADER);
	if (rc < 0) {
		c->is_unreadable = true;
		settle_failed(w, &c->item, rc);
		return false;
	}
	struct str body = {(const char *)c->record + meta_n, c->from_body_length};
	if (!meta_decode((struct str){(const char *)c->record, meta_n}, &meta) ||
	    record_sum(body.p, body.n, seed) != c->from_body_sum) {
		c->is_damaged = true;
		settle_failed(w, &c->item, -EIO);
		return false;
	}
	size_t bare = RECORD_HEADER + 4 + meta.base.n + c->notes_n;
	size_t padded = bare + (8 - (bare + body.n) % 8) % 8;
	c->item.head = mem_alloc(padded);
	struct pen pen = {c->item.head, RECORD_HEADER};
	pen_str(&pen, meta.base);
	pen_bytes(&pen, c->notes, c->notes_n);
	c->item.head_n = (uint32_t)padded;
	c->item.meta_length = (uint32_t)(padded - RECORD_HEADER);
	c->item.tail = body;
	return true;
}

/* --- one step --- */

static void put(struct writer *w, struct item *it)
{
	/* What the disk did not take stays in order. */
	bool is_late = w->backlog.first != NULL;
	struct copy_item *copy = container_of(it, struct copy_item, item);
	if (it->kind == ITEM_COPY && (is_late || !load_copy(w, copy))) {
		if (is_late)
			settle_failed(w, it, w->error);
		return;
	}
	if (!is_late && room(w, it, it->head_n + it->tail.n)) {
		place(w, it);
		return;
	}
	if (is_state(it))
		fifo_push(&w->backlog, it);
	else
		settle_failed(w, it, w->error);
}

static void drop(struct writer *w, struct drop_item *d)
{
	char name[SEGMENT_NAME_MAX];
	const struct spool_dirs *dirs = w->conf.dirs;
	const struct spool_io *io = w->io;
	int rc = 0;
	segment_name(d->segment->generation, "seg", name);
	if (d->is_damaged) {
		rc = io->rename(io->self, dirs->segments, name, dirs->damaged, name);
		if (rc == 0 || rc == -ENOENT)
			rc = io->sync_dir(io->self, dirs->damaged, SYNC_DAMAGED_DIR);
	} else {
		rc = io->unlink(io->self, dirs->segments, name);
	}
	/* Gone already: only a sync failed the last time. */
	if (rc == -ENOENT)
		rc = 0;
	/* Before the next one goes: or a crash could bring this one back, and not what ended its messages. */
	if (rc == 0)
		rc = io->sync_dir(io->self, dirs->segments, SYNC_RECLAIM_DIR);
	settle_as(w, &d->item, rc);
}

static void remove_file(struct writer *w, struct file_item *f)
{
	if (f->fd >= 0)
		w->io->close(w->io->self, f->fd);
	int rc = w->io->unlink(w->io->self, f->dir, f->name);
	settle_as(w, &f->item, rc);
}

static void handle(struct writer *w, struct item *it)
{
	switch (it->kind) {
	case ITEM_FLUSH:
		/* Without room, nobody else would ask for it: new mail is refused before it gets here. */
		if (atomic_load(&w->is_full) || atomic_load(&w->is_read_only))
			roll(w, 0, false);
		/* Settles with what was placed before it. */
		fifo_push(w->placed.first ? &w->placed : &w->written, it);
		break;
	case ITEM_DROP:
		drop(w, container_of(it, struct drop_item, item));
		break;
	case ITEM_FILE:
		remove_file(w, container_of(it, struct file_item, item));
		break;
	default:
		put(w, it);
	}
}

/* What a failed segment left behind, before anything else. */
static void amend(struct writer *w)
{
	struct fifo again;
	fifo_init(&again);
	fifo_move(&again, &w->backlog);
	while (again.first && !w->backlog.first && room(w, again.first, again.first->head_n))
		place(w, fifo_pop(&again));
	bool ok = sync_segment(w, SYNC_AMENDS);
	/* In order: what was written and failed, then what found no room. */
	fifo_move(&w->backlog, &again);
	if (ok && !w->backlog.first)
		w->error = 0;
}

static void take(struct writer *w, struct fifo *out)
{
	unsigned messages = 0, n = 0;
	fifo_init(out);
	pthread_mutex_lock(&w->lock);
	while (w->queue.first && n < TAKE_MAX && messages < w->conf.batch_max) {
		struct item *it = fifo_pop(&w->queue);
		messages += is_message(it);
		n++;
		fifo_push(out, it);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Which site a sync belongs to: what waits for it most. */
static enum spool_sync site_of(enum spool_sync so_far, const struct item *it)
{
	if (it->kind == ITEM_END)
		return SYNC_CLOSE;
	if (it->kind == ITEM_FLUSH)
		return so_far == SYNC_SITES ? SYNC_NOTES : so_far;
	if (!it->is_waited_for || so_far == SYNC_CLOSE)
		return so_far;
	if (it->kind == ITEM_COPY)
		return so_far == SYNC_BATCH ? so_far : SYNC_COMPACT;
	return SYNC_BATCH;
}

/* The disk has had its chances: what it did not take is given back with the error. */
static void end(struct writer *w)
{
	for (struct item *it; (it = fifo_pop(&w->backlog));)
		settle_failed(w, it, w->error);
	if (w->ended)
		settle(w, w->ended);
	w->ended = NULL;
}

static bool step(struct writer *w)
{
	struct fifo taken;
	enum spool_sync site = SYNC_SITES;
	take(w, &taken);
	if (!taken.first)
		return false;
	for (struct item *it; (it = fifo_pop(&taken));) {
		if (it->queued > w->now)
			w->now = it->queued;
		if (w->backlog.first && w->now >= w->retry_at)
			amend(w);
		site = site_of(site, it);
		handle(w, it);
	}
	if (site == SYNC_SITES)
		flush(w);
	else
		sync_segment(w, site);
	if (w->backlog.first) {
		if (site == SYNC_CLOSE)
			w->retry_at = 0;
		amend(w);
	}
	/* Only now: a cancel record is durable, or cannot be had (README.md, window 4). */
	for (struct item *it; (it = fifo_pop(&w->refused));)
		settle(w, it);
	if (site == SYNC_CLOSE)
		end(w);
	return true;
}

static void *run(void *arg)
{
	struct writer *w = arg;
	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (!w->queue.first && !w->is_stopping)
			pthread_cond_wait(&w->has_work, &w->lock);
		bool is_over = !w->queue.first;
		pthread_mutex_unlock(&w->lock);
		if (is_over)
			return NULL;
		step(w);
	}
}

/* Once for all that a turn of the loop has brought: they share a sync, and nobody wakes to find a single note. */
static void wake(struct post *post)
{
	struct writer *w = container_of(post, struct writer, kick);
	w->is_kicked = false;
	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->has_work);
	pthread_mutex_unlock(&w->lock);
}

static void run_in_line(struct post *post)
{
	struct writer *w = container_of(post, struct writer, kick);
	w->is_kicked = false;
	while (step(w))
		;
	drain(w);
}

/* --- from the loop thread --- */

void writer_submit(struct writer *w, struct item *it)
{
	it->queued = rt_now();
	pthread_mutex_lock(&w->lock);
	fifo_push(&w->queue, it);
	pthread_mutex_unlock(&w->lock);
	if (w->is_kicked)
		return;
	w->is_kicked = true;
	if (w->has_thread)
		rt_at_turn_end(&w->kick);
	else
		rt_post(&w->kick);
}

bool writer_abandon(struct writer *w, struct item *it)
{
	bool was_queued = false;
	pthread_mutex_lock(&w->lock);
	for (struct item **at = &w->queue.first; *at; at = &(*at)->next) {
		if (*at != it)
			continue;
		*at = it->next;
		if (!*at)
			w->queue.end = at;
		was_queued = true;
		break;
	}
	pthread_mutex_unlock(&w->lock);
	return was_queued;
}

bool writer_new(const struct writer_conf *conf, struct writer **out, struct err *err)
{
	struct writer *w = mem_new(struct writer);
	struct fifo *const queues[] = {&w->queue,   &w->settled, &w->placed,
	                               &w->written, &w->backlog, &w->refused};
	w->conf = *conf;
	w->io = conf->io;
	w->last_generation = conf->last_generation;
	w->previous = conf->previous;
	w->previous_end = conf->previous_end;
	w->previous_torn = conf->previous_torn;
	w->recovered = conf->recovered ? segment_ref(conf->recovered) : NULL;
	w->post.fn = drain_posted;
	w->now = rt_now();
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		fifo_init(queues[i]);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->has_work, NULL);
	w->has_thread = !rt_is_fake();
	w->kick.fn = w->has_thread ? wake : run_in_line;
	if (w->has_thread) {
		/* Signals are the loop thread's. */
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		int rc = pthread_create(&w->thread, NULL, run, w);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (rc != 0) {
			w->has_thread = false;
			writer_free(w);
			return err_temp(err, CAUSE_LOCAL_ERROR, "cannot start the spool's thread");
		}
	}
	*out = w;
	return true;
}

void writer_finish(struct writer *w)
{
	if (w->has_thread && !w->is_stopping) {
		rt_turn_end_cancel(&w->kick);
		pthread_mutex_lock(&w->lock);
		w->is_stopping = true;
		pthread_cond_signal(&w->has_work);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	while (step(w))
		;
}

void writer_free(struct writer *w)
{
	segment_unref(w->recovered);
	pthread_cond_destroy(&w->has_work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void writer_stats(const struct writer *w, struct writer_stats *out)
{
	out->syncs = atomic_load(&w->syncs);
	out->sync_failures = atomic_load(&w->sync_failures);
	out->is_read_only = atomic_load(&w->is_read_only);
	out->is_full = atomic_load(&w->is_full);
}
