/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts records into segments, makes them durable, and makes amends when that fails. */
#include "spool/writer_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_AFTER = 1000 * 1000 /* µs between attempts to open a segment */ };

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
			writer_settle(w, it);
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

/* After a failed write or sync nobody knows what is on the disk behind synced_end (and the kernel
 * may say next time that all is well). The next segment's header ends this one there, and says
 * again what must not be lost. */
static void condemn(struct writer *w, int error)
{
	atomic_fetch_add(&w->sync_failures, 1);
	w->error = error;
	w->previous = w->current->generation;
	w->previous_end = w->previous_torn = w->synced_end;
	w->current->is_reusable = false;
	struct segment_item *event = mem_new(struct segment_item);
	event->item.kind = ITEM_SEGMENT;
	event->item.error = error;
	event->item.settled = w->conf.on_segment;
	event->sealed = w->current;
	event->sealed_end = w->synced_end;
	writer_settle(w, &event->item);
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
			writer_settle(w, it);
		}
	}
}

/* --- writing --- */

static void add_iov(struct writer *w, const void *p, size_t n)
{
	if (n)
		w->iov[w->n_iov++] = (struct iovec){(void *)p, n};
}

bool append_flush(struct writer *w)
{
	if (w->n_iov == 0)
		return true;
	uint64_t at = w->placed.first->offset;
	if (w->end + RECORD_HEADER <= w->current->size) {
		record_tail_encode(w->end, w->current->seed, w->tail);
		add_iov(w, w->tail, sizeof w->tail);
	}
	int rc = io_write_all(w->io, w->current->fd, w->iov, w->n_iov, at, NULL);
	w->n_iov = 0;
	if (rc < 0) {
		condemn(w, rc);
		return false;
	}
	fifo_move(&w->written, &w->placed);
	return true;
}

bool append_sync(struct writer *w, enum spool_sync site)
{
	if (!append_flush(w))
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
	/* Space that was allocated and not used; the new header says where it ends, so this needs
	 * no sync. A little is left, so that the file can serve again. */
	if (w->current && w->current->size - w->end > w->current->size / 16) {
		w->io->truncate(w->io->self, w->current->fd, w->end);
		w->current->is_reusable = false;
	}
	if (w->recovered && w->recovered->size > w->previous_end)
		w->io->truncate(w->io->self, w->recovered->fd, w->previous_end);
	segment_unref(w->recovered);
	w->recovered = NULL;
	struct segment_item *event = mem_new(struct segment_item);
	event->item.kind = ITEM_SEGMENT;
	event->item.settled = w->conf.on_segment;
	event->item.segment = next;
	event->sealed = w->current;
	event->sealed_end = w->end;
	writer_settle(w, &event->item);
}

/* --- spares --- */

static void spare_name(unsigned i, char out[SEGMENT_NAME_MAX])
{
	snprintf(out, SEGMENT_NAME_MAX, SEGMENT_SPARE "%u", i);
}

static void count_spares(struct writer *w)
{
	atomic_store(&w->spare_bytes,
		     (uint64_t)__builtin_popcount(w->spares) * w->conf.segment_size);
}

int append_keep(struct writer *w, const struct segment *g, const char *name)
{
	char spare[SEGMENT_NAME_MAX];
	unsigned i = 0;
	while (i < SPARES_MAX && w->spares & 1u << i)
		i++;
	if (i == SPARES_MAX || g->size != w->conf.segment_size)
		return -ENOBUFS;
	spare_name(i, spare);
	int dir = w->conf.dirs->segments, rc = w->io->rename(w->io->self, dir, name, dir, spare);
	if (rc < 0)
		return rc;
	w->spares |= 1u << i;
	count_spares(w);
	return 0;
}

void append_discard_spares(struct writer *w)
{
	char spare[SEGMENT_NAME_MAX];
	for (unsigned i = 0; i < SPARES_MAX; i++) {
		spare_name(i, spare);
		if (w->spares & 1u << i)
			w->io->unlink(w->io->self, w->conf.dirs->segments, spare);
	}
	w->spares = 0;
	count_spares(w);
}

/* Blocks that were written before need no allocation on the way to the disk, and giving them back
 * and taking them again would cost the disk more than all the records in them. */
static int create(struct writer *w, const struct segment_header *h, struct segment **next)
{
	char spare[SEGMENT_NAME_MAX];
	bool has_spare = w->spares && h->size == w->conf.segment_size;
	if (has_spare) {
		unsigned i = (unsigned)__builtin_ctz(w->spares);
		spare_name(i, spare);
		w->spares &= ~(1u << i);
		count_spares(w);
	}
	int rc = segment_create(w->io, w->conf.dirs, *h, has_spare ? spare : NULL, next);
	if (rc == 0) {
		(*next)->is_reusable = true;
		atomic_fetch_add(&w->reused, has_spare);
	}
	return rc;
}

static bool take_reserve(struct writer *w, struct segment_header h, uint64_t need,
			 struct segment **next)
{
	if (SEGMENT_DATA + need > w->conf.reserve)
		return false;
	h.generation = ++w->last_generation;
	h.size = w->conf.reserve;
	if (segment_create(w->io, w->conf.dirs, h, SEGMENT_RESERVE, next) < 0)
		return false;
	(*next)->is_reserve = true;
	return true;
}

bool append_roll(struct writer *w, uint64_t need, bool may_use_reserve)
{
	if (w->now < w->retry_at)
		return false;
	if (w->current && !append_sync(w, SYNC_ROLL))
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
	int rc = create(w, &h, &next);
	bool is_reserve = is_want_of_room(rc) && may_use_reserve && take_reserve(w, h, need, &next);
	if (is_reserve)
		rc = 0;
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
	return append_roll(w, need, !is_message(it)) &&
	       (!w->current->is_reserve || !is_message(it));
}

/* Nothing fails here: the item stands in the segment, and settles with it. */
static void place(struct writer *w, struct item *it)
{
	static const enum record_type types[] = {
		[ITEM_ACCEPT] = RECORD_ACCEPTED, [ITEM_NOTE] = RECORD_NOTE,
		[ITEM_DONE] = RECORD_DONE,	 [ITEM_CANCEL] = RECORD_CANCELLED,
		[ITEM_COPY] = RECORD_COPIED,	 [ITEM_END] = RECORD_END,
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
	if (w->n_iov > IOV_SLOTS - 3)
		append_flush(w);
}

/* --- copies --- */

/* Header, meta and body as they were written? */
static bool is_whole(const struct copy_item *c, struct message_meta *meta)
{
	uint64_t seed = c->from->seed;
	const uint8_t *bytes = c->record + RECORD_HEADER;
	struct record_header h;
	return record_header_decode(c->record, seed, c->from_offset, &h) && h.id == c->item.id &&
	       h.meta_length == c->from_meta_length && h.body_length == c->from_body_length &&
	       record_sum(bytes, h.meta_length, seed) == h.meta_sum &&
	       record_sum(bytes + h.meta_length, h.body_length, seed) == h.body_sum &&
	       meta_decode((struct str){(const char *)bytes, h.meta_length}, meta);
}

/* The survivor's base with its present state behind it; the body as it is. False: settled with the
 * error. */
static bool load_copy(struct writer *w, struct copy_item *c)
{
	struct message_meta meta;
	uint32_t n = RECORD_HEADER + c->from_meta_length + c->from_body_length;
	c->record = mem_resize(NULL, n);
	int rc = io_read_all(w->io, c->from->fd, c->record, n, c->from_offset);
	c->is_unreadable = rc < 0;
	c->is_damaged = rc == 0 && !is_whole(c, &meta);
	if (c->is_unreadable || c->is_damaged) {
		writer_settle_failed(w, &c->item, rc);
		return false;
	}
	struct str body = {(const char *)c->record + RECORD_HEADER + c->from_meta_length,
			   c->from_body_length};
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

/* --- in and out --- */

void append_record(struct writer *w, struct item *it)
{
	/* What the disk did not take stays in order. */
	bool is_late = w->backlog.first != NULL;
	struct copy_item *copy = container_of(it, struct copy_item, item);
	if (it->kind == ITEM_COPY && (is_late || !load_copy(w, copy))) {
		if (is_late)
			writer_settle_failed(w, it, w->error);
		return;
	}
	if (!is_late && room(w, it, it->head_n + it->tail.n)) {
		place(w, it);
		return;
	}
	if (is_state(it))
		backlog_push(w, it);
	else
		writer_settle_failed(w, it, w->error);
}

void append_backlog(struct writer *w)
{
	struct fifo again;
	fifo_init(&again);
	fifo_move(&again, &w->backlog);
	while (again.first && !w->backlog.first && room(w, again.first, again.first->head_n))
		place(w, fifo_pop(&again));
	bool ok = append_sync(w, SYNC_AMENDS);
	/* In order: what was written and failed, then what found no room. */
	fifo_move(&w->backlog, &again);
	if (!w->backlog.first)
		w->n_backlog = 0;
	if (ok && !w->backlog.first)
		w->error = 0;
}
