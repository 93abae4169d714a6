/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verdict becomes: the table of both profiles, and the administrator's overrides. */
#include "verify/verify.h"

#include <assert.h>

/* One row for each line of REPLIES.md, one column for each profile. */
static const enum verify_action table[VERIFY_ROWS][2] = {
	/*                                     careful            strict */
	[VERIFY_ROW_EXISTS]                = {VERIFY_ACCEPT,     VERIFY_ACCEPT},
	[VERIFY_ROW_NULL_REFUSED]          = {VERIFY_ACCEPT,     VERIFY_REFUSE},
	[VERIFY_ROW_ABSENT]                = {VERIFY_REFUSE,     VERIFY_REFUSE},
	[VERIFY_ROW_CATCH_ALL]             = {VERIFY_ACCEPT,     VERIFY_ACCEPT_TAG},
	[VERIFY_ROW_BLOCKED]               = {VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	[VERIFY_ROW_UNVERIFIABLE]          = {VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	[VERIFY_ROW_UNVERIFIABLE_VOUCHED]  = {VERIFY_ACCEPT,     VERIFY_ACCEPT},
	[VERIFY_ROW_TEMPORARY]             = {VERIFY_DEFER,      VERIFY_DEFER},
	[VERIFY_ROW_PATIENCE_OVER]         = {VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	[VERIFY_ROW_BUDGET]                = {VERIFY_ACCEPT_TAG, VERIFY_DEFER},
};

/* Our own budget is our own trouble: patience does not end it. */
static bool is_patience_over(const struct verify_conf *conf, const struct verify_answer *a, struct wall now)
{
	return a->class != VERIFY_CLASS_BUSY && a->first_failed.us && wall_diff(now, a->first_failed) >= conf->patience;
}

enum verify_row verify_row_of(const struct verify_conf *conf, const struct verify_answer *a, const struct evidence *e,
                              struct wall now)
{
	switch (a->verdict) {
	case VERIFY_EXISTS:
		return a->null_refused ? VERIFY_ROW_NULL_REFUSED : VERIFY_ROW_EXISTS;
	case VERIFY_ABSENT:
		return VERIFY_ROW_ABSENT;
	case VERIFY_CATCH_ALL:
		return VERIFY_ROW_CATCH_ALL;
	case VERIFY_BLOCKED:
		return VERIFY_ROW_BLOCKED;
	case VERIFY_UNVERIFIABLE:
		return evidence_is_vouched(e) ? VERIFY_ROW_UNVERIFIABLE_VOUCHED : VERIFY_ROW_UNVERIFIABLE;
	case VERIFY_TEMPORARY:
		return is_patience_over(conf, a, now) ? VERIFY_ROW_PATIENCE_OVER : VERIFY_ROW_TEMPORARY;
	case VERIFY_SKIPPED:
		break;
	}
	return a->skip == SKIP_BUDGET ? VERIFY_ROW_BUDGET : VERIFY_ROW_NEVER;
}

static enum verify_action cell(const struct verify_conf *conf, enum verify_row row)
{
	if (row == VERIFY_ROW_NEVER)
		return VERIFY_ACCEPT;
	switch ((enum verify_override)conf->on[row]) {
	case OVERRIDE_ACCEPT:
		return VERIFY_ACCEPT;
	case OVERRIDE_TAG:
		return VERIFY_ACCEPT_TAG;
	case OVERRIDE_DEFER:
		return VERIFY_DEFER;
	case OVERRIDE_REFUSE:
		return VERIFY_REFUSE;
	case OVERRIDE_PROFILE:
		break;
	}
	return table[row][conf->profile == VERIFY_STRICT];
}

enum verify_action verify_decide(const struct verify_conf *conf, const struct verify_answer *a, const struct evidence *e,
                                 struct wall now)
{
	enum verify_row row = verify_row_of(conf, a, e, now);
	enum verify_action action = cell(conf, row);
	/* Patience ends every 451 that is a stranger's lasting fault, also one that an override made. */
	bool is_lasting = row == VERIFY_ROW_BLOCKED || row == VERIFY_ROW_UNVERIFIABLE || row == VERIFY_ROW_CATCH_ALL;
	if (action == VERIFY_DEFER && is_lasting && is_patience_over(conf, a, now))
		action = cell(conf, VERIFY_ROW_PATIENCE_OVER);
	return action;
}

const char *verify_action_name(enum verify_action a)
{
	static const char *const names[] = {"accept", "tag", "defer", "refuse"};
	assert(a <= VERIFY_REFUSE);
	return names[a];
}
