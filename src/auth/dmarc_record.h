/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMARC policy records (RFC 9989 4.7) and the author domain of a From field (5.3.1). Pure. */
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
	struct str rua, ruf, fo;
};
/* False: this is no DMARC record at all. Unknown tags are ignored, as are pct, rf and ri of old. */
bool dmarc_record_parse(struct str text, struct dmarc_record *out);

/* The domains of the addresses in the value of a From field, A-labels in lower case, each once.
 * False: not readable as addresses; nothing may be concluded from such a field. */
#define DMARC_AUTHORS_MAX 8
struct dmarc_authors {
	struct str domain[DMARC_AUTHORS_MAX];
	size_t n;
};
bool dmarc_authors_parse(struct arena *arena, struct str from, struct dmarc_authors *out);
