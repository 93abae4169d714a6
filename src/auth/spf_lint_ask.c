/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the SPF lint that ask about a client, or each name server for itself. */
#include "auth/spf_lint_inside.h"

#include "auth/spf_check.h"
#include "base/auto.h"

#define SERVERS_MAX 8
#define INFO        SPF_SEVERITY_INFO
#define WARNING     SPF_SEVERITY_WARNING

/* --- SPF057 --- */

/* Where the term stands that decided; nothing of the record's own decides a neutral default or a redirect. */
static size_t term_place(struct str record, struct str mechanism)
{
	struct spf_term term;
	struct spf_fault fault;

	for (size_t at = 0; spf_term_next(record, &at, &term, &fault) || fault.n > 0;)
		if (fault.n == 0 && str_eq(term.text, mechanism))
			return term.at;
	return SPF_NOWHERE;
}

bool spf_lint_client(struct resolver *r, struct ip ip, struct arena *arena, struct spf_lint *lint, struct err *err)
{
	struct spf_query q = {.helo = lint->domain, .from = lint->domain, .ip = ip, .has_no_explanation = true};
	struct linting l = {.resolver = r, .arena = arena, .out = lint, .at = SPF_NOWHERE};
	struct spf_answer a;
	char text[IP_TEXT_MAX];

	if (!spf_check(r, &q, arena, &a, err))
		return false;
	size_t at = term_place(lint->record, a.mechanism);
	struct str why = a.problem.n > 0 ? a.problem : a.mechanism.n > 0 ? a.mechanism : STR("there is no record");
	lint->client_result = spf_result_name(a.result);
	lint->client_term = a.mechanism;
	lint->is_unknown |= a.result == SPF_TEMPERROR;
	lint_add(&l, "SPF057", a.result == SPF_PASS ? INFO : WARNING, at, at == SPF_NOWHERE ? 0 : a.mechanism.n,
	         "%.*s gets %s: %.*s", STR_ARG(ip_text(ip, text)), spf_result_name(a.result), STR_ARG(why));
	return true;
}

/* --- SPF053 --- */

struct server_round {
	const struct spf_lint_servers *servers;
	struct linting lint;
	struct str first_name, first_says; /* of the first server that answered; no name: none has yet */
	bool has_first;
};

/* All SPF records there, so that two in another order are the same. */
static struct str what_it_says(struct arena *arena, const struct dns_answer *a)
{
	struct str least = STR_NONE, greatest = STR_NONE;
	size_t n = 0;

	for (size_t i = 0; a->outcome == DNS_FOUND && i < a->n; i++) {
		struct str text = a->records[i].text;
		if (!spf_is_record(text))
			continue;
		if (n++ == 0)
			least = greatest = text;
		least = str_cmp(text, least) < 0 ? text : least;
		greatest = str_cmp(text, greatest) > 0 ? text : greatest;
	}
	if (n <= 1)
		return n == 0 ? STR("that there is no record") : arena_printf(arena, "\"%.*s\"", STR_ARG(least));
	return arena_printf(arena, "%zu records, \"%.*s\" to \"%.*s\"", n, STR_ARG(least), STR_ARG(greatest));
}

static void compare(struct server_round *s, struct str name, const struct dns_answer *a)
{
	if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS) {
		lint_add(&s->lint, "SPF053", INFO, SPF_NOWHERE, 0, "the name server %.*s gives no answer: %.*s", STR_ARG(name), STR_ARG(a->why));
		return;
	}
	struct str says = what_it_says(s->lint.arena, a);
	if (!s->has_first) {
		s->has_first = true;
		s->first_name = name;
		s->first_says = says;
	} else if (!str_eq(says, s->first_says)) {
		lint_add(&s->lint, "SPF053", WARNING, SPF_NOWHERE, 0,
		         "the name servers differ, and receivers get the one or the other: %.*s says %.*s, %.*s says %.*s",
		         STR_ARG(s->first_name), STR_ARG(s->first_says), STR_ARG(name), STR_ARG(says));
	}
}

WAITS static bool server_ask(struct server_round *s, struct str name, struct ip ip, struct err *err)
{
	const struct dns_answer *a;
	struct resolver *alone;

	if (!s->servers->open(s->servers->arg, ip, &alone, err))
		return false;
	bool ok = dns_lookup(alone, s->lint.out->domain, DNS_TXT, &a, err);
	if (ok) {
		compare(s, name, a);
		dns_answer_release(a);
	}
	s->servers->close(s->servers->arg, alone);
	return ok;
}

/* The first address of the server, IPv4 before IPv6, is enough: what a server says does not hang on the way to it. */
WAITS static bool server_visit(struct server_round *s, struct str name, struct err *err)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	const struct dns_answer *a;
	struct ip ip = {.family = 0};

	for (size_t i = 0; i < 2 && ip.family == 0; i++) {
		if (!dns_lookup(s->lint.resolver, name, types[i], &a, err))
			return false;
		if (a->outcome == DNS_FOUND)
			ip = a->records[0].ip;
		dns_answer_release(a);
	}
	if (ip.family != 0)
		return server_ask(s, name, ip, err);
	lint_add(&s->lint, "SPF053", INFO, SPF_NOWHERE, 0, "the name server %.*s has no address", STR_ARG(name));
	return true;
}

/* The servers of the zone that the domain is in: its own, or those of the nearest name above. */
WAITS static bool servers_find(struct resolver *r, struct str domain, const struct dns_answer **out, struct err *err)
{
	struct str label;

	*out = NULL;
	while (domain.n > 0) {
		if (!dns_lookup(r, domain, DNS_NS, out, err))
			return false;
		if ((*out)->outcome != DNS_NODATA && (*out)->outcome != DNS_NXDOMAIN)
			return true;
		dns_answer_release(*out);
		*out = NULL;
		str_cut(&domain, '.', &label);
	}
	return true;
}

bool spf_lint_name_servers(struct resolver *r, const struct spf_lint_servers *servers, struct arena *arena,
                           struct spf_lint *lint, struct err *err)
{
	struct server_round s = {.servers = servers, .lint = {.resolver = r, .arena = arena, .out = lint, .at = SPF_NOWHERE}};
	const struct dns_answer *ns;
	bool ok = true;

	if (!servers_find(r, lint->domain, &ns, err))
		return false;
	for (size_t i = 0; ok && ns && ns->outcome == DNS_FOUND && i < ns->n && i < SERVERS_MAX; i++)
		ok = server_visit(&s, ns->records[i].name, err);
	dns_answer_release(ns);
	return ok;
}
