/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accepting a message: from envelope and body to a record that is on disk. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/random.h"
#include "spool/inside.h"

#include <assert.h>
#include <stdlib.h>

struct commit {
	struct item item;
	struct cond done;
	bool is_settled, is_detached;
	struct spool_body *body;
	uint64_t size;
	uint32_t n_rcpts;
	uint8_t head[]; /* record header, meta, prefix */
};

struct spool_id spool_next_id(struct spool *s)
{
	uint64_t n = (uint64_t)rt_wall().us << 12 | random_below(4096);
	s->last_id = n > s->last_id ? n : s->last_id + 1;
	return (struct spool_id){s->last_id};
}

static void cancelled_settled(void *owner, struct item *it)
{
	free(it);
}

/* On disk. */
static void commit_succeeded(struct spool *s, struct commit *c)
{
	struct item *it = &c->item;
	body_let_go(c->body);
	if (c->is_detached) {
		/* The asker has answered 451 meanwhile (README.md, window 3). */
		if (s->is_ending)
			return;
		struct item *cancel =
			spool_state_item(ITEM_CANCEL, it->id, STR_NONE, cancelled_settled);
		cancel->is_large = it->is_large;
		cancel->is_waited_for = true;
		writer_submit(s->writer, cancel);
		return;
	}
	struct message *m = message_new(it->id, c->n_rcpts);
	m->offset = it->offset;
	m->meta_length = it->meta_length;
	m->body_length = (uint32_t)(it->head_n - RECORD_HEADER - it->meta_length + it->tail.n);
	m->body_sum = it->body_sum;
	m->size = c->size;
	m->is_large = it->is_large;
	index_add(&s->index, m);
	spool_link_message(s, m, it->segment);
	s->accepted++;
}

static void commit_settled(void *owner, struct item *it)
{
	struct spool *s = owner;
	struct commit *c = container_of(it, struct commit, item);
	c->is_settled = true;
	house_wake_at(s, rt_now() + USEC_S / 2);
	if (it->error == 0)
		commit_succeeded(s, c);
	else if (it->segment)
		body_let_go(c->body); /* it was written: the file goes when the cancel record is
					 durable */
	body_unref(c->body);
	if (!c->is_detached) {
		cond_signal(&c->done);
		return;
	}
	free(c);
	spool_job_ends(s);
}

/* The stretches between `drop`; returns how many. */
static uint32_t keep_ranges(const struct spool_range *drop, size_t n, uint64_t size,
			    struct spool_range *kept, uint64_t *total)
{
	uint64_t from = 0;
	uint32_t n_kept = 0;
	*total = 0;
	for (size_t i = 0; i <= n; i++) {
		uint64_t until = i < n ? drop[i].from : size;
		if (until > from) {
			kept[n_kept++] = (struct spool_range){from, until};
			*total += until - from;
		}
		from = i < n ? drop[i].to : size;
	}
	return n_kept;
}

static bool drop_is_sane(const struct spool_range *drop, size_t n, uint64_t size)
{
	uint64_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (drop[i].from < at || drop[i].to < drop[i].from || drop[i].to > size)
			return false;
		at = drop[i].to;
	}
	return true;
}

static void meta_encode(struct pen *w, const struct spool_content *content,
			const struct spool_range *kept, const struct spool_envelope *e)
{
	struct pen base = {w->p ? w->p + w->n + 4 : NULL, 0};
	content_encode(&base, content, kept);
	envelope_encode(&base, e);
	pen_u32(w, (uint32_t)base.n);
	w->n += base.n;
	pen_u32(w, 0); /* no notes yet */
}

static struct commit *commit_new(struct spool_id id, const struct spool_envelope *e,
				 struct str prefix, const struct spool_range *drop, size_t n_drop,
				 struct spool_body *body)
{
	auto_free struct spool_range *kept = mem_alloc((n_drop + 1) * sizeof *kept);
	struct body_view view = body_view(body);
	struct spool_content content = {.n_rcpts = (uint32_t)e->n_rcpts, .is_large = view.is_large};
	uint64_t kept_size = view.memory.n;
	if (view.is_large) {
		content.file_size = view.file_size;
		content.file_sum = view.file_sum;
		content.n_kept = keep_ranges(drop, n_drop, view.file_size, kept, &kept_size);
	}
	content.size = prefix.n + kept_size;
	struct pen size = {NULL, 0};
	meta_encode(&size, &content, kept, e);
	size_t meta = size.n + (8 - (size.n + prefix.n + view.memory.n) % 8) % 8;
	if (meta > RECORD_META_MAX || prefix.n + view.memory.n > RECORD_BODY_MAX)
		return NULL;
	struct commit *c = mem_resize(NULL, sizeof *c + RECORD_HEADER + meta + prefix.n);
	*c = (struct commit){
		.item = {.kind = ITEM_ACCEPT,
			 .is_waited_for = true,
			 .is_large = view.is_large,
			 .id = id.n,
			 .head = c->head,
			 .head_n = (uint32_t)(RECORD_HEADER + meta + prefix.n),
			 .meta_length = (uint32_t)meta,
			 .tail = view.memory,
			 .settled = commit_settled},
		.body = body_ref(body),
		.size = content.size,
		.n_rcpts = content.n_rcpts,
	};
	cond_init(&c->done);
	struct pen w = {c->head, RECORD_HEADER};
	meta_encode(&w, &content, kept, e);
	memset(c->head + w.n, 0, RECORD_HEADER + meta - w.n);
	w.n = RECORD_HEADER + meta;
	pen_bytes(&w, prefix.p, prefix.n);
	return c;
}

/* The asker cannot wait. What has not been written never will be; else a cancel record follows. */
static void detach(struct spool *s, struct commit *c)
{
	if (!writer_abandon(s->writer, &c->item)) {
		c->is_detached = true;
		spool_job_begins(s); /* closing waits: a cancel record may have to be submitted */
		return;
	}
	body_unref(c->body);
	free(c);
}

WAITS static bool commit_wait(struct spool *s, struct commit *c, struct err *err)
{
	while (!c->is_settled) {
		if (cond_wait(&c->done, "spool: sync", err) || c->is_settled)
			continue;
		detach(s, c);
		return false;
	}
	int error = c->item.error;
	free(c);
	return error == 0 || spool_failed(err, error, "write the spool");
}

bool spool_accept(struct spool *s, struct spool_id id, const struct spool_envelope *e,
		  struct str prefix, const struct spool_range *drop, size_t n_drop,
		  struct spool_body *body, struct err *err)
{
	assert(!s->is_closing && body);
	assert(drop_is_sane(drop, n_drop, spool_body_size(body)));
	if (n_drop > SPOOL_DROPS_MAX || e->n_rcpts > SPOOL_RCPTS_MAX)
		return err_temp(err, CAUSE_LOCAL_ERROR,
				"too many recipients or ranges for one message");
	if (!body_settle(body, id, err))
		return false;
	if (n_drop && !body_view(body).is_large)
		body_squeeze(body, drop, n_drop);
	struct commit *c = commit_new(id, e, prefix, drop, n_drop, body);
	if (!c)
		return err_temp(err, CAUSE_LOCAL_ERROR, "the envelope is too large for the spool");
	writer_submit(s->writer, &c->item);
	if (!commit_wait(s, c, err))
		return false;
	body_unref(body);
	return true;
}
