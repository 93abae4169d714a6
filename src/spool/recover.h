/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the files of a spool to what is live in it. Used by spool_open and by the offline tools; blocks,
 * so the daemon runs it off the loop.
 *
 * Folds all segments, oldest first: the last ACCEPTED or COPIED of an id says where the message is, notes behind
 * it change its state, DONE and CANCELLED end it. Nothing is written into a segment found here.
 */
#pragma once

#include "base/buf.h"
#include "spool/index.h"
#include "spool/segment.h"

struct recovery {
	const struct spool_io *io;
	struct spool_dirs dirs;
	bool is_read_only;       /* offline: repairs nothing, syncs nothing, needs no lock */
	struct index index;
	struct list segments;    /* oldest first */
	unsigned n_segments;
	uint64_t last_generation;
	uint64_t previous;       /* what the next segment's header will say */
	uint32_t previous_end, previous_torn;
	uint64_t highest_id;
	uint64_t damaged, torn, unreadable_pages;
	/* One line for each thing that a person should read, made while off the loop. */
	struct buf findings;
	/* Offline tools look over the shoulder; may be NULL. */
	void (*seen)(void *arg, const struct segment *g, const struct record_header *h, const uint8_t *meta);
	void *seen_arg;
};

/* The folders; made (and synced) unless is_read_only, where missing ones are an error. */
bool spool_dirs_open(const struct spool_io *io, const char *path, bool is_read_only, struct spool_dirs *out,
                     struct err *err);
void spool_dirs_close(const struct spool_io *io, struct spool_dirs *dirs);
/* `r` with io, dirs, is_read_only set, the rest zero. False: the disk cannot be read now, or the spool is of a later
 * version; damage is not a failure. Call recovery_done in both cases. */
bool recover(struct recovery *r, struct err *err);
void recovery_done(struct recovery *r); /* what was moved out (index, segments) is left alone */

/* err_temp with CAUSE_STORAGE: "cannot <what>: <what the system says>"; error is negative. */
bool spool_failed(struct err *err, int error, const char *what);
