/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of one message, indexed once for all signatures, and what a signature hashes of it.
 * Bounded: a header beyond the limits is not indexed, and nothing in it is evaluated.
 */
#pragma once

#include "auth/dkim_canon.h"
#include "base/arena.h"
#include "mail/header.h"

#define DKIM_HEADER_MAX       (1u << 20) /* bytes */
#define DKIM_FIELDS_MAX       2000
#define DKIM_SIGNED_NAMES_MAX 400        /* names in one h= */

struct dkim_fields {
	const struct header_field *field;
	size_t n;
	struct arena *arena;
	struct buf scratch; /* canonical text of one signature */
};
/* `header`: the bytes up to the empty line, or the whole message; it must outlive `out`. False: beyond the limits, *why
 * says which. Done by dkim_fields_done either way. */
bool dkim_fields_init(struct dkim_fields *out, struct arena *arena, struct str header, const char **why);
void dkim_fields_done(struct dkim_fields *f);

/* The digest of the fields named in h=, each name taking the lowest field not taken yet (RFC 6376 5.4.2), and of the
 * signature's own field last. `own` may be of another message: a signature being made. False: h= has too many names. */
bool dkim_fields_digest(struct dkim_fields *f, const struct dkim_signature *s, const struct header_field *own,
                        struct dkim_digest *out);
