/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of a header, and the digest of the fields that a signature covers (RFC 6376 3.7, 5.4.2). */
#include "auth/dkim_fields.h"

#define FIELDS_FIRST 32 /* most messages have fewer; all of DKIM_FIELDS_MAX would be 200 KB to clear */

static struct header_field *fields_grow(struct arena *arena, const struct header_field *old, size_t n, size_t *room)
{
	*room = *room ? *room * 4 : FIELDS_FIRST;
	if (*room > DKIM_FIELDS_MAX)
		*room = DKIM_FIELDS_MAX;
	struct header_field *fields = arena_alloc(arena, *room * sizeof(*fields));
	if (n > 0)
		memcpy(fields, old, n * sizeof(*fields));
	return fields;
}

bool dkim_fields_init(struct dkim_fields *out, struct arena *arena, struct str header, const char **why)
{
	struct header_field *fields = NULL;
	size_t room = 0;
	struct header_scan scan;
	struct header_field f;

	*out = (struct dkim_fields){.arena = arena};
	buf_init(&out->scratch, 4 * DKIM_HEADER_MAX);
	header_scan_init(&scan, header);
	while (header_scan_next(&scan, &f)) {
		*why = "the header has over 2000 fields";
		if (out->n == DKIM_FIELDS_MAX)
			return false;
		*why = "the header is over 1 MiB";
		if (scan.at > DKIM_HEADER_MAX)
			return false;
		if (out->n == room)
			out->field = fields = fields_grow(arena, fields, out->n, &room);
		fields[out->n++] = f;
	}
	return true;
}

void dkim_fields_done(struct dkim_fields *f)
{
	buf_done(&f->scratch);
}

/* The lowest field of that name that is not taken; NULL: none is left, which is how signers forbid one. */
static const struct header_field *field_take(const struct dkim_fields *f, struct str name, bool *is_taken)
{
	for (size_t i = f->n; i-- > 0;) {
		if (is_taken[i] || !str_ieq(f->field[i].name, name))
			continue;
		is_taken[i] = true;
		return &f->field[i];
	}
	return NULL;
}

bool dkim_fields_digest(struct dkim_fields *f, const struct dkim_signature *s, const struct header_field *own,
                        struct dkim_digest *out)
{
	bool is_taken[DKIM_FIELDS_MAX];
	struct str rest = s->fields, name;
	size_t names = 0;

	memset(is_taken, 0, f->n);
	buf_clear(&f->scratch);
	while (dkim_fields_next(&rest, &name)) {
		if (++names > DKIM_SIGNED_NAMES_MAX)
			return false;
		const struct header_field *field = field_take(f, name, is_taken);
		if (field && field != own)
			dkim_canon_field(&f->scratch, s->is_header_relaxed, field->name, field->whole, STR_NONE);
	}
	dkim_canon_field(&f->scratch, s->is_header_relaxed, own->name, own->whole, s->b_span);
	if (!buf_ok(&f->scratch))
		return false;
	/* 3.7: the signature's own field comes without its last CRLF. */
	dkim_hash(s->hash, str_slice(buf_view(&f->scratch), 0, f->scratch.n - 2), out);
	return true;
}
