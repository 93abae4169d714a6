/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF lint: walks the record and all that it includes, asks what an evaluation would ask, and adds up. */
#include "auth/spf_lint_inside.h"

#include "auth/spf_macro.h"
#include "base/auto.h"
#include "mail/address.h"

#define LOOKUPS_MAX  10
#define LOOKUPS_NEAR 8
#define VOIDS_MAX    2
#define NAMES_MAX    10
#define DEPTH_MAX    14 /* deeper costs more look-ups than are allowed; each level is a frame on a small stack */
#define INCLUDES_MAX 200

#define INFO     SPF_SEVERITY_INFO
#define WARNING  SPF_SEVERITY_WARNING
#define ERROR    SPF_SEVERITY_ERROR
#define CRITICAL SPF_SEVERITY_CRITICAL

const char *spf_severity_name(enum spf_severity s)
{
	static const char *const names[] = {"info", "warn", "error", "critical"};
	return names[s];
}

void lint_add(struct linting *l, const char *id, enum spf_severity severity, size_t at, size_t n, const char *format, ...)
{
	auto_buf struct buf raw = {.max = 2048}, text = {.max = 8192};
	va_list args;

	if (l->out->n_findings == LINT_FINDINGS_MAX)
		return;
	va_start(args, format);
	buf_vprintf(&raw, format, args);
	va_end(args);
	for (size_t i = 0; i < raw.n; i++) /* records may hold anything */
		buf_char(&text, raw.p[i] >= 0x20 && raw.p[i] < 0x7f ? raw.p[i] : '?');
	if (!l->out->findings)
		l->out->findings = arena_alloc(l->arena, LINT_FINDINGS_MAX * sizeof(*l->out->findings));
	/* What is wrong in an include is shown at the include. */
	bool is_here = l->depth == 0;
	l->out->findings[l->out->n_findings++] = (struct spf_finding){
		.id = id, .severity = severity, .text = arena_str(l->arena, buf_view(&text)),
		.at = is_here ? at : l->at, .n = is_here ? n : l->n,
	};
}

/* Index of the new node, or of the last one when there are too many. */
static size_t node_add(struct linting *l, struct str term, struct str domain)
{
	struct spf_lint *o = l->out;

	if (!o->nodes)
		o->nodes = arena_alloc(l->arena, LINT_NODES_MAX * sizeof(*o->nodes));
	if (o->n_nodes == LINT_NODES_MAX)
		return LINT_NODES_MAX - 1;
	o->nodes[o->n_nodes] = (struct spf_node){.depth = l->depth, .term = term, .domain = domain};
	return o->n_nodes++;
}

/* An answer without trouble, else NULL with what to say noted. False: cancelled or late. */
WAITS static bool ask(struct linting *l, struct str name, enum dns_type type, const struct dns_answer **out, struct err *err)
{
	const struct dns_answer *a;

	*out = NULL;
	if (!dns_lookup(l->resolver, name, type, &a, err))
		return false;
	if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS) {
		lint_add(l, "SPF000", WARNING, SPF_NOWHERE, 0, "%s of %.*s cannot be looked up: %.*s", dns_type_name(type), STR_ARG(name),
		         STR_ARG(a->why));
		l->out->is_unknown = true;
		dns_answer_release(a);
		return true;
	}
	*out = a;
	return true;
}

/* --- addresses --- */

WAITS static bool take_addresses(struct linting *l, const struct spf_term *term, struct str name, enum dns_type type,
                                 bool *has_any, struct err *err)
{
	const struct dns_answer *a;

	if (!ask(l, name, type, &a, err))
		return false;
	*has_any = *has_any || !a || a->outcome == DNS_FOUND; /* trouble is not absence */
	for (size_t i = 0; a && a->outcome == DNS_FOUND && i < a->n; i++) {
		if (a->records[i].ip.family == (type == DNS_A ? 4 : 6))
			lint_net_add(l, term, a->records[i].ip, type == DNS_A ? term->bits4 : term->bits6);
	}
	dns_answer_release(a);
	return true;
}

WAITS static bool lint_host(struct linting *l, const struct spf_term *term, struct str name, unsigned *voids, struct err *err)
{
	bool has_any = false;

	if (!take_addresses(l, term, name, DNS_A, &has_any, err) || !take_addresses(l, term, name, DNS_AAAA, &has_any, err))
		return false;
	if (!has_any) {
		(*voids)++;
		lint_add(l, "SPF012", WARNING, term->at, term->text.n, "%.*s has no address: a void look-up", STR_ARG(name));
	}
	return true;
}

WAITS static bool lint_mx(struct linting *l, const struct spf_term *term, struct str name, unsigned *voids, struct err *err)
{
	const struct dns_answer *mx;
	bool ok = true;

	if (!ask(l, name, DNS_MX, &mx, err))
		return false;
	if (mx && mx->outcome != DNS_FOUND) {
		(*voids)++;
		lint_add(l, "SPF012", WARNING, term->at, term->text.n, "%.*s has no MX record: a void look-up", STR_ARG(name));
	}
	if (mx && mx->n > NAMES_MAX)
		lint_add(l, "SPF013", ERROR, term->at, term->text.n, "%.*s has %zu MX hosts; more than %d are a PermError (RFC 7208 4.6.4)",
		         STR_ARG(name), mx->n, NAMES_MAX);
	for (size_t i = 0; ok && mx && i < mx->n && i < NAMES_MAX; i++) {
		if (mx->records[i].mx.host.n > 0)
			ok = lint_host(l, term, mx->records[i].mx.host, voids, err);
	}
	dns_answer_release(mx);
	return ok;
}

/* --- records of others --- */

/* The one SPF record among TXT records; empty: none, or more than one, which is told. */
static struct str select_record(struct linting *l, struct str domain, const struct dns_answer *a, size_t *count)
{
	struct str record = STR_NONE;

	*count = 0;
	for (size_t i = 0; a && a->outcome == DNS_FOUND && i < a->n; i++) {
		if (spf_is_record(a->records[i].text)) {
			record = arena_str(l->arena, a->records[i].text);
			(*count)++;
		} else if (l->depth == 0) {
			lint_near_miss(l, a->records[i].text);
		}
	}
	if (*count > 1)
		lint_add(l, "SPF002", ERROR, SPF_NOWHERE, 0, "%.*s has %zu SPF records; that is a PermError (RFC 7208 4.5): join them",
		         STR_ARG(domain), *count);
	return *count == 1 ? record : STR_NONE;
}

static bool is_loop(const struct linting *l, struct str name)
{
	for (unsigned i = 0; i <= l->depth; i++) {
		if (str_ieq(l->path[i], name))
			return true;
	}
	return false;
}

static void tell_loop(struct linting *l, const struct spf_term *term, struct str name)
{
	auto_buf struct buf path = {.max = 2048};

	for (unsigned i = 0; i <= l->depth; i++) {
		buf_str(&path, l->path[i]);
		buf_str(&path, STR(" -> "));
	}
	buf_str(&path, name);
	lint_add(l, "SPF015", ERROR, term->at, term->text.n, "it goes round in a circle: %.*s", STR_ARG(buf_view(&path)));
}

/* Another time the same, from wherever: paid twice, and of no use. */
static void note_twice(struct linting *l, const struct spf_term *term, struct str name)
{
	if (!l->included)
		l->included = arena_alloc(l->arena, INCLUDES_MAX * sizeof(*l->included));
	for (size_t i = 0; i < l->n_included; i++) {
		if (str_ieq(l->included[i], name)) {
			lint_add(l, "SPF016", WARNING, term->at, term->text.n, "%.*s is included twice; each time costs its look-ups",
			         STR_ARG(name));
			return;
		}
	}
	if (l->n_included < INCLUDES_MAX)
		l->included[l->n_included++] = name;
}

static void tell_missing(struct linting *l, const struct spf_term *term, struct str name, const struct dns_answer *a)
{
	const char *what = spf_kind_name(term->kind);

	lint_add(l, "SPF014", ERROR, term->at, term->text.n, "%s of %.*s, which has no SPF record: a PermError for every mail that "
	         "comes so far (RFC 7208 %s)", what, STR_ARG(name), term->kind == SPF_INCLUDE ? "5.2" : "6.1");
	if (a->outcome == DNS_NXDOMAIN)
		lint_add(l, "SPF056", CRITICAL, term->at, term->text.n,
		         "%.*s does not exist: who registers it decides who may send in your name", STR_ARG(name));
}

WAITS static bool walk(struct linting *l, struct str domain, struct str record, size_t node, struct err *err);

/* The record that an include or redirect leads to, walked one level deeper. */
WAITS static bool descend(struct linting *l, const struct spf_term *term, struct str name, size_t node, struct err *err)
{
	const struct dns_answer *a;
	size_t count, at = l->at, n = l->n;
	struct str record;

	if (!ask(l, name, DNS_TXT, &a, err))
		return false;
	if (!a)
		return true;
	if (l->depth == 0) {
		l->at = term->at;
		l->n = term->text.n;
	}
	l->depth++;
	record = select_record(l, name, a, &count);
	l->path[l->depth] = name;
	l->out->nodes[node].record = record;
	bool ok = record.n == 0 || walk(l, name, record, node, err);
	l->depth--;
	if (count == 0) {
		l->out->nodes[node].note = a->outcome == DNS_NXDOMAIN ? "no such domain" : "no SPF record";
		tell_missing(l, term, name, a);
	}
	l->at = at;
	l->n = n;
	dns_answer_release(a);
	return ok;
}

WAITS static bool lint_include(struct linting *l, const struct spf_term *term, struct str name, size_t node, struct err *err)
{
	if (is_loop(l, name)) {
		l->out->nodes[node].note = "loop";
		l->is_open = true;
		tell_loop(l, term, name);
		return true;
	}
	note_twice(l, term, name);
	if (l->depth + 1 >= DEPTH_MAX || l->out->n_nodes >= LINT_NODES_MAX - 1) {
		l->out->nodes[node].note = "too deep, not followed";
		l->is_open = true;
		return true;
	}
	size_t nets = l->n_nets;
	bool was_counted = !l->cannot_flatten && !l->is_open && !l->out->is_unknown;
	if (!descend(l, term, name, node, err))
		return false;
	bool is_counted = was_counted && !l->cannot_flatten && !l->is_open && !l->out->is_unknown && nets < LINT_NETS_MAX;
	if (l->depth == 0 && term->kind == SPF_INCLUDE && l->out->nodes[node].record.n > 0 && l->n_nets == nets && is_counted)
		lint_add(l, "SPF061", INFO, term->at, term->text.n, "%.*s allows nobody; without it the record means the same and costs %u "
		         "look-ups less", STR_ARG(term->text), l->out->nodes[node].lookups);
	return true;
}

/* --- terms --- */

WAITS static bool lint_exists(struct linting *l, const struct spf_term *term, struct str name, unsigned *voids, struct err *err)
{
	const struct dns_answer *a;

	if (!ask(l, name, DNS_A, &a, err))
		return false;
	if (a && a->outcome != DNS_FOUND) {
		(*voids)++;
		lint_add(l, "SPF012", WARNING, term->at, term->text.n, "%.*s does not exist: a void look-up", STR_ARG(name));
	} else if (a && term->qualifier == '+') {
		lint_add(l, "SPF020", CRITICAL, term->at, term->text.n,
		         "%.*s exists always, whoever sends: this allows everybody", STR_ARG(name));
	}
	dns_answer_release(a);
	return true;
}

WAITS static bool lint_asking(struct linting *l, const struct spf_term *term, struct str domain, size_t node, struct err *err)
{
	struct spf_macro_values none = {.domain = domain};
	struct str name = spf_domain_expand(&none, term->domain, l->arena);
	struct spf_node *nodes = l->out->nodes;

	if (term->kind == SPF_PTR || term->kind == SPF_EXISTS || spf_macro_has(term->domain))
		l->cannot_flatten = true;
	if (spf_macro_has(term->domain) || term->kind == SPF_PTR) {
		nodes[node].note = term->kind == SPF_PTR ? "depends on the client" : "depends on the sender";
		return true;
	}
	nodes[node].domain = name;
	if (name.n == 0)
		return true; /* a record without its domain */
	if (!spf_name_is_askable(name)) {
		lint_add(l, "SPF005", WARNING, term->at, term->text.n, "\"%.*s\" is no name that could be in the DNS, so the term never matches",
		         STR_ARG(name));
		return true;
	}
	switch (term->kind) {
	case SPF_A:      return lint_host(l, term, name, &nodes[node].void_lookups, err);
	case SPF_MX:     return lint_mx(l, term, name, &nodes[node].void_lookups, err);
	case SPF_EXISTS: return lint_exists(l, term, name, &nodes[node].void_lookups, err);
	default:         return lint_include(l, term, name, node, err);
	}
}

/* One look-up, and what hangs below it. */
WAITS static bool lint_cost(struct linting *l, const struct spf_term *term, struct str domain, size_t parent, struct err *err)
{
	l->depth++;
	size_t node = node_add(l, term->text, STR_NONE);
	l->depth--;
	if (node == parent) { /* more nodes than anybody reads */
		l->is_open = true;
		return true;
	}
	l->out->nodes[node].lookups = 1;
	bool ok = lint_asking(l, term, domain, node, err);
	l->out->nodes[parent].lookups += l->out->nodes[node].lookups;
	l->out->nodes[parent].void_lookups += l->out->nodes[node].void_lookups;
	return ok;
}

/* RFC 7208 6.2: exactly one TXT record; costs none of the ten. */
WAITS static bool lint_exp(struct linting *l, const struct spf_term *term, struct str domain, struct err *err)
{
	struct spf_macro_values none = {.domain = domain};
	struct str name = spf_domain_expand(&none, term->domain, l->arena);
	const struct dns_answer *a;
	struct spf_macro_fault fault;

	if (l->depth > 0 || spf_macro_has(term->domain))
		return true;
	if (!ask(l, name, DNS_TXT, &a, err))
		return false;
	if (a && (a->outcome != DNS_FOUND || a->n != 1))
		lint_add(l, "SPF041", WARNING, term->at, term->text.n, "%.*s has %zu TXT records, so nobody sees the explanation; "
		         "one is needed", STR_ARG(name), a->outcome == DNS_FOUND ? a->n : 0);
	else if (a && !spf_macro_string_check(a->records[0].text, true, &fault))
		lint_add(l, "SPF041", WARNING, term->at, term->text.n, "the explanation at %.*s is wrong: %s", STR_ARG(name), fault.text);
	else if (a)
		lint_add(l, "SPF041", INFO, term->at, term->text.n, "explanation: %.*s", STR_ARG(a->records[0].text));
	dns_answer_release(a);
	return true;
}

WAITS static bool lint_term(struct linting *l, const struct spf_term *term, struct str domain, size_t node, struct err *err)
{
	if (term->kind == SPF_EXP)
		return lint_exp(l, term, domain, err);
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
		lint_net_add(l, term, term->ip, term->kind == SPF_IP4 ? term->bits4 : term->bits6);
	return term->kind == SPF_REDIRECT || !spf_kind_costs(term->kind) || lint_cost(l, term, domain, node, err);
}

/* As an evaluation walks: until `all`; redirect only where there is none. A broken term does not stop the counting. */
WAITS static bool walk(struct linting *l, struct str domain, struct str record, size_t node, struct err *err)
{
	struct spf_term term, redirect = {0};
	struct spf_fault fault;
	bool is_over = false;

	lint_text(l, record, domain);
	for (size_t at = 0; spf_term_next(record, &at, &term, &fault) || fault.n > 0;) {
		if (fault.n > 0)
			continue;
		is_over = is_over || term.kind == SPF_ALL;
		l->is_open = l->is_open || (term.kind == SPF_ALL && term.qualifier == '+');
		if (term.kind == SPF_REDIRECT)
			redirect = term;
		if ((!is_over || term.kind == SPF_EXP) && !lint_term(l, &term, domain, node, err)) /* exp= may stand anywhere (6) */
			return false;
	}
	return is_over || redirect.text.n == 0 || lint_cost(l, &redirect, domain, node, err);
}

/* --- the domain around the record --- */

/* The last `all` in force, '+' for none. */
static char qualifier_of_all(struct str record)
{
	struct spf_term term;
	struct spf_fault fault;

	for (size_t at = 0; spf_term_next(record, &at, &term, &fault) || fault.n > 0;) {
		if (fault.n == 0 && term.kind == SPF_ALL)
			return term.qualifier;
	}
	return 0;
}

static bool is_all_alone(struct str record)
{
	struct spf_record parsed;
	struct spf_fault fault;

	return spf_record_check(record, &parsed, &fault) && parsed.terms == 1 && qualifier_of_all(record) == '-';
}

WAITS static bool lint_dmarc(struct linting *l, struct err *err)
{
	struct spf_lint *o = l->out;
	struct str name = arena_printf(l->arena, "_dmarc.%.*s", STR_ARG(o->domain));
	const struct dns_answer *a;
	char all = qualifier_of_all(o->record);
	bool has_dmarc = false;

	if (all != '~' && all != '-')
		return true;
	if (!ask(l, name, DNS_TXT, &a, err))
		return false;
	for (size_t i = 0; a && a->outcome == DNS_FOUND && i < a->n; i++)
		has_dmarc = has_dmarc || str_istarts(a->records[i].text, STR("v=DMARC1"));
	dns_answer_release(a);
	if (all == '~' && !has_dmarc)
		lint_add(l, "SPF022", INFO, SPF_NOWHERE, 0, "~all without a DMARC record: forged mail is only frowned at; publish DMARC, "
		         "or write -all");
	else if (all == '-' && has_dmarc && !is_all_alone(o->record))
		lint_add(l, "SPF022", INFO, SPF_NOWHERE, 0, "-all refuses forwarded mail before DKIM and DMARC are looked at; with DMARC, "
		         "~all is enough");
	return true;
}

/* Bounces come from <>, and are judged by the HELO name (RFC 7208 2.4). */
WAITS static bool lint_helo_names(struct linting *l, const struct dns_answer *mx, struct err *err)
{
	const struct dns_answer *a;
	size_t count, without = 0;
	struct str first = STR_NONE;

	for (size_t i = 0; i < mx->n && i < 5; i++) {
		struct str host = mx->records[i].mx.host;
		if (!domain_is_within(host, l->out->domain))
			continue; /* a provider's hosts are the provider's care */
		if (!ask(l, host, DNS_TXT, &a, err))
			return false;
		l->depth++; /* texts of hosts are not near misses of ours */
		bool has_none = a && select_record(l, host, a, &count).n == 0 && count == 0;
		l->depth--;
		if (has_none && without++ == 0)
			first = arena_str(l->arena, host);
		dns_answer_release(a);
	}
	if (without > 0)
		lint_add(l, "SPF055", INFO, SPF_NOWHERE, 0, "%.*s%s no SPF record of its own, so bounces that it sends are not covered: "
		         "\"v=spf1 a -all\" there", STR_ARG(first), without > 1 ? " and others have" : " has");
	return true;
}

WAITS static bool lint_domain_mail(struct linting *l, struct err *err)
{
	struct spf_lint *o = l->out;
	const struct dns_answer *mx;

	if (!ask(l, o->domain, DNS_MX, &mx, err))
		return false;
	bool is_null = mx && mx->outcome == DNS_FOUND && mx->n == 1 && mx->records[0].mx.host.n == 0;
	bool ok = true;
	if (is_null && o->record.n > 0 && !is_all_alone(o->record))
		lint_add(l, "SPF054", WARNING, SPF_NOWHERE, 0, "the domain takes no mail (null MX), but its SPF record lets somebody send: "
		         "\"v=spf1 -all\" says that it sends none");
	else if (is_null && o->record.n == 0)
		lint_add(l, "SPF054", WARNING, SPF_NOWHERE, 0, "the domain takes no mail (null MX); \"v=spf1 -all\" would say that it sends "
		         "none either");
	else if (mx && mx->outcome == DNS_FOUND && !is_null && o->record.n > 0 && is_all_alone(o->record))
		lint_add(l, "SPF054", INFO, SPF_NOWHERE, 0, "the record says that the domain sends no mail, but it has MX hosts");
	if (mx && mx->outcome == DNS_FOUND && !is_null)
		ok = lint_helo_names(l, mx, err);
	dns_answer_release(mx);
	return ok;
}

/* --- the sum --- */

static const struct spf_node *dearest(const struct spf_lint *o)
{
	const struct spf_node *best = NULL;

	for (size_t i = 0; i < o->n_nodes; i++) {
		if (o->nodes[i].depth == 1 && (!best || o->nodes[i].lookups > best->lookups))
			best = &o->nodes[i];
	}
	return best;
}

static void lint_sum(struct linting *l)
{
	struct spf_lint *o = l->out;
	const struct spf_node *best = dearest(o);

	o->lookups = o->n_nodes ? o->nodes[0].lookups : 0;
	o->void_lookups = o->n_nodes ? o->nodes[0].void_lookups : 0;
	if (o->lookups > LOOKUPS_MAX)
		lint_add(l, "SPF010", ERROR, SPF_NOWHERE, 0, "%u look-ups; more than %d are a PermError (RFC 7208 4.6.4)", o->lookups,
		         LOOKUPS_MAX);
	if (o->lookups >= LOOKUPS_NEAR && best)
		lint_add(l, "SPF011", o->lookups > LOOKUPS_MAX ? INFO : WARNING, SPF_NOWHERE, 0,
		         "%u of %d look-ups; the dearest is \"%.*s\" with %u", o->lookups, LOOKUPS_MAX, STR_ARG(best->term), best->lookups);
	if (o->void_lookups > VOIDS_MAX)
		lint_add(l, "SPF012", ERROR, SPF_NOWHERE, 0, "%u void look-ups; more than %d are a PermError at receivers that count them "
		         "(RFC 7208 4.6.4)", o->void_lookups, VOIDS_MAX);
	for (size_t i = 0; o->lookups >= LOOKUPS_NEAR && i < o->n_nodes; i++) {
		struct str t = o->nodes[i].term;
		if (o->nodes[i].depth == 1 && (str_ieq(t, STR("a")) || str_ieq(t, STR("mx")) || str_istarts(t, STR("a:"))))
			lint_add(l, "SPF061", INFO, SPF_NOWHERE, 0, "\"%.*s\" could be ip4: and ip6: terms, which cost no look-up", STR_ARG(t));
	}
	lint_nets(l);
	lint_flatten(l);
}

/* RFC 7208 3.1: the type SPF is no longer asked for by anybody. Name servers that do not know it are none of our business. */
WAITS static bool lint_old_type(struct linting *l, struct err *err)
{
	const struct spf_lint *o = l->out;
	const struct dns_answer *a;
	bool is_same = false;

	if (!dns_lookup(l->resolver, o->domain, DNS_SPF, &a, err))
		return false;
	for (size_t i = 0; a->outcome == DNS_FOUND && i < a->n; i++)
		is_same = is_same || str_eq(a->records[i].text, o->record);
	if (a->outcome == DNS_FOUND)
		lint_add(l, "SPF003", INFO, SPF_NOWHERE, 0, "a record of the type SPF (99) is left over%s; nobody asks for it, remove it "
		         "(RFC 7208 3.1)", is_same ? "" : ", which says something else");
	dns_answer_release(a);
	return true;
}

WAITS static bool lint_domain_record(struct linting *l, struct err *err)
{
	const struct dns_answer *a;
	size_t count = 0;
	bool has_answer;

	if (!ask(l, l->out->domain, DNS_TXT, &a, err))
		return false;
	has_answer = a != NULL;
	if (a)
		l->out->record = select_record(l, l->out->domain, a, &count);
	if (has_answer && count == 0)
		lint_add(l, "SPF001", a->outcome == DNS_NXDOMAIN ? ERROR : WARNING, SPF_NOWHERE, 0, "%.*s %s", STR_ARG(l->out->domain),
		         a->outcome == DNS_NXDOMAIN ? "does not exist"
		                                    : "has no SPF record: anybody may send in its name, and large receivers refuse its mail");
	dns_answer_release(a);
	return true;
}

bool spf_lint(struct resolver *r, struct str domain, struct str record, struct arena *arena, struct spf_lint *out,
              struct err *err)
{
	struct spf_lint answer = {.domain = arena_lower(arena, domain), .record = record};
	struct linting l = {.resolver = r, .arena = arena, .out = &answer, .at = SPF_NOWHERE};

	if (record.n == 0 && !lint_domain_record(&l, err))
		return false;
	if (record.n > 0 && !spf_is_record(record)) {
		lint_near_miss(&l, record);
		if (answer.n_findings == 0)
			lint_add(&l, "SPF001", ERROR, 0, 1, "this is no SPF record: one begins with v=spf1 and a space");
		answer.record = STR_NONE;
	}
	l.path[0] = answer.domain;
	if (answer.record.n > 0) {
		size_t top = node_add(&l, answer.domain, answer.domain);
		answer.nodes[top].record = answer.record;
		if (!walk(&l, answer.domain, answer.record, top, err))
			return false;
		lint_sum(&l);
	}
	if (answer.domain.n > 0 && (!lint_old_type(&l, err) || !lint_dmarc(&l, err) || !lint_domain_mail(&l, err)))
		return false;
	*out = answer;
	return true;
}
