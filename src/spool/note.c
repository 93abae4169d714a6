/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State records: what becomes of a message after it was accepted. */
#include "base/mem.h"
#include "spool/inside.h"

#include <stdlib.h>

struct item *spool_state_item(enum item_kind kind, uint64_t id, struct str payload,
			      void (*settled)(void *owner, struct item *it))
{
	size_t meta = (payload.n + 7) / 8 * 8;
	struct item *it = mem_alloc(sizeof *it + RECORD_HEADER + meta);
	it->kind = kind;
	it->id = id;
	it->head = (uint8_t *)(it + 1);
	it->head_n = (uint32_t)(RECORD_HEADER + meta);
	it->meta_length = (uint32_t)meta;
	if (payload.n)
		memcpy(it->head + RECORD_HEADER, payload.p, payload.n);
	it->settled = settled;
	return it;
}

static void note_settled(void *owner, struct item *it)
{
	free(it);
}

void spool_submit_note(struct spool *s, struct item *it)
{
	writer_submit(s->writer, it);
	house_wake_at(s, rt_now() + USEC_S / 2);
}

static void note(struct spool *s, struct spool_id id, const struct note_view *view)
{
	struct message *m = index_get(&s->index, id.n);
	struct pen w = {NULL, 0};
	if (!m || (view->kind == NOTE_RCPT && view->rcpt >= m->n_rcpts))
		return;
	note_encode(&w, view);
	uint8_t *bytes = mem_alloc(w.n);
	w = (struct pen){bytes, 0};
	note_encode(&w, view);
	struct str payload = {(const char *)bytes, w.n};
	message_fold(m, payload);
	spool_submit_note(s, spool_state_item(ITEM_NOTE, id.n, payload, note_settled));
	free(bytes);
}

void spool_note_rcpt(struct spool *s, struct spool_id id, size_t rcpt,
		     const struct spool_rcpt *state)
{
	if (rcpt <= UINT32_MAX)
		note(s, id,
		     &(struct note_view){
			     .kind = NOTE_RCPT, .rcpt = (uint32_t)rcpt, .state = *state});
}

void spool_note_hold(struct spool *s, struct spool_id id, bool is_on_hold, struct str reason)
{
	note(s, id,
	     &(struct note_view){.kind = NOTE_HOLD, .is_on_hold = is_on_hold, .reason = reason});
}

void spool_note_sending(struct spool *s, struct spool_id id)
{
	note(s, id, &(struct note_view){.kind = NOTE_SENDING});
}

void spool_link_message(struct spool *s, struct message *m, struct segment *g)
{
	uint64_t n = message_record_size(m);
	m->segment = g;
	if (!g->is_sealed && m->offset + n > g->used)
		g->used = (uint32_t)(m->offset + n);
	list_push_back(&g->messages, &m->in_segment);
	g->live_bytes += n;
	s->live_bytes += n;
	if (m->is_large)
		s->large_bytes += m->size;
}

void spool_unlink_message(struct spool *s, struct message *m)
{
	uint64_t n = message_record_size(m);
	link_remove(&m->in_segment);
	m->segment->live_bytes -= n;
	s->live_bytes -= n;
	if (m->is_large)
		s->large_bytes -= m->size;
}

void spool_end_message(struct spool *s, struct message *m, struct item *record)
{
	record->is_large = m->is_large;
	index_remove(&s->index, m->id);
	spool_unlink_message(s, m);
	message_free(m);
	spool_submit_note(s, record);
	compact_poke(s);
}

void spool_note_done(struct spool *s, struct spool_id id)
{
	struct message *m = index_get(&s->index, id.n);
	if (m)
		spool_end_message(s, m, spool_state_item(ITEM_DONE, id.n, STR_NONE, note_settled));
}

/* --- and waiting for it --- */

struct removal {
	struct item item;
	struct cond done;
	bool is_settled, is_detached;
	uint8_t head[RECORD_HEADER];
};

static void removal_settled(void *owner, struct item *it)
{
	struct removal *r = container_of(it, struct removal, item);
	r->is_settled = true;
	if (r->is_detached)
		free(r);
	else
		cond_signal(&r->done);
}

bool spool_remove(struct spool *s, struct spool_id id, struct err *err)
{
	struct message *m = index_get(&s->index, id.n);
	char text[SPOOL_ID_MAX];
	if (!m)
		return err_perm(err, CAUSE_NONE, "no message %s in the spool",
				spool_id_text(id, text).p);
	struct removal *r = mem_new(struct removal);
	cond_init(&r->done);
	r->item = (struct item){.kind = ITEM_DONE,
				.id = id.n,
				.is_waited_for = true,
				.head = r->head,
				.head_n = RECORD_HEADER,
				.settled = removal_settled};
	spool_end_message(s, m, &r->item);
	while (!r->is_settled) {
		if (cond_wait(&r->done, "spool: sync", err) || r->is_settled)
			continue;
		r->is_detached = true; /* it is removed all the same, soon */
		return false;
	}
	int error = r->item.error;
	free(r);
	return error == 0 || spool_failed(err, error, "write the spool");
}
