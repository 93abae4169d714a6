/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting space back, strictly oldest segment first.
 *
 *	oldest sealed segment ──has live messages, too much is dead──► copied forward, a slice at a
 *time ──┐ └──nothing live in
 *it──────────────────────────────────────────────────────────────────────┴► dropped
 *
 * The order is what makes it safe: the records that ended a message stand behind the message, so
 *they go after it; and a copy is synced before the original goes. A log of any other order would
 *have to prove both for each record.
 */
#include "base/log.h"
#include "base/mem.h"
#include "spool/inside.h"

#include <stdlib.h>

enum {
	SLICE_MESSAGES = 64, /* copied at once, so that new mail does not wait long behind them */
	SLICE_BYTES = 1 << 20,
	DAMAGED_AFTER = 600, /* rounds, a second each, in which a survivor cannot be read */
	SEGMENTS_MANY = 16,  /* restarts leave short ones behind */
};

static struct segment *oldest(struct spool *s)
{
	struct link *l = list_first(&s->segments);
	return l ? container_of(l, struct segment, link) : NULL;
}

/* Copying costs writes now and saves space later: at most as much space is dead as live, and some
 * slack. */
static bool is_worth_copying(const struct spool *s, const struct segment *g)
{
	uint64_t used = s->sealed_used, live = s->live_bytes;
	uint64_t dead = used > live ? used - live : 0;
	uint64_t slack = 2 * (uint64_t)s->conf.segment_size;
	bool is_low = s->space.bytes < (uint64_t)s->conf.free_min;
	return g->is_damaged || dead > (live > slack ? live : slack) ||
	       s->n_segments > SEGMENTS_MANY + 4 * used / (uint64_t)s->conf.segment_size ||
	       (is_low && g->live_bytes < g->used / 2);
}

static void again_later(struct spool *s)
{
	s->compaction.not_before = rt_now() + USEC_S;
}

static void compaction_ends(struct spool *s)
{
	s->compaction.segment = NULL;
	if (s->is_closing)
		cond_broadcast(&s->quiet);
}

/* --- dropping --- */

static void drop_settled(void *owner, struct item *it)
{
	struct spool *s = owner;
	struct segment *g = container_of(it, struct drop_item, item)->segment;
	bool is_kept = container_of(it, struct drop_item, item)->is_reusable || g->is_damaged;
	int error = it->error;
	free(container_of(it, struct drop_item, item));
	compaction_ends(s);
	if (error < 0) {
		log_event(LOG_WARN_, "spool_reclaim_failed",
			  LOG_I("segment", (int64_t)g->generation),
			  LOG_C("error", strerrordesc_np(-error)));
		again_later(s);
		compact_poke(s);
		return;
	}
	if (g->is_damaged)
		log_event(LOG_WARN_, "spool_damaged_kept", LOG_I("segment", (int64_t)g->generation),
			  LOG_C("where", "damaged/"));
	link_remove(&g->link);
	s->n_segments--;
	s->sealed_used -= g->used;
	if (is_kept)
		segment_unref(g);
	else
		house_give_back(s, g);
	compact_poke(s);
}

static void drop(struct spool *s, struct segment *g)
{
	struct drop_item *d = mem_new(struct drop_item);
	d->item.kind = ITEM_DROP;
	d->item.settled = drop_settled;
	d->segment = g;
	d->is_damaged = g->is_damaged;
	/* Nothing lives in it, so nobody begins to read it any more. */
	d->is_reusable = g->is_reusable && !g->is_damaged && atomic_load(&g->refs) == 1;
	s->compaction.segment = g;
	writer_submit(s->writer, &d->item);
}

/* --- copying --- */

void spool_lose_message(struct spool *s, struct message *m)
{
	char id[SPOOL_ID_MAX];
	log_event(LOG_ERROR_, "spool_message_damaged",
		  LOG_S("id", spool_id_text((struct spool_id){m->id}, id)),
		  LOG_I("segment", (int64_t)m->segment->generation));
	s->damaged++;
	m->segment->is_damaged = true;
	index_remove(&s->index, m->id);
	spool_unlink_message(s, m);
	message_free(m);
}

static void copied(struct spool *s, const struct copy_item *c)
{
	struct message *m = index_get(&s->index, c->item.id);
	if (!m || m->segment != c->from)
		return; /* ended meanwhile: its DONE stands behind the copy */
	if (c->item.error == 0) {
		spool_unlink_message(s, m);
		m->offset = c->item.offset;
		m->meta_length = c->item.meta_length;
		m->body_sum = c->item.body_sum;
		spool_link_message(s, m, c->item.segment);
		return;
	}
	s->compaction.has_failed = true;
	/* Failing to write it somewhere else says nothing about the message; failing to read it may
	 * pass. */
	s->compaction.is_unreadable |= c->is_unreadable;
	if (c->is_damaged || (c->is_unreadable && c->from->unreadable_rounds >= DAMAGED_AFTER))
		spool_lose_message(s, m);
}

static void copy_settled(void *owner, struct item *it)
{
	struct spool *s = owner;
	struct copy_item *c = container_of(it, struct copy_item, item);
	copied(s, c);
	if (s->compaction.copies == 1 && s->compaction.is_unreadable)
		c->from->unreadable_rounds++;
	segment_unref(c->from);
	free(c->record);
	free(c->item.head);
	free(c);
	if (--s->compaction.copies > 0)
		return;
	compaction_ends(s);
	if (s->compaction.has_failed)
		again_later(s);
	s->compaction.has_failed = s->compaction.is_unreadable = false;
	compact_poke(s);
}

static void submit_copy(struct spool *s, struct message *m)
{
	struct pen size = {NULL, 0};
	message_encode_notes(m, &size);
	struct copy_item *c = mem_alloc(sizeof *c + size.n);
	c->item.kind = ITEM_COPY;
	c->item.id = m->id;
	c->item.is_waited_for = true;
	c->item.settled = copy_settled;
	c->from = segment_ref(m->segment);
	c->from_offset = m->offset;
	c->from_meta_length = m->meta_length;
	c->from_body_length = m->body_length;
	c->notes_n = (uint32_t)size.n;
	struct pen w = {c->notes, 0};
	message_encode_notes(m, &w);
	s->compaction.copies++;
	writer_submit(s->writer, &c->item);
}

static void copy_slice(struct spool *s, struct segment *g)
{
	unsigned n = 0;
	uint64_t bytes = 0;
	s->compaction.segment = g;
	list_each(it, &g->messages)
	{
		struct message *m = container_of(it, struct message, in_segment);
		submit_copy(s, m);
		bytes += message_record_size(m);
		if (++n == SLICE_MESSAGES || bytes >= SLICE_BYTES)
			break;
	}
}

void compact_poke(struct spool *s)
{
	struct segment *g = oldest(s);
	if (!g || !g->is_sealed || s->compaction.segment || s->is_closing)
		return;
	if (rt_now() < s->compaction.not_before)
		house_wake_at(s, s->compaction.not_before);
	else if (list_is_empty(&g->messages))
		drop(s, g);
	else if (is_worth_copying(s, g))
		copy_slice(s, g);
}
