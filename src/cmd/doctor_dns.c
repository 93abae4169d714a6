/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DNS as we are served it: how fast, how truthful, signed or not, and by whom. */
#include "base/random.h"
#include "cmd/doctor.h"

#define SLOW (USEC_S)

/* Big, signed zones with servers everywhere: what they cost is what a stranger's name costs. */
static const char *const sample_names[] = {"org", "com", "net"};
#define SAMPLES (sizeof(sample_names) / sizeof(*sample_names))

/* Operators whose resolvers block lists do not answer, or answer by the quota of all their users together. */
static const char *const public_resolvers[] = {
	"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844", "1.1.1.1", "1.0.0.1", "2606:4700:4700::1111",
	"2606:4700:4700::1001", "9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9", "208.67.222.222", "208.67.220.220",
	"94.140.14.14", "94.140.15.15", "185.228.168.9", "76.76.2.0", "64.6.64.6", "64.6.65.6",
};

struct sampling {
	unsigned answered;
	usec_t slowest;
	bool is_signed, is_forged;
	struct str trouble;
};

WAITS static void sample_one(struct doctor *d, const char *name, struct sampling *s)
{
	const struct dns_answer *a;
	struct err err;
	usec_t begun = rt_now();

	if (!dns_lookup(d->resolver, str_from(name), DNS_SOA, &a, &err))
		return;
	usec_t took = rt_now() - begun;
	if (a->outcome == DNS_FOUND || a->outcome == DNS_NODATA || a->outcome == DNS_NXDOMAIN) {
		s->answered++;
		s->slowest = took > s->slowest ? took : s->slowest;
		s->is_signed |= a->outcome == DNS_FOUND && a->is_secure;
	} else {
		s->is_forged |= a->outcome == DNS_BOGUS;
		s->trouble = arena_str(d->cmd->arena, a->why.n ? a->why : str_from(dns_outcome_name(a->outcome)));
	}
	dns_answer_release(a);
}

static void judge_answers(struct doctor *d, const struct sampling *s)
{
	char took[32];
	struct str slow = duration_text(s->slowest, took);

	if (s->is_forged)
		finding_add(&d->found, FINDING_FAULT, "dns", "look at the clock first; else at a forwarder between us and the DNS (dns.resolver)",
		            "answers are forged or damaged: DNSSEC does not hold (%.*s)", STR_ARG(s->trouble));
	else if (s->answered == 0)
		finding_add(&d->found, FINDING_FAULT, "dns", "let port 53 out by UDP and TCP, or set dns.resolver to a resolver of yours",
		            "nothing answers: %.*s; all mail is answered 451", STR_ARG(s->trouble));
	else if (s->answered < SAMPLES)
		finding_add(&d->found, FINDING_WARN, "dns", "ask again; if it stays so, look for packets lost, or for a resolver that is overloaded",
		            "%u of %u look-ups failed: %.*s", (unsigned)SAMPLES - s->answered, (unsigned)SAMPLES, STR_ARG(s->trouble));
	else if (s->slowest > SLOW)
		finding_add(&d->found, FINDING_WARN, "dns", "each mail waits for several of them: use a resolver of your own, nearer by",
		            "a look-up took %.*s", STR_ARG(slow));
	else
		finding_add(&d->found, FINDING_PASS, "dns", NULL, "answers within %.*s", STR_ARG(slow));
}

static void judge_dnssec(struct doctor *d, const struct sampling *s)
{
	if (str_eq(d->dns.trust_anchor, STR("none")))
		finding_add(&d->found, FINDING_WARN, "dnssec", "leave dns.trust_anchor empty, unless the forwarder strips signatures",
		            "validation is switched off: forged answers are believed");
	else if (s->is_signed)
		finding_add(&d->found, FINDING_PASS, "dnssec", NULL, "signatures are checked here");
	else if (s->answered > 0 && !s->is_forged)
		finding_add(&d->found, FINDING_WARN, "dnssec", "use a resolver that passes signatures on, or install dns-root-data",
		            "signed zones arrive without signatures");
}

static bool is_public(struct str server)
{
	struct str address = str_slice(server, 0, str_find_char(server, '@'));
	struct ip ip, listed;

	if (!ip_parse(address, &ip))
		return false;
	for (size_t i = 0; i < sizeof(public_resolvers) / sizeof(*public_resolvers); i++) {
		if (ip_parse(str_from(public_resolvers[i]), &listed) && ip_eq(ip, listed))
			return true;
	}
	return false;
}

static void judge_kind(struct doctor *d)
{
	struct str rest = d->dns.resolver, server;

	if (d->cmd->dns_file) {
		finding_add(&d->found, FINDING_NA, "resolver", NULL, "answers come from %s", d->cmd->dns_file);
		return;
	}
	if (str_eq(rest, STR("recursive"))) {
		finding_add(&d->found, FINDING_PASS, "resolver", NULL, "asks the root servers itself, as block lists want it");
		return;
	}
	while (str_next_word(&rest, &server)) {
		if (!is_public(server))
			continue;
		finding_add(&d->found, FINDING_WARN, "resolver", "dns.resolver = recursive",
		            "%.*s is everybody's: block lists refuse it, and its operator sees who writes to you", STR_ARG(server));
		return;
	}
	finding_add(&d->found, FINDING_PASS, "resolver", NULL, "forwards to %.*s", STR_ARG(d->dns.resolver));
}

/* RFC 6761 6.4: nothing below "invalid" exists. Who finds something sells advertisements, or filters. */
WAITS static void examine_truth(struct doctor *d)
{
	const struct dns_answer *a;
	uint64_t any = random_u64();
	struct err err;
	struct str name = arena_printf(d->cmd->arena, "postern-%08x.invalid", (unsigned)any);

	if (!dns_lookup(d->resolver, name, DNS_A, &a, &err))
		return;
	if (a->outcome == DNS_FOUND)
		finding_add(&d->found, FINDING_FAULT, "dns_truth", "use another resolver: with this one senders' domains that do not exist are taken for real",
		            "names that do not exist are answered with an address");
	else if (a->outcome == DNS_NXDOMAIN)
		finding_add(&d->found, FINDING_PASS, "dns_truth", NULL, "what does not exist is said not to exist");
	dns_answer_release(a);
}

WAITS void doctor_dns(struct doctor *d)
{
	struct sampling s = {0};

	judge_kind(d);
	for (size_t i = 0; i < SAMPLES; i++)
		sample_one(d, sample_names[i], &s);
	judge_answers(d, &s);
	judge_dnssec(d, &s);
	if (s.answered == 0) {
		finding_add(&d->found, FINDING_UNKNOWN, "names", NULL, "our names and block lists cannot be looked at without the DNS");
		resolver_close(d->resolver);
		d->resolver = NULL;
		return;
	}
	examine_truth(d);
}
