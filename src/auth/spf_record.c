/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF records, term by term, in the order of the grammar of RFC 7208 12. */
#include "auth/spf_record.h"

#include "auth/spf_macro.h"

#include <arpa/inet.h>
#include <stdio.h>

#define VERSION STR("v=spf1")

static const struct {
	const char *name;
	bool is_modifier, costs;
} kinds[] = {
	[SPF_ALL] = {"all", false, false},       [SPF_INCLUDE] = {"include", false, true},
	[SPF_A] = {"a", false, true},            [SPF_MX] = {"mx", false, true},
	[SPF_PTR] = {"ptr", false, true},        [SPF_IP4] = {"ip4", false, false},
	[SPF_IP6] = {"ip6", false, false},       [SPF_EXISTS] = {"exists", false, true},
	[SPF_REDIRECT] = {"redirect", true, true}, [SPF_EXP] = {"exp", true, false},
	[SPF_OTHER_MODIFIER] = {"", true, false},
};

const char *spf_kind_name(enum spf_kind kind)
{
	return kinds[kind].name;
}

bool spf_kind_costs(enum spf_kind kind)
{
	return kinds[kind].costs;
}

bool spf_is_record(struct str text)
{
	return str_istarts(text, VERSION) && (text.n == VERSION.n || text.p[VERSION.n] == ' ');
}

/* What is being read: the term, and where its own text begins in the record. */
struct reading {
	struct spf_term *term;
	struct spf_fault *fault;
};

__attribute__((format(printf, 5, 6)))
static bool wrong(struct reading *r, int kind, struct str where, size_t n, const char *format, ...)
{
	va_list args;

	r->fault->kind = kind;
	r->fault->at = r->term->at + (size_t)(where.p - r->term->text.p);
	r->fault->n = n ? n : 1;
	va_start(args, format);
	vsnprintf(r->fault->text, sizeof(r->fault->text), format, args);
	va_end(args);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* --- prefix lengths --- */

/* "0" or a number without leading zero (ip4-cidr-length, ip6-cidr-length). */
static bool read_bits(struct reading *r, struct str digits, unsigned max, uint8_t *out)
{
	uint64_t n;

	if ((digits.n > 1 && digits.p[0] == '0') || !str_to_u64(digits, max, &n))
		return wrong(r, SPF_BAD_PREFIX, digits, digits.n, "the prefix length /%.*s is not a number from 0 to %u",
		             STR_ARG(digits), max);
	*out = (uint8_t)n;
	r->term->has_prefix = true;
	return true;
}

/* Where "/digits" at the end begins, or s.n; a domain-spec may have slashes of its own (RFC 7208 7.1). */
static size_t prefix_start(struct str s)
{
	size_t i = s.n;

	while (i > 0 && is_digit(s.p[i - 1]))
		i--;
	return i < s.n && i > 0 && s.p[i - 1] == '/' ? i - 1 : s.n;
}

/* dual-cidr-length: takes "/24", "//64" or "/24//64" off the end of *s. */
static bool take_dual_prefix(struct reading *r, struct str *s)
{
	size_t at = prefix_start(*s);

	if (at < s->n && at > 0 && s->p[at - 1] == '/') {
		if (!read_bits(r, str_skip(*s, at + 1), 128, &r->term->bits6))
			return false;
		*s = str_slice(*s, 0, at - 1);
		at = prefix_start(*s);
	}
	if (at < s->n) {
		if (!read_bits(r, str_skip(*s, at + 1), 32, &r->term->bits4))
			return false;
		*s = str_slice(*s, 0, at);
	}
	return true;
}

/* --- what stands behind the colon --- */

static bool read_domain(struct reading *r, struct str spec)
{
	struct spf_macro_fault fault;

	if (!spf_domain_spec_check(spec, &fault)) {
		bool is_macro = fault.is_macro;
		return wrong(r, is_macro ? SPF_BAD_MACRO : SPF_BAD_SYNTAX, str_skip(spec, fault.at), fault.n, "%s", fault.text);
	}
	r->term->domain = spec;
	return true;
}

/* inet_pton wants a NUL; strictly four numbers without leading zeros, as RFC 7208 5.6 wants them too. */
static bool read_address(struct reading *r, struct str s)
{
	char text[IP_TEXT_MAX] = "";
	bool is_4 = r->term->kind == SPF_IP4;
	struct ip ip = {.family = is_4 ? 4 : 6}, other;

	if (s.n < sizeof(text) && s.n > 0 && !memchr(s.p, 0, s.n)) {
		memcpy(text, s.p, s.n);
		if (inet_pton(is_4 ? AF_INET : AF_INET6, text, ip.b) == 1) {
			r->term->ip = ip;
			return true;
		}
	}
	if (ip_parse(s, &other))
		return wrong(r, SPF_BAD_ADDRESS, s, s.n, "%s with an IPv%c address; write %s:", is_4 ? "ip4" : "ip6",
		             is_4 ? '6' : '4', is_4 ? "ip6" : "ip4");
	return wrong(r, SPF_BAD_ADDRESS, s, s.n, "%s needs %s", is_4 ? "ip4" : "ip6",
	             is_4 ? "an IPv4 address: four numbers from 0 to 255" : "an IPv6 address");
}

/* ip4-network [ ip4-cidr-length ], ip6-network [ ip6-cidr-length ] */
static bool read_network(struct reading *r, struct str s)
{
	size_t slash = str_find_char(s, '/');
	bool is_4 = r->term->kind == SPF_IP4;

	if (!read_address(r, str_slice(s, 0, slash)))
		return false;
	if (slash == s.n)
		return true;
	return read_bits(r, str_skip(s, slash + 1), is_4 ? 32 : 128, is_4 ? &r->term->bits4 : &r->term->bits6);
}

/* `rest` is what follows the mechanism's name: nothing, ":…" or "/…". */
static bool read_arguments(struct reading *r, struct str rest)
{
	enum spf_kind kind = r->term->kind;
	bool has_colon = rest.n > 0 && rest.p[0] == ':';

	if (kind == SPF_ALL)
		return rest.n == 0 || wrong(r, SPF_BAD_SYNTAX, rest, rest.n, "all takes nothing behind it");
	if ((kind == SPF_A || kind == SPF_MX) && !take_dual_prefix(r, &rest))
		return false;
	if (rest.n == 0 && (kind == SPF_A || kind == SPF_MX || kind == SPF_PTR))
		return true;
	if (!has_colon || rest.n < 2)
		return wrong(r, SPF_BAD_SYNTAX, r->term->text, r->term->text.n, "%s needs %s behind a colon",
		             spf_kind_name(kind), kind == SPF_IP4 || kind == SPF_IP6 ? "an address" : "a domain name");
	return kind == SPF_IP4 || kind == SPF_IP6 ? read_network(r, str_skip(rest, 1)) : read_domain(r, str_skip(rest, 1));
}

/* --- terms --- */

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ); its length, 0 for none */
static size_t name_length(struct str s)
{
	size_t i = 0;

	if (s.n == 0 || is_digit(s.p[0]) || !is_alnum(s.p[0]))
		return 0;
	while (i < s.n && (is_alnum(s.p[i]) || s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.'))
		i++;
	return i;
}

static bool read_modifier(struct reading *r, struct str name, struct str value)
{
	struct spf_macro_fault fault;

	r->term->kind = str_ieq(name, STR("redirect")) ? SPF_REDIRECT : str_ieq(name, STR("exp")) ? SPF_EXP
	                                                                                          : SPF_OTHER_MODIFIER;
	if (r->term->kind != SPF_OTHER_MODIFIER)
		return value.n > 0 ? read_domain(r, value)
		                   : wrong(r, SPF_BAD_SYNTAX, r->term->text, r->term->text.n, "%s= needs a domain name",
		                           spf_kind_name(r->term->kind));
	/* RFC 7208 6: ignored, but its macro-string must be one */
	if (!spf_macro_string_check(value, false, &fault))
		return wrong(r, SPF_BAD_MACRO, str_skip(value, fault.at), fault.n, "%s", fault.text);
	return true;
}

static bool read_mechanism(struct reading *r, struct str s)
{
	size_t n = 0;

	if (s.n > 0 && strchr("+-?~", s.p[0]) && s.p[0]) {
		r->term->qualifier = s.p[0];
		s = str_skip(s, 1);
	}
	while (n < s.n && s.p[n] != ':' && s.p[n] != '/')
		n++;
	struct str name = str_slice(s, 0, n);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].is_modifier || !str_ieq(name, str_from(kinds[i].name)))
			continue;
		r->term->kind = (enum spf_kind)i;
		return read_arguments(r, str_skip(s, n));
	}
	return wrong(r, SPF_BAD_MECHANISM, s, name.n, "there is no mechanism of this name");
}

static bool is_visible(struct reading *r, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return wrong(r, SPF_BAD_SYNTAX, str_skip(s, i), 1, "a byte that is not printable ASCII (0x%02x)",
			             (unsigned char)s.p[i]);
	}
	return true;
}

bool spf_term_next(struct str text, size_t *at, struct spf_term *out, struct spf_fault *fault)
{
	size_t i = *at ? *at : VERSION.n, begin;

	fault->n = 0;
	if (i > text.n) /* shorter than a version */
		i = text.n;
	while (i < text.n && text.p[i] == ' ')
		i++;
	for (begin = i; i < text.n && text.p[i] != ' ';)
		i++;
	*at = i;
	if (begin >= i)
		return false;
	*out = (struct spf_term){.qualifier = '+', .text = str_slice(text, begin, i), .at = begin, .bits4 = 32, .bits6 = 128};
	struct reading r = {out, fault};
	if (!is_visible(&r, out->text))
		return false;
	size_t n = name_length(out->text);
	if (n > 0 && n < out->text.n && out->text.p[n] == '=')
		return read_modifier(&r, str_slice(out->text, 0, n), str_skip(out->text, n + 1));
	return read_mechanism(&r, out->text);
}

/* RFC 7208 6: redirect and exp at most once each. */
static bool note_modifier(struct spf_term *slot, struct spf_term *term, struct spf_fault *fault)
{
	struct reading r = {term, fault};

	if (slot->text.n > 0)
		return wrong(&r, SPF_REPEATED, term->text, term->text.n, "%s= stands twice; once is all that is allowed",
		             spf_kind_name(term->kind));
	*slot = *term;
	return true;
}

bool spf_record_check(struct str text, struct spf_record *out, struct spf_fault *fault)
{
	struct spf_record record = {.text = text};
	struct spf_term term;

	for (size_t at = 0; spf_term_next(text, &at, &term, fault);) {
		record.terms++;
		record.has_all = record.has_all || term.kind == SPF_ALL;
		if (term.kind == SPF_REDIRECT && !note_modifier(&record.redirect, &term, fault))
			return false;
		if (term.kind == SPF_EXP && !note_modifier(&record.exp, &term, fault))
			return false;
	}
	if (fault->n > 0)
		return false;
	*out = record;
	return true;
}
