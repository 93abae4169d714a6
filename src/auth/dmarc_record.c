/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading DMARC records and the addresses of From. */
#include "auth/dmarc_record.h"

#include "mail/address.h"

const char *dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const names[] = {"none", "quarantine", "reject"};

	return names[p];
}

static bool policy_parse(struct str text, enum dmarc_policy *out)
{
	for (int i = DMARC_NONE; i <= DMARC_REJECT; i++) {
		if (!str_ieq(text, str_from(dmarc_policy_name(i))))
			continue;
		*out = (enum dmarc_policy)i;
		return true;
	}
	return false;
}

/* Whether one of the addresses for reports could be one: scheme, colon, something. */
static bool has_report_uri(struct str list)
{
	struct str uri;

	while (str_cut(&list, ',', &uri)) {
		uri = str_trim(uri);
		size_t colon = str_find_char(uri, ':');
		if (colon > 0 && colon + 1 < uri.n && (!str_istarts(uri, STR("mailto:")) || str_find_char(uri, '@') < uri.n - 1))
			return true;
	}
	return false;
}

struct reading {
	struct dmarc_record record;
	bool has_p, is_policy_bad;
	unsigned seen; /* one bit for each known tag: the first one counts */
};

/* Names and values are case-insensitive where the grammar has plain strings (RFC 9989 4.8, RFC 5234 2.3). */
static void tag_take(struct reading *r, struct str name, struct str value)
{
	static const char *const names[] = {"p", "sp", "np", "psd", "adkim", "aspf", "t", "rua", "ruf", "fo"};
	struct dmarc_record *d = &r->record;
	unsigned i = 0;

	while (i < 10 && !str_ieq(name, str_from(names[i])))
		i++;
	if (i == 10 || r->seen & 1u << i)
		return;
	r->seen |= 1u << i;
	switch (i) {
	case 0:
		r->has_p = policy_parse(value, &d->p);
		break;
	case 1:
		d->has_sp = policy_parse(value, &d->sp);
		r->is_policy_bad |= !d->has_sp;
		break;
	case 2:
		d->has_np = policy_parse(value, &d->np);
		r->is_policy_bad |= !d->has_np;
		break;
	case 3:
		d->psd = str_ieq(value, STR("y")) ? DMARC_PSD_YES : str_ieq(value, STR("n")) ? DMARC_PSD_NO : DMARC_PSD_UNKNOWN;
		break;
	case 4: d->is_dkim_strict = str_ieq(value, STR("s")); break;
	case 5: d->is_spf_strict = str_ieq(value, STR("s")); break;
	case 6: d->is_testing = str_ieq(value, STR("y")); break;
	case 7: d->rua = value; break;
	case 8: d->ruf = value; break;
	default: d->fo = value; break;
	}
}

bool dmarc_record_parse(struct str text, struct dmarc_record *out)
{
	struct reading r = {0};
	struct str rest = text, word;
	bool is_first = true;

	while (str_cut(&rest, ';', &word)) {
		size_t equals = str_find_char(word, '=');
		struct str name = str_trim(str_slice(word, 0, equals)), value = str_trim(str_skip(word, equals + 1));
		/* 4.7: v= comes first, and DMARC1 is the one value whose case counts */
		if (is_first && (!str_ieq(name, STR("v")) || !str_eq(value, STR("DMARC1"))))
			return false;
		if (!is_first && equals < word.n)
			tag_take(&r, name, value);
		is_first = false;
	}
	if (is_first)
		return false;
	/* 4.7 p=: without a valid policy the record still asks for reports, as p=none; else it asks for nothing */
	r.record.has_policy = r.has_p && !r.is_policy_bad;
	if (!r.record.has_policy && has_report_uri(r.record.rua)) {
		r.record.has_policy = true;
		r.record.p = DMARC_NONE;
		r.record.has_sp = r.record.has_np = false;
	}
	*out = r.record;
	return true;
}

/* --- From --- */

/* One mailbox while it is read: what stands outside of comments, and what stands between < and >. */
struct mailbox {
	char *text;
	size_t n;
	size_t angle;       /* where the text in <> begins */
	bool has_angle, is_closed;
};

static bool author_add(struct arena *arena, const struct mailbox *m, struct dmarc_authors *out)
{
	struct str address = {m->text + m->angle, m->n - m->angle}, ascii;
	size_t at = str_rfind_char(address, '@');
	struct err err;

	address = str_trim(address);
	if (address.n == 0 && !m->has_angle)
		return true; /* between two commas (RFC 5322 4.4) */
	at = str_rfind_char(address, '@');
	if (at == address.n || at == 0 || (m->has_angle && !m->is_closed))
		return false;
	struct str domain = str_trim(str_skip(address, at + 1));
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
		if (b->has_angle || r->is_group)
			return false;
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

bool dmarc_authors_parse(struct arena *arena, struct str from, struct dmarc_authors *out)
{
	struct from_reader r = {.box.text = arena_alloc(arena, from.n + 1)};
	struct dmarc_authors authors = {.n = 0};

	for (size_t i = 0; i < from.n; i++) {
		char c = from.p[i];
		bool is_escaped = c == '\\' && (r.is_quoted || r.depth > 0) && i + 1 < from.n;
		if (c == '\0')
			return false;
		if (is_escaped)
			c = from.p[++i];
		else if (c == '"' && r.depth == 0)
			r.is_quoted = !r.is_quoted;
		else if (c == '(' && !r.is_quoted && ++r.depth)
			continue;
		else if (c == ')' && !r.is_quoted && r.depth > 0 && r.depth--)
			continue;
		if (r.depth > 0 || c == '\r' || c == '\n')
			continue;
		if (!is_escaped && !r.is_quoted && strchr("<>:,;", c)) {
			if (!from_mark(arena, &r, c, &authors))
				return false;
		} else if (!r.box.is_closed) {
			/* an @ in quotes belongs to a local part and must not be taken for the one before the domain */
			r.box.text[r.box.n++] = (is_escaped || r.is_quoted) && c == '@' ? '_' : c;
		} else if (c != ' ' && c != '\t') {
			return false; /* text behind <…> */
		}
	}
	if (r.is_quoted || r.depth > 0 || r.is_group || !author_add(arena, &r.box, &authors))
		return false;
	*out = authors;
	return true;
}
