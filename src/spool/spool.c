/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens and closes the spool, and what its configuration is. */
#include "spool/spool.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/inside.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define ROW(name, kind, value, least, most, text)                                        \
	{                                                                                \
		.key = #name, .type = kind, .offset = offsetof(struct spool_conf, name), \
		.fallback = value, .min = least, .max = most, .help = text               \
	}
enum { KIB = 1 << 10, MIB = 1 << 20, GIB = 1 << 30 };

const struct conf_row spool_conf_rows[] = {
	ROW(directory, CONF_TEXT, "/var/spool/postern", 0, 0,
	    "Where accepted messages are kept: a directory on a local disk that honours "
	    "fdatasync."),
	ROW(segment_size, CONF_SIZE, "64M", MIB, GIB,
	    "Bytes preallocated for each segment of the log."),
	ROW(inline_max, CONF_SIZE, "256k", KIB, 16 * MIB,
	    "Bodies over this many bytes go to a file of their own."),
	ROW(free_min, CONF_SIZE, "200M", 0, 0,
	    "With fewer bytes free on the disk, new mail is answered 452."),
	ROW(inodes_min, CONF_INT, "1000", 0, INT64_MAX,
	    "With fewer inodes free on the disk, new mail is answered 452."),
	ROW(reserve, CONF_SIZE, "16M", MIB, GIB,
	    "Bytes preallocated so that states of messages can be written when the disk is full."),
	ROW(batch_max, CONF_INT, "256", 1, 4096, "Messages made durable by one sync, at most."),
	CONF_ROWS_END};
const struct conf_section spool_section = {
	.name = "spool",
	.help = "The durable store of accepted messages.",
	.rows = spool_conf_rows,
	.size = sizeof(struct spool_conf),
};

/* --- opening, the part that blocks --- */

struct opening {
	const char *directory;
	int64_t reserve;
	struct recovery recovery;
	int lock_fd;
	bool ok, is_locked_out;
	struct err err;
};

static bool take_lock(struct opening *o)
{
	const struct spool_io *io = o->recovery.io;
	int fd = io->open_file(io->self, o->recovery.dirs.root, "lock", SPOOL_OPEN_LOCK);
	if (fd < 0)
		return spool_failed(&o->err, fd, "open the spool's lock");
	int rc = io->lock(io->self, fd);
	if (rc < 0) {
		io->close(io->self, fd);
		o->is_locked_out = rc == -EWOULDBLOCK;
		if (o->is_locked_out)
			return err_temp(&o->err, CAUSE_STORAGE, "another process uses the spool %s",
					o->directory);
		return spool_failed(&o->err, rc, "lock the spool");
	}
	o->lock_fd = fd;
	return true;
}

static void open_run(void *arg)
{
	struct opening *o = arg;
	struct recovery *r = &o->recovery;
	o->ok = spool_dirs_open(r->io, o->directory, false, &r->dirs, &o->err) && take_lock(o) &&
		recover(r, &o->err);
	/* A disk without room for it is not a failure. */
	if (o->ok)
		reserve_create(r->io, &r->dirs, (uint64_t)o->reserve);
}

static void open_drop(void *arg)
{
	struct opening *o = arg;
	const struct spool_io *io = o->recovery.io;
	if (o->recovery.segments.head.next)
		recovery_done(&o->recovery);
	spool_dirs_close(io, &o->recovery.dirs);
	if (o->lock_fd >= 0)
		io->close(io->self, o->lock_fd);
	free(o);
}

WAITS static struct opening *open_once(const struct spool_io *io, const char *directory,
				       int64_t reserve, struct err *err)
{
	struct opening *o = mem_new(struct opening);
	o->directory = directory;
	o->reserve = reserve;
	o->lock_fd = -1;
	o->recovery.io = io;
	o->recovery.dirs = (struct spool_dirs){-1, -1, -1, -1, -1};
	return rt_offload("spool: recovery", open_run, o, open_drop, err) ? o : NULL;
}

/* The process before us may still be finishing. */
WAITS static struct opening *open_patiently(const struct spool_io *io, const char *directory,
					    int64_t reserve, struct err *err)
{
	for (;;) {
		struct opening *o = open_once(io, directory, reserve, err);
		if (!o || o->ok)
			return o;
		bool may_wait = o->is_locked_out && deadline_left() != INT64_MAX;
		struct err why = o->err;
		open_drop(o);
		struct err late;
		if (!may_wait || !rt_sleep(USEC_S / 10, "spool: lock", &late)) {
			*err = why;
			return NULL;
		}
	}
}

/* --- segments come and go --- */

static void on_segment(void *owner, struct item *it)
{
	struct spool *s = owner;
	struct segment_item *event = container_of(it, struct segment_item, item);
	if (event->sealed) {
		event->sealed->is_sealed = true;
		event->sealed->used = event->sealed_end;
		s->sealed_used += event->sealed_end;
	}
	if (it->error < 0)
		log_event(LOG_ERROR_, "spool_sync_failed",
			  LOG_C("error", strerrordesc_np(-it->error)),
			  LOG_I("segment", (int64_t)event->sealed->generation));
	if (it->segment) {
		list_push_back(&s->segments, &it->segment->link);
		s->n_segments++;
		if (it->segment->is_reserve)
			log_event(LOG_WARN_, "spool_reserve_used",
				  LOG_I("segment", (int64_t)it->segment->generation));
	}
	free(event);
	compact_poke(s);
}

static void take_over(struct spool *s, struct opening *o)
{
	struct recovery *r = &o->recovery;
	s->dirs = r->dirs;
	s->lock_fd = o->lock_fd;
	s->index = r->index;
	s->n_segments = r->n_segments;
	s->last_id = r->highest_id;
	s->damaged = r->damaged;
	s->torn = r->torn;
	list_init(&s->segments);
	for (struct link *l; (l = list_pop_front(&r->segments));) {
		struct segment *g = container_of(l, struct segment, link);
		list_push_back(&s->segments, l);
		s->sealed_used += g->used;
		list_each(m, &g->messages)
		{
			struct message *message = container_of(m, struct message, in_segment);
			s->live_bytes += message_record_size(message);
			if (message->is_large)
				s->large_bytes += message->size;
		}
	}
	r->index = (struct index){0};
	r->dirs = (struct spool_dirs){-1, -1, -1, -1, -1};
	o->lock_fd = -1;
}

static void log_findings(const struct recovery *r)
{
	struct str rest = buf_view(&r->findings), line;
	while (str_cut(&rest, '\n', &line))
		if (line.n)
			log_event(LOG_WARN_, "spool_recovery", LOG_S("found", line));
}

static bool start_writer(struct spool *s, const struct recovery *r, struct err *err)
{
	struct segment *newest = NULL;
	if (!list_is_empty(&s->segments))
		newest = container_of(s->segments.head.prev, struct segment, link);
	const struct writer_conf conf = {
		.io = s->io,
		.dirs = &s->dirs,
		.segment_size = (uint32_t)s->conf.segment_size,
		.reserve = (uint32_t)s->conf.reserve,
		.batch_max = (unsigned)s->conf.batch_max,
		.last_generation = r->last_generation,
		.previous = r->previous,
		.previous_end = r->previous_end,
		.previous_torn = r->previous_torn,
		.recovered = newest && !newest->is_damaged ? newest : NULL,
		.on_segment = on_segment,
		.owner = s,
	};
	return writer_new(&conf, &s->writer, err);
}

typedef void recovered_fn(void *arg, struct spool_id id, const struct spool_envelope *e,
			  uint64_t size);

WAITS static bool tell_recovered(struct spool *s, recovered_fn *recovered, void *arg,
				 struct err *err)
{
	/* Ids, because what is told may end messages at once. */
	auto_free struct message **all = index_sorted(&s->index);
	size_t n = s->index.n;
	auto_free uint64_t *ids = mem_alloc((n + 1) * sizeof *ids);
	for (size_t i = 0; i < n; i++)
		ids[i] = all[i]->id;
	for (size_t i = 0; recovered && i < n; i++) {
		struct spool_id id = {ids[i]};
		struct spool_envelope e;
		if (!index_get(&s->index, ids[i]))
			continue;
		auto_arena struct arena arena;
		arena_init(&arena, SIZE_MAX);
		if (spool_read_envelope(s, id, &arena, &e, err)) {
			recovered(arg, id, &e, spool_message_size(s, id));
			continue;
		}
		if (err->is_temporary)
			return false;
		if (index_get(&s->index, ids[i]))
			spool_lose_message(s, index_get(&s->index, ids[i]));
	}
	return true;
}

static void segments_close(struct list *segments)
{
	list_each(it, segments)
	{
		link_remove(it);
		segment_unref(container_of(it, struct segment, link));
	}
}

static void spool_free(struct spool *s)
{
	index_done(&s->index);
	segments_close(&s->segments);
	segments_close(&s->gone);
	spool_dirs_close(s->io, &s->dirs);
	if (s->lock_fd >= 0)
		s->io->close(s->io->self, s->lock_fd);
	free(s->directory);
	free(s);
}

bool spool_open(const struct spool_conf *conf, const struct spool_io *io, struct group *root,
		recovered_fn *recovered, void *arg, struct spool **out, struct err *err)
{
	struct spool *s = mem_new(struct spool);
	s->conf = *conf;
	s->io = io ? io : &spool_io_posix;
	s->directory = mem_cstr(conf->directory);
	s->conf.directory = str_from(s->directory);
	s->lock_fd = -1;
	s->dirs = (struct spool_dirs){-1, -1, -1, -1, -1};
	list_init(&s->segments);
	list_init(&s->gone);
	struct opening *o = open_patiently(s->io, s->directory, conf->reserve, err);
	if (!o) {
		spool_free(s);
		return false;
	}
	take_over(s, o);
	log_findings(&o->recovery);
	bool ok = start_writer(s, &o->recovery, err);
	open_drop(o);
	if (!ok) {
		spool_free(s);
		return false;
	}
	if (!house_open(s, root, err) || !tell_recovered(s, recovered, arg, err)) {
		spool_close(s);
		return false;
	}
	compact_poke(s);
	house_publish(s);
	*out = s;
	return true;
}

/* --- closing --- */

static void end_settled(void *owner, struct item *it)
{
	struct spool *s = owner;
	if (it->error < 0)
		log_event(LOG_ERROR_, "spool_close_failed",
			  LOG_C("error", strerrordesc_np(-it->error)));
	free(it);
	s->has_ended = true;
	cond_broadcast(&s->quiet);
}

void spool_close(struct spool *s)
{
	struct err err;
	house_stop(s);
	bool may_wait = true;
	while (may_wait && (s->is_kept || s->jobs > 0 || s->compaction.segment))
		may_wait = cond_wait(&s->quiet, "spool: close", &err);
	s->is_ending = true;
	writer_submit(s->writer, spool_state_item(ITEM_END, 0, STR_NONE, end_settled));
	while (may_wait && !s->has_ended)
		may_wait = cond_wait(&s->quiet, "spool: close", &err);
	writer_finish(s->writer);
	/* Called off: all is on disk, but others may still come back to this memory. */
	if (!may_wait)
		return;
	writer_free(s->writer);
	spool_free(s);
}

void spool_stats(struct spool *s, struct spool_stats *out)
{
	struct writer_stats w;
	writer_stats(s->writer, &w);
	*out = (struct spool_stats){
		.messages = s->index.n,
		.bytes = s->sealed_used + s->large_bytes,
		.segments = s->n_segments,
		.syncs = w.syncs,
		.accepted = s->accepted,
		.sync_failures = w.sync_failures,
		.segments_reused = w.reused,
		.damaged_records = s->damaged,
		.torn_ends = s->torn,
		.is_read_only = w.is_read_only,
	};
	struct segment *newest = container_of(s->segments.head.prev, struct segment, link);
	if (!list_is_empty(&s->segments) && !newest->is_sealed)
		out->bytes += newest->used;
}
