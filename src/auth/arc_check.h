/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Authenticated Received Chain of a message (RFC 8617 5.2). Used as dkim_check.h is: new, body, finish.
 *
 * What a passing chain proves is only who handled the message; what those hosts claim is worth what they are
 * worth. That judgement is the caller's.
 */
#pragma once

#include "auth/dkim_check.h"

struct arc_check {
	enum arc_cv cv;          /* none: there is no chain */
	const char *reason;      /* of a fail */
	bool is_temporary;       /* the fail comes from a key that the DNS did not give */
	unsigned sets;           /* instances found, the highest */
	bool has_failed_before;  /* the last seal says cv=fail: nothing may be added (5.1) */
	struct str domain, selector; /* of the last seal */
	struct arc_set *set;     /* private: [1 … sets] */
	struct dkim_pending *message; /* private: the last message signature */
	struct dkim_options options;
	struct dkim_fields fields;
	struct arena *arena;
};
struct arc_set {
	const struct header_field *results, *message, *seal;
	struct dkim_pending pending; /* the seal's */
	struct dkim_result result;
};
struct arc_check *arc_check_new(struct arena *arena, const struct dkim_options *options, struct str header,
                                struct dkim_bodies *bodies);
/* False only when the fiber is cancelled or late. */
WAITS bool arc_check_finish(struct arc_check *c, const struct dkim_bodies *bodies, struct resolver *r,
                            struct dkim_keys *keys, struct err *err);
void arc_check_done(struct arc_check *c); /* accepts NULL */
const char *arc_cv_name(enum arc_cv cv);
/* Appends the canonical fields of sets [first, last], of the last one without its seal, to `out` (5.1.1). */
void arc_canon_sets(const struct arc_check *c, unsigned first, unsigned last, struct buf *out);
