/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that other mail servers check before they talk to us. */
#include "cmd/identity.h"

#include "cmd/own_addresses.h"

WAITS void identity_check_host(struct findings *f, struct resolver *r, struct str host)
{
	const struct dns_answer *a = NULL, *aaaa = NULL;
	struct err err;

	if (str_find_char(host, '.') == host.n) {
		finding_add(f, FINDING_FAULT, "host", "set `host` in the gate section to what your PTR says", "%.*s is not a full name",
		            STR_ARG(host));
		return;
	}
	if (!dns_lookup(r, host, DNS_A, &a, &err) || !dns_lookup(r, host, DNS_AAAA, &aaaa, &err)) {
		finding_add(f, FINDING_UNKNOWN, "host", NULL, "%.*s: %s", STR_ARG(host), err.text);
	} else if (a->outcome == DNS_FOUND || aaaa->outcome == DNS_FOUND) {
		finding_add(f, FINDING_PASS, "host", NULL, "%.*s resolves", STR_ARG(host));
	} else if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS) {
		finding_add(f, FINDING_UNKNOWN, "host", NULL, "%.*s: %s", STR_ARG(host), dns_outcome_name(a->outcome));
	} else {
		finding_add(f, FINDING_FAULT, "host", "publish its A record, or set `host` in the gate section to a name that has one",
		            "%.*s has no A or AAAA record: many servers will not talk to us", STR_ARG(host));
	}
	dns_answer_release(a);
	dns_answer_release(aaaa);
}

WAITS static void check_one(struct findings *f, struct resolver *r, struct ip address, struct str host, struct arena *arena)
{
	char text[IP_TEXT_MAX];
	enum dns_outcome outcome;
	struct str name, ip = ip_text(address, text);
	struct err err;

	if (!dns_iprev(r, address, arena, &outcome, &name, &err))
		finding_add(f, FINDING_UNKNOWN, "ptr", NULL, "%.*s: %s", STR_ARG(ip), err.text);
	else if (outcome == DNS_TEMPORARY || outcome == DNS_BOGUS)
		finding_add(f, FINDING_UNKNOWN, "ptr", NULL, "%.*s: the reverse name could not be looked up", STR_ARG(ip));
	else if (outcome != DNS_FOUND)
		finding_add(f, FINDING_FAULT, "ptr", "ask whoever gave you the address for a PTR record with our name",
		            "%.*s has no PTR that leads back to it; it should say %.*s", STR_ARG(ip), STR_ARG(host));
	else if (!str_ieq(name, host))
		finding_add(f, FINDING_WARN, "ptr", "let the PTR, its A record and `host` say the same name",
		            "%.*s is %.*s, but we say HELO %.*s", STR_ARG(ip), STR_ARG(name), STR_ARG(host));
	else
		finding_add(f, FINDING_PASS, "ptr", NULL, "%.*s is %.*s, as our HELO says", STR_ARG(ip), STR_ARG(name));
}

WAITS void identity_check_reverse(struct findings *f, struct resolver *r, const struct conf *conf, struct str host,
                                  struct arena *arena)
{
	struct ip ips[8];
	size_t n = own_addresses(conf, ips, 8);

	if (n == 0)
		finding_add(f, FINDING_WARN, "ptr", "behind NAT write the outside address as daemon.own_addresses, so that its PTR is checked",
		            "no public address of ours is known");
	for (size_t i = 0; i < n; i++)
		check_one(f, r, ips[i], host, arena);
}
