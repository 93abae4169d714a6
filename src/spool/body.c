/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies while they are received: in memory, and over inline_max in a file of their own. */
#include "base/mem.h"
#include "spool/inside.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { MEMORY_FIRST = 8 * 1024, CHUNK = 128 * 1024 };

/* Between two waits it is the loop thread's, during a job the job's. */
struct body_file {
	const struct spool_io *io;
	int dir, fd; /* fd -1: not made yet */
	char name[SPOOL_ID_MAX];
	uint64_t written;
	XXH3_state_t *sum;
	uint8_t *chunk; /* received and not yet written */
	size_t n;
	bool is_busy, is_orphan;
};

struct spool_body {
	struct spool *spool;
	int refs;
	int error;  /* sticky, -errno */
	uint8_t *p; /* the first bytes; all of them while there is no file */
	size_t n, capacity;
	uint64_t size, reserved;
	struct body_file *file;
};

struct spool_body *spool_body_new(struct spool *s)
{
	struct spool_body *b = mem_new(struct spool_body);
	b->spool = s;
	b->refs = 1;
	return b;
}

void spool_body_reserve(struct spool_body *b, uint64_t size)
{
	if (size <= b->reserved)
		return;
	b->spool->reserved += size - b->reserved;
	b->reserved = size;
}

uint64_t spool_body_size(const struct spool_body *b)
{
	return b->size;
}

size_t spool_body_memory(const struct spool_body *b)
{
	return sizeof *b + b->capacity + (b->file && b->file->chunk ? CHUNK : 0);
}

struct str spool_body_head(const struct spool_body *b)
{
	return (struct str){(const char *)b->p, b->n};
}

/* --- its file --- */

static void removed(void *owner, struct item *it)
{
	free(container_of(it, struct file_item, item));
}

/* By the writer, because it may block. Should it fail, the next start clears it away. */
static void remove_file(struct spool *s, const struct body_file *f)
{
	if (s->is_ending) {
		f->io->close(f->io->self, f->fd);
		return;
	}
	struct file_item *it = mem_new(struct file_item);
	it->item.kind = ITEM_FILE;
	it->item.settled = removed;
	it->dir = f->dir;
	it->fd = f->fd;
	memcpy(it->name, f->name, sizeof it->name);
	writer_submit(s->writer, &it->item);
}

static void file_free(struct spool *s, struct body_file *f)
{
	if (f->fd >= 0)
		remove_file(s, f);
	XXH3_freeState(f->sum);
	free(f->chunk);
	free(f);
}

struct file_job {
	struct spool *spool;
	struct body_file *file;
	bool is_last; /* sync and move to large/ */
	int large_dir;
	char large_name[SPOOL_ID_MAX];
	int error;
};

static int make_file(struct body_file *f)
{
	if (f->fd >= 0)
		return 0;
	int fd = f->io->open_file(f->io->self, f->dir, f->name, SPOOL_OPEN_CREATE);
	if (fd < 0)
		return fd;
	f->fd = fd;
	return 0;
}

static int move_to_large(struct file_job *job)
{
	struct body_file *f = job->file;
	const struct spool_io *io = f->io;
	/* First the bytes, then the name, then (by the writer) the record that speaks of it. */
	int rc = io->sync(io->self, f->fd, SYNC_LARGE_FILE);
	if (rc == 0)
		rc = io->rename(io->self, f->dir, f->name, job->large_dir, job->large_name);
	if (rc < 0)
		return rc;
	f->dir = job->large_dir;
	memcpy(f->name, job->large_name, sizeof f->name);
	return io->sync_dir(io->self, f->dir, SYNC_LARGE_DIR);
}

static void file_job_run(void *arg)
{
	struct file_job *job = arg;
	struct body_file *f = job->file;
	int rc = make_file(f);
	if (rc == 0 && f->n > 0) {
		struct iovec v = {f->chunk, f->n};
		rc = io_write_all(f->io, f->fd, &v, 1, f->written, NULL);
	}
	if (rc == 0) {
		XXH3_64bits_update(f->sum, f->chunk, f->n);
		f->written += f->n;
		f->n = 0;
		if (job->is_last)
			rc = move_to_large(job);
	}
	job->error = rc;
}

/* The fiber could not wait: the body is useless to it, and may be gone. */
static void file_job_drop(void *arg)
{
	struct file_job *job = arg;
	struct spool *s = job->spool;
	job->file->is_busy = false;
	if (job->file->is_orphan)
		file_free(s, job->file);
	free(job);
	spool_job_ends(s);
}

static bool body_failed(struct spool_body *b, struct err *err)
{
	return spool_failed(err, b->error, "write a message to the spool");
}

WAITS static bool file_job(struct spool_body *b, const struct spool_id *id, struct err *err)
{
	struct file_job *job = mem_new(struct file_job);
	job->spool = b->spool;
	job->file = b->file;
	job->is_last = id != NULL;
	if (id) {
		job->large_dir = b->spool->dirs.large;
		spool_id_text(*id, job->large_name);
	}
	b->file->is_busy = true;
	spool_job_begins(b->spool);
	if (!rt_offload("spool: write a large message", file_job_run, job, file_job_drop, err)) {
		b->error = -ECANCELED;
		return false;
	}
	b->file->is_busy = false;
	b->error = job->error;
	free(job);
	spool_job_ends(b->spool);
	return b->error == 0 || body_failed(b, err);
}

static void start_file(struct spool_body *b)
{
	struct body_file *f = mem_new(struct body_file);
	struct spool *s = b->spool;
	f->io = s->io;
	f->dir = s->dirs.incoming;
	f->fd = -1;
	snprintf(f->name, sizeof f->name, "b%" PRIx64, s->next_body++);
	f->sum = XXH3_createState();
	XXH3_64bits_reset_withSeed(f->sum, 0);
	f->chunk = mem_resize(NULL, CHUNK);
	b->file = f;
}

WAITS static bool file_add(struct spool_body *b, struct str bytes, struct err *err)
{
	struct body_file *f = b->file;
	while (bytes.n > 0) {
		size_t part = bytes.n < CHUNK - f->n ? bytes.n : CHUNK - f->n;
		memcpy(f->chunk + f->n, bytes.p, part);
		f->n += part;
		bytes = str_skip(bytes, part);
		if (f->n == CHUNK && !file_job(b, NULL, err))
			return false;
	}
	return true;
}

/* --- writing --- */

static void memory_add(struct spool_body *b, struct str bytes)
{
	if (b->n + bytes.n > b->capacity) {
		size_t capacity = b->capacity ? b->capacity : MEMORY_FIRST;
		while (capacity < b->n + bytes.n)
			capacity *= 2;
		if (capacity > (size_t)b->spool->conf.inline_max)
			capacity = (size_t)b->spool->conf.inline_max;
		b->p = mem_resize(b->p, capacity);
		b->capacity = capacity;
	}
	memcpy(b->p + b->n, bytes.p, bytes.n);
	b->n += bytes.n;
}

bool spool_body_write(struct spool_body *b, struct str bytes, struct err *err)
{
	if (b->error)
		return body_failed(b, err);
	if (bytes.n == 0)
		return true;
	size_t inline_max = (size_t)b->spool->conf.inline_max;
	size_t head = bytes.n < inline_max - b->n ? bytes.n : inline_max - b->n;
	size_t before = b->n;
	spool_body_reserve(b, b->size + bytes.n);
	b->size += bytes.n;
	if (head > 0)
		memory_add(b, str_slice(bytes, 0, head));
	if (!b->file && head == bytes.n)
		return true;
	if (b->file)
		return file_add(b, bytes, err);
	/* Over the limit for the first time: the file gets what memory held, and memory keeps the
	 * head. */
	start_file(b);
	return file_add(b, (struct str){(const char *)b->p, before}, err) &&
	       file_add(b, bytes, err);
}

/* --- the end --- */

bool body_settle(struct spool_body *b, struct spool_id id, struct err *err)
{
	if (b->error)
		return body_failed(b, err);
	return !b->file || file_job(b, &id, err);
}

struct body_view body_view(const struct spool_body *b)
{
	if (!b->file)
		return (struct body_view){.memory = spool_body_head(b)};
	return (struct body_view){
		.is_large = true,
		.file_size = b->file->written,
		.file_sum = XXH3_64bits_digest(b->file->sum),
	};
}

void body_squeeze(struct spool_body *b, const struct spool_range *drop, size_t n)
{
	size_t to = 0, from = 0;
	for (size_t i = 0; i <= n; i++) {
		size_t until = i < n ? (size_t)drop[i].from : b->n;
		memmove(b->p + to, b->p + from, until - from);
		to += until - from;
		from = i < n ? (size_t)drop[i].to : b->n;
	}
	b->n = to;
}

void body_let_go(struct spool_body *b)
{
	struct body_file *f = b->file;
	if (!f)
		return;
	f->io->close(f->io->self, f->fd);
	f->fd = -1;
}

struct spool_body *body_ref(struct spool_body *b)
{
	b->refs++;
	return b;
}

void body_unref(struct spool_body *b)
{
	if (--b->refs > 0)
		return;
	b->spool->reserved -= b->reserved;
	if (b->file && b->file->is_busy)
		b->file->is_orphan = true;
	else if (b->file)
		file_free(b->spool, b->file);
	free(b->p);
	free(b);
}

void spool_body_drop(struct spool_body *b)
{
	if (b)
		body_unref(b);
}
