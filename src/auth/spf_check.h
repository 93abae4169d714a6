/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_host() of RFC 7208: may this address send for this domain?
 *
 * Bounds, all of section 4.6.4: ten terms that ask the DNS, two void look-ups, ten names of one mx or ptr. The null
 * sender is checked by its HELO name (2.4). PermError is a fault of the record, TempError one of the DNS; neither is a fail.
 */
#pragma once

#include "base/buf.h"
#include "dns/dns.h"

enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };
const char *spf_result_name(enum spf_result r); /* "pass", as in header fields */

struct spf_query {
	struct ip ip;
	struct str helo;
	struct str from;     /* local@domain; empty: the null sender, so the HELO identity */
	struct str receiver; /* our own name, for %{r} and Received-SPF */
	struct wall now;     /* for %{t} */
	bool wants_trace;    /* costs text for each step */
	bool has_no_explanation; /* leaves exp= alone, and its look-up */
};
struct spf_answer {
	enum spf_result result;
	bool is_helo;            /* the identity that was checked */
	struct str domain;       /* and its domain */
	struct str mechanism;    /* the term that decided, as written; "default" where none did; empty without a record */
	struct str explanation;  /* what the domain says about a fail (exp=, 6.2); a stranger's words */
	struct str problem;      /* of a TempError or PermError: which and where */
	unsigned lookups, void_lookups;
	struct str trace;        /* lines for people, LF after each */
};
/* Texts are in `arena`. False only when the fiber is cancelled; a deadline that passes is a TempError (4.6.4). */
WAITS bool spf_check(struct resolver *r, const struct spf_query *query, struct arena *arena, struct spf_answer *out,
                     struct err *err);
/* The header field of 9.1, folded, with CRLF at its end. */
void spf_received_field(const struct spf_query *query, const struct spf_answer *answer, struct buf *out);
