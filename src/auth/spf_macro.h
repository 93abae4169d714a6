/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SPF macros (RFC 7208 7): their syntax, and their expansion, which is pure: what has to be asked (%{p}) is asked before.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"

#define SPF_EXPANSION_MAX 4096 /* of one macro-string; more is cut off as an error */

struct spf_macro_fault {
	size_t at, n;
	bool is_macro;          /* else it is no domain name */
	const char *text;
};
/* %{c}, %{r} and %{t} are for explanations alone (RFC 7208 7.2). */
bool spf_macro_string_check(struct str s, bool is_explanation, struct spf_macro_fault *fault);
/* domain-spec: a macro-string that ends in a macro or in a dot and a top-level label. */
bool spf_domain_spec_check(struct str s, struct spf_macro_fault *fault);
bool spf_macro_has(struct str s);                 /* any macro at all */
bool spf_macro_uses(struct str s, char letter);   /* this one, in either case */

struct spf_macro_values {
	struct str local, sender_domain;   /* l, o; s is both */
	struct str domain;                 /* d */
	struct str helo;                   /* h */
	struct str validated;              /* p; empty: "unknown" */
	struct str receiver;               /* r */
	struct ip ip;                      /* i, c, v */
	struct wall now;                   /* t */
};
/* Appends the expansion of a string that passed its check; buf_ok tells whether it fitted. */
void spf_macro_expand(const struct spf_macro_values *values, struct str s, struct buf *out);
/* A domain-spec expanded: without trailing dot, and from the left shortened to 253 octets (RFC 7208 7.3). */
struct str spf_domain_expand(const struct spf_macro_values *values, struct str spec, struct arena *arena);

/* Whether the DNS could be asked for this name at all: labels of 1 to 63 octets, 253 in all (RFC 7208 4.3). */
bool spf_name_is_askable(struct str name);
