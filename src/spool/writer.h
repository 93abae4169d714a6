/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool's writer: takes items from the loop thread in order, writes all that is there with one write and
 * makes it durable with one sync, then hands the items back in the order in which they were settled.
 *
 * There is no delay to make batches bigger: while one sync runs the next batch gathers. An item is handed back
 * (its `settled` called on the loop thread) when it is durable, or when it is certain that it will not be:
 *
 *	QUEUED ─put─► PLACED ─flush─► WRITTEN ─sync─► settled
 *	   │             └──────┬────────┘ a write or sync fails (condemn): never touch this segment again
 *	   │                    ├─ message: its cancel record goes to the backlog; settled with the error after that
 *	   │                    ├─ copy: settled with the error (the old segment still has the message)
 *	   │                    └─ note, done: to the backlog, written first of all in the next segment
 *	   └ no segment can be had: message, copy: settled with the error; note, done: to the backlog
 *
 * In the fake runtime there is no thread: the work happens on the loop, after the fibers that submitted it.
 */
#pragma once

#include "rt/rt.h"
#include "spool/recover.h"

struct writer;

enum item_kind {
	ITEM_ACCEPT,
	ITEM_NOTE,
	ITEM_DONE,
	ITEM_CANCEL,
	ITEM_COPY,
	ITEM_END,      /* the last one: closes in order */
	ITEM_FLUSH,    /* no record: what was written so far gets synced */
	ITEM_DROP,     /* a segment that holds nothing live */
	ITEM_FILE,     /* a file that nobody needs any more */
	ITEM_SEGMENT,  /* made by the writer: `segment` was opened, `sealed` was sealed */
};

struct item {
	struct item *next;
	enum item_kind kind;
	bool is_waited_for;      /* synced at once */
	bool is_large;           /* done, cancel: large/<id> goes when this is durable */
	int error;               /* once settled: 0 or -errno */
	uint64_t id;
	usec_t queued;           /* when it was submitted */
	/* The record: `head` starts with room for RECORD_HEADER and holds meta behind it, and of the body what
	 * does not stand in `tail`. */
	uint8_t *head;
	uint32_t head_n, meta_length;
	struct str tail;
	/* Where it landed: */
	struct segment *segment;
	uint32_t offset;
	uint64_t body_sum;
	void (*settled)(void *owner, struct item *item); /* owns the item; loop thread */
};

/* ITEM_COPY: what the writer needs to carry a message forward. */
struct copy_item {
	struct item item;
	struct segment *from;    /* counted */
	uint32_t from_offset, from_meta_length, from_body_length;
	bool is_unreadable;      /* settled with the error of reading the original */
	bool is_damaged;         /* it was read, and is not what was written */
	uint8_t *record;         /* memory of the body */
	uint32_t notes_n;
	uint8_t notes[];         /* the folded state */
};
struct drop_item {
	struct item item;
	struct segment *segment;
	bool is_damaged;         /* into damaged/ */
	bool is_reusable;        /* nobody reads it any more; settled: its file serves again */
};
struct file_item {
	struct item item;
	int dir, fd;             /* fd -1: not open */
	char name[SPOOL_ID_MAX];
};
struct segment_item {
	struct item item;        /* segment: the new one (NULL: none) */
	struct segment *sealed;  /* NULL: none */
	uint32_t sealed_end;
};

struct writer_conf {
	const struct spool_io *io;
	const struct spool_dirs *dirs;
	uint32_t segment_size, reserve;
	unsigned batch_max;
	/* Where recovery left off. */
	uint64_t last_generation, previous;
	uint32_t previous_end, previous_torn;
	struct segment *recovered; /* the newest, or NULL: gives its unused space back once it is sealed */
	/* `settled` of segment items, and the first argument of every `settled`. */
	void (*on_segment)(void *owner, struct item *item);
	void *owner;
};
/* False: no thread. */
bool writer_new(const struct writer_conf *conf, struct writer **out, struct err *err);
void writer_submit(struct writer *w, struct item *item);
/* True: the item had not been taken yet and never will be; it is the caller's again. */
bool writer_abandon(struct writer *w, struct item *item);
/* Blocks until the queue is empty and on disk, and ends the thread. */
void writer_finish(struct writer *w);
/* After that, and when the END item is settled. */
void writer_free(struct writer *w);

struct writer_stats {
	uint64_t syncs, sync_failures;
	uint64_t reused;   /* segments made from the file of an emptied one */
	bool is_read_only; /* no segment can be had */
	bool is_full;      /* for want of room */
	uint64_t spare_bytes; /* in files that wait to become segments */
};
void writer_stats(const struct writer *w, struct writer_stats *out);
