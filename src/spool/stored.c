/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads messages from segments and from files of their own. */
#include "spool/stored.h"

#include "base/auto.h"
#include "base/mem.h"

#include <errno.h>
#include <xxhash.h>

enum { CHECK_CHUNK = 256 * 1024 };

struct stored stored_of(const struct message *m, const struct spool_io *io,
			const struct spool_dirs *dirs)
{
	return (struct stored){
		.io = io,
		.large_dir = dirs->large,
		.segment = m->segment,
		.id = m->id,
		.size = m->size,
		.body_sum = m->body_sum,
		.offset = m->offset,
		.meta_length = m->meta_length,
		.body_length = m->body_length,
		.is_large = m->is_large,
	};
}

int stored_meta(const struct stored *s, uint8_t *record, bool may_wait, struct message_meta *meta)
{
	size_t n = stored_meta_size(s);
	struct record_header h;
	int64_t got = s->io->read(s->io->self, s->segment->fd, record, n, s->offset, may_wait);
	if (got < 0)
		return (int)got;
	if ((size_t)got < n || !record_header_decode(record, s->segment->seed, s->offset, &h) ||
	    h.id != s->id || h.meta_length != s->meta_length ||
	    record_sum(record + RECORD_HEADER, h.meta_length, s->segment->seed) != h.meta_sum ||
	    !meta_decode((struct str){(const char *)record + RECORD_HEADER, h.meta_length}, meta))
		return -EBADMSG;
	return 0;
}

static int check_stretch(const struct spool_io *io, int fd, uint64_t at, uint64_t n, uint64_t seed,
			 uint64_t want)
{
	auto_free uint8_t *chunk = mem_resize(NULL, CHECK_CHUNK);
	XXH3_state_t *state = XXH3_createState();
	int rc = 0;
	XXH3_64bits_reset_withSeed(state, seed);
	while (n > 0 && rc == 0) {
		size_t part = n < CHECK_CHUNK ? (size_t)n : CHECK_CHUNK;
		int64_t got = io->read(io->self, fd, chunk, part, at, true);
		if (got < (int64_t)part)
			rc = got < 0 ? (int)got : -EBADMSG;
		else
			XXH3_64bits_update(state, chunk, part);
		at += part;
		n -= part;
	}
	if (rc == 0 && XXH3_64bits_digest(state) != want)
		rc = -EBADMSG;
	XXH3_freeState(state);
	return rc;
}

static int open_large(const struct stored *s)
{
	char name[SPOOL_ID_MAX];
	spool_id_text((struct spool_id){s->id}, name);
	int fd = s->io->open_file(s->io->self, s->large_dir, name, SPOOL_OPEN_READ);
	return fd == -ENOENT ? -EBADMSG : fd;
}

int stored_check(const struct stored *s)
{
	uint64_t body = (uint64_t)s->offset + RECORD_HEADER + s->meta_length;
	int rc = check_stretch(s->io, s->segment->fd, body, s->body_length, s->segment->seed,
			       s->body_sum);
	if (rc < 0 || !s->is_large)
		return rc;
	auto_free uint8_t *record = mem_resize(NULL, stored_meta_size(s));
	struct message_meta meta;
	rc = stored_meta(s, record, true, &meta);
	if (rc < 0)
		return rc;
	int fd = open_large(s);
	if (fd < 0)
		return fd;
	rc = check_stretch(s->io, fd, 0, meta.content.file_size, 0, meta.content.file_sum);
	s->io->close(s->io->self, fd);
	return rc;
}

/* From the kept stretches of the file, as if they stood in a row. */
static int64_t read_kept(const struct stored *s, const struct spool_content *c, uint64_t at,
			 uint8_t *out, size_t n)
{
	size_t have = 0;
	int fd = open_large(s);
	if (fd < 0)
		return fd;
	int64_t rc = 0;
	for (uint32_t i = 0; i < c->n_kept && have < n && rc >= 0; i++) {
		struct spool_range r = content_kept(c, i);
		uint64_t length = r.to - r.from;
		if (at >= length) {
			at -= length;
			continue;
		}
		size_t part = length - at < n - have ? (size_t)(length - at) : n - have;
		rc = io_read_all(s->io, fd, out + have, part, r.from + at);
		if (rc >= 0)
			have += part;
		at = 0;
	}
	s->io->close(s->io->self, fd);
	return rc < 0 ? rc : (int64_t)have;
}

int64_t stored_read(const struct stored *s, uint64_t at, void *out, size_t n)
{
	if (at >= s->size)
		return 0;
	if (n > s->size - at)
		n = (size_t)(s->size - at);
	size_t have = 0;
	if (at < s->body_length) {
		have = s->body_length - at < n ? (size_t)(s->body_length - at) : n;
		int rc = io_read_all(s->io, s->segment->fd, out, have,
				     s->offset + RECORD_HEADER + (uint64_t)s->meta_length + at);
		if (rc < 0)
			return rc;
	}
	if (have == n || !s->is_large)
		return (int64_t)have;
	auto_free uint8_t *record = mem_resize(NULL, stored_meta_size(s));
	struct message_meta meta;
	int rc = stored_meta(s, record, true, &meta);
	if (rc < 0)
		return rc;
	int64_t got = read_kept(s, &meta.content, at + have - s->body_length, (uint8_t *)out + have,
				n - have);
	return got < 0 ? got : (int64_t)have + got;
}
