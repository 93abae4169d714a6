/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading live messages: from the page cache at once, else in another thread. */
#include "base/mem.h"
#include "spool/inside.h"

#include <errno.h>
#include <stdlib.h>

enum { READ_MAX = 256 * 1024 };

/* Owns a count of the segment, so that the message may be copied away meanwhile. */
struct read_job {
	struct spool *spool;
	struct stored from;
	bool is_meta, checks_all;
	uint64_t at;
	size_t n;
	int64_t got; /* or -errno */
	uint8_t bytes[];
};

static void read_run(void *arg)
{
	struct read_job *job = arg;
	int rc = job->checks_all ? stored_check(&job->from) : 0;
	struct message_meta ignored;
	if (rc < 0)
		job->got = rc;
	else if (job->is_meta)
		job->got = stored_meta(&job->from, job->bytes, true, &ignored);
	else
		job->got = stored_read(&job->from, job->at, job->bytes, job->n);
}

static void read_drop(void *arg)
{
	struct read_job *job = arg;
	struct spool *s = job->spool;
	segment_unref(job->from.segment);
	free(job);
	spool_job_ends(s);
}

static bool read_failed(struct err *err, struct spool_id id, int error)
{
	char text[SPOOL_ID_MAX];
	spool_id_text(id, text);
	if (error == -EBADMSG)
		return err_perm(err, CAUSE_STORAGE, "message %s is damaged on disk", text);
	spool_failed(err, error, "read the spool");
	return err_context(err, "message %s", text);
}

static struct message *find(struct spool *s, struct spool_id id, struct err *err)
{
	struct message *m = index_get(&s->index, id.n);
	char text[SPOOL_ID_MAX];
	if (!m)
		err_perm(err, CAUSE_STORAGE, "no message %s in the spool",
			 spool_id_text(id, text).p);
	return m;
}

/* Runs the job; the result is the caller's, to be given to read_drop. */
WAITS static struct read_job *read_elsewhere(struct spool *s, const struct stored *from,
					     bool is_meta, uint64_t at, size_t n, struct err *err)
{
	struct read_job *job = mem_alloc(sizeof *job + n);
	*job = (struct read_job){.spool = s, .from = *from, .is_meta = is_meta, .at = at, .n = n};
	job->checks_all = !is_meta && at == 0;
	segment_ref(job->from.segment);
	spool_job_begins(s);
	if (!rt_offload("spool: read", read_run, job, read_drop, err))
		return NULL;
	return job;
}

bool spool_read_envelope(struct spool *s, struct spool_id id, struct arena *arena,
			 struct spool_envelope *out, struct err *err)
{
	struct message *m = find(s, id, err);
	if (!m)
		return false;
	struct stored from = stored_of(m, s->io, &s->dirs);
	struct message_meta meta;
	struct spool_envelope e;
	size_t n = stored_meta_size(&from);
	uint8_t *record = arena_alloc(arena, n);
	int rc = stored_meta(&from, record, false, &meta);
	if (rc == -EAGAIN) {
		struct read_job *job = read_elsewhere(s, &from, true, 0, n, err);
		if (!job)
			return false;
		rc = (int)job->got;
		memcpy(record, job->bytes, n);
		read_drop(job);
		if (!(m = find(s, id, err)))
			return false;
		if (rc == 0 &&
		    !meta_decode((struct str){(char *)record + RECORD_HEADER, n - RECORD_HEADER},
				 &meta))
			rc = -EBADMSG;
	}
	if (rc < 0)
		return read_failed(err, id, rc);
	if (!envelope_decode(meta.envelope, arena, &e) || e.n_rcpts != m->n_rcpts)
		return read_failed(err, id, -EBADMSG);
	message_apply_notes(m, arena, &e);
	*out = e;
	return true;
}

/* A small message that the kernel still has in memory needs no other thread: one read, checked in
 * place. -EAGAIN: not so. */
static int read_here(const struct stored *from, uint64_t at, void *out, size_t n, size_t *got)
{
	uint64_t place = from->offset + RECORD_HEADER + (uint64_t)from->meta_length + at;
	uint64_t left = from->size - at;
	size_t want = left < n ? (size_t)left : n;
	if (from->is_large || (at == 0 && want < left))
		return -EAGAIN;
	int64_t rc = from->io->read(from->io->self, from->segment->fd, out, want, place, false);
	if (rc < 0)
		return (int)rc;
	if ((size_t)rc < want ||
	    (at == 0 && record_sum(out, want, from->segment->seed) != from->body_sum))
		return -EBADMSG;
	*got = want;
	return 0;
}

bool spool_read(struct spool *s, struct spool_id id, uint64_t offset, void *out, size_t n,
		size_t *got, struct err *err)
{
	struct message *m = find(s, id, err);
	if (!m)
		return false;
	if (offset >= m->size || n == 0) {
		*got = 0;
		return true;
	}
	struct stored from = stored_of(m, s->io, &s->dirs);
	int64_t rc = read_here(&from, offset, out, n, got);
	if (rc == -EAGAIN) {
		size_t part = n < READ_MAX ? n : READ_MAX;
		struct read_job *job = read_elsewhere(s, &from, false, offset, part, err);
		if (!job)
			return false;
		rc = job->got;
		if (rc >= 0) {
			memcpy(out, job->bytes, (size_t)rc);
			*got = (size_t)rc;
		}
		read_drop(job);
	}
	return rc >= 0 || read_failed(err, id, (int)rc);
}

uint64_t spool_message_size(struct spool *s, struct spool_id id)
{
	struct message *m = index_get(&s->index, id.n);
	return m ? m->size : 0;
}
