/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `explain --check`: what can be looked at from here that bears on a reply. Which checks make sense depends on the cause,
 * by one table; they run at the same time, each with a deadline of its own. Nobody is asked about a recipient; hosts at
 * loopback and private addresses are not dialled unless --dns with --port, or verify.dial_networks, says so.
 */
#pragma once

#include "cmd/explain_facts.h"
#include "cmd/verify_alone.h"

enum check_id {
	CHECK_NONE, CHECK_SENDER_DNS, CHECK_SPF, CHECK_DKIM, CHECK_DMARC, CHECK_PTR, CHECK_HELO, CHECK_SENDER_MX, CHECK_CALLOUT,
	CHECK_RCPT_DNS, CHECK_RCPT_MX, CHECK_LISTED, CHECK_COUNT,
};
enum check_state { STATE_UNKNOWN, STATE_PASS, STATE_FAIL };
struct explain_check {
	enum check_id id;
	enum check_state state;
	unsigned step;        /* of the cause's advice, from 1, that this check does for the reader; 0: none */
	struct str subject;   /* what was looked at: a domain, an address */
	struct str text;      /* what was found */
	struct str fix;       /* what to do; empty where nothing is wrong */
};
#define EXPLAIN_CHECKS_MAX 6
struct explain_checks {
	struct explain_check check[EXPLAIN_CHECKS_MAX];
	size_t n;
};
const char *check_id_name(enum check_id id);          /* "sender_dns" */
const char *check_state_name(enum check_state state); /* "pass", "fail", "unknown" */
const char *check_mark(enum check_state state);

/* Runs what the table has for `cause`. False: neither resolver nor TLS could be set up. Texts are in c->arena. */
WAITS bool explain_checks_run(const struct cmd *c, const struct conf *conf, enum cause_id cause,
                              const struct explain_facts *facts, struct explain_checks *out, struct err *err);

/* Inside: what one check works with, and the checks themselves. Each fills state, text and fix. */
struct check_world {
	const struct explain_facts *facts;
	struct verify_alone *alone;
	struct mx_conf mx;
	struct str host;      /* our HELO name */
	struct arena *arena;
};
WAITS void check_sender_dns(const struct check_world *w, struct explain_check *k);
WAITS void check_spf(const struct check_world *w, struct explain_check *k);
WAITS void check_dkim(const struct check_world *w, struct explain_check *k);
WAITS void check_dmarc(const struct check_world *w, struct explain_check *k);
WAITS void check_ptr(const struct check_world *w, struct explain_check *k);
WAITS void check_helo(const struct check_world *w, struct explain_check *k);
WAITS void check_listed(const struct check_world *w, struct explain_check *k);
WAITS void check_rcpt_dns(const struct check_world *w, struct explain_check *k);
WAITS void check_sender_mx(const struct check_world *w, struct explain_check *k);
WAITS void check_callout(const struct check_world *w, struct explain_check *k);
WAITS void check_rcpt_mx(const struct check_world *w, struct explain_check *k);
void check_set(const struct check_world *w, struct explain_check *k, enum check_state state, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void check_fix(const struct check_world *w, struct explain_check *k, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
