/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the writer: writer.c takes items and gives them back, append.c puts them into segments.
 * All but the two queues under the lock belongs to the writer (its thread, or the loop where there is none).
 */
#pragma once

#include "base/mem.h"
#include "spool/writer.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	IOV_SLOTS = 512, /* two for each record, and the tail */
	SPARES_MAX = 2,  /* one is needed while mail goes out as fast as it comes in */
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
	bool has_end; /* loop thread: the last item was submitted */

	/* The writer's own. */
	struct segment *current;
	uint32_t end, synced_end;
	uint64_t last_generation, previous;
	uint32_t previous_end, previous_torn;
	struct fifo placed, written, backlog, refused;
	size_t n_backlog, prune_at; /* roughly; when superseded states are looked for again */
	struct iovec iov[IOV_SLOTS];
	int n_iov;
	struct item *ended; /* settles behind all others */
	struct segment *recovered;
	unsigned spares;    /* a bit for each name under which an emptied segment waits to serve again */
	uint8_t tail[RECORD_HEADER];
	usec_t now, retry_at;
	int error; /* why the disk takes nothing now, or took something not */

	atomic_uint_fast64_t syncs, sync_failures;
	atomic_bool is_read_only, is_full;
	atomic_uint_fast64_t spare_bytes, reused;
};

static inline void fifo_init(struct fifo *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static inline void fifo_push(struct fifo *q, struct item *it)
{
	it->next = NULL;
	*q->end = it;
	q->end = &it->next;
}

static inline struct item *fifo_pop(struct fifo *q)
{
	struct item *it = q->first;
	if (it && !(q->first = it->next))
		q->end = &q->first;
	return it;
}

static inline void fifo_move(struct fifo *to, struct fifo *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	fifo_init(from);
}

static inline bool is_message(const struct item *it)
{
	return it->kind == ITEM_ACCEPT;
}
/* Must not get lost: written again if need be. */
static inline bool is_state(const struct item *it)
{
	return it->kind == ITEM_NOTE || it->kind == ITEM_DONE || it->kind == ITEM_CANCEL ||
	       it->kind == ITEM_END;
}

/* Gives the item back to the loop thread. */
void writer_settle(struct writer *w, struct item *it);
void writer_settle_as(struct writer *w, struct item *it, int error);
/* The same with an error that is never taken for success. */
void writer_settle_failed(struct writer *w, struct item *it, int error);

/* Finds a place for a record, in a new segment if need be, or settles it with the error, or keeps it in the backlog. */
void append_record(struct writer *w, struct item *it);
/* Writes what was placed; on failure the segment is given up, and false returned. */
bool append_flush(struct writer *w);
/* Writes and syncs; what was written settles. */
bool append_sync(struct writer *w, enum spool_sync site);
/* What a failed segment left behind, before anything else. */
void append_backlog(struct writer *w);
/* A new segment, as soon as one can be had. On failure the old one, if any, stays in use. */
bool append_roll(struct writer *w, uint64_t need, bool may_use_reserve);

/* The file of an emptied segment waits to serve again, under another name. -ENOBUFS: enough of them do. */
int append_keep(struct writer *w, const struct segment *g, const char *name);
/* When it is not certain that their old names are gone. */
void append_discard_spares(struct writer *w);

/* backlog.c: keeps a state that the disk does not take now. */
void backlog_push(struct writer *w, struct item *it);
