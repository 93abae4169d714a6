/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_host() in the order of RFC 7208 4 and 5; the section stands beside each decision. */
#include "auth/spf_check.h"

#include "auth/spf_macro.h"
#include "auth/spf_record.h"
#include "mail/address.h"

#include <assert.h>
#include <stdio.h>

#define LOOKUPS_MAX 10 /* 4.6.4 */
#define VOIDS_MAX   2
#define NAMES_MAX   10
#define TRACE_LINE_MAX 4096
#define DEPTH_MAX   (LOOKUPS_MAX + 1) /* each level costs a look-up, so this is never met */

struct evaluation {
	struct resolver *resolver;
	const struct spf_query *query;
	struct spf_macro_values values;
	struct arena *arena;
	struct spf_answer *answer;
	struct buf trace, trace_line;
	unsigned depth;
	bool has_validated;   /* values.validated is known for values.domain */
};
/* What one term says. */
enum match { MATCH_NO, MATCH_YES, MATCH_TEMPERROR, MATCH_PERMERROR };

const char *spf_result_name(enum spf_result r)
{
	static const char *const names[] = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};
	return names[r];
}

/* --- the trace, and what went wrong --- */

static void indent(struct evaluation *e)
{
	for (unsigned i = 0; i < e->depth; i++)
		buf_str(&e->trace, STR("  "));
}

__attribute__((format(printf, 2, 3)))
static void trace(struct evaluation *e, const char *format, ...)
{
	va_list args;

	if (!e->query->wants_trace)
		return;
	indent(e);
	buf_clear(&e->trace_line);
	va_start(args, format);
	buf_vprintf(&e->trace_line, format, args);
	va_end(args);
	buf_escaped(&e->trace, buf_view(&e->trace_line));
	buf_char(&e->trace, '\n');
}

/* What trace(e, "%.*s: %.*s") writes, of which nearly all of a trace is made, without a format: up to a NUL, and not too long. */
static void trace_says(struct evaluation *e, struct str what, struct str says)
{
	if (!e->query->wants_trace)
		return;
	says = str_slice(says, 0, str_find_char(says, '\0'));
	indent(e);
	if (what.n + 2 + says.n <= TRACE_LINE_MAX) {
		buf_escaped(&e->trace, what);
		buf_str(&e->trace, STR(": "));
		buf_escaped(&e->trace, says);
	}
	buf_char(&e->trace, '\n');
}

__attribute__((format(printf, 2, 3)))
static void problem(struct evaluation *e, const char *format, ...)
{
	struct buf text = {.max = 1024};
	va_list args;

	if (e->answer->problem.n > 0)
		return; /* the first is the cause */
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	e->answer->problem = arena_str(e->arena, buf_view(&text));
	trace(e, "%.*s", STR_ARG(e->answer->problem));
	buf_done(&text);
}

/* --- asking --- */

/* A deadline that has passed is an answer of its own: 4.6.4 wants a TempError. NULL then. False: cancelled. */
WAITS static bool ask(struct evaluation *e, struct str name, enum dns_type type, const struct dns_answer **out,
                      struct err *err)
{
	*out = NULL;
	if (dns_lookup(e->resolver, name, type, out, err))
		return true;
	return err->kind == ERR_TIMEOUT;
}

static bool is_trouble(const struct dns_answer *a)
{
	return !a || a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS;
}

static enum match trouble(struct evaluation *e, struct str name, enum dns_type type, const struct dns_answer *a)
{
	problem(e, "%s of %.*s cannot be looked up: %.*s", dns_type_name(type), STR_ARG(name),
	        a ? (int)a->why.n : 8, a ? a->why.p : "too late");
	return MATCH_TEMPERROR; /* 2.6.6, 5: a DNS error is temporary */
}

/* 4.6.4: an answer without records is void, and more than two are a permanent error. */
static enum match count_void(struct evaluation *e, struct str name, enum dns_type type)
{
	if (!spf_name_is_askable(name)) {
		trace(e, "%.*s is no name that could be asked for", STR_ARG(name));
		return MATCH_NO; /* 4.6.4 counts what queries return, and there was none */
	}
	e->answer->void_lookups++;
	trace(e, "%.*s has no %s: void look-up %u", STR_ARG(name), dns_type_name(type), e->answer->void_lookups);
	if (e->answer->void_lookups <= VOIDS_MAX)
		return MATCH_NO;
	problem(e, "more than %d void look-ups; the last was %s of %.*s (RFC 7208 4.6.4)", VOIDS_MAX, dns_type_name(type),
	        STR_ARG(name));
	return MATCH_PERMERROR;
}

static bool net_has(struct ip ip, struct ip net, unsigned bits)
{
	if (ip.family != net.family)
		return false;
	for (unsigned i = 0; i < bits; i += 8) {
		unsigned left = bits - i, mask = left >= 8 ? 0xff : 0xff00u >> left & 0xff;
		if ((ip.b[i / 8] ^ net.b[i / 8]) & mask)
			return false;
	}
	return true;
}

static unsigned bits_for(const struct evaluation *e, const struct spf_term *term)
{
	return e->query->ip.family == 4 ? term->bits4 : term->bits6;
}

static enum dns_type address_type(const struct evaluation *e)
{
	return e->query->ip.family == 4 ? DNS_A : DNS_AAAA; /* 5: the type that fits the client */
}

/* Whether `name` has an address in the client's /bits. */
WAITS static bool addresses_match(struct evaluation *e, struct str name, unsigned bits, enum match *out, struct err *err)
{
	const struct dns_answer *a;

	if (!ask(e, name, address_type(e), &a, err))
		return false;
	*out = MATCH_NO;
	if (is_trouble(a))
		*out = trouble(e, name, address_type(e), a);
	else if (a->outcome != DNS_FOUND)
		*out = count_void(e, name, address_type(e));
	for (size_t i = 0; a && a->outcome == DNS_FOUND && i < a->n; i++) {
		if (net_has(e->query->ip, a->records[i].ip, bits))
			*out = MATCH_YES;
	}
	dns_answer_release(a);
	return true;
}

/* --- names that the client's address is known by (5.5) --- */

WAITS static bool name_is_validated(struct evaluation *e, struct str name, bool *is_validated, struct err *err)
{
	const struct dns_answer *a;

	if (!ask(e, name, address_type(e), &a, err))
		return false;
	*is_validated = false;
	for (size_t i = 0; a && a->outcome == DNS_FOUND && i < a->n; i++)
		*is_validated = *is_validated || ip_eq(a->records[i].ip, e->query->ip);
	dns_answer_release(a);
	return true;
}

static bool is_within(struct str name, struct str domain)
{
	if (name.n <= domain.n)
		return str_ieq(name, domain);
	return str_iends(name, domain) && name.p[name.n - domain.n - 1] == '.';
}

/* How well a name fits: the domain itself, one below it, any other (7.3 of %{p}). */
static int rank(struct str name, struct str domain)
{
	return str_ieq(name, domain) ? 3 : is_within(name, domain) ? 2 : 1;
}

/* The best validated name; *outcome is the PTR look-up's. Only the first ten names count (4.6.4). */
WAITS static bool find_validated(struct evaluation *e, struct str domain, int least, struct str *out,
                                 enum dns_outcome *outcome, struct err *err)
{
	char reverse[80];
	const struct dns_answer *ptr;
	int best = least - 1;
	bool is_validated, ok = true;

	*out = STR_NONE;
	if (!ask(e, ip_reverse_name(e->query->ip, reverse), DNS_PTR, &ptr, err))
		return false;
	*outcome = ptr ? ptr->outcome : DNS_TEMPORARY;
	for (size_t i = 0; ok && *outcome == DNS_FOUND && i < ptr->n && i < NAMES_MAX; i++) {
		struct str name = ptr->records[i].name;
		if (rank(name, domain) <= best)
			continue;
		ok = name_is_validated(e, name, &is_validated, err);
		if (ok && is_validated) {
			best = rank(name, domain);
			*out = arena_str(e->arena, name);
		}
	}
	dns_answer_release(ptr);
	return ok;
}

/* %{p} costs no look-up of the ten and never an error: "unknown" (7.3). */
WAITS static bool prepare_macros(struct evaluation *e, struct str spec, struct err *err)
{
	enum dns_outcome ignored;

	if (e->has_validated || !spf_macro_uses(spec, 'p'))
		return true;
	e->has_validated = true;
	return find_validated(e, e->values.domain, 1, &e->values.validated, &ignored, err);
}

/* The <target-name> of a term (4.8). */
WAITS static bool target(struct evaluation *e, const struct spf_term *term, struct str *out, struct err *err)
{
	if (!prepare_macros(e, term->domain, err))
		return false;
	*out = spf_domain_expand(&e->values, term->domain, e->arena);
	return true;
}

/* --- mechanisms (5) --- */

/* Names in answers are written so that they are safe to print, \\DDD; a domain-spec may lead to such an MX host. */
static struct str unescape(struct evaluation *e, struct str name)
{
	if (str_find_char(name, '\\') == name.n)
		return name;
	char *out = arena_alloc(e->arena, name.n);
	size_t n = 0;
	uint64_t code;

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '\\' && i + 3 < name.n && str_to_u64(str_slice(name, i + 1, i + 4), 0x7e, &code)) {
			out[n++] = (char)code;
			i += 3;
		} else {
			out[n++] = name.p[i];
		}
	}
	return (struct str){out, n};
}

WAITS static bool match_mx(struct evaluation *e, const struct spf_term *term, struct str name, enum match *out,
                           struct err *err)
{
	const struct dns_answer *mx;
	bool ok = true;

	if (!ask(e, name, DNS_MX, &mx, err))
		return false;
	*out = MATCH_NO;
	if (is_trouble(mx))
		*out = trouble(e, name, DNS_MX, mx);
	else if (mx->outcome != DNS_FOUND)
		*out = count_void(e, name, DNS_MX); /* 5.4: no implicit MX here */
	if (*out == MATCH_NO && mx->n > NAMES_MAX) {
		problem(e, "%.*s has more than %d MX hosts (RFC 7208 4.6.4)", STR_ARG(name), NAMES_MAX);
		*out = MATCH_PERMERROR; /* before any is asked, so that the order of equal hosts decides nothing */
	}
	for (size_t i = 0; ok && *out == MATCH_NO && i < mx->n; i++) {
		if (mx->records[i].mx.host.n > 0) { /* null MX matches nobody */
			ok = addresses_match(e, unescape(e, mx->records[i].mx.host), bits_for(e, term), out, err);
		}
	}
	dns_answer_release(mx);
	return ok;
}

/* 5.5: DNS trouble means no match, of the PTR look-up and of each name. */
WAITS static bool match_ptr(struct evaluation *e, struct str name, enum match *out, struct err *err)
{
	char reverse[80];
	struct str found;
	enum dns_outcome outcome;

	if (!find_validated(e, name, 2, &found, &outcome, err))
		return false;
	*out = found.n > 0 ? MATCH_YES : MATCH_NO;
	if (outcome == DNS_NODATA || outcome == DNS_NXDOMAIN)
		*out = count_void(e, ip_reverse_name(e->query->ip, reverse), DNS_PTR);
	return true;
}

WAITS static bool match_exists(struct evaluation *e, struct str name, enum match *out, struct err *err)
{
	const struct dns_answer *a;

	if (!ask(e, name, DNS_A, &a, err)) /* 5.7: A, whatever the client speaks */
		return false;
	if (is_trouble(a))
		*out = trouble(e, name, DNS_A, a);
	else if (a->outcome != DNS_FOUND)
		*out = count_void(e, name, DNS_A);
	else
		*out = MATCH_YES;
	dns_answer_release(a);
	return true;
}

WAITS static bool check_host(struct evaluation *e, struct str domain, enum spf_result *result, struct err *err);

/* 5.2, the table. Recursion is as deep as there are look-ups: ten. */
WAITS static bool match_include(struct evaluation *e, struct str name, enum match *out, struct err *err)
{
	static const enum match table[] = {
		[SPF_PASS] = MATCH_YES, [SPF_FAIL] = MATCH_NO, [SPF_SOFTFAIL] = MATCH_NO, [SPF_NEUTRAL] = MATCH_NO,
		[SPF_TEMPERROR] = MATCH_TEMPERROR, [SPF_PERMERROR] = MATCH_PERMERROR, [SPF_NONE] = MATCH_PERMERROR,
	};
	struct spf_macro_values outer = e->values;
	bool had_validated = e->has_validated;
	enum spf_result result;

	e->depth++;
	bool ok = check_host(e, name, &result, err);
	e->depth--;
	e->values = outer;
	e->has_validated = had_validated;
	if (!ok)
		return false;
	if (result == SPF_NONE)
		problem(e, "include:%.*s has no SPF record (RFC 7208 5.2)", STR_ARG(name));
	*out = table[result];
	return true;
}

/* 4.6.4 */
static bool is_within_limit(struct evaluation *e, const struct spf_term *term)
{
	if (!spf_kind_costs(term->kind) || ++e->answer->lookups <= LOOKUPS_MAX)
		return true;
	problem(e, "more than %d look-ups at \"%.*s\" in the record of %.*s (RFC 7208 4.6.4)", LOOKUPS_MAX,
	        STR_ARG(term->text), STR_ARG(e->values.domain));
	return false;
}

WAITS static bool match_asked(struct evaluation *e, const struct spf_term *term, enum match *out, struct err *err)
{
	struct str name;

	if (!target(e, term, &name, err))
		return false;
	switch (term->kind) {
	case SPF_INCLUDE: return match_include(e, name, out, err);
	case SPF_A:       return addresses_match(e, name, bits_for(e, term), out, err);
	case SPF_MX:      return match_mx(e, term, name, out, err);
	case SPF_PTR:     return match_ptr(e, name, out, err);
	default:          return match_exists(e, name, out, err);
	}
}

WAITS static bool match_term(struct evaluation *e, const struct spf_term *term, enum match *out, struct err *err)
{
	*out = MATCH_NO;
	switch (term->kind) {
	case SPF_ALL: /* 5.1 */
		*out = MATCH_YES;
		return true;
	case SPF_IP4: /* 5.6 */
		*out = net_has(e->query->ip, term->ip, term->bits4) ? MATCH_YES : MATCH_NO;
		return true;
	case SPF_IP6:
		*out = net_has(e->query->ip, term->ip, term->bits6) ? MATCH_YES : MATCH_NO;
		return true;
	case SPF_REDIRECT: /* modifiers match nothing; redirect waits for the end (6.1) */
	case SPF_EXP:
	case SPF_OTHER_MODIFIER:
		return true;
	default:
		break;
	}
	if (is_within_limit(e, term))
		return match_asked(e, term, out, err);
	*out = MATCH_PERMERROR;
	return true;
}

static enum spf_result result_of_qualifier(char qualifier)
{
	return qualifier == '-' ? SPF_FAIL : qualifier == '~' ? SPF_SOFTFAIL : qualifier == '?' ? SPF_NEUTRAL : SPF_PASS;
}

/* --- the explanation of a fail (6.2) --- */

static void keep_explanation(struct evaluation *e, const struct dns_answer *a)
{
	struct spf_macro_fault fault;
	struct buf out = {.max = SPF_EXPANSION_MAX};

	/* 6.2: exactly one record, whose syntax is right and that is US-ASCII; else as if there were none */
	if (a && a->outcome == DNS_FOUND && a->n == 1 && spf_macro_string_check(a->records[0].text, true, &fault)) {
		spf_macro_expand(&e->values, a->records[0].text, &out);
		struct str text = buf_view(&out);
		bool is_printable = buf_ok(&out);
		for (size_t i = 0; i < text.n; i++)
			is_printable = is_printable && text.p[i] >= 0x20 && text.p[i] <= 0x7e;
		if (is_printable)
			e->answer->explanation = arena_str(e->arena, text);
	}
	buf_done(&out);
}

WAITS static bool explain(struct evaluation *e, const struct spf_record *record, struct err *err)
{
	const struct dns_answer *a;
	struct str name;

	if (record->exp.text.n == 0 || e->query->has_no_explanation || e->depth > 0)
		return true; /* 6.2: an include's exp is never used */
	if (!target(e, &record->exp, &name, err) || !ask(e, name, DNS_TXT, &a, err))
		return false;
	if (a && a->outcome == DNS_FOUND && a->n == 1 && spf_macro_uses(a->records[0].text, 'p')) {
		if (!prepare_macros(e, STR("%{p}"), err)) {
			dns_answer_release(a);
			return false;
		}
	}
	keep_explanation(e, a);
	dns_answer_release(a);
	return true;
}

/* --- records --- */

/* 6.1 */
WAITS static bool redirect(struct evaluation *e, const struct spf_record *record, enum spf_result *result, struct err *err)
{
	struct str name;

	if (!is_within_limit(e, &record->redirect)) {
		*result = SPF_PERMERROR;
		return true;
	}
	if (!target(e, &record->redirect, &name, err))
		return false;
	trace(e, "%.*s (RFC 7208 6.1)", STR_ARG(record->redirect.text));
	e->has_validated = false;
	e->values.validated = STR_NONE;
	if (!check_host(e, name, result, err))
		return false;
	if (*result == SPF_NONE) {
		problem(e, "redirect=%.*s has no SPF record (RFC 7208 6.1)", STR_ARG(name));
		*result = SPF_PERMERROR;
	}
	return true;
}

static void decided(struct evaluation *e, struct str mechanism, enum spf_result result)
{
	/* Of an include only the include itself decides, and it is noted when its turn comes. */
	if (e->depth == 0)
		e->answer->mechanism = arena_str(e->arena, mechanism);
	trace_says(e, mechanism, str_from(spf_result_name(result)));
}

/* 4.6.2: left to right until one matches. */
WAITS static bool evaluate(struct evaluation *e, const struct spf_record *record, enum spf_result *result, struct err *err)
{
	struct spf_term term;
	struct spf_fault fault;
	enum match match;

	for (size_t at = 0; spf_term_next(record->text, &at, &term, &fault);) {
		if (!match_term(e, &term, &match, err))
			return false;
		if (match == MATCH_NO) {
			trace_says(e, term.text, STR("does not match"));
			continue;
		}
		*result = match == MATCH_TEMPERROR   ? SPF_TEMPERROR
		          : match == MATCH_PERMERROR ? SPF_PERMERROR
		                                     : result_of_qualifier(term.qualifier);
		decided(e, term.text, *result);
		return *result != SPF_FAIL || explain(e, record, err);
	}
	if (record->redirect.text.n > 0) /* not where an `all` stands: that one matched */
		return redirect(e, record, result, err);
	*result = SPF_NEUTRAL; /* 4.7 */
	decided(e, STR("default"), *result);
	return true;
}

/* 4.4, 4.5. *record is empty where there is none; the copy is in the arena. */
static enum spf_result select_record(struct evaluation *e, struct str domain, const struct dns_answer *a, struct str *record)
{
	size_t n = 0;

	*record = STR_NONE;
	if (is_trouble(a)) {
		trouble(e, domain, DNS_TXT, a);
		return SPF_TEMPERROR;
	}
	for (size_t i = 0; a->outcome == DNS_FOUND && i < a->n; i++) {
		if (!spf_is_record(a->records[i].text))
			continue;
		*record = a->records[i].text;
		n++;
	}
	if (n > 1) {
		problem(e, "%.*s has %zu SPF records (RFC 7208 4.5)", STR_ARG(domain), n);
		return SPF_PERMERROR;
	}
	if (n == 0) {
		trace(e, "%.*s: no SPF record (RFC 7208 4.5)", STR_ARG(domain));
		return SPF_NONE;
	}
	*record = arena_str(e->arena, *record);
	return SPF_PASS;
}

/* 4.3: a name that can be asked for, of two labels at least. */
static bool is_domain(struct str domain)
{
	return spf_name_is_askable(domain) && str_find_char(domain, '.') < domain.n;
}

/* 4.3 to 4.7 for one domain. */
WAITS static bool check_host(struct evaluation *e, struct str domain, enum spf_result *result, struct err *err)
{
	const struct dns_answer *a;
	struct spf_record record;
	struct spf_fault fault;
	struct str text;

	assert(e->depth <= DEPTH_MAX);
	*result = SPF_NONE;
	if (!is_domain(domain)) {
		trace(e, "\"%.*s\" is no domain name (RFC 7208 4.3)", STR_ARG(domain));
		return true;
	}
	e->values.domain = domain;
	if (!ask(e, domain, DNS_TXT, &a, err))
		return false;
	*result = select_record(e, domain, a, &text);
	dns_answer_release(a);
	if (*result != SPF_PASS)
		return true;
	trace_says(e, domain, text);
	if (!spf_record_check(text, &record, &fault)) {
		problem(e, "record of %.*s, byte %zu: %s (RFC 7208 4.6)", STR_ARG(domain), fault.at, fault.text);
		*result = SPF_PERMERROR;
		return true;
	}
	return evaluate(e, &record, result, err);
}

static bool has_high_byte(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

/* 2.4, 4.3: the null sender is postmaster at the HELO name, and an empty local part is postmaster too. */
static void set_identity(struct evaluation *e)
{
	const struct spf_query *q = e->query;
	size_t at = str_rfind_char(q->from, '@');
	struct str domain = q->from.n == 0 ? q->helo : at < q->from.n ? str_skip(q->from, at + 1) : q->from;
	struct str local = at < q->from.n ? str_slice(q->from, 0, at) : STR_NONE;
	struct err ignored;

	if (str_ends(domain, STR(".")))
		domain.n--;
	if (has_high_byte(domain)) /* 4.3, RFC 8616 4: A-labels; what cannot be made into one is no domain name */
		domain_to_ascii(e->arena, domain, &domain, &ignored);
	e->answer->is_helo = q->from.n == 0;
	e->answer->domain = arena_lower(e->arena, domain);
	e->values = (struct spf_macro_values){
		.local = local.n ? local : STR("postmaster"), .sender_domain = domain, .domain = e->answer->domain,
		.helo = q->helo, .receiver = q->receiver, .ip = q->ip, .now = q->now,
	};
}

bool spf_check(struct resolver *r, const struct spf_query *query, struct arena *arena, struct spf_answer *out,
               struct err *err)
{
	struct spf_answer answer = {0};
	struct evaluation e = {.resolver = r, .query = query, .arena = arena, .answer = &answer, .trace = {.max = 65536},
	                       .trace_line = {.max = TRACE_LINE_MAX}};

	set_identity(&e);
	bool ok = check_host(&e, answer.domain, &answer.result, err);
	if (ok) {
		answer.trace = arena_str(arena, buf_view(&e.trace));
		*out = answer;
	}
	buf_done(&e.trace);
	buf_done(&e.trace_line);
	return ok;
}
