/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live messages in memory: hash table by id, folded notes. */
#include "spool/index.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct message *message_new(uint64_t id, uint32_t n_rcpts)
{
	struct message *m = mem_new(struct message);
	m->id = id;
	m->n_rcpts = n_rcpts;
	link_init(&m->in_segment);
	return m;
}

void message_free(struct message *m)
{
	assert(!link_is_in_list(&m->in_segment));
	for (uint32_t i = 0; m->notes && i < m->n_rcpts; i++)
		free(m->notes[i]);
	free(m->notes);
	free(m->hold);
	free(m);
}

static void keep(struct note **place, struct str payload)
{
	struct note *note = mem_resize(*place, sizeof *note + payload.n);
	note->n = (uint32_t)payload.n;
	memcpy(note->bytes, payload.p, payload.n);
	*place = note;
}

bool message_fold(struct message *m, struct str payload)
{
	struct note_view view;
	if (!note_decode(payload, &view))
		return false;
	switch (view.kind) {
	case NOTE_RCPT:
		if (view.rcpt >= m->n_rcpts)
			return false;
		if (!m->notes)
			m->notes = mem_alloc(m->n_rcpts * sizeof(struct note *));
		keep(&m->notes[view.rcpt], payload);
		m->is_sending = false;
		break;
	case NOTE_HOLD:
		keep(&m->hold, payload);
		break;
	case NOTE_SENDING:
		m->is_sending = true;
		break;
	}
	return true;
}

static void encode_one(struct pen *w, const struct note *note, uint32_t *n)
{
	if (!note)
		return;
	pen_str(w, (struct str){(const char *)note->bytes, note->n});
	++*n;
}

void message_encode_notes(const struct message *m, struct pen *w)
{
	struct pen count = {w->p ? w->p + w->n : NULL, 0};
	uint32_t n = 0;
	pen_u32(w, 0);
	for (uint32_t i = 0; m->notes && i < m->n_rcpts; i++)
		encode_one(w, m->notes[i], &n);
	encode_one(w, m->hold, &n);
	if (m->is_sending) { /* behind the recipients, whose notes would clear it */
		struct pen size = {NULL, 0};
		note_encode(&size, &(struct note_view){.kind = NOTE_SENDING});
		pen_u32(w, (uint32_t)size.n);
		note_encode(w, &(struct note_view){.kind = NOTE_SENDING});
		n++;
	}
	pen_u32(&count, n);
}

static void apply(const struct note *note, struct arena *arena, struct spool_envelope *e)
{
	struct note_view view;
	if (!note || !note_decode((struct str){(const char *)note->bytes, note->n}, &view))
		return;
	view.state.last_reply = arena_str(arena, view.state.last_reply);
	view.reason = arena_str(arena, view.reason);
	note_apply(&view, e);
}

void message_apply_notes(const struct message *m, struct arena *arena, struct spool_envelope *e)
{
	for (uint32_t i = 0; m->notes && i < m->n_rcpts; i++)
		apply(m->notes[i], arena, e);
	apply(m->hold, arena, e);
	e->is_sending = m->is_sending;
}

/* --- the table: open addressing, at most two thirds full, holes closed on removal --- */

static size_t home(const struct index *x, uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15u) >> 20) & (x->capacity - 1);
}

static size_t find(const struct index *x, uint64_t id)
{
	size_t at = home(x, id);
	while (x->slots[at] && x->slots[at]->id != id)
		at = (at + 1) & (x->capacity - 1);
	return at;
}

void index_done(struct index *x)
{
	for (size_t i = 0; i < x->capacity; i++) {
		if (!x->slots[i])
			continue;
		link_remove(&x->slots[i]->in_segment);
		message_free(x->slots[i]);
	}
	free(x->slots);
	*x = (struct index){0};
}

struct message *index_get(const struct index *x, uint64_t id)
{
	return x->capacity ? x->slots[find(x, id)] : NULL;
}

static void grow(struct index *x)
{
	struct index bigger = {.capacity = x->capacity ? 2 * x->capacity : 64, .n = x->n};
	bigger.slots = mem_alloc(bigger.capacity * sizeof *bigger.slots);
	for (size_t i = 0; i < x->capacity; i++)
		if (x->slots[i])
			bigger.slots[find(&bigger, x->slots[i]->id)] = x->slots[i];
	free(x->slots);
	*x = bigger;
}

void index_add(struct index *x, struct message *m)
{
	if (3 * (x->n + 1) > 2 * x->capacity)
		grow(x);
	size_t at = find(x, m->id);
	assert(!x->slots[at]);
	x->slots[at] = m;
	x->n++;
}

struct message *index_remove(struct index *x, uint64_t id)
{
	if (!x->capacity)
		return NULL;
	size_t hole = find(x, id), mask = x->capacity - 1;
	struct message *m = x->slots[hole];
	if (!m)
		return NULL;
	x->slots[hole] = NULL;
	x->n--;
	for (size_t at = (hole + 1) & mask; x->slots[at]; at = (at + 1) & mask) {
		/* It may move into the hole unless its home lies behind the hole. */
		if (((at - home(x, x->slots[at]->id)) & mask) < ((at - hole) & mask))
			continue;
		x->slots[hole] = x->slots[at];
		x->slots[at] = NULL;
		hole = at;
	}
	return m;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(struct message *const *)a)->id, y = (*(struct message *const *)b)->id;
	return x < y ? -1 : x > y;
}

struct message **index_sorted(const struct index *x)
{
	struct message **all = mem_alloc((x->n + 1) * sizeof *all);
	size_t n = 0;
	for (size_t i = 0; i < x->capacity; i++)
		if (x->slots[i])
			all[n++] = x->slots[i];
	qsort(all, n, sizeof(struct message *), by_id);
	return all;
}
