/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains we receive for, and where each one's mail goes: the `route "domain" { … }` sections.
 * "*" is the route for everything else (used for relaying from local networks and for our own DSNs); it is never
 * local, so that no setting of it makes an open relay.
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

/* A next hop taken apart: a name to look up, an address, or the path of a Unix socket. Points into the text. */
struct next_hop {
	struct str host;          /* as written, without brackets; empty with a path */
	struct ip ip;             /* family 0: `host` is a name */
	uint16_t port;
	struct str path;
};
/* Without a port: 25 for SMTP, 24 for LMTP. */
bool next_hop_parse(struct str text, enum route_kind kind, struct next_hop *out, struct err *err);

struct domains;
/* routes: pointers into a loaded configuration that outlives this. `err` names the route that is at fault. */
struct domains *domains_new(const struct route_conf *const *routes, size_t n, struct err *err);
void domains_free(struct domains *d);
/* The route for a domain in A-label form: exact, then "*.parent" wildcards, then "*"; NULL when there is none. */
const struct route_conf *domains_route(const struct domains *d, struct str ascii_domain);
bool domains_is_local(const struct domains *d, struct str ascii_domain);
/* The first local domain that was listed (no wildcard), whose postmaster is ours; STR_NONE when there is none. */
struct str domains_first_local(const struct domains *d);
