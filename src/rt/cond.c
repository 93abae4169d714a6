/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions: a list of those who wait for news. */
#include "rt/runtime.h"

void cond_init(struct cond *c)
{
	list_init(&c->waiters);
}

bool cond_wait(struct cond *c, const char *label, struct err *err)
{
	return fiber_park(&c->waiters, INT64_MAX, NULL, label, err);
}

/* A fiber that was woken by a signal and is cancelled before it runs still sees the signal: were it
 * lost, another waiter would starve. */
void cond_signal(struct cond *c)
{
	struct link *l = list_first(&c->waiters);
	if (l)
		fiber_wake(container_of(l, struct fiber, wait), WAKE_READY);
}

void cond_broadcast(struct cond *c)
{
	fibers_wake_all(&c->waiters);
}
