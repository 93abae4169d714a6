/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMARC policy records (RFC 9989 4.7, 4.8). Pure. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_NO, DMARC_PSD_YES };
const char *dmarc_policy_name(enum dmarc_policy p);

struct dmarc_record {
	bool has_policy;      /* p= can be applied: valid, or none because somebody wants reports */
	bool has_sp, has_np;
	enum dmarc_policy p, sp, np;
	enum dmarc_psd psd;
	bool is_dkim_strict, is_spf_strict; /* adkim, aspf */
	bool is_testing;      /* t=y */
	unsigned oddities;    /* bits of enum dmarc_oddity */
	struct str rua, ruf, fo;
};
/* What an owner should mend; none of it makes a record invalid (4.7, 4.8). */
enum dmarc_oddity {
	DMARC_ODD_REMOVED_TAG = 1 << 0, /* pct, rf, ri */
	DMARC_ODD_UNKNOWN_TAG = 1 << 1,
	DMARC_ODD_NO_POLICY = 1 << 2,
	DMARC_ODD_POLICY = 1 << 3,      /* p, sp or np with a value that is none */
	DMARC_ODD_ALIGNMENT = 1 << 4,   /* adkim, aspf */
	DMARC_ODD_FLAG = 1 << 5,        /* t, psd, fo */
	DMARC_ODD_TWICE = 1 << 6,
	DMARC_ODD_SYNTAX = 1 << 7,      /* a part that is not name=value */
	DMARC_ODD_URI = 1 << 8,
	DMARC_ODD_SIZE = 1 << 9,        /* !10m behind a URI */
};
#define DMARC_ODDITIES 10
const char *dmarc_oddity_text(unsigned which); /* 0 to DMARC_ODDITIES - 1 */

/* False: this is no DMARC record at all. Unknown tags are ignored, as are pct, rf and ri of old. */
bool dmarc_record_parse(struct str text, struct dmarc_record *out);
/* A text that its writer may have taken for a DMARC record, but that is none: "v=dmarc1", "v=DMARC 1". */
bool dmarc_is_near_miss(struct str text);

/* The next place for reports of rua= or ruf=: *uri without the obsolete size limit, empty where it is no URI
 * (RFC 3986 3; commas and exclamation marks are written in percent form). False at the end of the list. */
bool dmarc_uri_next(struct str *list, struct str *uri);
