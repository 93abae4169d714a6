/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing a signature's field: tags folded at 76 columns, with the place where b= goes once it is known. */
#pragma once

#include "auth/dkim_fields.h"
#include "auth/dkim_key.h"

struct dkim_writer {
	struct arena *arena;
	struct buf text;   /* name, colon and tags so far, b= empty, no line end */
	size_t column;
	size_t b_at;       /* where the signature is put in */
	struct str name;
	bool is_b_whole;   /* b= is not folded: seals cover it, and the public suite's sealers leave it whole */
};
void dkim_write_begin(struct dkim_writer *w, struct arena *arena, struct str name);
void dkim_write_done(struct dkim_writer *w);
/* A list is folded behind its colons. */
void dkim_write_tag(struct dkim_writer *w, const char *name, struct str value);
void dkim_write_number(struct dkim_writer *w, const char *name, uint64_t value);
void dkim_write_digest(struct dkim_writer *w, const char *name, const struct dkim_digest *digest);
void dkim_write_b(struct dkim_writer *w); /* the empty b=; on a line of its own */
/* The field as it is hashed; valid until the next write. */
struct header_field dkim_write_field(const struct dkim_writer *w);
/* Signs the digest and appends the whole field with its CRLF to `out`. */
bool dkim_write_sign(struct dkim_writer *w, struct dkim_private_key *key, const struct dkim_digest *digest,
                     struct buf *out, struct err *err);
/* A field text that ends here as header_field; for fields just made. */
struct header_field dkim_made_field(struct str whole);
