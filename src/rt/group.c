/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: fork, join, cancel. */
#include "rt/runtime.h"

void group_init(struct group *g, const char *name)
{
	*g = (struct group){.name = name};
	list_init(&g->fibers);
	list_init(&g->waiters);
}

bool group_go(struct group *g, const char *label, WAITS void (*fn)(void *arg), void *arg,
	      struct err *err)
{
	if (g->is_cancelled)
		return err_kind(err, ERR_CANCELLED, CAUSE_MAINTENANCE, "%s is ending", g->name);
	return fiber_spawn(g, label, fn, arg, err);
}

void group_cancel(struct group *g)
{
	g->is_cancelled = true;
	list_each(l, &g->fibers)
	{
		struct fiber *f = container_of(l, struct fiber, member);
		f->is_cancelled = true;
		if (!f->is_uninterruptible)
			fiber_wake(f, WAKE_CANCELLED);
	}
}

bool group_wait(struct group *g, struct err *err)
{
	while (g->n > 0)
		if (!fiber_park(&g->waiters, INT64_MAX, NULL, g->name, err))
			return false;
	return true;
}

void group_done(struct group *g)
{
	group_cancel(g);
	while (g->n > 0)
		fiber_park_firmly(&g->waiters, g->name);
}
