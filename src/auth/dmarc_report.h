/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a domain wants its DMARC reports, and whether whoever is there has agreed to get them (RFC 9990 3; RFC 9991 says
 * the same of ruf=): a destination in another organization than the record's must publish DOMAIN._report._dmarc.DESTINATION.
 * Without that a forger could have the whole world's reports sent to a victim.
 */
#pragma once

#include "auth/dmarc_check.h"

enum dmarc_report_state {
	DMARC_REPORT_OWN,         /* the same organization: nobody has to be asked */
	DMARC_REPORT_AUTHORISED,
	DMARC_REPORT_REFUSED,     /* no record, or one that leads elsewhere: nothing may be sent there */
	DMARC_REPORT_UNKNOWN,     /* the DNS gives no answer now */
	DMARC_REPORT_UNUSABLE,    /* no URI, or none that we could send to */
};
struct dmarc_report {
	const char *tag;          /* "rua" or "ruf" */
	struct str uri;           /* as published, without the obsolete size; of what is no URI empty */
	struct str host;          /* A-labels; empty when unusable */
	enum dmarc_report_state state;
	struct str query;         /* the name that was asked; empty: none */
	struct str instead;       /* the destination's own wish (step 9); empty: `uri` */
	const char *why;
};
#define DMARC_REPORTS_MAX 20 /* what stands behind is not looked at */

/* Of the record in `answer`, in its order, rua first. Texts are in `arena` or the record. False only when the fiber is
 * cancelled or late. */
WAITS bool dmarc_report_list(struct resolver *r, const struct psl_list *psl, const struct dmarc_answer *answer,
                             struct arena *arena, struct dmarc_report **out, size_t *n, struct err *err);
