/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of `explain --check` that ask the DNS alone. */
#include "auth/dkim_record.h"
#include "auth/dmarc_check.h"
#include "auth/spf_check.h"
#include "auth/spf_lint.h"
#include "cmd/explain_check.h"

/* Says what is missing; false: it is. */
static bool has_domain(const struct check_world *w, struct str domain, const char *whose, const char *option, struct explain_check *k)
{
	k->subject = domain;
	if (domain.n > 0)
		return true;
	check_set(w, k, STATE_UNKNOWN, "the %s domain is not known from this text", whose);
	check_fix(w, k, "Give it: %s", option);
	return false;
}

static bool has_ip(const struct check_world *w, struct explain_check *k)
{
	char text[IP_TEXT_MAX];

	if (w->facts->ip.family != 0) {
		k->subject = arena_str(w->arena, ip_text(w->facts->ip, text));
		return true;
	}
	check_set(w, k, STATE_UNKNOWN, "the address of the sending server is not known from this text");
	check_fix(w, k, "Give it: --ip ADDRESS");
	return false;
}

/* --- where mail for a domain goes --- */

WAITS static bool find_mx(const struct check_world *w, struct str domain, struct mx_list *list, struct explain_check *k)
{
	struct err err;

	if (mx_find(w->alone->resolver, &w->mx, domain, w->arena, list, &err))
		return true;
	check_set(w, k, STATE_UNKNOWN, "%.*s: %s", STR_ARG(domain), err.text);
	return false;
}

static void say_found(const struct check_world *w, const struct mx_list *list, struct explain_check *k)
{
	if (list->is_implicit)
		check_set(w, k, STATE_PASS, "%.*s has no MX, but an address: mail goes there", STR_ARG(k->subject));
	else
		check_set(w, k, STATE_PASS, "%.*s takes mail at %.*s%s", STR_ARG(k->subject), STR_ARG(list->hosts[0].name),
		          list->n > 1 ? " and others" : "");
}

/* What both sides' domains have in common; false: all is well. */
static bool mx_fault(const struct check_world *w, const struct mx_list *list, struct explain_check *k)
{
	struct str domain = k->subject;

	switch (list->outcome) {
	case MX_FOUND:
		return false;
	case MX_NULL:
		check_set(w, k, STATE_FAIL, "%.*s says that it takes no mail at all (null MX)", STR_ARG(domain));
		return true;
	case MX_NO_DOMAIN:
		check_set(w, k, STATE_FAIL, "%.*s does not exist in the DNS, or has neither MX nor address", STR_ARG(domain));
		return true;
	case MX_UNUSABLE:
		check_set(w, k, STATE_FAIL, "the mail servers of %.*s are only at addresses nobody can send to", STR_ARG(domain));
		return true;
	case MX_TEMPORARY:
		check_set(w, k, STATE_UNKNOWN, "the DNS of %.*s did not answer: %.*s", STR_ARG(domain), STR_ARG(list->why));
		check_fix(w, k, "Ask each name server of %.*s by itself; one that does not answer, or DNSSEC that does not validate, does this.",
		          STR_ARG(domain));
		return true;
	}
	return true;
}

void check_sender_dns(const struct check_world *w, struct explain_check *k)
{
	struct mx_list list = {0};

	if (!has_domain(w, w->facts->sender_domain, "sender's", "--from ADDRESS", k) || !find_mx(w, k->subject, &list, k))
		return;
	if (!mx_fault(w, &list, k))
		say_found(w, &list, k);
	else if (k->state == STATE_FAIL)
		check_fix(w, k, "Publish an MX record for %.*s that leads to a server strangers can reach, or send from a domain that has one.",
		          STR_ARG(k->subject));
}

void check_rcpt_dns(const struct check_world *w, struct explain_check *k)
{
	struct mx_list list = {0};

	if (!has_domain(w, w->facts->recipient_domain, "recipient's", "--to ADDRESS", k) || !find_mx(w, k->subject, &list, k))
		return;
	if (!mx_fault(w, &list, k))
		say_found(w, &list, k);
	else if (k->state == STATE_FAIL)
		check_fix(w, k, "Look for a typing mistake in %.*s; if it is right, its owner has to publish an MX record.", STR_ARG(k->subject));
}

/* --- SPF, DKIM, DMARC --- */

/* What the record says about the sending address; true: it decided. */
WAITS static bool spf_of_client(const struct check_world *w, struct explain_check *k)
{
	struct spf_query q = {.ip = w->facts->ip, .helo = w->facts->helo.n ? w->facts->helo : w->facts->sender_domain,
	                      .from = w->facts->sender.n ? w->facts->sender : w->facts->sender_domain, .receiver = w->host,
	                      .has_no_explanation = true};
	struct spf_answer answer;
	char text[IP_TEXT_MAX];
	struct err err;

	if (q.ip.family == 0 || !spf_check(w->alone->resolver, &q, w->arena, &answer, &err))
		return false;
	struct str ip = ip_text(q.ip, text);
	if (answer.result == SPF_PASS) {
		check_set(w, k, STATE_PASS, "the SPF record of %.*s lets %.*s send (%.*s)", STR_ARG(k->subject), STR_ARG(ip), STR_ARG(answer.mechanism));
		return true;
	}
	if (answer.result != SPF_FAIL && answer.result != SPF_SOFTFAIL && answer.result != SPF_NEUTRAL)
		return false;
	check_set(w, k, STATE_FAIL, "the SPF record of %.*s says %s for %.*s (%.*s)", STR_ARG(k->subject), spf_result_name(answer.result),
	          STR_ARG(ip), STR_ARG(answer.mechanism));
	check_fix(w, k, "If %.*s is your server, add it to the SPF record of %.*s; if it is a forwarder, sign with DKIM, which survives forwarding.",
	          STR_ARG(ip), STR_ARG(k->subject));
	return true;
}

void check_spf(const struct check_world *w, struct explain_check *k)
{
	struct spf_lint *lint = arena_new(w->arena, struct spf_lint);
	const struct spf_finding *worst = NULL;
	struct err err;

	if (!has_domain(w, w->facts->sender_domain, "sender's", "--from ADDRESS", k) ||
	    !spf_lint(w->alone->resolver, k->subject, STR_NONE, w->arena, lint, &err))
		return;
	for (size_t i = 0; i < lint->n_findings; i++)
		if (!worst || lint->findings[i].severity > worst->severity)
			worst = &lint->findings[i];
	if (worst && worst->severity >= SPF_SEVERITY_ERROR) {
		check_set(w, k, STATE_FAIL, "SPF of %.*s: %.*s (%s)", STR_ARG(k->subject), STR_ARG(worst->text), worst->id);
		check_fix(w, k, "Mend the SPF record of %.*s: `postern spf lint %.*s` shows the place.", STR_ARG(k->subject), STR_ARG(k->subject));
	} else if (lint->is_unknown) {
		check_set(w, k, STATE_UNKNOWN, "the DNS did not answer about the SPF record of %.*s", STR_ARG(k->subject));
	} else if (!spf_of_client(w, k)) {
		check_set(w, k, STATE_PASS, "the SPF record of %.*s is sound (%u of 10 look-ups)%s", STR_ARG(k->subject), lint->lookups,
		          w->facts->ip.family ? "" : "; with --ip it would say whether that server is in it");
	}
}

static void say_key(const struct check_world *w, const struct dns_answer *a, struct explain_check *k)
{
	struct dkim_key key;
	const char *why = "";

	if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS) {
		check_set(w, k, STATE_UNKNOWN, "the DNS did not answer about %.*s: %.*s", STR_ARG(k->subject), STR_ARG(a->why));
	} else if (a->outcome != DNS_FOUND) {
		check_set(w, k, STATE_FAIL, "there is no DKIM key at %.*s", STR_ARG(k->subject));
		check_fix(w, k, "Publish the public key of selector %.*s as TXT at %.*s.", STR_ARG(w->facts->selector), STR_ARG(k->subject));
	} else if (!dkim_key_parse(a->records[0].text, &key, &why)) {
		check_set(w, k, STATE_FAIL, "the DKIM key at %.*s cannot be read: %s", STR_ARG(k->subject), why);
		check_fix(w, k, "Publish the DKIM key at %.*s again, whole and on one line.", STR_ARG(k->subject));
	} else if (key.p.n == 0) {
		check_set(w, k, STATE_FAIL, "the DKIM key at %.*s is revoked (p= is empty)", STR_ARG(k->subject));
		check_fix(w, k, "Sign with a selector that is in use, or publish the key at %.*s.", STR_ARG(k->subject));
	} else {
		check_set(w, k, STATE_PASS, "there is a DKIM key at %.*s", STR_ARG(k->subject));
	}
}

void check_dkim(const struct check_world *w, struct explain_check *k)
{
	const struct dns_answer *a;
	struct err err;

	if (!has_domain(w, w->facts->sender_domain, "sender's", "--from ADDRESS", k))
		return;
	if (w->facts->selector.n == 0) {
		check_set(w, k, STATE_UNKNOWN, "which DKIM key %.*s signs with is not known", STR_ARG(k->subject));
		check_fix(w, k, "Look for s= in the DKIM-Signature of a mail that was sent, and give it: --selector NAME");
		return;
	}
	k->subject = arena_printf(w->arena, "%.*s._domainkey.%.*s", STR_ARG(w->facts->selector), STR_ARG(k->subject));
	if (!dns_lookup(w->alone->resolver, k->subject, DNS_TXT, &a, &err))
		return;
	say_key(w, a, k);
	dns_answer_release(a);
}

void check_dmarc(const struct check_world *w, struct explain_check *k)
{
	struct dmarc_authors *authors = arena_new(w->arena, struct dmarc_authors);
	struct dmarc_answer *answer = arena_new(w->arena, struct dmarc_answer);
	struct dmarc_query q = {.authors = authors};
	struct err err;

	if (!has_domain(w, w->facts->sender_domain, "sender's", "--from ADDRESS", k))
		return;
	authors->domain[0] = k->subject;
	authors->n = 1;
	if (!dmarc_check(w->alone->resolver, &q, w->arena, answer, &err))
		return;
	if (answer->has_record) {
		check_set(w, k, STATE_PASS, "%.*s has a DMARC record (%s)", STR_ARG(answer->policy_domain), dmarc_policy_name(answer->policy));
	} else if (answer->result == DMARC_RESULT_TEMPERROR) {
		check_set(w, k, STATE_UNKNOWN, "the DNS did not answer about the DMARC record of %.*s", STR_ARG(k->subject));
	} else {
		check_set(w, k, STATE_FAIL, "%.*s has no DMARC record; large providers expect one", STR_ARG(k->subject));
		check_fix(w, k, "Publish TXT \"v=DMARC1; p=none; rua=mailto:postmaster@%.*s\" at _dmarc.%.*s.", STR_ARG(k->subject), STR_ARG(k->subject));
	}
}

/* --- the sending server's address and name --- */

void check_ptr(const struct check_world *w, struct explain_check *k)
{
	enum dns_outcome outcome;
	struct str name;
	struct err err;

	if (!has_ip(w, k) || !dns_iprev(w->alone->resolver, w->facts->ip, w->arena, &outcome, &name, &err))
		return;
	if (outcome == DNS_FOUND) {
		check_set(w, k, STATE_PASS, "%.*s is %.*s, and that name leads back to it", STR_ARG(k->subject), STR_ARG(name));
	} else if (outcome == DNS_TEMPORARY || outcome == DNS_BOGUS) {
		check_set(w, k, STATE_UNKNOWN, "the reverse name of %.*s could not be looked up just now", STR_ARG(k->subject));
		check_fix(w, k, "Ask the provider of %.*s whether its reverse zone answers.", STR_ARG(k->subject));
	} else {
		check_set(w, k, STATE_FAIL, name.n ? "%.*s has the reverse name %.*s, which does not lead back to it" : "%.*s has no reverse name%.*s",
		          STR_ARG(k->subject), STR_ARG(name));
		check_fix(w, k, "Ask the provider of %.*s for a PTR record with the name that the server greets with, and publish its address.",
		          STR_ARG(k->subject));
	}
}

/* TEMPORARY beats absence: a name with one address unknown may well be right. */
WAITS static bool name_has_ip(const struct check_world *w, struct str name, enum dns_outcome *out)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	struct err err;

	*out = DNS_NXDOMAIN;
	for (size_t i = 0; i < 2; i++) {
		const struct dns_answer *a;
		if (!dns_lookup(w->alone->resolver, name, types[i], &a, &err))
			return false;
		for (size_t n = 0; a->outcome == DNS_FOUND && n < a->n; n++)
			if (ip_eq(a->records[n].ip, w->facts->ip))
				*out = DNS_FOUND;
		if (*out == DNS_NXDOMAIN || a->outcome == DNS_TEMPORARY)
			*out = a->outcome == DNS_FOUND && *out != DNS_FOUND ? DNS_NODATA : *out == DNS_FOUND ? DNS_FOUND : a->outcome;
		dns_answer_release(a);
	}
	return true;
}

void check_helo(const struct check_world *w, struct explain_check *k)
{
	enum dns_outcome outcome;
	struct str name = w->facts->helo;

	k->subject = name;
	if (name.n == 0) {
		check_set(w, k, STATE_UNKNOWN, "the name that the sending server greets with is not known from this text");
		check_fix(w, k, "Give it: --helo NAME");
	} else if (str_find_char(name, '.') == name.n || !domain_is_valid(arena_lower(w->arena, name))) {
		check_set(w, k, STATE_FAIL, "the sending server greets as %.*s, which is no full host name", STR_ARG(name));
		check_fix(w, k, "Let the server greet with its full name, the one of its PTR record.");
	} else if (!name_has_ip(w, name, &outcome)) {
		return;
	} else if (outcome == DNS_TEMPORARY || outcome == DNS_BOGUS) {
		check_set(w, k, STATE_UNKNOWN, "the HELO name %.*s could not be looked up just now", STR_ARG(name));
	} else if (outcome == DNS_NXDOMAIN) {
		check_set(w, k, STATE_FAIL, "the sending server greets as %.*s, which has no address", STR_ARG(name));
		check_fix(w, k, "Publish an address record for %.*s, or let the server greet with a name that has one.", STR_ARG(name));
	} else if (outcome == DNS_FOUND || w->facts->ip.family == 0) {
		check_set(w, k, STATE_PASS, "the HELO name %.*s resolves%s", STR_ARG(name), outcome == DNS_FOUND ? " to the sending address" : "");
	} else {
		check_set(w, k, STATE_FAIL, "the HELO name %.*s does not lead to the sending address", STR_ARG(name));
		check_fix(w, k, "Let the name that the server greets with, its address and its PTR record agree.");
	}
}

/* RFC 5782 2.1: 127.0.0.x means listed; 127.255.255.x is what large lists answer to resolvers that they refuse. */
void check_listed(const struct check_world *w, struct explain_check *k)
{
	char reverse[80];
	const struct dns_answer *a;
	struct err err;

	if (!has_ip(w, k))
		return;
	if (w->facts->zone.n == 0) {
		check_set(w, k, STATE_UNKNOWN, "the reply names no list that could be asked");
		check_fix(w, k, "Follow the link in the reply, or ask the receiving postmaster which list it was.");
		return;
	}
	struct str name = ip_reverse_name(w->facts->ip, reverse);
	size_t arpa = str_ifind(name, w->facts->ip.family == 4 ? STR(".in-addr.arpa") : STR(".ip6.arpa"));
	struct str question = arena_printf(w->arena, "%.*s.%.*s", (int)arpa, name.p, STR_ARG(w->facts->zone));
	if (!dns_lookup(w->alone->resolver, question, DNS_A, &a, &err))
		return;
	bool is_answer = a->outcome == DNS_FOUND && a->records[0].ip.family == 4 && a->records[0].ip.b[0] == 127;
	if (is_answer && a->records[0].ip.b[1] != 255) {
		check_set(w, k, STATE_FAIL, "%.*s is on %.*s now", STR_ARG(k->subject), STR_ARG(w->facts->zone));
		check_fix(w, k, "Read at %.*s why %.*s is listed, close the source, then ask for removal.", STR_ARG(w->facts->zone), STR_ARG(k->subject));
	} else if (a->outcome == DNS_NXDOMAIN || a->outcome == DNS_NODATA) {
		check_set(w, k, STATE_PASS, "%.*s is not on %.*s now; the other side may remember it for some hours", STR_ARG(k->subject),
		          STR_ARG(w->facts->zone));
	} else {
		check_set(w, k, STATE_UNKNOWN, "%.*s does not answer this resolver; look on its web page", STR_ARG(w->facts->zone));
	}
	dns_answer_release(a);
}
