/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail servers that we must reach: our next hops, and port 25 of the outside by one of our own or a named one. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/doctor.h"
#include "cmd/own_addresses.h"
#include "rt/stream.h"

#define GREETING_WITHIN (15 * USEC_S)
#define ENOUGH_PROBES   20
#define HOSTS_MAX       4

AUTO_DEFINE(stream, struct stream *, stream_close);

/* Says QUIT as soon as the greeting is there: nothing is asked, nothing is sent. */
WAITS static bool greets(const struct dial *dial, struct arena *arena, struct str *greeting, struct err *err)
{
	struct deadline deadline;
	struct str line;
	bool is_too_long, is_read = false;

	deadline_push(&deadline, GREETING_WITHIN, "a greeting");
	AUTO(stream) struct stream *s = stream_dial(dial, err);
	if (s && stream_read_line(s, 2000, &line, NULL, &is_too_long, err)) {
		*greeting = arena_str(arena, str_slice(line, 0, 120));
		stream_write(s, STR("QUIT\r\n"));
		struct err ignored;
		stream_flush(s, &ignored);
		is_read = true;
	}
	deadline_pop(&deadline);
	return is_read;
}

static struct str printable(struct arena *arena, struct str s)
{
	char *out = arena_alloc(arena, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		out[i] = s.p[i] >= ' ' && s.p[i] < 127 ? s.p[i] : '?';
	return (struct str){out, s.n};
}

/* --- next hops --- */

/* The first address of a name; an address is its own. */
WAITS static bool address_of(struct doctor *d, struct str host, struct ip *out)
{
	const struct dns_answer *a = NULL;
	struct err err;
	bool found = false;

	if (ip_parse(host, out))
		return true;
	if (str_ieq(host, STR("localhost")))
		return ip_parse(STR("127.0.0.1"), out);
	if (!d->resolver || !dns_lookup(d->resolver, host, DNS_A, &a, &err))
		return false;
	if (a->outcome == DNS_FOUND) {
		*out = a->records[0].ip;
		found = true;
	}
	dns_answer_release(a);
	return found;
}

WAITS static void examine_next_hop(struct doctor *d, const struct route_conf *route)
{
	struct dial dial = {.label = "next hop"};
	struct next_hop hop;
	struct str greeting;
	struct err err;

	if (!next_hop_parse(route->next_hop, (enum route_kind)route->kind, &hop, &err)) {
		finding_add(&d->found, FINDING_FAULT, "next_hop", NULL, "%.*s: %s", STR_ARG(route->domain), err.text);
		return;
	}
	dial.ip = hop.ip;
	dial.port = hop.port;
	if (hop.path.n > 0)
		dial.path = arena_cstr(d->cmd->arena, hop.path);
	else if (hop.ip.family == 0 && !address_of(d, hop.host, &dial.ip)) {
		finding_add(&d->found, FINDING_FAULT, "next_hop", "write its address, or make its name known to the DNS that we ask",
		            "%.*s: %.*s cannot be looked up", STR_ARG(route->domain), STR_ARG(hop.host));
		return;
	}
	if (!greets(&dial, d->cmd->arena, &greeting, &err))
		finding_add(&d->found, FINDING_FAULT, "next_hop", "start it; until then mail waits in the queue, and is 451 where it knows the recipients",
		            "%.*s: %.*s: %s", STR_ARG(route->domain), STR_ARG(route->next_hop), err.text);
	else if (!str_starts(greeting, STR("220")))
		finding_add(&d->found, FINDING_FAULT, "next_hop", "let it take connections from us", "%.*s: %.*s greets with %.*s",
		            STR_ARG(route->domain), STR_ARG(route->next_hop), STR_ARG(printable(d->cmd->arena, greeting)));
	else
		finding_add(&d->found, FINDING_PASS, "next_hop", NULL, "%.*s: %.*s answers", STR_ARG(route->domain), STR_ARG(route->next_hop));
}

/* --- port 25 of the outside --- */

WAITS static void try_outside(struct doctor *d, struct str host, struct ip ip)
{
	struct dial dial = {.ip = ip, .port = (uint16_t)d->verify->port, .source = d->verify->source.ip, .label = "port 25"};
	uint64_t port;
	struct str greeting;
	struct err err;

	if (d->cmd->port && str_to_u64(str_from(d->cmd->port), 65535, &port))
		dial.port = (uint16_t)port;
	if (!greets(&dial, d->cmd->arena, &greeting, &err))
		finding_add(&d->found, FINDING_FAULT, "port_25", "ask your provider to open outbound port 25 for this address; many close it until asked",
		            "%.*s port %u: %s", STR_ARG(host), dial.port, err.text);
	else
		finding_add(&d->found, FINDING_PASS, "port_25", NULL, "%.*s greets with %.*s", STR_ARG(host),
		            STR_ARG(printable(d->cmd->arena, str_slice(greeting, 0, 60))));
}

static bool is_own(const struct doctor *d, struct ip ip)
{
	struct ip ips[8];
	size_t n = own_addresses(d->conf, ips, 8);

	for (size_t i = 0; i < n; i++) {
		if (ip_eq(ips[i], ip))
			return true;
	}
	return false;
}

/* The MX hosts of a domain, the domain itself where it has none. */
WAITS static size_t hosts_of(struct doctor *d, struct str domain, struct str *out)
{
	const struct dns_answer *a;
	struct err err;
	size_t n = 0;

	if (!dns_lookup(d->resolver, domain, DNS_MX, &a, &err))
		return 0;
	for (size_t i = 0; a->outcome == DNS_FOUND && i < a->n && n < HOSTS_MAX; i++)
		out[n++] = arena_str(d->cmd->arena, a->records[i].mx.host);
	if (a->outcome == DNS_NODATA)
		out[n++] = domain;
	dns_answer_release(a);
	return n;
}

WAITS static bool try_domain(struct doctor *d, struct str domain, bool only_ours)
{
	struct str hosts[HOSTS_MAX];
	struct ip ip;
	size_t n;

	if (!d->resolver)
		return false;
	n = hosts_of(d, domain, hosts);
	for (size_t i = 0; i < n; i++) {
		if (!address_of(d, hosts[i], &ip) || (only_ours && (is_own(d, ip) || ip_is_unusable_target(ip))))
			continue;
		try_outside(d, hosts[i], ip);
		return true;
	}
	return false;
}

/* A second MX host of our own domain is ours to knock at. */
WAITS static bool try_own_domains(struct doctor *d)
{
	const struct route_conf *route;

	for (size_t i = 0; (route = conf_get_titled(d->conf, &route_section, i)) != NULL && i < HOSTS_MAX; i++) {
		if (route->is_local && str_find_char(route->domain, '*') == route->domain.n && try_domain(d, route->domain, true))
			return true;
	}
	return false;
}

/* Without a host to try, what the probes have met says the same. */
static void judge_probes(struct doctor *d)
{
	double all = d->probes + d->unreachable;

	if (all < ENOUGH_PROBES)
		finding_add(&d->found, FINDING_NA, "port_25", "postern doctor --mx HOST tries it with a mail server of your choice",
		            "not tried: no second mail server of ours is known, and strangers are not bothered");
	else if (d->unreachable > 0.9 * all)
		finding_add(&d->found, FINDING_FAULT, "port_25", "ask your provider to open outbound port 25 for this address; many close it until asked",
		            "%.0f of %.0f probes found no way to a mail server", d->unreachable, all);
	else
		finding_add(&d->found, FINDING_PASS, "port_25", NULL, "%.0f of %.0f probes reached a mail server", d->probes, all);
}

WAITS static void examine_named(struct doctor *d)
{
	struct str name = str_from(d->cmd->mx);
	struct ip ip;

	if (ip_parse(name, &ip))
		try_outside(d, name, ip);
	else if (!try_domain(d, name, false))
		finding_add(&d->found, FINDING_UNKNOWN, "port_25", NULL, "%s leads to no mail server", d->cmd->mx);
}

WAITS void doctor_mail(struct doctor *d)
{
	const struct route_conf *route;

	for (size_t i = 0; (route = conf_get_titled(d->conf, &route_section, i)) != NULL; i++) {
		if ((route->kind == ROUTE_SMTP || route->kind == ROUTE_LMTP) && route->next_hop.n > 0)
			examine_next_hop(d, route);
	}
	if (d->cmd->mx)
		examine_named(d);
	else if (!try_own_domains(d))
		judge_probes(d);
}
