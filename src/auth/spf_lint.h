/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong, risky or wasteful in an SPF record, and in all that it includes: each finding with a stable id, and the
 * tree of look-ups with what each branch costs, past the limit of ten too. Terms that are never evaluated (behind `all`)
 * cost nothing, as in an evaluation.
 */
#pragma once

#include "auth/spf_record.h"
#include "base/arena.h"
#include "dns/dns.h"

enum spf_severity { SPF_SEVERITY_INFO, SPF_SEVERITY_WARNING, SPF_SEVERITY_ERROR, SPF_SEVERITY_CRITICAL };
const char *spf_severity_name(enum spf_severity s);

#define SPF_NOWHERE SIZE_MAX
struct spf_finding {
	const char *id;           /* "SPF010": what the check is, for ever */
	enum spf_severity severity;
	struct str text;          /* a sentence, with the way out where there is one */
	size_t at, n;             /* bytes of the record; of what is wrong in an include, the include. SPF_NOWHERE: none */
};
struct spf_node {
	unsigned depth;           /* 0: the record itself; children follow their parent */
	struct str term;          /* "include:_spf.example.com", as written; of depth 0 the domain */
	struct str domain;        /* what it leads to */
	struct str record;        /* found there; empty: none */
	unsigned lookups, void_lookups; /* itself and all below */
	const char *note;         /* "loop", "no record", "macro", …; NULL: nothing to say */
};
struct spf_lint {
	struct str domain, record;
	struct spf_finding *findings;
	struct spf_node *nodes;
	size_t n_findings, n_nodes;
	unsigned lookups, void_lookups;
	bool is_unknown;          /* the DNS did not answer: no verdict about the record */
	const char *client_result; /* of spf_lint_client: "pass", …; NULL: not asked */
	struct str client_term;    /* by which term of the record; empty: by none */
};
/* `record` empty: the domain's own. `domain` may be empty beside a record: then what depends on it is not asked.
 * Texts are in `arena`. False only when cancelled or late. */
WAITS bool spf_lint(struct resolver *r, struct str domain, struct str record, struct arena *arena, struct spf_lint *out,
                    struct err *err);

/* What takes more than the domain's record is asked for apart, after spf_lint, and adds to its findings. */

/* SPF057: what mail from this address gets, and by which term. */
WAITS bool spf_lint_client(struct resolver *r, struct ip ip, struct arena *arena, struct spf_lint *lint, struct err *err);

/* SPF053: whether the domain's name servers, each asked alone, publish the same. `open` gives a resolver that asks only
 * that server; `close` takes it back. */
struct spf_lint_servers {
	WAITS bool (*open)(void *arg, struct ip server, struct resolver **out, struct err *err);
	WAITS void (*close)(void *arg, struct resolver *r);
	void *arg;
};
WAITS bool spf_lint_name_servers(struct resolver *r, const struct spf_lint_servers *servers, struct arena *arena,
                                 struct spf_lint *lint, struct err *err);
