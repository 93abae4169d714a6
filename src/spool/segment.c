/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes, opens and closes the files of segments. */
#include "spool/segment.h"

#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void segment_name(uint64_t generation, const char *ending, char out[SEGMENT_NAME_MAX])
{
	snprintf(out, SEGMENT_NAME_MAX, "%016" PRIx64 ".%s", generation, ending);
}

bool segment_name_parse(const char *name, uint64_t *generation)
{
	uint64_t n = 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef",
			   *at = name[i] ? strchr(digits, name[i]) : NULL;
		if (!at)
			return false;
		n = n << 4 | (uint64_t)(at - digits);
	}
	if (strcmp(name + 16, ".seg") != 0 || n == 0)
		return false;
	*generation = n;
	return true;
}

static struct segment *segment_new(const struct spool_io *io, int fd, uint64_t generation)
{
	struct segment *g = mem_new(struct segment);
	g->io = io;
	g->fd = fd;
	g->generation = generation;
	atomic_init(&g->refs, 1);
	link_init(&g->link);
	list_init(&g->messages);
	return g;
}

struct segment *segment_ref(struct segment *g)
{
	atomic_fetch_add(&g->refs, 1);
	return g;
}

void segment_unref(struct segment *g)
{
	if (!g || atomic_fetch_sub(&g->refs, 1) > 1)
		return;
	g->io->close(g->io->self, g->fd);
	free(g);
}

/* The header twice, and that nothing follows yet. */
static int write_header(const struct spool_io *io, int fd, const struct segment_header *h)
{
	uint8_t bytes[SEGMENT_HEADER], tail[RECORD_HEADER];
	segment_header_encode(h, bytes);
	record_tail_encode(SEGMENT_DATA, segment_seed(h), tail);
	const struct {
		uint8_t *p;
		size_t n;
		uint64_t at;
	} parts[] = {{bytes, sizeof bytes, 0},
		     {bytes, sizeof bytes, SEGMENT_HEADER_COPY},
		     {tail, sizeof tail, SEGMENT_DATA}};
	for (int i = 0; i < 3; i++) {
		struct iovec v = {parts[i].p, parts[i].n};
		int rc = io_write_all(io, fd, &v, 1, parts[i].at, NULL);
		if (rc < 0)
			return rc;
	}
	return io->sync(io->self, fd, SYNC_SEGMENT_HEADER);
}

int segment_create(const struct spool_io *io, const struct spool_dirs *dirs,
		   struct segment_header h, const char *from, struct segment **out)
{
	char new_name[SEGMENT_NAME_MAX], name[SEGMENT_NAME_MAX];
	const char *made = from ? from : new_name;
	int dir = dirs->segments;
	segment_name(h.generation, "seg", name);
	segment_name(h.generation, "new", new_name);
	h.format = SEGMENT_FORMAT;
	random_secret(&h.nonce, sizeof h.nonce);
	int fd = io->open_file(io->self, dir, made, from ? SPOOL_OPEN_WRITE : SPOOL_OPEN_CREATE);
	if (fd < 0)
		return fd;
	int rc = from ? 0 : io->allocate(io->self, fd, h.size);
	if (rc == 0)
		rc = write_header(io, fd, &h);
	if (rc == 0)
		rc = io->rename(io->self, dir, made, dir, name);
	if (rc < 0) {
		io->unlink(io->self, dir, made);
		io->close(io->self, fd);
		return rc;
	}
	rc = io->sync_dir(io->self, dir, SYNC_SEGMENT_DIR);
	if (rc < 0) {
		io->unlink(io->self, dir, name);
		io->close(io->self, fd);
		return rc;
	}
	*out = segment_new(io, fd, h.generation);
	(*out)->seed = segment_seed(&h);
	(*out)->size = h.size;
	(*out)->used = SEGMENT_DATA;
	return 0;
}

int reserve_create(const struct spool_io *io, const struct spool_dirs *dirs, uint64_t size)
{
	uint64_t now;
	int fd = io->open_file(io->self, dirs->segments, SEGMENT_RESERVE, SPOOL_OPEN_READ);
	if (fd >= 0) {
		int rc = io->size(io->self, fd, &now);
		io->close(io->self, fd);
		if (rc == 0 && now == size)
			return 0;
		io->unlink(io->self, dirs->segments, SEGMENT_RESERVE);
	}
	fd = io->open_file(io->self, dirs->segments, SEGMENT_RESERVE, SPOOL_OPEN_CREATE);
	if (fd < 0)
		return fd;
	int rc = io->allocate(io->self, fd, size);
	io->close(io->self, fd);
	if (rc < 0)
		io->unlink(io->self, dirs->segments, SEGMENT_RESERVE);
	return rc;
}

/* 1: there is one, 0: both copies are damaged, or -errno. */
static int read_header(const struct spool_io *io, int fd, uint64_t generation,
		       struct segment_header *out)
{
	static const uint64_t places[] = {0, SEGMENT_HEADER_COPY};
	int error = 0;
	/* Each twice: giving a segment up costs all that is in it. */
	for (int i = 0; i < 4; i++) {
		uint8_t bytes[SEGMENT_HEADER];
		struct segment_header h;
		int64_t rc = io->read(io->self, fd, bytes, sizeof bytes, places[i % 2], true);
		if (rc == SEGMENT_HEADER && segment_header_decode(bytes, &h) &&
		    h.generation == generation) {
			*out = h;
			return 1;
		}
		if (rc < 0)
			error = (int)rc;
	}
	return error;
}

int segment_open(const struct spool_io *io, const struct spool_dirs *dirs, uint64_t generation,
		 bool for_sync, struct segment_header *header, bool *has_header,
		 struct segment **out)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t size;
	segment_name(generation, "seg", name);
	int fd = io->open_file(io->self, dirs->segments, name,
			       for_sync ? SPOOL_OPEN_WRITE : SPOOL_OPEN_READ);
	if (fd < 0)
		return fd;
	int rc = io->size(io->self, fd, &size);
	if (rc == 0)
		rc = read_header(io, fd, generation, header);
	if (rc < 0) {
		io->close(io->self, fd);
		return rc;
	}
	*has_header = rc > 0;
	*out = segment_new(io, fd, generation);
	(*out)->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	(*out)->is_sealed = true;
	if (*has_header)
		(*out)->seed = segment_seed(header);
	return 0;
}
