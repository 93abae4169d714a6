/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heap of timers: four children a node, times beside the pointers so that compares stay in one
 * cache line. */
#include "rt/timer_heap.h"

#include <assert.h>
#include <stdlib.h>

void timer_heap_done(struct timer_heap *h)
{
	free(h->slots);
	*h = (struct timer_heap){0};
}

static void place(struct timer_heap *h, size_t i, struct timer_slot slot)
{
	h->slots[i] = slot;
	slot.timer->index = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer_slot slot)
{
	while (i > 0) {
		size_t parent = (i - 1) / 4;
		if (h->slots[parent].at <= slot.at)
			break;
		place(h, i, h->slots[parent]);
		i = parent;
	}
	place(h, i, slot);
}

static size_t earliest_child(const struct timer_heap *h, size_t i)
{
	size_t first = 4 * i + 1;
	size_t best = first;
	for (size_t child = first + 1; child < first + 4 && child < h->n; child++)
		if (h->slots[child].at < h->slots[best].at)
			best = child;
	return best;
}

static void sift_down(struct timer_heap *h, size_t i, struct timer_slot slot)
{
	while (4 * i + 1 < h->n) {
		size_t child = earliest_child(h, i);
		if (slot.at <= h->slots[child].at)
			break;
		place(h, i, h->slots[child]);
		i = child;
	}
	place(h, i, slot);
}

static void sift(struct timer_heap *h, size_t i, struct timer_slot slot)
{
	if (i > 0 && slot.at < h->slots[(i - 1) / 4].at)
		sift_up(h, i, slot);
	else
		sift_down(h, i, slot);
}

void timer_set(struct timer_heap *h, struct timer *t, usec_t at)
{
	struct timer_slot slot = {at, t};
	t->at = at;
	if (t->index > 0) {
		sift(h, t->index - 1, slot);
		return;
	}
	if (h->n == h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : 64;
		h->slots = realloc(h->slots, h->capacity * sizeof(*h->slots));
		assert(h->slots);
	}
	sift_up(h, h->n++, slot);
}

void timer_stop(struct timer_heap *h, struct timer *t)
{
	if (t->index == 0)
		return;
	size_t i = t->index - 1;
	t->index = 0;
	struct timer_slot last = h->slots[--h->n];
	if (last.timer != t)
		sift(h, i, last);
}

usec_t timer_next(const struct timer_heap *h)
{
	return h->n > 0 ? h->slots[0].at : INT64_MAX;
}

struct timer *timer_due(struct timer_heap *h, usec_t now)
{
	if (h->n == 0 || h->slots[0].at > now)
		return NULL;
	struct timer *t = h->slots[0].timer;
	timer_stop(h, t);
	return t;
}
