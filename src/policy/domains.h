/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains we receive for, and where each one's mail goes: the `route "domain" { … }` sections.
 * "*" is the route for everything else (used for relaying from local networks and for our own DSNs).
 */
#pragma once

#include "base/conf_row.h"
#include "base/map.h"
#include "mail/address.h"

enum route_kind { ROUTE_MX, ROUTE_SMTP, ROUTE_LMTP, ROUTE_MAILDIR };
enum recipient_source { RECIPIENTS_ANY, RECIPIENTS_FILE, RECIPIENTS_CALL_AHEAD };

struct route_conf {
	struct str domain;        /* the section's title; filled by conf/ (first member, struct str) */
	int kind;                 /* enum route_kind */
	struct str next_hop;      /* "host[:port]", "[ip]:port", "unix:/path" for SMTP and LMTP */
	struct str maildir;       /* root directory */
	int recipients;           /* enum recipient_source */
	struct str recipients_file;
	bool is_local;            /* we receive for it; false: only a route to send through */
	bool require_tls;
	int64_t concurrency;      /* sessions to this next hop: 20 */
};
extern const struct conf_row route_conf_rows[];
extern const struct conf_section route_section; /* "route", titled */

struct domains;
/* routes: pointers into a loaded configuration that outlives this. */
struct domains *domains_new(const struct route_conf *const *routes, size_t n, struct err *err);
void domains_free(struct domains *d);
/* The route for a domain in A-label form: exact, then "*.parent" wildcards, then "*"; NULL when there is none. */
const struct route_conf *domains_route(const struct domains *d, struct str ascii_domain);
bool domains_is_local(const struct domains *d, struct str ascii_domain);
