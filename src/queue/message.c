/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages in the index, their jobs, and the envelopes that are in memory. */
#include "queue/inside.h"

#include "base/auto.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/utf8.h"

#include <assert.h>
#include <stdlib.h>

#define FRESH_MAX       1000
#define FRESH_BYTES_MAX (16u << 20)
#define REPLY_CUT       200

/* --- whose mail goes where --- */

struct str queue_message_domain(struct queue *q, struct arena *arena, struct str address)
{
	struct address a;
	struct err err;
	if (address_parse(arena, address, true, &a, &err))
		return a.ascii_domain;
	if (str_find_char(address, '@') < address.n)
		return STR_NONE;
	/* "postmaster" alone is ours (RFC 5321 4.5.1). */
	struct str local = domains_first_local(q->settings->domains);
	return local.n ? local : q->deps.host;
}

bool queue_message_is_for(const struct job *job, struct str address)
{
	struct str domain = str_from(job->dest->domain);
	size_t at = str_rfind_char(address, '@');
	if (at < address.n && str_ieq(str_skip(address, at + 1), domain))
		return true;
	bool is_plain = at < address.n && str_is_ascii(address) && address.p[address.n - 1] != '.';
	if (is_plain && domain.n > 0)
		return false;
	auto_arena struct arena arena = {.max = 4096};
	return str_eq(queue_message_domain(job->dest->queue, &arena, address), domain);
}

/* --- the index --- */

static struct str id_key(const struct spool_id *id)
{
	return (struct str){(const char *)&id->n, sizeof(id->n)};
}

struct message *queue_message_find(const struct queue *q, struct spool_id id)
{
	return map_get(&q->by_id, id_key(&id));
}

static struct dest *find_in(struct dest **dests, size_t n, struct dest *d)
{
	for (size_t i = n; i-- > 0;)
		if (dests[i] == d)
			return d;
	return NULL;
}

/* The distinct destinations of open recipients; each has been counted once. */
static size_t collect(struct queue *q, const struct spool_envelope *e, struct dest **dests, size_t *open, bool *has_kept)
{
	size_t n = 0;
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		*has_kept = *has_kept || e->rcpts[i].state == RCPT_FAILED_KEPT;
		if (!rcpt_is_open(&e->rcpts[i]))
			continue;
		++*open;
		struct dest *d = dest_get(q, queue_message_domain(q, &arena, e->rcpts[i].address));
		if (find_in(dests, n, d))
			dest_unref(d);
		else
			dests[n++] = d;
	}
	return n;
}

/* Due is the earliest of its recipients; in the past for those that were never tried. */
static void job_set_due(struct job *job, const struct spool_envelope *e)
{
	int64_t left = INT64_MAX;
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct spool_rcpt *r = &e->rcpts[i];
		if (!rcpt_is_open(r) || (job->message->n_jobs > 1 && !queue_message_is_for(job, r->address)))
			continue;
		int64_t until = r->next_attempt.us ? wall_diff(r->next_attempt, rt_wall()) : 0;
		left = until < left ? until : left;
		job->attempts = r->attempts > job->attempts ? r->attempts : job->attempts;
	}
	job->due = rt_now() + (left > 0 && left != INT64_MAX ? left : 0);
}

struct message *queue_message_new(struct queue *q, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
	auto_free struct dest **dests = mem_alloc((e->n_rcpts + 1) * sizeof(*dests));
	size_t open = 0;
	bool has_kept = false;
	size_t n = collect(q, e, dests, &open, &has_kept);
	struct message *m = mem_alloc(sizeof(*m) + n * sizeof(struct job));
	m->id = id;
	m->size = size;
	m->accepted = e->accepted;
	m->sender = mem_cstr(e->sender);
	m->rcpts = (uint32_t)e->n_rcpts;
	m->open = (uint32_t)open;
	m->n_jobs = (uint32_t)n;
	m->is_on_hold = e->is_on_hold;
	m->has_kept = has_kept;
	for (size_t i = 0; i < n; i++) {
		m->jobs[i] = (struct job){.message = m, .dest = dests[i], .state = JOB_RESTING};
		link_init(&m->jobs[i].link);
		job_set_due(&m->jobs[i], e);
	}
	list_push_back(&q->messages, &m->all);
	map_put(&q->by_id, id_key(&id), m);
	q->counts.messages++;
	return m;
}

static void job_detach(struct queue *q, struct job *job)
{
	assert(job->state != JOB_RUNNING);
	schedule_forget(q, job);
	if (job->state == JOB_WAITING)
		site_remove(job->site, job);
	link_remove(&job->link);
	if (job->state != JOB_FINISHED)
		dest_unref(job->dest);
	job->state = JOB_FINISHED;
}

void queue_message_free(struct queue *q, struct message *m)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		job_detach(q, &m->jobs[i]);
	if (m->fresh)
		loaded_unref(q, m->fresh);
	link_remove(&m->all);
	map_remove(&q->by_id, id_key(&m->id));
	q->counts.messages--;
	free(m->sender);
	free(m->last_reply);
	free(m);
}

bool queue_message_settle(struct queue *q, struct message *m)
{
	if (m->running)
		return false;
	cond_broadcast(&q->settled);
	if (m->open || m->has_kept || m->is_removed)
		return false;
	spool_note_done(q->deps.spool, m->id);
	queue_message_free(q, m);
	return true;
}

void queue_message_set_reply(struct message *m, struct str reply)
{
	reply = str_slice(reply, 0, REPLY_CUT);
	if (m->last_reply && str_eq(str_from(m->last_reply), reply))
		return;
	free(m->last_reply);
	m->last_reply = mem_cstr(reply);
}

/* --- envelopes in memory --- */

static void copy_envelope(struct arena *a, const struct spool_envelope *from, struct spool_envelope *to)
{
	*to = *from;
	to->sender = arena_str(a, from->sender);
	to->envid = arena_str(a, from->envid);
	to->hold_reason = arena_str(a, from->hold_reason);
	to->helo = arena_str(a, from->helo);
	to->trail = STR_NONE;
	to->rcpts = arena_alloc(a, from->n_rcpts * sizeof(*to->rcpts) + 1);
	for (size_t i = 0; i < from->n_rcpts; i++) {
		to->rcpts[i] = from->rcpts[i];
		to->rcpts[i].address = arena_str(a, from->rcpts[i].address);
		to->rcpts[i].orcpt = arena_str(a, from->rcpts[i].orcpt);
		to->rcpts[i].last_reply = arena_str(a, from->rcpts[i].last_reply);
	}
}

static struct loaded *loaded_new(void)
{
	struct loaded *l = mem_new(struct loaded);
	arena_init(&l->arena, SIZE_MAX); /* what is in it was bounded when it was accepted */
	l->refs = 1;
	return l;
}

void loaded_unref(struct queue *q, struct loaded *l)
{
	if (!l || --l->refs > 0)
		return;
	if (l->is_fresh) {
		q->fresh_n--;
		q->fresh_bytes -= l->bytes;
	}
	arena_done(&l->arena);
	free(l);
}

/* The hand-off from the gate: mail that is passed on at once is never read back. One reference for each job,
 * because what a job's second attempt needs to know stands in the spool only. */
void loaded_keep_fresh(struct queue *q, struct message *m, const struct spool_envelope *e, const struct trail *trail)
{
	if (q->fresh_n >= FRESH_MAX || q->fresh_bytes >= FRESH_BYTES_MAX || m->n_jobs == 0 || m->is_on_hold)
		return;
	struct loaded *l = loaded_new();
	copy_envelope(&l->arena, e, &l->e);
	l->has_trail = trail != NULL;
	if (trail)
		trail_copy(&l->trail, &l->arena, trail);
	else
		l->e.trail = arena_str(&l->arena, e->trail);
	l->bytes = l->arena.used + sizeof(*l);
	l->is_fresh = true;
	q->fresh_n++;
	q->fresh_bytes += l->bytes;
	m->fresh = l;
}

/* Forgotten when the last job has made its first attempt. */
static void let_fresh_go(struct queue *q, struct message *m)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		if (!m->jobs[i].was_tried)
			return;
	loaded_unref(q, m->fresh);
	m->fresh = NULL;
}

struct loaded *loaded_get(struct queue *q, struct job *job, struct err *err)
{
	struct message *m = job->message;
	bool is_first = !job->was_tried;
	job->was_tried = true;
	if (m->fresh) {
		struct loaded *l = is_first ? m->fresh : NULL;
		if (l)
			l->refs++;
		let_fresh_go(q, m);
		if (l)
			return l;
	}
	struct loaded *l = loaded_new();
	if (spool_read_envelope(q->deps.spool, m->id, &l->arena, &l->e, err))
		return l;
	loaded_unref(q, l);
	return NULL;
}
