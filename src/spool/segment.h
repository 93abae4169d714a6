/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One segment: a preallocated file of records, written once from front to end.
 *
 *	NEW ──segment_create──► OPEN ──writer: roll──► SEALED ──compact: empty──► gone, or a spare:
 *	 ▲                        └──writer: condemn──► SEALED (what was not synced counts for nothing)
 *	 └──────────── spare: the file of a later segment ◄──────────────────────────┘
 *
 * Where a sealed segment ends is written in the header of the next, so that bytes behind that end can
 * never come back. A segment found at start is sealed. Damaged ones go to damaged/ instead of away.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "spool/io.h"
#include "spool/record.h"

#include <stdatomic.h>

struct spool_dirs {
	int root, segments, large, incoming, damaged;
};

enum { SEGMENT_NAME_MAX = 32 };

struct segment {
	const struct spool_io *io;
	int fd;
	uint64_t generation, seed;
	uint32_t size;        /* bytes of the file */
	atomic_int refs;      /* the spool, and each read under way in another thread */
	bool is_reserve;      /* for state records and copies only */
	bool is_reusable;     /* made by this process in full size, every sync succeeded: its file may serve again */
	/* The loop thread's (recovery's): */
	struct link link;     /* among the spool's segments, oldest first */
	struct list messages; /* live ones */
	uint64_t live_bytes;
	uint32_t used;        /* bytes of the file that count, as far as is known */
	bool is_sealed, is_damaged;
	int unreadable_rounds; /* of compaction, in which a survivor could not be read */
};

/* Files: <generation>.seg, <generation>.new while being made, reserve, spare<n>. */
void segment_name(uint64_t generation, const char *ending, char out[SEGMENT_NAME_MAX]);
bool segment_name_parse(const char *name, uint64_t *generation);
#define SEGMENT_RESERVE "reserve"
#define SEGMENT_SPARE   "spare"

/* Makes it durable with `h` (the nonce is chosen here). `from`: the name of a file of h.size bytes to take over, the reserve or
 * a spare, or NULL. On failure that file is gone: after a failed sync its pages cannot be trusted. */
int segment_create(const struct spool_io *io, const struct spool_dirs *dirs, struct segment_header h,
                   const char *from, struct segment **out);
/* Preallocates the reserve unless it is there. */
int reserve_create(const struct spool_io *io, const struct spool_dirs *dirs, uint64_t size);
/* Opens one that is there. *has_header false: both copies of its header are damaged, the segment is returned
 * all the same (`header` untouched). */
int segment_open(const struct spool_io *io, const struct spool_dirs *dirs, uint64_t generation,
                 bool for_sync, struct segment_header *header, bool *has_header, struct segment **out);
struct segment *segment_ref(struct segment *g);   /* any thread */
void segment_unref(struct segment *g);            /* any thread; accepts NULL; the last closes the file */

struct scan_result {
	uint32_t end;        /* behind the last good record */
	uint32_t torn;       /* bad places from here on were cut off by a crash; `end` if there is none */
	uint64_t records;
	uint64_t damaged;    /* places where records must have been and are not */
	uint64_t unreadable_pages;
	bool is_torn;
};
/* Where a later segment's header says that this one ends; all zero if none says. */
struct seal {
	uint32_t end, torn;
};
/* Reads it all and calls `record` for each good one, in order; meta is valid during the call. Without a seal, what is
 * bad in the last unsynced stretch is torn, not damaged. Pages that cannot be read count as damage. */
void segment_scan(struct segment *g, struct seal seal,
                  void (*record)(void *arg, const struct record_header *h, const uint8_t *meta),
                  void *arg, struct scan_result *out);
