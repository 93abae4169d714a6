/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes items from the loop thread, batch by batch, and gives them back when they are settled. */
#include "spool/writer_inside.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum { TAKE_MAX = 2048 /* items of one step, messages or not */ };

/* --- back to the loop thread --- */

void writer_settle(struct writer *w, struct item *it)
{
	pthread_mutex_lock(&w->lock);
	fifo_push(&w->settled, it);
	bool must_post = !w->is_posted && w->has_thread;
	w->is_posted |= must_post;
	pthread_mutex_unlock(&w->lock);
	if (must_post)
		rt_post(&w->post);
}

static void drain(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct fifo settled;
	fifo_init(&settled);
	fifo_move(&settled, &w->settled);
	w->is_posted = false;
	pthread_mutex_unlock(&w->lock);
	for (struct item *it; (it = fifo_pop(&settled));)
		it->settled(w->conf.owner, it);
}

static void drain_posted(struct post *post)
{
	drain(container_of(post, struct writer, post));
}

void writer_settle_as(struct writer *w, struct item *it, int error)
{
	it->error = error;
	writer_settle(w, it);
}

/* Never taken for success. */
void writer_settle_failed(struct writer *w, struct item *it, int error)
{
	writer_settle_as(w, it, error < 0 ? error : -EIO);
}

/* --- one step --- */

static void drop(struct writer *w, struct drop_item *d)
{
	char name[SEGMENT_NAME_MAX];
	const struct spool_dirs *dirs = w->conf.dirs;
	const struct spool_io *io = w->io;
	int rc = 0;
	segment_name(d->segment->generation, "seg", name);
	if (d->is_damaged) {
		rc = io->rename(io->self, dirs->segments, name, dirs->damaged, name);
		if (rc == 0 || rc == -ENOENT)
			rc = io->sync_dir(io->self, dirs->damaged, SYNC_DAMAGED_DIR);
	} else {
		rc = d->is_reusable ? append_keep(w, d->segment, name) : -ENOBUFS;
		d->is_reusable = rc == 0;
		if (rc < 0)
			rc = io->unlink(io->self, dirs->segments, name);
	}
	/* Gone already: only a sync failed the last time. */
	if (rc == -ENOENT)
		rc = 0;
	/* Before the next one goes: or a crash could bring this one back, and not what ended its
	 * messages. */
	if (rc == 0)
		rc = io->sync_dir(io->self, dirs->segments, SYNC_RECLAIM_DIR);
	if (rc < 0 && d->is_reusable)
		append_discard_spares(w);
	writer_settle_as(w, &d->item, rc);
}

static void remove_file(struct writer *w, struct file_item *f)
{
	if (f->fd >= 0)
		w->io->close(w->io->self, f->fd);
	int rc = w->io->unlink(w->io->self, f->dir, f->name);
	writer_settle_as(w, &f->item, rc);
}

static void handle(struct writer *w, struct item *it)
{
	switch (it->kind) {
	case ITEM_FLUSH:
		/* Without room, nobody else would ask for it: new mail is refused before it gets
		 * here. */
		if (atomic_load(&w->is_full) || atomic_load(&w->is_read_only))
			append_roll(w, 0, false);
		/* Settles with what was placed before it. */
		fifo_push(w->placed.first ? &w->placed : &w->written, it);
		break;
	case ITEM_DROP:
		drop(w, container_of(it, struct drop_item, item));
		break;
	case ITEM_FILE:
		remove_file(w, container_of(it, struct file_item, item));
		break;
	default:
		append_record(w, it);
	}
}

static void take(struct writer *w, struct fifo *out)
{
	unsigned messages = 0, n = 0;
	fifo_init(out);
	pthread_mutex_lock(&w->lock);
	while (w->queue.first && n < TAKE_MAX && messages < w->conf.batch_max) {
		struct item *it = fifo_pop(&w->queue);
		messages += is_message(it);
		n++;
		fifo_push(out, it);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Which site a sync belongs to: what waits for it most. */
static enum spool_sync site_of(enum spool_sync so_far, const struct item *it)
{
	if (it->kind == ITEM_END)
		return SYNC_CLOSE;
	if (it->kind == ITEM_FLUSH)
		return so_far == SYNC_SITES ? SYNC_NOTES : so_far;
	if (!it->is_waited_for || so_far == SYNC_CLOSE)
		return so_far;
	if (it->kind == ITEM_COPY)
		return so_far == SYNC_BATCH ? so_far : SYNC_COMPACT;
	return SYNC_BATCH;
}

/* The disk has had its chances: what it did not take is given back with the error. */
static void end(struct writer *w)
{
	for (struct item *it; (it = fifo_pop(&w->backlog));)
		writer_settle_failed(w, it, w->error);
	if (w->ended)
		writer_settle(w, w->ended);
	w->ended = NULL;
}

static bool step(struct writer *w)
{
	struct fifo taken;
	enum spool_sync site = SYNC_SITES;
	take(w, &taken);
	if (!taken.first)
		return false;
	for (struct item *it; (it = fifo_pop(&taken));) {
		if (it->queued > w->now)
			w->now = it->queued;
		if (w->backlog.first && w->now >= w->retry_at)
			append_backlog(w);
		site = site_of(site, it);
		handle(w, it);
	}
	if (site == SYNC_SITES)
		append_flush(w);
	else
		append_sync(w, site);
	if (w->backlog.first) {
		if (site == SYNC_CLOSE)
			w->retry_at = 0;
		append_backlog(w);
	}
	/* Only now: a cancel record is durable, or cannot be had (README.md, window 4). */
	for (struct item *it; (it = fifo_pop(&w->refused));)
		writer_settle(w, it);
	if (site == SYNC_CLOSE)
		end(w);
	return true;
}

static void *run(void *arg)
{
	struct writer *w = arg;
	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (!w->queue.first && !w->is_stopping)
			pthread_cond_wait(&w->has_work, &w->lock);
		bool is_over = !w->queue.first;
		pthread_mutex_unlock(&w->lock);
		if (is_over)
			return NULL;
		step(w);
	}
}

/* Once for all that a turn of the loop has brought: they share a sync, and nobody wakes to find a
 * single note. */
static void wake(struct post *post)
{
	struct writer *w = container_of(post, struct writer, kick);
	w->is_kicked = false;
	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->has_work);
	pthread_mutex_unlock(&w->lock);
}

static void run_in_line(struct post *post)
{
	struct writer *w = container_of(post, struct writer, kick);
	w->is_kicked = false;
	while (step(w))
		;
	drain(w);
}

/* --- from the loop thread --- */

void writer_submit(struct writer *w, struct item *it)
{
	assert(!w->has_end);
	w->has_end = it->kind == ITEM_END;
	it->queued = rt_now();
	pthread_mutex_lock(&w->lock);
	fifo_push(&w->queue, it);
	pthread_mutex_unlock(&w->lock);
	if (w->is_kicked)
		return;
	w->is_kicked = true;
	if (w->has_thread)
		rt_at_turn_end(&w->kick);
	else
		rt_post(&w->kick);
}

bool writer_abandon(struct writer *w, struct item *it)
{
	bool was_queued = false;
	pthread_mutex_lock(&w->lock);
	for (struct item **at = &w->queue.first; *at; at = &(*at)->next) {
		if (*at != it)
			continue;
		*at = it->next;
		if (!*at)
			w->queue.end = at;
		was_queued = true;
		break;
	}
	pthread_mutex_unlock(&w->lock);
	return was_queued;
}

bool writer_new(const struct writer_conf *conf, struct writer **out, struct err *err)
{
	struct writer *w = mem_new(struct writer);
	struct fifo *const queues[] = {&w->queue,   &w->settled, &w->placed,
				       &w->written, &w->backlog, &w->refused};
	w->conf = *conf;
	w->io = conf->io;
	w->last_generation = conf->last_generation;
	w->previous = conf->previous;
	w->previous_end = conf->previous_end;
	w->previous_torn = conf->previous_torn;
	w->recovered = conf->recovered ? segment_ref(conf->recovered) : NULL;
	w->post.fn = drain_posted;
	w->now = rt_now();
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		fifo_init(queues[i]);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->has_work, NULL);
	w->has_thread = !rt_is_fake();
	w->kick.fn = w->has_thread ? wake : run_in_line;
	if (w->has_thread) {
		/* Signals are the loop thread's. */
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		int rc = pthread_create(&w->thread, NULL, run, w);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (rc != 0) {
			w->has_thread = false;
			writer_free(w);
			return err_temp(err, CAUSE_LOCAL_ERROR, "cannot start the spool's thread");
		}
	}
	*out = w;
	return true;
}

void writer_finish(struct writer *w)
{
	if (w->has_thread && !w->is_stopping) {
		rt_turn_end_cancel(&w->kick);
		pthread_mutex_lock(&w->lock);
		w->is_stopping = true;
		pthread_cond_signal(&w->has_work);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	while (step(w))
		;
}

void writer_free(struct writer *w)
{
	segment_unref(w->recovered);
	pthread_cond_destroy(&w->has_work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void writer_stats(const struct writer *w, struct writer_stats *out)
{
	out->syncs = atomic_load(&w->syncs);
	out->sync_failures = atomic_load(&w->sync_failures);
	out->is_read_only = atomic_load(&w->is_read_only);
	out->is_full = atomic_load(&w->is_full);
	out->reused = atomic_load(&w->reused);
	out->spare_bytes = atomic_load(&w->spare_bytes);
}
