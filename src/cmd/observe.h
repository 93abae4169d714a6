/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern report observe`: the prints of what was observed, and the exceptions that follow from it. */
#pragma once

#include "store/observed.h"

struct observe_report {
	const struct observed *o;
	const char *mode;       /* of verification now */
	size_t domains_max;     /* printed */
	struct str *suggestions; /* whole commands, safe to paste into a shell */
	size_t n_suggestions;
};
/* The arena keeps the texts. At most 100. */
void observe_suggest(struct arena *arena, const struct observed *o, struct str **out, size_t *n);

void observe_print_text(const struct observe_report *r, struct buf *out);
void observe_print_json(const struct observe_report *r, struct buf *out);
/* One page that needs nothing else, for a browser; everything that came from outside is escaped. */
void observe_print_html(const struct observe_report *r, struct buf *out);

/* "replied to, signed by its domain" */
void observe_proofs(unsigned proofs, struct buf *out);
