/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What check-config and doctor found: one line each for people, with what to do below it, or one JSON document. */
#pragma once

#include "base/buf.h"

/* NA: there is nothing to look at here, and that is no trouble. */
enum finding_state { FINDING_PASS, FINDING_WARN, FINDING_FAULT, FINDING_UNKNOWN, FINDING_NA };

struct findings {
	struct buf out;
	bool as_json, has_colour;
	unsigned counts[FINDING_NA + 1];
};
void findings_init(struct findings *f, bool as_json, bool has_colour);
/* fix: what to do about it; NULL: nothing. */
void finding_add(struct findings *f, enum finding_state state, const char *id, const char *fix, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
/* Prints, frees and returns the exit status: a fault is 2; else what could not be found out is `unknown`; else a warning 1. */
int findings_finish(struct findings *f, int unknown);
