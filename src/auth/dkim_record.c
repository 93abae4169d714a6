/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tag lists, signatures, key records (RFC 6376 3.2, 3.5, 3.6.1; RFC 8617 4.1). */
#include "auth/dkim_record.h"

#include "auth/dkim_base64.h"
#include "mail/address.h"
#include "mail/header.h"

#define NUMBER_DIGITS_MAX 12 /* of t= and x= (RFC 6376 3.5); an l= of more has no body */

static bool is_name_byte(char c, bool is_first)
{
	bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	return is_letter || (!is_first && ((c >= '0' && c <= '9') || c == '_'));
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_name_byte(s.p[i], i == 0))
			return false;
	return s.n > 0;
}

/* VALCHAR and white space; bytes over 127 stand in notes of real records. */
static bool is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 127)
			return false;
	}
	return true;
}

const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, struct str name)
{
	for (size_t i = 0; i < tags->n; i++)
		if (str_eq(tags->tag[i].name, name))
			return &tags->tag[i];
	return NULL;
}

bool dkim_tags_parse(struct str text, struct dkim_tags *out, const char **why)
{
	struct str rest = text, word;

	out->n = 0;
	while (str_cut(&rest, ';', &word)) {
		size_t equals = str_find_char(word, '=');
		struct dkim_tag tag = {.name = str_trim(str_slice(word, 0, equals)), .span = str_skip(word, equals + 1)};

		tag.value = str_trim(tag.span);
		if (equals == word.n && str_trim(word).n == 0 && str_trim(rest).n == 0)
			break; /* one semicolon may end the list */
		*why = "a tag is not name=value";
		if (equals == word.n || !is_name(tag.name) || !is_value(tag.value))
			return false;
		*why = "a tag stands twice"; /* RFC 6376 3.2: the whole list is invalid */
		if (dkim_tags_find(out, tag.name))
			return false;
		*why = "too many tags";
		if (out->n == DKIM_TAGS_MAX)
			return false;
		out->tag[out->n++] = tag;
	}
	*why = "no tags";
	return out->n > 0;
}

static struct str value_of(const struct dkim_tags *tags, struct str name)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);

	return tag ? tag->value : STR_NONE;
}

/* A tag that is not there is fine; one that is no number is not. */
static bool number_parse(const struct dkim_tags *tags, struct str name, bool *has, uint64_t *out)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);

	*has = tag != NULL;
	return !tag || (tag->value.n <= NUMBER_DIGITS_MAX && str_to_u64(tag->value, UINT64_MAX, out));
}

static bool domain_parse(struct arena *arena, struct str text, struct str *out)
{
	struct err err;

	return text.n > 0 && text.n <= ADDRESS_DOMAIN_MAX && domain_to_ascii(arena, text, out, &err) && domain_is_valid(*out);
}

static bool algorithm_parse(struct dkim_signature *s)
{
	s->is_ed25519 = str_eq(s->algorithm, STR("ed25519-sha256")); /* RFC 8463 */
	s->hash = str_eq(s->algorithm, STR("rsa-sha1")) ? DKIM_SHA1 : DKIM_SHA256;
	return s->is_ed25519 || s->hash == DKIM_SHA1 || str_eq(s->algorithm, STR("rsa-sha256"));
}

/* RFC 6376 3.5 c=: simple/simple when it is not there, and the body simple when only one is named. Sealers that leave
 * it out of an ARC-Message-Signature mean relaxed, and the public suite takes them at that. */
static bool canon_parse(const struct dkim_tag *tag, struct dkim_signature *s)
{
	if (!tag) {
		s->is_header_relaxed = s->is_body_relaxed = s->kind == ARC_MESSAGE_SIGNATURE;
		return true;
	}
	size_t slash = str_find_char(tag->value, '/');
	struct str header = str_slice(tag->value, 0, slash);
	struct str body = slash < tag->value.n ? str_skip(tag->value, slash + 1) : STR("simple");
	s->is_header_relaxed = str_eq(header, STR("relaxed"));
	s->is_body_relaxed = str_eq(body, STR("relaxed"));
	return (s->is_header_relaxed || str_eq(header, STR("simple"))) && (s->is_body_relaxed || str_eq(body, STR("simple")));
}

bool dkim_fields_next(struct str *rest, struct str *name)
{
	while (str_cut(rest, ':', name)) {
		*name = str_trim(*name);
		if (name->n > 0)
			return true;
	}
	return false;
}

static bool names_field(struct str fields, struct str wanted)
{
	struct str name;

	while (dkim_fields_next(&fields, &name))
		if (str_ieq(name, wanted))
			return true;
	return false;
}

/* RFC 6376 3.5 i=: the domain of it is d= or below. */
static bool identity_parse(struct arena *arena, const struct dkim_tag *tag, struct dkim_signature *s)
{
	s->identity_domain = s->domain;
	if (!tag)
		return true;
	size_t at = str_rfind_char(tag->value, '@');
	s->identity = tag->value;
	return at < tag->value.n && domain_parse(arena, str_skip(tag->value, at + 1), &s->identity_domain) &&
	       domain_is_within(s->identity_domain, s->domain);
}

static bool instance_parse(const struct dkim_tags *tags, struct dkim_signature *s)
{
	uint64_t n;

	if (!str_to_u64(value_of(tags, STR("i")), ARC_SETS_MAX, &n) || n == 0)
		return false;
	s->instance = (unsigned)n;
	return true;
}

static bool cv_parse(struct str value, enum arc_cv *out)
{
	if (str_eq(value, STR("none")))
		*out = ARC_CV_NONE;
	else if (str_eq(value, STR("pass")))
		*out = ARC_CV_PASS;
	else if (str_eq(value, STR("fail")))
		*out = ARC_CV_FAIL;
	else
		return false;
	return true;
}

static bool fail_with(const char **why, const char *text)
{
	*why = text;
	return false;
}

/* What only signatures over a message have: c=, h=, bh=, l=. */
static bool message_part_parse(struct arena *arena, const struct dkim_tags *tags, struct dkim_signature *s,
                               const char **why)
{
	const struct dkim_tag *h = dkim_tags_find(tags, STR("h"));

	if (!canon_parse(dkim_tags_find(tags, STR("c")), s))
		return fail_with(why, "c= names no known canonicalization");
	if (!h)
		return fail_with(why, "h= is missing");
	s->fields = h->value;
	if (!dkim_base64_decode(arena, value_of(tags, STR("bh")), &s->body_hash))
		return fail_with(why, "bh= is missing or not base64");
	if (!number_parse(tags, STR("l"), &s->has_length, &s->length))
		return fail_with(why, "l= is no number");
	if (s->kind == DKIM_SIGNATURE && !names_field(s->fields, STR("from")))
		return fail_with(why, "From is not signed"); /* RFC 6376 5.4 */
	if (s->kind == ARC_MESSAGE_SIGNATURE && names_field(s->fields, STR("arc-seal")))
		return fail_with(why, "h= includes ARC-Seal"); /* RFC 8617 4.1.2 */
	return true;
}

static bool times_parse(const struct dkim_tags *tags, struct dkim_signature *s, const char **why)
{
	if (!number_parse(tags, STR("t"), &s->has_time, &s->time))
		return fail_with(why, "t= is no number");
	if (!number_parse(tags, STR("x"), &s->has_expiry, &s->expires))
		return fail_with(why, "x= is no number");
	if (s->has_time && s->has_expiry && s->expires <= s->time)
		return fail_with(why, "x= is not later than t=");
	return true;
}

static bool kind_part_parse(struct arena *arena, const struct dkim_tags *tags, struct dkim_signature *s,
                            const char **why)
{
	const struct dkim_tag *q = dkim_tags_find(tags, STR("q"));

	if (s->kind != DKIM_SIGNATURE && !instance_parse(tags, s))
		return fail_with(why, "i= is not a number from 1 to 50");
	if (s->kind == ARC_SEAL) {
		if (dkim_tags_find(tags, STR("h")))
			return fail_with(why, "a seal has h="); /* RFC 8617 4.1.3 */
		return cv_parse(value_of(tags, STR("cv")), &s->cv) || fail_with(why, "cv= is not none, pass or fail");
	}
	if (s->kind == DKIM_SIGNATURE && !str_eq(value_of(tags, STR("v")), STR("1")))
		return fail_with(why, "v= is not 1");
	if (s->kind == DKIM_SIGNATURE && !identity_parse(arena, dkim_tags_find(tags, STR("i")), s))
		return fail_with(why, "i= is not within d=");
	if (q && !names_field(q->value, STR("dns/txt")))
		return fail_with(why, "q= does not offer dns/txt");
	return message_part_parse(arena, tags, s, why);
}

bool dkim_signature_parse(struct arena *arena, enum dkim_kind kind, struct str value, struct dkim_signature *out,
                          const char **why)
{
	struct dkim_tags *tags = arena_new(arena, struct dkim_tags);
	struct dkim_signature s = {.kind = kind};

	*out = s;
	if (!dkim_tags_parse(value, tags, why))
		return false;
	s.algorithm = value_of(tags, STR("a"));
	bool is_domain = domain_parse(arena, value_of(tags, STR("d")), &s.domain);
	bool is_selector = domain_parse(arena, value_of(tags, STR("s")), &s.selector);
	const struct dkim_tag *b = dkim_tags_find(tags, STR("b"));
	if (b) {
		s.b_text = b->value;
		s.b_span = b->span;
	}
	*out = s;
	if (!is_domain)
		return fail_with(why, "d= is missing or no domain name");
	if (!is_selector)
		return fail_with(why, "s= is missing or no selector");
	if (!algorithm_parse(&s))
		return fail_with(why, "a= names no known algorithm");
	if (!dkim_base64_decode(arena, s.b_text, &s.signature))
		return fail_with(why, "b= is missing or not base64");
	if (!kind_part_parse(arena, tags, &s, why) || !times_parse(tags, &s, why))
		return false;
	*out = s;
	return true;
}

/* Whether a colon-separated list names the word; a list that is not there names everything. */
static bool list_has(const struct dkim_tag *tag, struct str word, bool without)
{
	return tag ? names_field(tag->value, word) : without;
}

bool dkim_key_parse(struct str record, struct dkim_key *out, const char **why)
{
	struct dkim_tags tags;

	if (!dkim_tags_parse(record, &tags, why))
		return false;
	const struct dkim_tag *v = dkim_tags_find(&tags, STR("v")), *k = dkim_tags_find(&tags, STR("k"));
	const struct dkim_tag *h = dkim_tags_find(&tags, STR("h")), *s = dkim_tags_find(&tags, STR("s"));
	const struct dkim_tag *t = dkim_tags_find(&tags, STR("t")), *p = dkim_tags_find(&tags, STR("p"));
	if (v && (v != tags.tag || !str_eq(v->value, STR("DKIM1"))))
		return fail_with(why, "v= is not DKIM1 in the first place");
	if (!p)
		return fail_with(why, "p= is missing");
	struct dkim_key key = {.p = p->value, .is_ed25519 = k && str_eq(k->value, STR("ed25519"))};
	if (k && !key.is_ed25519 && !str_eq(k->value, STR("rsa")))
		return fail_with(why, "k= names no known kind of key");
	key.allows_sha1 = list_has(h, STR("sha1"), true);
	key.allows_sha256 = list_has(h, STR("sha256"), true);
	key.is_for_mail = list_has(s, STR("*"), true) || list_has(s, STR("email"), true);
	key.is_testing = list_has(t, STR("y"), false);
	key.is_same_domain = list_has(t, STR("s"), false);
	*out = key;
	return true;
}

/* RFC 8617 4.1.1: instance and semicolon may have comments around each part. */
unsigned arc_results_instance(struct str value, struct str *rest)
{
	struct str s = header_skip_cfws(value);
	uint64_t n;
	size_t digits = 0;

	if (s.n == 0 || s.p[0] != 'i')
		return 0;
	s = header_skip_cfws(str_skip(s, 1));
	if (s.n == 0 || s.p[0] != '=')
		return 0;
	s = header_skip_cfws(str_skip(s, 1));
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	bool is_number = str_to_u64(str_slice(s, 0, digits), ARC_SETS_MAX, &n);
	s = header_skip_cfws(str_skip(s, digits));
	if (!is_number || s.n == 0 || s.p[0] != ';')
		return 0;
	*rest = str_skip(s, 1);
	return (unsigned)n;
}
