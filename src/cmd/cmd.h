/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one row for each verb, one file for each row's code. Options before or behind the verb are the
 * same for all (CLI.md); what a verb needs beyond them it reads from `words`.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/* Exit statuses of CLI.md. */
enum { EXIT_FINE = 0, EXIT_WARNING = 1, EXIT_FAULT = 2, EXIT_UNKNOWN = 3, EXIT_USAGE = 64, EXIT_NO_INPUT = 66,
	EXIT_INTERNAL = 70, EXIT_NO_DAEMON = 75 };

struct cmd {
	const char *config;      /* -c; NULL: /etc/postern/postern.conf when it exists, else defaults */
	const char *resolver;    /* --resolver */
	const char *dns_file;    /* --dns */
	const char *now;         /* --now */
	usec_t timeout;          /* --timeout; 0: the verb's own */
	bool as_json, as_batch, has_colour, wants_help;
	const char *why;         /* --why, --for, --limit, --port, --to, --since: for the verbs that know them */
	const char *for_how_long, *limit, *port, *to, *client, *since;
	const char *ip, *from, *helo, *record; /* of the verbs about authentication */
	const char *domain, *selector, *key, *fields, *canonicalization, *timestamp, *authserv_id; /* of those that sign */
	const char *min_rsa_bits, *spf, *dkim, *psl; /* of those that judge */
	bool allow_sha1;
	const char *file, *stage, *mx, *rules, *reader; /* of explain */
	const char *proc;        /* of doctor: instead of /proc */
	bool wants_list, wants_letter, wants_html, wants_check;
	const char *config_dir, *on_failure; /* of setup */
	bool take_over, print_sample, apply, remove;
	const char **words;      /* behind the verb */
	int n;
	struct arena *arena;
};
struct cmd_verb {
	const char *name;        /* "spool inspect" */
	const char *arguments;   /* "[ID]" */
	const char *summary;     /* one line */
	const char *example;     /* lines shown by --help */
	int (*run)(struct cmd *c);
};
extern const struct cmd_verb cmd_verbs[]; /* cmd/verbs.c */

/* "postern: …" to stderr; returns the status, so that it can end a verb. */
int cmd_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cmd_fail_err(int status, const struct err *err);

int cmd_run(struct cmd *c);
int cmd_check_config(struct cmd *c);
int cmd_verify(struct cmd *c);
int cmd_exempt_add(struct cmd *c);
int cmd_exempt_list(struct cmd *c);
int cmd_exempt_remove(struct cmd *c);
int cmd_lab(struct cmd *c);
int cmd_spool_inspect(struct cmd *c);
int cmd_spool_check(struct cmd *c);
int cmd_spool_export(struct cmd *c);
int cmd_address_check(struct cmd *c);
int cmd_spf_check(struct cmd *c);
int cmd_spf_lint(struct cmd *c);
int cmd_dkim_verify(struct cmd *c);
int cmd_dkim_sign(struct cmd *c);
int cmd_arc_verify(struct cmd *c);
int cmd_arc_seal(struct cmd *c);
int cmd_dmarc_eval(struct cmd *c);
int cmd_auth(struct cmd *c);
int cmd_explain(struct cmd *c);
int cmd_setup_postfix(struct cmd *c);
int cmd_completion(struct cmd *c);
int cmd_doctor(struct cmd *c);
int cmd_version(struct cmd *c);
/* Everything that the daemon answers: passes the words on to its socket and prints the answer. */
int cmd_ask_daemon(struct cmd *c);
