/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message as it lies on the disk, and reading it. Blocks; for any thread that holds a count of the segment.
 */
#pragma once

#include "spool/index.h"
#include "spool/segment.h"

struct stored {
	const struct spool_io *io;
	int large_dir;
	struct segment *segment;
	uint64_t id, size, body_sum;
	uint32_t offset, meta_length, body_length;
	bool is_large;
};
struct stored stored_of(const struct message *m, const struct spool_io *io, const struct spool_dirs *dirs);

/* Bytes that `record` of stored_meta needs. */
static inline size_t stored_meta_size(const struct stored *s)
{
	return RECORD_HEADER + (size_t)s->meta_length;
}
/* Header and meta of its record, checked; *meta points into record. 0, -EAGAIN (only without may_wait), another
 * -errno, or -EBADMSG: damaged. */
int stored_meta(const struct stored *s, uint8_t *record, bool may_wait, struct message_meta *meta);
/* Compares all its bytes with their checksums: 0, -EBADMSG or another -errno. */
int stored_check(const struct stored *s);
/* Up to n bytes of the message from `at`; 0 at its end. */
int64_t stored_read(const struct stored *s, uint64_t at, void *out, size_t n);
