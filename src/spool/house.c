/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The housekeeper: syncs what nobody waits for, looks up free space, tries again what failed. */
#include "base/log.h"
#include "base/mem.h"
#include "spool/inside.h"

#include <stdlib.h>

enum {
	SPACE_AGE = 1000 * 1000, /* µs */
	GIVE_BACK = 4 << 20,	 /* bytes */
};

struct space_job {
	struct spool *spool;
	const struct spool_io *io;
	int dir, error;
	struct spool_space space;
};

static void space_run(void *arg)
{
	struct space_job *job = arg;
	job->error = job->io->space(job->io->self, job->dir, &job->space);
}

static void space_drop(void *arg)
{
	struct space_job *job = arg;
	struct spool *s = job->spool;
	free(job);
	spool_job_ends(s);
}

WAITS static bool look_up_space(struct spool *s, struct err *err)
{
	struct space_job *job = mem_new(struct space_job);
	*job = (struct space_job){.spool = s, .io = s->io, .dir = s->dirs.root};
	spool_job_begins(s);
	if (!rt_offload("spool: free space", space_run, job, space_drop, err))
		return false;
	/* Not knowing is no reason to refuse mail: writing it will tell. */
	if (job->error == 0)
		s->space = job->space;
	s->space_at = rt_now();
	s->wants_space = false;
	space_drop(job);
	return true;
}

bool spool_has_room(struct spool *s, uint64_t size, struct err *err)
{
	struct writer_stats w;
	writer_stats(s->writer, &w);
	if (!s->wants_space && rt_now() >= s->space_at + SPACE_AGE) {
		s->wants_space = true;
		cond_signal(&s->wake);
	}
	/* The housekeeper finds out when that is over. A disk that is broken and not full is no
	 * matter of room: what is written next hears of it (451). */
	if (w.is_full)
		return err_temp(err, CAUSE_STORAGE, "no room for another segment of the spool");
	uint64_t bytes = s->space.bytes + w.spare_bytes,
		 keep_free = s->reserved + (uint64_t)s->conf.free_min;
	if (bytes < keep_free || bytes - keep_free < size)
		return err_temp(err, CAUSE_STORAGE, "the spool's disk is full but for %llu bytes",
				(unsigned long long)bytes);
	if (s->space.inodes < (uint64_t)s->conf.inodes_min)
		return err_temp(err, CAUSE_STORAGE, "the spool's disk has only %llu inodes left",
				(unsigned long long)s->space.inodes);
	return true;
}

/* --- blocks --- */

struct give_back_job {
	struct spool *spool;
	struct segment *segment;
};

/* Giving back 64 MiB at once keeps a disk that is told of free blocks (mount -o discard) from
 * syncing for tens of milliseconds. */
static void give_back_run(void *arg)
{
	const struct segment *g = ((struct give_back_job *)arg)->segment;
	/* Somebody reads on: then the last one closes it. */
	if (atomic_load(&g->refs) > 1)
		return;
	for (uint32_t size = g->size; size > GIVE_BACK;) {
		size -= GIVE_BACK;
		if (g->io->truncate(g->io->self, g->fd, size) < 0)
			return;
	}
}

static void give_back_drop(void *arg)
{
	struct give_back_job *job = arg;
	struct spool *s = job->spool;
	segment_unref(job->segment);
	free(job);
	spool_job_ends(s);
}

WAITS static void give_back(struct spool *s)
{
	struct err err;
	struct give_back_job *job = mem_new(struct give_back_job);
	job->spool = s;
	job->segment = container_of(list_pop_front(&s->gone), struct segment, link);
	spool_job_begins(s);
	if (rt_offload_behind("spool: give blocks back", give_back_run, job, give_back_drop, &err))
		give_back_drop(job);
}

void house_give_back(struct spool *s, struct segment *g)
{
	list_push_back(&s->gone, &g->link);
	cond_signal(&s->wake);
}

/* --- figures --- */

static void count(const char *name, const char *help, uint64_t now, uint64_t *told)
{
	metric_add(metric_counter(name, NULL, NULL, help), (double)(now - *told));
	*told = now;
}

void house_publish(struct spool *s)
{
	struct spool_stats now, *told = &s->published;
	spool_stats(s, &now);
	metric_set(metric_gauge("postern_spool_messages", NULL, NULL, "Live messages in the spool"),
		   (double)now.messages);
	metric_set(metric_gauge("postern_spool_bytes", NULL, NULL,
				"Bytes of the spool's files in use"),
		   (double)now.bytes);
	metric_set(metric_gauge("postern_spool_segments", NULL, NULL, "Segments of the spool"),
		   (double)now.segments);
	metric_set(metric_gauge("postern_spool_read_only", NULL, NULL,
				"1 while no segment can be opened"),
		   now.is_read_only);
	count("postern_spool_accepted_total", "Messages made durable", now.accepted,
	      &told->accepted);
	count("postern_spool_syncs_total", "Syncs of segments", now.syncs, &told->syncs);
	count("postern_spool_sync_failures_total", "Writes and syncs that failed",
	      now.sync_failures, &told->sync_failures);
	count("postern_spool_segments_reused_total",
	      "Segments made from the file of an emptied one", now.segments_reused,
	      &told->segments_reused);
	count("postern_spool_damaged_total", "Damaged places found", now.damaged_records,
	      &told->damaged_records);
}

static void flush_settled(void *owner, struct item *it)
{
	struct spool *s = owner;
	struct writer_stats w;
	free(it);
	writer_stats(s->writer, &w);
	if ((w.is_full || w.is_read_only) && !s->is_closing)
		house_wake_at(s, rt_now() + USEC_S);
	house_publish(s);
	compact_poke(s);
}

static void flush(struct spool *s)
{
	struct item *it = mem_new(struct item);
	s->flush_at = INT64_MAX;
	it->kind = ITEM_FLUSH;
	it->settled = flush_settled;
	writer_submit(s->writer, it);
}

void house_wake_at(struct spool *s, usec_t at)
{
	if (at >= s->flush_at)
		return;
	s->flush_at = at;
	cond_signal(&s->wake);
}

WAITS static void housekeep(void *arg)
{
	struct spool *s = arg;
	struct err err;
	while (!s->is_closing && !fiber_is_cancelled()) {
		if (s->wants_space) {
			look_up_space(s, &err);
			continue;
		}
		if (rt_now() >= s->flush_at) {
			flush(s);
			continue;
		}
		if (!list_is_empty(&s->gone)) {
			give_back(s);
			continue;
		}
		struct deadline d;
		deadline_push_at(&d, s->flush_at, "spool: notes");
		cond_wait(&s->wake, "spool: housekeeping", &err);
		deadline_pop(&d);
	}
	s->is_kept = false;
	cond_broadcast(&s->quiet);
}

bool house_open(struct spool *s, struct group *root, struct err *err)
{
	s->flush_at = INT64_MAX;
	s->space = (struct spool_space){UINT64_MAX, UINT64_MAX};
	cond_init(&s->wake);
	cond_init(&s->quiet);
	if (!look_up_space(s, err))
		return false;
	s->is_kept = group_go(root, "spool: housekeeping", housekeep, s, err);
	return s->is_kept;
}

void house_stop(struct spool *s)
{
	s->is_closing = true;
	cond_broadcast(&s->wake);
}

void spool_job_begins(struct spool *s)
{
	s->jobs++;
}

void spool_job_ends(struct spool *s)
{
	if (--s->jobs == 0)
		cond_broadcast(&s->quiet);
}
