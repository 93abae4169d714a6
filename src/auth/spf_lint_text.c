/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the text of an SPF record tells without asking anybody: syntax with a way out, order, qualifiers, macros, size. */
#include "auth/spf_lint_inside.h"
#include "auth/spf_macro.h"

#define INFO     SPF_SEVERITY_INFO
#define WARNING  SPF_SEVERITY_WARNING
#define ERROR    SPF_SEVERITY_ERROR
#define CRITICAL SPF_SEVERITY_CRITICAL

static const char *const mechanisms[] = {"include", "exists", "ip4", "ip6", "all", "ptr", "mx", "a"};

static bool is_mechanism(struct str name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++) {
		if (str_ieq(name, str_from(mechanisms[i])))
			return true;
	}
	return false;
}

/* Where another term begins inside of this one; s.n: nowhere. */
static size_t glued_term(struct str s)
{
	static const char *const begins[] = {"include:", "exists:", "ip4:", "ip6:", "redirect=", "exp=", "v=spf1"};
	size_t first = s.n;

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
		size_t hit = str_ifind(str_skip(s, 1), str_from(begins[i])) + 1;
		if (hit < s.n && strchr("+-~?", s.p[hit - 1]) && hit > 1)
			hit--;
		first = hit < first ? hit : first;
	}
	return first;
}

static size_t glued_all(struct str s)
{
	if (s.n > 4 && str_iends(s, STR("all")) && strchr("+-~?", s.p[s.n - 4]))
		return s.n - 4;
	return s.n;
}

static bool has_smart_quote(struct str s)
{
	return str_find(s, STR("\xe2\x80")) < s.n || str_find(s, STR("\xc2\xab")) < s.n || str_find(s, STR("\"")) < s.n;
}

/* The usual slips, each with the way out. False: none of these. */
static bool hint(struct linting *l, struct str t, size_t at)
{
	struct str bare = t.n > 0 && strchr("+-~?", t.p[0]) ? str_skip(t, 1) : t;
	size_t colon = str_find_char(bare, ':'), glue = glued_term(bare), all = glued_all(bare);
	struct str name = str_slice(bare, 0, colon);
	struct ip ip;

	if (has_smart_quote(t))
		lint_add(l, "SPF007", ERROR, at, t.n, "quotation marks inside the record; take them out");
	else if (str_ieq(name, STR("ipv4")) || str_ieq(name, STR("ipv6")) || str_ieq(name, STR("ip")))
		lint_add(l, "SPF007", ERROR, at, t.n, "there is no \"%.*s\"; write %s:", STR_ARG(name),
		         str_find_char(str_skip(bare, colon + 1), ':') < bare.n - colon - 1 ? "ip6" : "ip4");
	else if (ip_parse(str_slice(bare, 0, str_find_char(bare, '/')), &ip))
		lint_add(l, "SPF007", ERROR, at, t.n, "an address needs its mechanism: ip%u:%.*s", ip.family, STR_ARG(bare));
	else if (str_ieq(name, STR("redirect")) || str_ieq(name, STR("exp")))
		lint_add(l, "SPF007", ERROR, at, t.n, "%.*s takes an equals sign: %.*s=", STR_ARG(name), STR_ARG(name));
	else if (str_find_char(t, ',') < t.n || str_find_char(t, ';') < t.n)
		lint_add(l, "SPF007", ERROR, at, t.n, "terms are separated by spaces, not by commas or semicolons");
	else if (glue < bare.n)
		lint_add(l, "SPF051", ERROR, at + (size_t)(bare.p - t.p) + glue, bare.n - glue,
		         "a space is missing in front of \"%.*s\"; the strings of a TXT record are joined without one",
		         STR_ARG(str_slice(bare, glue, bare.n)));
	else if (all < bare.n)
		lint_add(l, "SPF007", ERROR, at + (size_t)(bare.p - t.p) + all, bare.n - all, "a space is missing in front of \"%.*s\"",
		         STR_ARG(str_skip(bare, all)));
	else
		return false;
	return true;
}

static const char *id_of(const struct spf_fault *fault)
{
	switch (fault->kind) {
	case SPF_BAD_MECHANISM: return "SPF006";
	case SPF_BAD_PREFIX:    return "SPF034";
	case SPF_BAD_ADDRESS:   return "SPF034";
	case SPF_BAD_MACRO:     return "SPF040";
	case SPF_REPEATED:      return "SPF024";
	case SPF_BAD_SYNTAX:    break;
	}
	return "SPF005";
}

static void lint_fault(struct linting *l, const struct spf_term *term, const struct spf_fault *fault, struct str domain)
{
	bool is_nested = l->depth > 0;
	struct str t = term->text;

	if (is_nested) {
		lint_add(l, id_of(fault), ERROR, 0, 0, "the record of %.*s is broken at \"%.*s\": %s; that is a PermError for yours too",
		         STR_ARG(domain), STR_ARG(t), fault->text);
		return;
	}
	if (!hint(l, t, term->at))
		lint_add(l, id_of(fault), ERROR, fault->at, fault->n, "\"%.*s\": %s", STR_ARG(t), fault->text);
}

/* A modifier that nobody knows is ignored (RFC 7208 6), which is seldom what was meant. */
static void lint_modifier(struct linting *l, const struct spf_term *term)
{
	struct str name = str_slice(term->text, 0, str_find_char(term->text, '='));

	if (is_mechanism(name) || str_ieq(name, STR("ipv4")) || str_ieq(name, STR("ipv6")))
		lint_add(l, "SPF007", ERROR, term->at, term->text.n,
		         "\"%.*s=\" is read as a modifier that nobody knows, and ignored; a colon is meant: %.*s:", STR_ARG(name),
		         STR_ARG(name));
	else
		lint_add(l, "SPF006", INFO, term->at, term->text.n, "the modifier \"%.*s\" is unknown and ignored (RFC 7208 6)",
		         STR_ARG(name));
}

static void lint_macros(struct linting *l, const struct spf_term *term)
{
	if (spf_macro_uses(term->domain, 'p'))
		lint_add(l, "SPF040", WARNING, term->at, term->text.n, "%%{p} is slow and unreliable; RFC 7208 7.2 says not to use it");
	if (term->kind == SPF_EXISTS && spf_macro_has(term->domain))
		lint_add(l, "SPF040", INFO, term->at, term->text.n,
		         "\"%.*s\" depends on the sender: what it costs and whom it allows cannot be counted here", STR_ARG(term->text));
	else if (spf_macro_has(term->domain) && term->kind != SPF_EXP)
		lint_add(l, "SPF040", INFO, term->at, term->text.n, "\"%.*s\" depends on the sender, so it is not followed here",
		         STR_ARG(term->text));
}

static void lint_all(struct linting *l, const struct spf_term *term)
{
	if (term->qualifier == '+')
		lint_add(l, "SPF020", CRITICAL, term->at, term->text.n,
		         "\"%.*s\" lets every machine of the internet send in your name; write -all or ~all", STR_ARG(term->text));
	else if (term->qualifier == '?')
		lint_add(l, "SPF021", WARNING, term->at, term->text.n, "?all says nothing about strangers; write -all or ~all");
}

static void lint_top_term(struct linting *l, const struct spf_term *term)
{
	size_t all = glued_all(term->text);

	switch (term->kind) {
	case SPF_ALL:
		lint_all(l, term);
		return;
	case SPF_OTHER_MODIFIER:
		lint_modifier(l, term);
		return;
	case SPF_PTR:
		lint_add(l, "SPF030", WARNING, term->at, term->text.n,
		         "ptr is slow, unreliable and should not be used (RFC 7208 5.5); name the addresses instead");
		break;
	case SPF_A:
	case SPF_MX:
		if (term->has_prefix && term->domain.n == 0)
			lint_add(l, "SPF035", INFO, term->at, term->text.n, "\"%.*s\" means the addresses of %s, widened to /%u (IPv4) and /%u (IPv6)",
			         STR_ARG(term->text), term->kind == SPF_A ? "the domain itself" : "the domain's MX hosts", term->bits4,
			         term->bits6);
		break;
	default:
		break;
	}
	if (term->domain.n > 0 && all < term->text.n)
		lint_add(l, "SPF007", ERROR, term->at + all, term->text.n - all, "a space is missing in front of \"%.*s\"",
		         STR_ARG(str_skip(term->text, all)));
	lint_macros(l, term);
}

static void lint_nested_term(struct linting *l, const struct spf_term *term, struct str domain)
{
	if (term->kind == SPF_ALL && term->qualifier == '+')
		lint_add(l, "SPF020", CRITICAL, 0, 0, "%.*s says +all, and with it your record allows everybody", STR_ARG(domain));
	if (term->kind == SPF_PTR)
		lint_add(l, "SPF030", INFO, 0, 0, "%.*s uses ptr, which should not be used (RFC 7208 5.5)", STR_ARG(domain));
}

/* What stands behind `all` is never looked at (RFC 7208 5.1, 6.1). */
static void lint_behind_all(struct linting *l, const struct spf_term *term, const struct spf_term *all)
{
	if (term->kind == SPF_ALL)
		lint_add(l, "SPF024", WARNING, term->at, term->text.n, "a second \"all\"; only the first one counts");
	else if (term->kind == SPF_REDIRECT)
		lint_add(l, "SPF023", WARNING, term->at, term->text.n, "redirect= is ignored where there is an \"all\"");
	else if (term->kind != SPF_EXP && term->kind != SPF_OTHER_MODIFIER && term->at > all->at)
		lint_add(l, "SPF023", WARNING, term->at, term->text.n, "\"%.*s\" stands behind \"%.*s\" and is never looked at",
		         STR_ARG(term->text), STR_ARG(all->text));
}

static void lint_size(struct linting *l, struct str record)
{
	if (record.n > 450)
		lint_add(l, "SPF050", WARNING, SPF_NOWHERE, 0,
		         "%zu bytes: with over 450 the answer may not fit into 512 and needs TCP or EDNS (RFC 7208 3.4)", record.n);
	else if (record.n > 255)
		lint_add(l, "SPF050", INFO, SPF_NOWHERE, 0, "%zu bytes: in the zone it must be written as several strings of at most 255",
		         record.n);
	if (str_ends(record, STR(" ")))
		lint_add(l, "SPF050", INFO, record.n - 1, 1, "a space at the end of the record");
}

void lint_text(struct linting *l, struct str record, struct str domain)
{
	struct spf_term term, all = {0}, redirect = {0}, exp = {0};
	struct spf_fault fault;
	bool is_top = l->depth == 0;

	if (is_top)
		lint_size(l, record);
	if (is_top && !str_starts(record, STR("v=spf1")))
		lint_add(l, "SPF004", INFO, 0, 6, "\"%.*s\" is right, but unusual: write v=spf1", STR_ARG(str_slice(record, 0, 6)));
	for (size_t at = 0; spf_term_next(record, &at, &term, &fault) || fault.n > 0;) {
		if (fault.n > 0) {
			lint_fault(l, &term, &fault, domain);
			continue;
		}
		if (is_top)
			lint_top_term(l, &term);
		else
			lint_nested_term(l, &term, domain);
		struct spf_term *slot = term.kind == SPF_REDIRECT ? &redirect : term.kind == SPF_EXP ? &exp : NULL;
		if (slot && slot->text.n > 0)
			lint_add(l, "SPF024", ERROR, term.at, term.text.n, "a second %s=; that is a PermError (RFC 7208 6)",
			         spf_kind_name(term.kind));
		if (slot)
			*slot = term;
		if (is_top && all.text.n > 0)
			lint_behind_all(l, &term, &all);
		if (term.kind == SPF_ALL && all.text.n == 0)
			all = term;
	}
	if (is_top && all.text.n > 0 && redirect.text.n > 0 && redirect.at < all.at)
		lint_behind_all(l, &redirect, &all);
	if (is_top && all.text.n == 0 && redirect.text.n == 0)
		lint_add(l, "SPF021", WARNING, record.n > 0 ? record.n - 1 : 0, 1,
		         "neither \"all\" nor redirect= at the end: strangers are neutral; add -all or ~all");
}

void lint_near_miss(struct linting *l, struct str text)
{
	struct str bare = str_trim(text);

	if (str_istarts(text, STR("spf2.0/")))
		lint_add(l, "SPF052", INFO, SPF_NOWHERE, 0, "a Sender ID record (spf2.0) is left over; nobody reads it any more");
	else if (str_istarts(bare, STR("v=spf1")) && bare.p != text.p)
		lint_add(l, "SPF050", ERROR, 0, 1, "white space in front of v=spf1: this is no SPF record for anybody");
	else if (str_istarts(text, STR("v=spf1")))
		lint_add(l, "SPF004", ERROR, 6, 1, "a space is needed behind v=spf1: this is no SPF record for anybody");
	else if (str_istarts(text, STR("v=spf")) || str_istarts(text, STR("v= spf")) || str_istarts(text, STR("v =")))
		lint_add(l, "SPF004", ERROR, 0, 5, "it must begin with exactly v=spf1: this is no SPF record for anybody");
	else if (str_ifind(str_slice(text, 0, 12), STR("v=spf1")) < 12 && str_ifind(text, STR("v=spf1")) < text.n)
		lint_add(l, "SPF007", ERROR, 0, 1, "something stands in front of v=spf1, perhaps a quotation mark; this is no SPF record");
}
