/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States that the disk does not take: kept in order, and bounded.
 *
 * A disk may be out for hours while the queue goes on trying and noting. Only the last state of
 * each recipient counts, and none of a message that has ended, so now and then the others are let
 * go. What is left is bounded by the messages that there are.
 */
#include "spool/writer_inside.h"

#include <stdlib.h>

enum { PRUNE_FIRST = 4096 };

/* Sorts so that what supersedes stands behind what is superseded: by message, then what it says,
 * then order. */
struct key {
	uint64_t id;
	uint64_t what;
	size_t at;
	struct item *item;
};
/* Recipients are numbers below all of these. */
#define WHAT_HOLD    ((uint64_t)1 << 32)
#define WHAT_SENDING ((uint64_t)2 << 32)
#define WHAT_END     ((uint64_t)3 << 32)

static uint64_t what_of(const struct item *it)
{
	struct note_view note;
	struct str payload = {(const char *)it->head + RECORD_HEADER, it->meta_length};
	if (it->kind != ITEM_NOTE || !note_decode(payload, &note))
		return WHAT_END;
	switch (note.kind) {
	case NOTE_RCPT:
		return note.rcpt;
	case NOTE_HOLD:
		return WHAT_HOLD;
	default:
		return WHAT_SENDING;
	}
}

static int compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->what != y->what)
		return x->what < y->what ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static struct key *sorted_keys(const struct fifo *q, size_t *n)
{
	struct key *keys;
	size_t at = 0;
	*n = 0;
	for (struct item *it = q->first; it; it = it->next)
		++*n;
	keys = mem_alloc((*n + 1) * sizeof *keys);
	for (struct item *it = q->first; it; it = it->next, at++)
		keys[at] = (struct key){it->id, what_of(it), at, it};
	qsort(keys, *n, sizeof *keys, compare);
	return keys;
}

static bool is_superseded(const struct key *keys, size_t n, size_t i, bool has_ended)
{
	if (keys[i].item->kind != ITEM_NOTE)
		return false;
	return has_ended ||
	       (i + 1 < n && keys[i + 1].id == keys[i].id && keys[i + 1].what == keys[i].what);
}

static void prune(struct writer *w)
{
	size_t n, kept = 0;
	struct key *keys = sorted_keys(&w->backlog, &n);
	bool *goes = mem_alloc(n + 1);
	bool has_ended = false;
	for (size_t i = n; i-- > 0;) {
		/* Its end sorts last among what is said of a message. */
		if (i + 1 == n || keys[i + 1].id != keys[i].id)
			has_ended = keys[i].item->kind != ITEM_NOTE;
		goes[keys[i].at] = is_superseded(keys, n, i, has_ended);
	}
	struct fifo old;
	fifo_init(&old);
	fifo_move(&old, &w->backlog);
	size_t at = 0;
	for (struct item *it; (it = fifo_pop(&old)); at++) {
		if (goes[at]) {
			writer_settle_as(w, it, 0);
			continue;
		}
		fifo_push(&w->backlog, it);
		kept++;
	}
	free(goes);
	free(keys);
	w->n_backlog = kept;
	w->prune_at = 2 * kept > PRUNE_FIRST ? 2 * kept : PRUNE_FIRST;
}

void backlog_push(struct writer *w, struct item *it)
{
	fifo_push(&w->backlog, it);
	if (++w->n_backlog > (w->prune_at ? w->prune_at : PRUNE_FIRST))
		prune(w);
}
