/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the addresses of From as a careful reader does: what two readers could take for two authors is not readable. */
#include "auth/dmarc_from.h"

#include "mail/address.h"
#include "mail/header.h"

/* One mailbox while it is read: what stands outside of comments, and what stands between < and >. */
struct mailbox {
	char *text;
	size_t n;
	size_t angle;       /* where the text in <> begins */
	bool has_angle, is_closed;
};

/* obs-domain allows blanks and comments around the dots (RFC 5322 4.4); within a label they stay, and make it none. */
static struct str domain_join(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.n + 1);
	struct str rest = text, label;
	size_t n = 0;
	bool is_first = true;

	while (str_cut(&rest, '.', &label)) {
		label = str_trim(label);
		if (!is_first)
			out[n++] = '.';
		is_first = false;
		memcpy(out + n, label.n ? label.p : "", label.n);
		n += label.n;
	}
	if (str_ends(str_trim(text), STR(".")))
		out[n++] = '.';
	return (struct str){out, n};
}

static bool author_add(struct arena *arena, const struct mailbox *m, struct dmarc_authors *out)
{
	struct str address = {m->text + m->angle, m->n - m->angle}, ascii;
	size_t at;
	struct err err;

	address = str_trim(address);
	if (address.n == 0 && !m->has_angle)
		return true; /* between two commas (RFC 5322 4.4) */
	at = str_rfind_char(address, '@');
	/* a second at sign that is not quoted: readers differ about which one stands before the domain */
	if (at == address.n || at == 0 || str_find_char(address, '@') != at || (m->has_angle && !m->is_closed))
		return false;
	struct str domain = domain_join(arena, str_skip(address, at + 1));
	if (!domain_to_ascii(arena, domain, &ascii, &err) || !domain_is_valid(ascii))
		return false;
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->domain[i], ascii))
			return true;
	if (out->n == DMARC_AUTHORS_MAX)
		return false;
	out->domain[out->n++] = ascii;
	return true;
}

struct from_reader {
	struct mailbox box;
	size_t depth; /* of comments */
	bool is_quoted, is_group;
};

/* Structure of a list of addresses outside of quotes and comments. False: cannot be one. */
static bool from_mark(struct arena *arena, struct from_reader *r, char c, struct dmarc_authors *out)
{
	struct mailbox *b = &r->box;

	switch (c) {
	case '<':
		if (b->has_angle)
			return false;
		b->has_angle = true;
		b->angle = b->n;
		return true;
	case '>':
		if (!b->has_angle || b->is_closed)
			return false; /* a stray one is an error, not something to skip */
		b->is_closed = true;
		return true;
	case ':':
		if (b->has_angle || r->is_group || memchr(b->text, '@', b->n))
			return false; /* a group's name is no address */
		r->is_group = true;
		break;
	default: /* , or ; */
		if ((c == ';' && !r->is_group) || !author_add(arena, b, out))
			return false;
		r->is_group &= c != ';';
	}
	*b = (struct mailbox){.text = b->text};
	return true;
}

/* One byte outside of comments. */
static bool from_take(struct arena *arena, struct from_reader *r, char c, bool is_escaped, struct dmarc_authors *out)
{
	bool is_literal = is_escaped || r->is_quoted;

	if (c == '\r' || c == '\n') /* a fold, or a stray one: either way no part of a word */
		c = ' ';
	if (!is_literal && strchr("<>:,;", c))
		return from_mark(arena, r, c, out);
	if (r->box.is_closed)
		return c == ' ' || c == '\t'; /* no text behind <...> */
	/* an @ in quotes belongs to a local part and must not be taken for the one before the domain */
	r->box.text[r->box.n++] = is_literal && c == '@' ? '_' : c;
	return true;
}

bool dmarc_authors_parse(struct arena *arena, struct str from, struct dmarc_authors *out)
{
	struct from_reader r = {.box.text = arena_alloc(arena, from.n + 1)};
	struct dmarc_authors authors = {.n = 0};

	if (from.n > 0 && memchr(from.p, '\0', from.n))
		return false;
	for (size_t i = 0; i < from.n; i++) {
		char c = from.p[i];
		bool is_escaped = c == '\\' && (r.is_quoted || r.depth > 0) && i + 1 < from.n;
		bool ends_comment = false;
		if (is_escaped)
			c = from.p[++i];
		else if (c == '"' && r.depth == 0)
			r.is_quoted = !r.is_quoted;
		else if (c == '(' && !r.is_quoted)
			r.depth++;
		else if (c == ')' && !r.is_quoted && r.depth > 0)
			ends_comment = --r.depth == 0;
		if (ends_comment) /* a comment parts words, as a blank does */
			c = ' ';
		if (r.depth == 0 && !from_take(arena, &r, c, is_escaped, &authors))
			return false;
	}
	if (r.is_quoted || r.depth > 0 || r.is_group || !author_add(arena, &r.box, &authors))
		return false;
	*out = authors;
	return true;
}

/* What stands before the colon is "From" once blanks, line ends and bytes that no field name has are left out: some readers
 * show such a line as an author. */
static bool resembles_from(struct str line)
{
	static const char from[] = "from";
	size_t n = 0;

	for (size_t i = 0; i < line.n && line.p[i] != ':'; i++) {
		if (line.p[i] <= ' ' || line.p[i] > '~')
			continue;
		if (n == 4 || ascii_lower(line.p[i]) != from[n])
			return false;
		n++;
	}
	return n == 4 && str_find_char(line, ':') < line.n;
}

bool dmarc_authors_of_header(struct arena *arena, struct str header, struct dmarc_authors *out)
{
	struct dmarc_authors authors = {.n = 0};
	struct header_scan scan;
	struct header_field f;
	size_t n = 0;
	bool ok = true;

	header_scan_init(&scan, header);
	while (ok && header_scan_next(&scan, &f)) {
		if (str_ieq(f.name, STR("From")))
			ok = ++n == 1 && dmarc_authors_parse(arena, f.value, &authors);
		else if (f.name.n == 0)
			ok = !resembles_from(f.whole);
	}
	if (ok)
		*out = authors;
	return ok;
}
