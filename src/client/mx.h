/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hosts take mail for a domain (RFC 5321 5.1, RFC 7505), and at which addresses.
 *
 * Hosts come in strict order of preference, equal preferences shuffled by the resolver; without MX the domain
 * itself is the implicit MX. Addresses that are unusable as targets are left out, unless `dial_networks`
 * has them, and counted, so that the caller can tell "nobody there" from "only at 127.0.0.1".
 */
#pragma once

#include "dns/dns.h"

enum mx_outcome {
	MX_FOUND,
	MX_NULL,        /* RFC 7505: takes no mail */
	MX_NO_DOMAIN,   /* NXDOMAIN, or no MX, A, AAAA at all */
	MX_UNUSABLE,    /* MX exist, but resolve only to addresses that are never dialled, or to nothing */
	MX_TEMPORARY,   /* DNS trouble, bogus */
};
struct mx_conf {
	uint16_t port;               /* 25 */
	struct ip_set dial_networks; /* otherwise unusable networks that may be dialled (the lab) */
	struct ip_set own_addresses; /* never dialled: ourselves */
	bool use_ipv6;               /* only where our own IPv6 address has FCrDNS */
	struct str own_host;         /* an MX of this name is ourselves */
};
struct mx_host {
	struct str name;             /* A-label */
	uint16_t preference;
	struct ip *ips;
	size_t n_ips;
	bool is_unresolved;          /* its addresses could not be looked up just now */
};
#define MX_HOSTS_MAX 16
#define MX_IPS_MAX   8
struct mx_list {
	enum mx_outcome outcome;
	struct mx_host *hosts;       /* best first: those with addresses, and unresolved ones, which may have none;
	                              * memory of the arena */
	size_t n;
	bool is_implicit;
	bool is_ipv6_only;           /* with MX_TEMPORARY: only because use_ipv6 is off */
	bool has_own;                /* one of them is ourselves (left out with all of worse preference) */
	unsigned unusable;
	struct str why;              /* for MX_TEMPORARY and MX_UNUSABLE: words for the trail */
	uint32_t ttl;
};
/* A host that is reachable by IPv6 alone while use_ipv6 is off gives MX_TEMPORARY: it exists.
 * False only for cancellation and a deadline of the caller. A literal domain "[192.0.2.1]" is its own host. */
WAITS bool mx_find(struct resolver *r, const struct mx_conf *conf, struct str domain, struct arena *arena,
                   struct mx_list *out, struct err *err);
bool mx_may_dial(const struct mx_conf *conf, struct ip ip);
/* The operator that runs a host, for breakers and budgets: "protection.outlook.com", "google.com", else the
 * last two labels (three under a known second level such as co.uk). Points into host or a literal. */
struct str mx_operator(struct str host);
