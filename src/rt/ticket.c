/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tickets: the counted meeting point of an asker and a worker that do not wait for each other's
 * end. */
#include "rt/runtime.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct ticket {
	unsigned count;
	bool is_complete;
	const char *label;
	void *result;
	void (*free_result)(void *);
	struct list waiters;
};

struct ticket *ticket_new(const char *label)
{
	struct ticket *t = mem_new(struct ticket);
	t->count = 1;
	t->label = label;
	list_init(&t->waiters);
	return t;
}

struct ticket *ticket_ref(struct ticket *t)
{
	assert(t->count > 0);
	t->count++;
	return t;
}

void ticket_unref(struct ticket *t)
{
	if (!t)
		return;
	assert(t->count > 0);
	if (--t->count > 0)
		return;
	assert(list_is_empty(&t->waiters) && "who waits on a ticket holds it");
	if (t->result && t->free_result)
		t->free_result(t->result);
	free(t);
}

void ticket_complete(struct ticket *t, void *result, void (*free_result)(void *))
{
	assert(!t->is_complete && "a ticket is completed once");
	t->is_complete = true;
	t->result = result;
	t->free_result = free_result;
	fibers_wake_all(&t->waiters);
}

bool ticket_is_complete(const struct ticket *t)
{
	return t->is_complete;
}

void *ticket_result(const struct ticket *t)
{
	return t->result;
}

bool ticket_wait(struct ticket *t, struct err *err)
{
	while (!t->is_complete)
		if (!fiber_park(&t->waiters, INT64_MAX, NULL, t->label, err))
			return false;
	return true;
}
