/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doors: listeners, limits over all sessions, and one fiber for each SMTP session (gate/session.c) and for each
 * connection of Postfix's policy clients (gate/policy_door.c).
 */
#pragma once

#include "base/conf_row.h"
#include "policy/domains.h"
#include "policy/exceptions.h"
#include "policy/recipients.h"
#include "queue/queue.h"
#include "rt/stream.h"
#include "spool/spool.h"
#include "store/history.h"
#include "verify/verify.h"

/* What the SPF record of the sender's domain is used for: nothing, evidence for verification, or also a refusal. */
enum gate_spf { GATE_SPF_OFF, GATE_SPF_EVIDENCE, GATE_SPF_REFUSE };
struct gate_conf {
	struct str host;                     /* our name in banner, HELO, Received */
	struct conf_texts listen;            /* "0.0.0.0:25" … */
	struct ip_set local_networks;        /* may relay, never verified */
	struct ip_set proxy_networks;        /* must speak PROXY first; nobody else may */
	struct str tls_certificate, tls_key; /* empty: a self-signed certificate is made */
	int64_t message_size, recipients, line, commands, errors, hops, header_size;
	int64_t messages;                    /* transactions in one session (RFC 9422 MAILMAX) */
	int64_t text_line;                   /* longest line of a message; 0: any */
	int64_t sessions, sessions_per_ip, connects_per_minute; /* for each client address */
	int64_t session_memory, memory;      /* bytes */
	usec_t idle, transaction, session;   /* deadlines: 5 min, 30 min, 2 h */
	int64_t least_rate;                  /* bytes a second while data flows, over a minute: 100 */
	usec_t drain;                        /* 30 s */
	enum gate_spf spf;
	bool is_own_spf; /* it counts for senders of our own domains too */
	bool is_pipelining_checked;          /* talking before the banner ends the session */
};
extern const struct conf_row gate_conf_rows[];
extern const struct conf_section gate_section; /* "gate" */

struct policy_door_conf {
	struct conf_texts listen;            /* empty: no policy door */
	int socket_mode;                     /* of Unix sockets: 0600, 0660, 0666 */
	usec_t wait;                         /* for one answer: 8 s */
	usec_t idle;
	int64_t connections, request_size;
};
extern const struct conf_row policy_door_conf_rows[];
extern const struct conf_section policy_door_section; /* "policy_door" */

struct gate_deps {
	const struct policy_door_conf *policy_door; /* NULL: there is none */
	struct resolver *resolver;
	struct spool *spool;
	struct queue *queue;
	struct verify *verify;
	const struct verify_conf *verify_conf;
	struct recipients *recipients;
	struct exceptions *exceptions;
	const struct domains *domains;
	struct history *history;
	struct group *root;
};
struct gate;
/* fds: sockets handed over or activated, used for the listeners whose address they are bound to. */
bool gate_open(const struct gate_conf *conf, const struct gate_deps *deps, const int *fds, size_t n_fds,
               struct gate **out, struct err *err);
/* Sessions begun from now on see the new configuration; listeners are opened and closed as it says. `conf` and the
 * objects in `deps` must live until gate_uses says that no session has them any more. */
bool gate_uses(const struct gate *g, const struct gate_conf *conf);
bool gate_reconfigure(struct gate *g, const struct gate_conf *conf, const struct gate_deps *deps, struct err *err);
/* Stops accepting (the listeners stay open when keep_listeners), answers 421 at the next command outside a
 * transaction, waits for open transactions until `drain`; who is then still there hears 421 and is cut. */
WAITS void gate_drain(struct gate *g, bool keep_listeners);
void gate_close(struct gate *g);
/* One session on a given stream, for tests, fuzzing and other doors; returns when it has ended and closed it. */
WAITS void gate_session_run(struct gate *g, struct stream *s);
WAITS void gate_policy_run(struct gate *g, struct stream *s); /* the same for a connection of the policy door */

struct gate_session_info {
	uint64_t number;
	struct ip client;
	struct str helo, sender;
	const char *state;        /* "command", "data", "held" …; of the policy door "policy" while it answers, "idle" */
	struct str wait;          /* "verify: RCPT at mx1.example, 3.2 s" */
	usec_t age;
	size_t memory;
};
void gate_sessions(struct gate *g, void (*fn)(void *arg, const struct gate_session_info *info), void *arg);
size_t gate_session_count(const struct gate *g);
size_t gate_policy_count(const struct gate *g); /* connections of the policy door */
size_t gate_listener_fds(const struct gate *g, int *fds, size_t max);
