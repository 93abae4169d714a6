/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a check would have done to a message in enforce mode, when the mode in force only watches: every door notes it
 * in the same words, the history is indexed by it, and `postern report observe` reads it back.
 */
#pragma once

#include "trail/trail.h"

/* would: VERDICT_REJECT, VERDICT_DEFER or VERDICT_TAG. reply: what would have been said; for a tag why. */
void trail_note_would(struct trail *t, struct wall at, const char *check, enum verdict would, enum cause_id cause,
                      struct str subject, struct str reply);
/* The gravest that is noted, VERDICT_NONE: nothing would have happened. *entry (may be NULL): where it stands. */
enum verdict trail_would(const struct trail *t, const struct trail_entry **entry);
/* What one entry notes, VERDICT_NONE: it is of another kind. */
enum verdict trail_entry_would(const struct trail_entry *e);
