/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the SPF lint share: the growing answer, and the networks that all records together name. */
#pragma once

#include "auth/spf_lint.h"

#define LINT_FINDINGS_MAX 200
#define LINT_NODES_MAX    200
#define LINT_NETS_MAX     4000

struct lint_net {
	struct ip ip;
	uint8_t bits;
	size_t at, n;      /* where in the top record */
	bool is_direct;    /* written there itself, not in an include */
	bool is_literal;   /* an ip4 or ip6 term */
};
struct linting {
	struct resolver *resolver;
	struct arena *arena;
	struct spf_lint *out;
	struct lint_net *nets;
	size_t n_nets, nets_capacity;
	struct str path[16]; /* the domains from the top to here: loops */
	unsigned depth;
	size_t at, n;        /* the top record's term that all this hangs on; SPF_NOWHERE at the top */
	struct str *included;
	size_t n_included;
	bool cannot_flatten;
	bool is_open;        /* `nets` is not all that is allowed: +all in an include, a loop, or more than we follow */
};
__attribute__((format(printf, 6, 7)))
void lint_add(struct linting *l, const char *id, enum spf_severity severity, size_t at, size_t n, const char *format, ...);

/* spf_lint_text.c: what the text alone tells. */
void lint_text(struct linting *l, struct str record, struct str domain);
/* A TXT record that is none of SPF, but looks like one. */
void lint_near_miss(struct linting *l, struct str text);
/* spf_lint_net.c */
void lint_net_add(struct linting *l, const struct spf_term *term, struct ip ip, unsigned bits);
void lint_nets(struct linting *l);
void lint_flatten(struct linting *l);
