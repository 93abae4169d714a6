/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When each job is due: a heap, a fiber that sleeps until its top, and the rule that says how long to wait. */
#include "queue/inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/random.h"
#include "cause/cause.h"

#include <assert.h>
#include <stdlib.h>

#define SWEEP_EVERY   USEC_MIN
#define TURN          256 /* jobs made ready before others may run */
#define JITTER        0.15

/* --- the heap --- */

static void heap_set(struct queue *q, size_t at, struct job *job)
{
	q->heap[at] = job;
	job->heap_at = (uint32_t)(at + 1);
}

static void heap_up(struct queue *q, size_t at, struct job *job)
{
	for (; at > 0 && q->heap[(at - 1) / 2]->due > job->due; at = (at - 1) / 2)
		heap_set(q, at, q->heap[(at - 1) / 2]);
	heap_set(q, at, job);
}

static void heap_down(struct queue *q, size_t at, struct job *job)
{
	for (size_t child; (child = 2 * at + 1) < q->heap_n; at = child) {
		if (child + 1 < q->heap_n && q->heap[child + 1]->due < q->heap[child]->due)
			child++;
		if (q->heap[child]->due >= job->due)
			break;
		heap_set(q, at, q->heap[child]);
	}
	heap_set(q, at, job);
}

void schedule_forget(struct queue *q, struct job *job)
{
	if (!job->heap_at)
		return;
	size_t at = job->heap_at - 1;
	job->heap_at = 0;
	struct job *last = q->heap[--q->heap_n];
	if (last == job)
		return;
	if (at > 0 && q->heap[(at - 1) / 2]->due > last->due)
		heap_up(q, at, last);
	else
		heap_down(q, at, last);
}

void schedule_job(struct queue *q, struct job *job, usec_t due)
{
	schedule_forget(q, job);
	job->state = JOB_RESTING;
	job->due = due;
	if (job->message->is_on_hold || job->message->is_removed)
		return;
	if (q->heap_n == q->heap_max) {
		q->heap_max = q->heap_max ? 2 * q->heap_max : 256;
		q->heap = mem_resize(q->heap, q->heap_max * sizeof(*q->heap));
	}
	heap_up(q, q->heap_n++, job);
	if (job->heap_at == 1)
		cond_signal(&q->changed);
}

/* --- the rule --- */

/* Doubling from retry_first to retry_max. The cause's own wait is the least: who greylists for five minutes is not
 * asked after one, and a full mailbox does not empty itself in a quarter of an hour. */
usec_t schedule_backoff(const struct queue_conf *conf, unsigned attempts, enum cause_id cause)
{
	usec_t wait = conf->retry_first;
	for (unsigned i = 1; i < attempts && wait < conf->retry_max; i++)
		wait *= 2;
	if (wait > conf->retry_max)
		wait = conf->retry_max;
	usec_t least = cause == CAUSE_BATCH_LIMIT ? 0 : cause_get(cause)->wait;
	if (wait < least)
		wait = least;
	/* Only ever later than the least, and not all at once. */
	return wait + (usec_t)random_below((uint64_t)((double)wait * JITTER) + 1);
}

/* --- the fiber --- */

static void sweep_kept(struct queue *q)
{
	const struct queue_conf *conf = &q->settings->conf;
	struct wall now = rt_wall();
	if (conf->keep_failed == 0)
		return;
	list_each(l, &q->messages) {
		struct message *m = container_of(l, struct message, all);
		char id[SPOOL_ID_MAX];
		bool is_over = m->has_kept && m->open == 0 && m->running == 0 && !m->is_removed;
		if (!is_over || wall_diff(now, m->accepted) < conf->keep_failed)
			continue;
		log_event(LOG_WARN_, "kept_expired", LOG_S("id", spool_id_text(m->id, id)), LOG_C("sender", m->sender));
		spool_note_done(q->deps.spool, m->id);
		queue_message_free(q, m);
	}
}

static void sweep(struct queue *q)
{
	q->next_sweep = rt_now() + SWEEP_EVERY;
	dest_sweep(q);
	sweep_kept(q);
	metric_set(q->metrics.messages, (double)q->counts.messages);
	metric_set(q->metrics.sessions, q->sessions);
}

static WAITS bool run_due(struct queue *q, struct err *err)
{
	for (unsigned n = 0; q->heap_n && q->heap[0]->due <= rt_now() && !q->is_draining; n++) {
		struct job *job = q->heap[0];
		schedule_forget(q, job);
		job_ready(job);
		if (n % TURN == TURN - 1 && !rt_yield(err))
			return false;
	}
	return true;
}

static WAITS bool wait_for_due(struct queue *q, struct err *err)
{
	struct deadline d;
	usec_t until = q->next_sweep;
	if (q->heap_n && q->heap[0]->due < until)
		until = q->heap[0]->due;
	if (until <= rt_now())
		return true;
	deadline_push_at(&d, until, "next message");
	bool ok = cond_wait(&q->changed, "next message", err);
	deadline_pop(&d);
	return ok || err->kind == ERR_TIMEOUT;
}

void schedule_run(void *arg)
{
	struct queue *q = arg;
	struct err err;
	fiber_name("queue");
	while (!q->is_draining) {
		if (rt_now() >= q->next_sweep)
			sweep(q);
		if (!run_due(q, &err) || !wait_for_due(q, &err))
			break;
	}
	q->has_scheduler = false;
	cond_broadcast(&q->settled);
}
