/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for readiness, and being told of it. */
#include "rt/watch.h"

#include "rt/backend.h"

#include <assert.h>

void watch_init(struct watch *w, int fd)
{
	*w = (struct watch){.fd = fd, .is_readable = true};
}

bool watch_is_idle(const struct watch *w)
{
	return !w->fiber[SIDE_READ] && !w->fiber[SIDE_WRITE];
}

bool watch_wait(struct watch *w, enum watch_side side, int events, usec_t until, bool *elapsed,
		const char *label, struct err *err)
{
	assert(!w->fiber[side] && "one reader and one writer");
	w->fiber[side] = fiber_self();
	w->wants[side] = (uint8_t)events;
	bool ok = fiber_park(NULL, until, elapsed, label, err);
	w->fiber[side] = NULL;
	return ok;
}

void watch_ready(struct watch *w, int events, bool is_hung_up)
{
	w->is_hung_up |= is_hung_up;
	w->is_readable |= (events & IO_IN) || is_hung_up;
	for (int side = SIDE_READ; side <= SIDE_WRITE; side++)
		if (w->fiber[side] && (is_hung_up || (w->wants[side] & events)))
			fiber_wake(w->fiber[side], WAKE_READY);
}

bool rt_wait_fd(int fd, int events, const char *label, struct err *err)
{
	struct runtime *rt = the_rt;
	struct watch w;
	watch_init(&w, fd);
	if (!fiber_may_wait(err) || !rt->backend->watch_add(rt, &w, events, true, err))
		return false;
	bool ok = watch_wait(&w, SIDE_READ, events, INT64_MAX, NULL, label, err);
	rt->backend->watch_remove(rt, &w);
	return ok;
}

bool rt_wait_signal(const int *signals, int n, int *got, struct err *err)
{
	return the_rt->backend->wait_signal(the_rt, signals, n, got, err);
}
