/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of an open spool, shared by the files of this folder. All of it belongs to the loop thread. */
#pragma once

#include "base/metric.h"
#include "spool/index.h"
#include "spool/spool.h"
#include "spool/stored.h"
#include "spool/writer.h"

struct compaction {
	struct segment *segment;  /* being emptied or dropped; NULL: nothing under way */
	unsigned copies;          /* submitted and not settled */
	bool has_failed, is_unreadable; /* in this round */
	usec_t not_before;        /* after a failure */
};

struct spool {
	struct spool_conf conf;
	char *directory;
	const struct spool_io *io;
	struct spool_dirs dirs;
	int lock_fd;
	struct writer *writer;

	struct index index;
	struct list segments; /* oldest first; the last may be the writer's current one */
	unsigned n_segments;
	uint64_t sealed_used; /* bytes of the sealed ones that count */
	uint64_t live_bytes;  /* of all records of live messages */
	uint64_t large_bytes; /* prefix and body of live messages with a file of their own */
	struct compaction compaction;

	uint64_t last_id, next_body;
	uint64_t accepted, damaged, torn;
	struct spool_stats published; /* what the metrics have been told */

	/* Room: what the disk said last, and what open transactions may still write. */
	struct spool_space space;
	usec_t space_at;
	uint64_t reserved;

	/* The housekeeper: syncs notes, looks up free space, tries again what failed. */
	struct cond wake, quiet;
	usec_t flush_at; /* INT64_MAX: nothing to do */
	bool wants_space, is_kept;
	struct list gone; /* segments without a name, whose blocks are to be given back */
	bool is_closing, is_ending, has_ended; /* ending: the writer takes nothing more */
	unsigned jobs; /* calls in other threads that will come back here */
};

/* Counts a message in and out of its segment. */
void spool_link_message(struct spool *s, struct message *m, struct segment *g);
void spool_unlink_message(struct spool *s, struct message *m);
/* Takes it out of the index and appends DONE or CANCELLED; `m` is gone. */
void spool_end_message(struct spool *s, struct message *m, struct item *record);
/* An item with a record of `payload` as its meta. */
struct item *spool_state_item(enum item_kind kind, uint64_t id, struct str payload,
                              void (*settled)(void *owner, struct item *it));
void spool_submit_note(struct spool *s, struct item *it);
void spool_job_begins(struct spool *s);
void spool_job_ends(struct spool *s);

/* compact.c: looks whether the oldest segment can go, or should be made to. Call after anything ended. */
void compact_poke(struct spool *s);

/* What stands on disk is not what was written: logged, counted, its segment kept. `m` is gone. */
void spool_lose_message(struct spool *s, struct message *m);

/* house.c */
WAITS bool house_open(struct spool *s, struct group *root, struct err *err);
void house_wake_at(struct spool *s, usec_t at);
void house_stop(struct spool *s);
/* Takes over the count of a segment whose file has no name any more. */
void house_give_back(struct spool *s, struct segment *g);
void house_publish(struct spool *s); /* brings the metrics up to date */

/* body.c: what accepting needs of a body. */
struct body_file;
/* Makes its file durable as large/<id>. On false the file is gone or will be. Nothing to do for a body in memory. */
WAITS bool body_settle(struct spool_body *b, struct spool_id id, struct err *err);
struct body_view {
	struct str memory;   /* all of it; empty when it is large */
	bool is_large;
	uint64_t file_size, file_sum;
};
struct body_view body_view(const struct spool_body *b);
/* Takes out the ranges, in memory. */
void body_squeeze(struct spool_body *b, const struct spool_range *drop, size_t n);
struct spool_body *body_ref(struct spool_body *b);
void body_unref(struct spool_body *b);
/* The file belongs to the message from now on. */
void body_let_go(struct spool_body *b);
