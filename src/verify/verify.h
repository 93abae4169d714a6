/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sender verification by SMTP call-out: does this address accept mail at its own server?
 *
 * The service keeps one piece of work for each address under way (single-flight) in a root group of its own; askers
 * hold tickets. Answers are remembered in three layers (address, domain, MX address). A stranger is asked as seldom
 * as can be: never-ask list, budgets, breakers, one session for each MX address at a time.
 * `verify_lookup` is the hot path: cache only, no wait, under 5 µs.
 */
#pragma once

#include "base/conf_row.h"
#include "base/bucket.h"
#include "client/mx.h"
#include "client/smtp_client.h"
#include "store/table.h"
#include "verify/evidence.h"

enum verify_verdict {
	VERIFY_EXISTS, VERIFY_ABSENT, VERIFY_CATCH_ALL, VERIFY_UNVERIFIABLE, VERIFY_BLOCKED, VERIFY_TEMPORARY,
	VERIFY_SKIPPED,
};
enum verify_skip { SKIP_NONE, SKIP_NULL_SENDER, SKIP_EXEMPT, SKIP_OWN_DOMAIN, SKIP_LOCAL_NETWORK, SKIP_AUTHENTICATED,
	SKIP_BUDGET, SKIP_OFF, SKIP_TRUSTED_RECIPIENT, SKIP_PROBE_ADDRESS,
	SKIP_FORGED /* the sender domain's own SPF record says that the client may not send for it */ };
/* What DNS alone says about the sender's domain; certain and free, known at MAIL. */
enum verify_dns { VERIFY_DNS_OK, VERIFY_DNS_NO_DOMAIN, VERIFY_DNS_NULL_MX, VERIFY_DNS_UNUSABLE, VERIFY_DNS_TEMPORARY };
/* Why no call-out could be completed: the closed list of REPLIES.md. */
enum verify_class { VERIFY_CLASS_NONE, VERIFY_CLASS_NO_ANSWER, VERIFY_CLASS_DEFERRED, VERIFY_CLASS_REFUSED_NULL,
	VERIFY_CLASS_REFUSED_US, VERIFY_CLASS_BUSY };

enum verify_mode { VERIFY_MODE_OFF, VERIFY_MODE_OBSERVE, VERIFY_MODE_TAG, VERIFY_MODE_ENFORCE };
enum verify_profile { VERIFY_CAREFUL, VERIFY_STRICT };
enum verify_order { VERIFY_REAL_FIRST, VERIFY_RANDOM_FIRST };
/* A cell of the table of REPLIES.md as an administrator may override it. */
enum verify_override { OVERRIDE_PROFILE, OVERRIDE_ACCEPT, OVERRIDE_TAG, OVERRIDE_DEFER, OVERRIDE_REFUSE };
/* Its rows: what an answer is taken for. */
enum verify_row {
	VERIFY_ROW_EXISTS, VERIFY_ROW_NULL_REFUSED, VERIFY_ROW_ABSENT, VERIFY_ROW_CATCH_ALL, VERIFY_ROW_BLOCKED,
	VERIFY_ROW_UNVERIFIABLE, VERIFY_ROW_UNVERIFIABLE_VOUCHED, VERIFY_ROW_TEMPORARY, VERIFY_ROW_PATIENCE_OVER,
	VERIFY_ROW_BUDGET, VERIFY_ROWS,
	VERIFY_ROW_NEVER = VERIFY_ROWS, /* never verified: always accepted, not to be overridden */
};

struct verify_conf {
	int mode, profile, order;        /* enums above */
	usec_t wait;                     /* asker at the final dot: 25 s */
	usec_t work;                     /* the work itself: 60 s */
	usec_t patience;                 /* 4 h */
	struct str probe_sender;         /* the dedicated non-null sender: "postern-probe@HOST" by default */
	struct str secret;               /* key of the random local part; empty: made at first start and kept in the store */
	struct ip_set dial_networks;
	struct conf_addr source;         /* dedicated source address of probes */
	int64_t port;                    /* 25; the lab uses another */
	bool use_tls, use_pipelining, use_ipv6;
	struct conf_texts never_ask;     /* operators that are never asked; replaces the built-in list */
	struct conf_texts own_domains;   /* filled by cmd from the domains we receive for */
	int on[VERIFY_ROWS];             /* enum verify_override for each row */
	/* Budgets */
	int64_t per_domain_hour, per_domain_burst, vouched_factor, per_operator_hour, per_client_minute, per_second;
	bool budget_defers;              /* over budget: 451 instead of accepting with a tag */
	/* Memory */
	int64_t cache_addresses, cache_domains, cache_hosts;
	usec_t ttl_exists, ttl_absent, ttl_catch_all, ttl_unverifiable, ttl_null_refused, ttl_blocked, ttl_temp_min, ttl_temp_max;
	usec_t greylist_retry;           /* our first own re-probe after a greylisting: 330 s; the others at 15 and 30 min */
};
extern const struct conf_row verify_conf_rows[];
extern const struct conf_section verify_section; /* "verify" */

struct verify_answer {
	enum verify_verdict verdict;
	enum verify_skip skip;
	enum verify_dns dns;          /* other than OK: verdict is ABSENT (certain) or TEMPORARY */
	enum verify_class class;      /* for TEMPORARY, BLOCKED */
	enum cause_id cause;          /* because: greylist, network, dns_failure … */
	int code;                     /* the reply that decided; 0: none */
	bool is_cached, is_running;   /* running: the asker left before the work ended */
	bool null_refused;            /* exists, but its server refuses <> and takes our probe sender */
	bool control_refused;         /* the random local part was refused: not a catch-all */
	usec_t took, retry_after;
	struct wall checked;
	struct wall first_failed;     /* first of an unbroken row of temporary answers for (sender, client network); 0: none */
	char host[128];               /* the MX that answered */
	char said[256];               /* its deciding words, escaped; for trails, never for clients */
	struct str dialogue;          /* memory of the answer's ticket (or STR_NONE for cached answers without) */
};
const char *verify_verdict_name(enum verify_verdict v);  /* "exists" … as in CLI.md */
const char *verify_skip_name(enum verify_skip s);
const char *verify_class_name(enum verify_class c);      /* "no answer" … */

struct verify;
struct verify_deps {
	struct resolver *resolver;
	struct store *store;
	struct tls_context *tls;
	struct str host;                 /* our name: HELO of probes */
	struct ip_set own_addresses;
	/* Operator's exceptions: never ask for this address. NULL: none. */
	bool (*is_exempt)(void *arg, const struct address *sender, struct ip client);
	void *arg;
};
bool verify_open(const struct verify_conf *conf, const struct verify_deps *deps, struct verify **out, struct err *err);
/* Ends the work under way (tickets held by others get TEMPORARY); nobody may be inside verify_finish any more.
 * Accepts NULL. */
WAITS void verify_close(struct verify *v);
/* New configuration from now on; work under way keeps the old one. conf must live as long as it is in use. */
void verify_reconfigure(struct verify *v, const struct verify_conf *conf);
void verify_set_mode(struct verify *v, enum verify_mode mode);
enum verify_mode verify_mode(const struct verify *v);

/* Cache only. True: *out is an answer that is still good (dialogue empty). */
bool verify_lookup(struct verify *v, struct str address_key, struct verify_answer *out);
/* DNS certainty for the sender's domain at MAIL; false only for cancellation and the caller's deadline. */
WAITS bool verify_domain(struct verify *v, const struct address *sender, enum verify_dns *out, struct str *why,
                         struct arena *arena, struct err *err);
/* Whether client is one of the domain's own MX addresses (fills evidence); answered from DNS cache where it can. */
WAITS bool verify_is_own_mx(struct verify *v, struct str ascii_domain, struct ip client, bool *is, struct err *err);

/* Starts (or joins) the work and returns at once with a ticket whose result is `const struct verify_answer *`;
 * complete already when cached, skipped or certain. `sender` and `evidence` are copied. Never NULL. */
struct ticket *verify_start(struct verify *v, const struct address *sender, const struct evidence *evidence);
/* Waits for the ticket at most until the deadline in force and at most `patience_here`; when it is not done by then
 * *out is TEMPORARY with is_running. False only when cancelled. Keeps the first-failure record for (sender, client
 * network), so that first_failed tells how long this client has been hearing 451. */
WAITS bool verify_finish(struct verify *v, struct ticket *t, const struct address *sender, const struct evidence *e,
                         usec_t wait_here, struct verify_answer *out, struct err *err);
/* start + finish, for the command line. out->dialogue is valid until the caller's next wait. */
WAITS bool verify_address(struct verify *v, const struct address *a, const struct evidence *e, struct verify_answer *out,
                          struct err *err);
/* Call-ahead: does `recipient` exist at these hosts (our own next hop)? Same engine and cache under a key of their
 * own ("→host"), with no budgets, no random probe, no never-ask list. MAIL FROM is the null sender. Waits as long as
 * `wait`, then TEMPORARY with is_running; no dialogue. */
struct verify_next_hop {
	struct str host;   /* "unix:/path" with an ip of family 0 */
	struct ip ip;
	uint16_t port;
	bool is_lmtp;
};
WAITS bool verify_recipient(struct verify *v, const struct verify_next_hop *hop, const struct address *recipient,
                            struct verify_answer *out, struct err *err);
/* This address accepted mail from us just now: it exists, for free. */
void verify_learn_exists(struct verify *v, struct str address_key);

/* cache show|flush: text for people or JSON. what: an address or a domain. */
void verify_cache_show(struct verify *v, struct str what, bool as_json, struct buf *out);
size_t verify_cache_flush(struct verify *v, struct str what);

/* What an answer becomes: the table of REPLIES.md, every cell overridable. `conf->mode` is not looked at. */
enum verify_action { VERIFY_ACCEPT, VERIFY_ACCEPT_TAG, VERIFY_DEFER, VERIFY_REFUSE };
enum verify_action verify_decide(const struct verify_conf *conf, const struct verify_answer *a, const struct evidence *e,
                                 struct wall now);
enum verify_row verify_row_of(const struct verify_conf *conf, const struct verify_answer *a, const struct evidence *e,
                              struct wall now);
/* The same under the mode in force: observe accepts everything, tag turns what would be refused or deferred
 * into accept with tag. What the gate does; counted for `stats`. */
enum verify_action verify_act(struct verify *v, const struct verify_answer *a, const struct evidence *e);
const char *verify_action_name(enum verify_action a);    /* "accept" … */
