/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of questions about one address in an open session, and the verdict they add up to.
 *
 *	real-first:    the address ──taken──► (domain not known) the random local part: refused → exists
 *	                           │                                                    taken   → catch_all
 *	                           ├─refused, certain────────────► absent
 *	                           ├─refused, ambiguous──► postmaster@: taken   → absent (they told us apart)
 *	                           │                                    refused → blocked (they refuse us)
 *	                           └─greylisted──► the random local part too, so that its triplet ages as well
 *	random-first:  the random local part first; taken → catch_all, and the address is never asked
 *
 * An answer about the address stands, whatever happens to the control question behind it.
 */
#pragma once

#include "verify/probe.h"
#include "verify/verify.h"

enum inquiry_control { CONTROL_NOT_ASKED, CONTROL_REFUSED, CONTROL_ACCEPTED, CONTROL_DEFERRED, CONTROL_UNKNOWN };

struct inquiry_plan {
	struct str random_local;
	bool wants_control;      /* the domain is not known */
	bool is_random_first;
	bool postmaster_lately;  /* the positive control succeeded minutes ago */
};
struct inquiry {
	enum verify_verdict verdict;
	enum verify_class class;
	enum cause_id cause;
	int code;
	enum probe_meaning meaning;   /* of the deciding reply */
	enum probe_stage stage;
	enum inquiry_control control;
	bool null_refused;
	bool postmaster_ok;
	bool says_us, opts_out, is_busy; /* for breakers; said by any of the replies */
	char said[256];
};

/* False: cancelled. */
WAITS bool inquiry_run(struct probe *p, const struct address *a, const struct inquiry_plan *plan, struct inquiry *out,
                       struct err *err);
/* What one reading comes to without further questions; also for replies at the connection. */
void inquiry_judge(const struct probe_answer *answer, struct inquiry *out);
