/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signing: one pass over the body for any number of domains and selectors (RFC 6376 5).
 *
 * From is oversigned: it is named once more than it stands there, so that a second one added later breaks the
 * signature instead of fooling the reader (RFC 6376 8.15).
 */
#pragma once

#include "auth/dkim_write.h"
#include "base/clock.h"

struct dkim_signer {
	struct str domain, selector;
	struct dkim_private_key *key;
	struct str fields;           /* h= to sign, names with colons between; empty: what RFC 6376 5.4.1 recommends */
	bool is_header_simple, is_body_simple; /* relaxed otherwise */
};
struct dkim_signing;
/* `signers`, `header` and `arena` must outlive it. NULL: the header is beyond the limits or has no From. */
struct dkim_signing *dkim_sign_new(struct arena *arena, const struct dkim_signer *signers, size_t n, struct wall now,
                                   struct str header, struct dkim_bodies *bodies, struct err *err);
/* After the body: appends one DKIM-Signature field for each signer, each with its CRLF. */
bool dkim_sign_finish(struct dkim_signing *s, const struct dkim_bodies *bodies, struct buf *out, struct err *err);
void dkim_sign_done(struct dkim_signing *s); /* accepts NULL */

/* "relaxed/simple", "relaxed" and so on; false: no such form. */
bool dkim_canonicalization_parse(struct str text, bool *is_header_simple, bool *is_body_simple);
