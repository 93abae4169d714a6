/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMARC by RFC 9989: which policy the author's domain publishes, found by walking up the DNS in at most eight steps,
 * and whether SPF or DKIM vouch for that domain.
 *
 * The answer is what the owner of the domain asks for; what is done about it is the receiver's business, and a
 * reject wish alone is no reason to reject (RFC 9989 5.4). With `psl` organizational domains come from the public
 * suffix list, as in RFC 7489.
 */
#pragma once

#include "auth/dmarc_from.h"
#include "auth/dmarc_record.h"
#include "auth/psl.h"
#include "dns/dns.h"

enum dmarc_result { DMARC_RESULT_NONE, DMARC_RESULT_PASS, DMARC_RESULT_FAIL, DMARC_RESULT_TEMPERROR,
	DMARC_RESULT_PERMERROR };
const char *dmarc_result_name(enum dmarc_result r);

/* Domains that SPF or DKIM found to be genuine (pass only), A-labels in lower case. Past 20 they are not looked at. */
#define DMARC_IDENTIFIERS_MAX 20
struct dmarc_query {
	const struct dmarc_authors *authors; /* NULL: the From could not be read */
	const struct str *spf, *dkim;
	size_t n_spf, n_dkim;
	const struct psl_list *psl; /* NULL: the tree walk */
};
struct dmarc_answer {
	enum dmarc_result result;
	bool has_record;
	struct dmarc_record record;
	enum dmarc_policy policy;      /* p, sp or np, as applies */
	enum dmarc_policy disposition; /* asked for by the owner: none for a pass, a step milder with t=y */
	struct str from;               /* the author domain */
	struct str policy_domain, org_domain;
	bool aligned_spf, aligned_dkim;
	const char *reason;
	bool has_several;              /* a name has more than one record, which is as good as none (4.10) */
	bool has_near_miss;            /* a text that is almost a record */
	unsigned lookups;
};
/* Texts are in `arena` or the query. False only when the fiber is cancelled or late. */
WAITS bool dmarc_check(struct resolver *r, const struct dmarc_query *query, struct arena *arena,
                       struct dmarc_answer *out, struct err *err);
/* The organizational domain of any name (4.10.2), or by `psl`. *is_temporary: the DNS failed on the way, and *out is a guess. */
WAITS bool dmarc_org_domain(struct resolver *r, const struct psl_list *psl, struct str domain, struct arena *arena,
                            struct str *out, bool *is_temporary, struct err *err);
