/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions that we ask again of our own accord: after greylisting, with the identical triplet, so that the
 * client's retry finds an answer. One sorted list and one fiber, which lives only while something is due.
 * Bounded; what is lost by a restart is taken up again from the cache.
 */
#pragma once

#include "rt/rt.h"

struct verify;
struct reprobes {
	struct list due; /* soonest first */
	size_t n;
	struct cond changed;
	bool is_running;
};
struct reprobe_plan {
	struct wall due, first; /* first: when this row of temporary answers began */
	unsigned attempts;      /* including the one that is planned */
};

void reprobes_init(struct reprobes *r);
void reprobes_done(struct reprobes *r);
/* When the attempt after `attempts` own ones is due, for a row that began at first; false: enough was asked. */
bool reprobe_due(usec_t retry, struct wall first, unsigned attempts, struct wall now, struct wall *due);
/* Puts the question on the list. When it is due and the cache no longer says TEMPORARY, nobody is asked. */
void reprobe_plan(struct verify *v, struct str key, const struct reprobe_plan *plan);
/* What the cache says is still waiting, after a start. */
void reprobes_resume(struct verify *v);
