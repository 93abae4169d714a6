/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading DMARC records. */
#include "auth/dmarc_record.h"

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

/* --- places for reports (4.6, 4.8) --- */

static bool is_letter(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* obs-dmarc-report-size: "!" and digits, perhaps a unit; reporters look past it. */
static struct str without_size(struct str s)
{
	size_t mark = str_rfind_char(s, '!'), i = mark + 1;

	while (i < s.n && is_digit(s.p[i]))
		i++;
	if (mark < s.n && i > mark + 1 && i + 1 == s.n && memchr("kmgt", ascii_lower(s.p[i]), 4))
		i++;
	return mark < s.n && i > mark + 1 && i == s.n ? str_slice(s, 0, mark) : s;
}

/* The bytes of RFC 3986 2, without those that 4.8 wants encoded. */
static bool is_uri_text(struct str s)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (i + 2 >= s.n || !memchr(hex, s.p[i + 1], 22) || !memchr(hex, s.p[i + 2], 22))
				return false;
		} else if (!is_letter(c) && !is_digit(c) && !memchr("-._~:/?#[]@$&'()*+=", c, 19)) {
			return false;
		}
	}
	return s.n > 0;
}

static bool is_uri(struct str s)
{
	size_t colon = str_find_char(s, ':');
	struct str rest = str_skip(s, colon + 1);

	if (colon == s.n || colon == 0 || !is_letter(s.p[0]) || !is_uri_text(rest))
		return false;
	for (size_t i = 1; i < colon; i++)
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && !memchr("+-.", s.p[i], 3))
			return false;
	size_t at = str_find_char(rest, '@');
	return !str_ieq(str_slice(s, 0, colon), STR("mailto")) || (at > 0 && at + 1 < rest.n);
}

bool dmarc_uri_next(struct str *list, struct str *uri)
{
	struct str word;

	if (!str_cut(list, ',', &word))
		return false;
	word = without_size(str_trim(word));
	*uri = is_uri(word) ? word : STR_NONE;
	return true;
}

static bool has_report_uri(struct str list)
{
	struct str uri;

	while (dmarc_uri_next(&list, &uri))
		if (uri.n > 0)
			return true;
	return false;
}

/* --- records (4.7) --- */

static const char *const tag_names[] = {"p", "sp", "np", "psd", "adkim", "aspf", "t", "rua", "ruf", "fo", "pct", "rf", "ri"};

#define TAGS_KNOWN   10 /* of tag_names; those behind were removed (C.5.2) */
#define TAGS_WRITTEN (sizeof(tag_names) / sizeof(*tag_names))

struct reading {
	struct dmarc_record record;
	bool has_p, is_policy_bad;
	unsigned seen; /* one bit for each known tag: the first one counts */
};

const char *dmarc_oddity_text(unsigned which)
{
	static const char *const texts[DMARC_ODDITIES] = {
		"pct, rf and ri are no tags any more and mean nothing; to weaken a policy while testing write t=y",
		"a tag that nobody knows is ignored",
		"p= is missing; write p=none, p=quarantine or p=reject",
		"a policy is none, quarantine or reject; with another value nobody applies one",
		"adkim and aspf are r or s; with another value they mean r",
		"t is y or n, psd is y, n or u, fo is a list of 0, 1, d and s; another value is ignored",
		"a tag stands twice; the first counts here, but not everywhere",
		"a part is not name=value; it is ignored",
		"a place for reports is no URI; an address is written mailto:name@example.org",
		"a size limit behind a URI (!10m) is obsolete and ignored",
	};

	return texts[which];
}

/* r or s; anything else is the default, relaxed. */
static bool alignment_parse(struct reading *r, struct str value)
{
	if (!str_ieq(value, STR("s")) && !str_ieq(value, STR("r")))
		r->record.oddities |= DMARC_ODD_ALIGNMENT;
	return str_ieq(value, STR("s"));
}

static bool testing_parse(struct reading *r, struct str value)
{
	if (!str_ieq(value, STR("y")) && !str_ieq(value, STR("n")))
		r->record.oddities |= DMARC_ODD_FLAG;
	return str_ieq(value, STR("y"));
}

static enum dmarc_psd psd_parse(struct reading *r, struct str value)
{
	if (str_ieq(value, STR("y")))
		return DMARC_PSD_YES;
	if (str_ieq(value, STR("n")))
		return DMARC_PSD_NO;
	if (!str_ieq(value, STR("u")))
		r->record.oddities |= DMARC_ODD_FLAG;
	return DMARC_PSD_UNKNOWN;
}

static struct str fo_parse(struct reading *r, struct str value)
{
	struct str rest = value, word;

	while (str_cut(&rest, ':', &word))
		if (str_trim(word).n != 1 || !memchr("01dsDS", str_trim(word).p[0], 6))
			r->record.oddities |= DMARC_ODD_FLAG;
	return value;
}

static struct str uris_parse(struct reading *r, struct str value)
{
	struct str rest = value, uri;

	while (dmarc_uri_next(&rest, &uri))
		r->record.oddities |= uri.n == 0 ? DMARC_ODD_URI : 0;
	if (str_find_char(value, '!') < value.n)
		r->record.oddities |= DMARC_ODD_SIZE;
	return value;
}

static bool subdomain_policy_parse(struct reading *r, struct str value, enum dmarc_policy *out)
{
	bool ok = policy_parse(value, out);

	r->is_policy_bad |= !ok;
	return ok;
}

/* Names and values are case-insensitive where the grammar has plain strings (RFC 9989 4.8, RFC 5234 2.3). */
static void tag_take(struct reading *r, struct str name, struct str value)
{
	struct dmarc_record *d = &r->record;
	unsigned i = 0;

	while (i < TAGS_WRITTEN && !str_ieq(name, str_from(tag_names[i])))
		i++;
	if (i >= TAGS_KNOWN) {
		d->oddities |= i < TAGS_WRITTEN ? DMARC_ODD_REMOVED_TAG : DMARC_ODD_UNKNOWN_TAG;
		return;
	}
	if (r->seen & 1u << i) {
		d->oddities |= DMARC_ODD_TWICE;
		return;
	}
	r->seen |= 1u << i;
	switch (i) {
	case 0: r->has_p = policy_parse(value, &d->p); break;
	case 1: d->has_sp = subdomain_policy_parse(r, value, &d->sp); break;
	case 2: d->has_np = subdomain_policy_parse(r, value, &d->np); break;
	case 3: d->psd = psd_parse(r, value); break;
	case 4: d->is_dkim_strict = alignment_parse(r, value); break;
	case 5: d->is_spf_strict = alignment_parse(r, value); break;
	case 6: d->is_testing = testing_parse(r, value); break;
	case 7: d->rua = uris_parse(r, value); break;
	case 8: d->ruf = uris_parse(r, value); break;
	default: d->fo = fo_parse(r, value); break;
	}
}

/* 4.10.1: without a valid p=, or with an invalid sp= or np=, the record counts as p=none where it asks for aggregate
 * reports, and asks for nothing where it does not. */
static void policy_settle(struct reading *r)
{
	struct dmarc_record *d = &r->record;
	bool is_p_there = r->seen & 1;

	d->oddities |= is_p_there ? 0 : DMARC_ODD_NO_POLICY;
	d->oddities |= r->is_policy_bad || (is_p_there && !r->has_p) ? DMARC_ODD_POLICY : 0;
	d->has_policy = r->has_p && !r->is_policy_bad;
	if (!d->has_policy && has_report_uri(d->rua)) {
		d->has_policy = true;
		d->p = DMARC_NONE;
		d->has_sp = d->has_np = false;
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
		else if (!is_first && name.n > 0)
			r.record.oddities |= DMARC_ODD_SYNTAX;
		is_first = false;
	}
	if (is_first)
		return false;
	policy_settle(&r);
	*out = r.record;
	return true;
}

bool dmarc_is_near_miss(struct str text)
{
	struct dmarc_record record;
	struct str begin = str_slice(text, 0, 40);

	return str_ifind(begin, STR("dmarc")) < begin.n && !dmarc_record_parse(text, &record);
}
