/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mail address, parsed and in its parts (RFC 5321 4.1.2, RFC 6531, RFC 5322 for what headers hold).
 * Parts point into the input or the arena. Domains compare by `ascii_domain`, which is the A-label form
 * in lower case without trailing dot; local parts keep their bytes.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"

struct address {
	struct str local;        /* as written, quotes removed from a quoted string, content unescaped */
	struct str domain;       /* as written; "[192.0.2.1]" for a literal */
	struct str ascii_domain; /* A-labels, lower case; of a literal the literal itself */
	struct ip literal;       /* family 0 unless the domain is an address literal */
	bool needs_smtputf8;     /* a byte over 127 in the local part or a U-label in the domain */
	bool needs_quotes;       /* the local part must be quoted on the wire */
};

#define ADDRESS_LOCAL_MAX  64  /* RFC 5321 4.5.3.1.1 */
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX        254 /* RFC 5321 erratum 1690 */

/* The whole of `s` is local@domain, without angle brackets. `err` says in words what is wrong. */
bool address_parse(struct arena *arena, struct str s, bool allow_utf8, struct address *out, struct err *err);
/* local@domain with quoting where needed, as it goes on the wire between < and >. */
struct str address_text(struct arena *arena, const struct address *a);
/* The key of caches: local part as it is, '@', ascii_domain. */
struct str address_key(struct arena *arena, const struct address *a);
/* A-label form, lower case, no trailing dot (libidn2, UTS 46 non-transitional). Labels 1-63 of letters,
 * digits, hyphens (and underscore, seen in practice), the whole at most 253. */
bool domain_to_ascii(struct arena *arena, struct str domain, struct str *out, struct err *err);
bool domain_is_valid(struct str ascii_domain);
/* a.b.example is below, or is, example; both in A-label lower case. */
bool domain_is_within(struct str domain, struct str parent);
/* Local part that a VERP, BATV, SRS or +tag scheme decorates: the pattern with the varying part replaced
 * by '*' ("prvs=*=joe", "list-bounces+*"), or STR_NONE when it is plain. */
struct str address_pattern(struct arena *arena, struct str local);
