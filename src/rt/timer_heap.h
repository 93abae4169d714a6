/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers by time: a 4-ary heap of pointers, so that 15,000 waiting sessions cost a few compares
 * each, and any timer can be taken out in the middle. The timer itself lives in its owner.
 */
#pragma once

#include "base/clock.h"

struct timer {
	usec_t at;
	size_t index; /* in the heap, from 1; 0: not set */
	void (*fn)(struct timer *timer);
};
struct timer_slot {
	usec_t at;
	struct timer *timer;
};
struct timer_heap {
	struct timer_slot *slots;
	size_t n, capacity;
};

void timer_heap_done(struct timer_heap *h);
/* Sets, or moves one that is set. */
void timer_set(struct timer_heap *h, struct timer *t, usec_t at);
void timer_stop(struct timer_heap *h, struct timer *t); /* also when it is not set */
usec_t timer_next(const struct timer_heap *h);		/* INT64_MAX: none */
/* Takes the earliest out if it is due, or returns NULL. */
struct timer *timer_due(struct timer_heap *h, usec_t now);
