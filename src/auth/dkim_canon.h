/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canonical forms of header fields and bodies (RFC 6376 3.4), and the hashes of a body that is read once.
 *
 * A line ends where mail/header.h and smtp/dot.h end it: CR LF, a bare LF, a run of CR. What was hashed here
 * can therefore not differ from what leaves us. The body is pushed in pieces of any size and never kept: each
 * pair of form and hash that some signature asks for is computed in the same pass.
 */
#pragma once

#include "auth/dkim_record.h"
#include "base/buf.h"

/* One field with its line end, `whole` as header_scan_next gives it. `cut` is a part of `whole` to leave out (the
 * value of b=), empty: none. */
void dkim_canon_field(struct buf *out, bool is_relaxed, struct str name, struct str whole, struct str cut);

#define DKIM_DIGEST_MAX 32
struct dkim_digest {
	unsigned char bytes[DKIM_DIGEST_MAX];
	size_t n;
};
struct dkim_bodies;
struct dkim_bodies *dkim_bodies_new(void);
void dkim_bodies_free(struct dkim_bodies *b); /* accepts NULL */
/* Before the first byte. Returns a handle, the same one for equal wishes; -1: too many different ones.
 * has_limit: only the first `limit` canonical bytes (l=). */
#define DKIM_BODY_HASHES_MAX 12
int dkim_bodies_want(struct dkim_bodies *b, bool is_relaxed, enum dkim_hash hash, bool has_limit, uint64_t limit);
void dkim_bodies_push(struct dkim_bodies *b, struct str piece);
void dkim_bodies_finish(struct dkim_bodies *b);
/* After the end: the digest, and how many canonical bytes the whole body has. */
uint64_t dkim_bodies_result(const struct dkim_bodies *b, int handle, struct dkim_digest *out);

/* The hash of one text. */
void dkim_hash(enum dkim_hash hash, struct str text, struct dkim_digest *out);
