/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlines: a chain through the caller's frames; the earliest counts. */
#include "rt/runtime.h"

#include <assert.h>

usec_t time_after(usec_t duration)
{
	return duration < INT64_MAX - rt_now() ? rt_now() + duration : INT64_MAX;
}

void deadline_push_at(struct deadline *d, usec_t at, const char *what)
{
	struct fiber *f = fiber_self();
	*d = (struct deadline){.at = at, .since = rt_now(), .what = what, .outer = f->deadline};
	f->deadline = d;
}

void deadline_push(struct deadline *d, usec_t after, const char *what)
{
	deadline_push_at(d, time_after(after), what);
}

void deadline_pop(struct deadline *d)
{
	struct fiber *f = fiber_self();
	assert(f->deadline == d && "deadlines are popped in reverse order");
	f->deadline = d->outer;
}

struct deadline *deadline_nearest(const struct fiber *f)
{
	struct deadline *nearest = f->deadline;
	for (struct deadline *d = nearest; d; d = d->outer)
		if (d->at < nearest->at)
			nearest = d;
	return nearest;
}

usec_t deadline_left(void)
{
	const struct deadline *d = deadline_nearest(fiber_self());
	if (!d || d->at == INT64_MAX)
		return INT64_MAX;
	return d->at > rt_now() ? d->at - rt_now() : 0;
}

bool deadline_error(const struct deadline *d, struct err *err)
{
	char took[32];
	struct str text = duration_text(d->at - d->since, took);
	return err_kind(err, ERR_TIMEOUT, CAUSE_NETWORK, "timed out after %.*s: %s", STR_ARG(text),
			d->what ? d->what : "waiting");
}
