/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two block lists: whether they answer our resolver at all, and what they say about our addresses. */
#include <stdio.h>

#include "cmd/doctor.h"
#include "cmd/own_addresses.h"

struct block_list {
	const char *zone, *id;
	const char *page;    /* where one looks and asks for removal */
	bool has_refusals;   /* 127.255.255.x says why there is no answer */
};

static const struct block_list lists[] = {
	{"zen.spamhaus.org", "spamhaus", "https://check.spamhaus.org/", true},
	/* Lists those who send to trap addresses with an empty sender: what a probe without manners does. */
	{"ips.backscatterer.org", "backscatterer", "https://www.backscatterer.org/", false},
};

static const char *refusal_of(struct ip answer)
{
	if (answer.b[0] != 127 || answer.b[1] != 255 || answer.b[2] != 255)
		return NULL;
	switch (answer.b[3]) {
	case 252: return "it says that the question was mistyped";
	case 254: return "it does not answer questions that come by a public or open resolver";
	case 255: return "it says that too many questions come by this resolver";
	default: return "it refuses to answer";
	}
}

/* RFC 5782 5: 127.0.0.2 is listed in every list, so that one can see whether it answers. */
WAITS static bool is_answering(struct doctor *d, const struct block_list *list)
{
	struct str name = arena_printf(d->cmd->arena, "2.0.0.127.%s", list->zone);
	const struct dns_answer *a;
	struct err err;
	const char *refusal = NULL;
	bool is_fine = false;

	if (!dns_lookup(d->resolver, name, DNS_A, &a, &err))
		return false;
	if (a->outcome == DNS_FOUND)
		refusal = refusal_of(a->records[0].ip);
	if (refusal)
		finding_add(&d->found, FINDING_WARN, list->id, "dns.resolver = recursive, or a resolver of your own that asks the root itself",
		            "%s: %s", list->zone, refusal);
	else if (a->outcome == DNS_FOUND)
		is_fine = true;
	else if (a->outcome == DNS_NXDOMAIN || a->outcome == DNS_NODATA)
		finding_add(&d->found, FINDING_WARN, list->id, "use a resolver that answers truthfully; some filter what block lists say",
		            "%s: its own test entry is not found", list->zone);
	else
		finding_add(&d->found, FINDING_UNKNOWN, list->id, NULL, "%s: %s", list->zone, dns_outcome_name(a->outcome));
	dns_answer_release(a);
	return is_fine;
}

/* Spamhaus' 10 and 11 are ranges where no mail servers are expected, not bad behaviour. */
static bool is_range_only(const struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->records[i].ip.b[3] != 10 && a->records[i].ip.b[3] != 11)
			return false;
	}
	return true;
}

WAITS static void examine_listing(struct doctor *d, const struct block_list *list, struct ip ip)
{
	char reverse[80], text[IP_TEXT_MAX], code[IP_TEXT_MAX];
	struct str name = ip_reverse_name(ip, reverse), address = ip_text(ip, text);
	const struct dns_answer *a;
	struct err err;
	char fix[160];

	name = str_slice(name, 0, name.n - strlen(ip.family == 4 ? ".in-addr.arpa" : ".ip6.arpa"));
	name = arena_printf(d->cmd->arena, "%.*s.%s", STR_ARG(name), list->zone);
	if (!dns_lookup(d->resolver, name, DNS_A, &a, &err))
		return;
	snprintf(fix, sizeof(fix), "%s tells why, and how to be removed; mend the reason first", list->page);
	if (a->outcome == DNS_FOUND && !refusal_of(a->records[0].ip))
		finding_add(&d->found, list->has_refusals && is_range_only(a) ? FINDING_WARN : FINDING_FAULT, list->id, fix,
		            "%.*s is listed (%.*s)", STR_ARG(address), STR_ARG(ip_text(a->records[0].ip, code)));
	else if (a->outcome == DNS_NXDOMAIN || a->outcome == DNS_NODATA)
		finding_add(&d->found, FINDING_PASS, list->id, NULL, "%.*s is not listed", STR_ARG(address));
	else
		finding_add(&d->found, FINDING_UNKNOWN, list->id, NULL, "%.*s: no clear answer", STR_ARG(address));
	dns_answer_release(a);
}

WAITS void doctor_lists(struct doctor *d)
{
	struct ip ips[8];
	size_t n = own_addresses(d->conf, ips, 8);

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		if (!is_answering(d, &lists[i]))
			continue;
		if (n == 0)
			finding_add(&d->found, FINDING_PASS, lists[i].id, NULL, "%s answers; no address of ours to look up", lists[i].zone);
		for (size_t k = 0; k < n; k++)
			examine_listing(d, &lists[i], ips[k]);
	}
}
