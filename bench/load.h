/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load generator: SMTP clients by the thousand in one thread on epoll, without the runtime that is measured.
 *
 * Closed loop: `sessions` conversations at a time, a new one for each that ends. Open loop (`rate`): conversations
 * begin at times drawn beforehand (a Poisson process with a fixed seed), whatever the answers do, and latency
 * counts from the drawn time, so that a server that stalls cannot hide its queue.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/histogram.h"

struct load_options {
	struct sockaddr_in to;
	const char *from, *rcpt;    /* %d: number of the message, %m: the same modulo `modulo` */
	char **from_list;           /* instead of `from`, taken in turn */
	size_t n_from_list;
	struct in_addr source;      /* first address that sessions come from; */
	unsigned n_sources;         /* so many follow each other, one for each session in turn; 0: do not bind */
	unsigned sessions;          /* at the same time; in open loop a bound */
	uint64_t messages;          /* 0: no bound */
	double seconds;             /* 0: no bound */
	double rate;                /* open loop; 0: closed */
	double grace;               /* seconds for what is under way when the rest has ended */
	unsigned per_session;       /* messages in one session */
	uint64_t modulo;
	size_t size;                /* of a message, headers included */
	bool pipelining;            /* use it where offered */
	bool starttls;
	uint64_t hold;              /* keep so many sessions open after their message until SIGTERM; 0: none */
};
bool load_options_parse(struct load_options *o, int argc, char **argv); /* false: usage has been printed */

struct load_stats {
	uint64_t started, ended;    /* messages */
	uint64_t sessions, dots;    /* sessions opened; final dots sent */
	uint64_t by_code[600];
	uint64_t lost;              /* sessions that broke before the deciding reply */
	uint64_t dropped_idle;      /* held sessions that the server closed */
	uint64_t parked;
	uint64_t first_ns, last_ns; /* begin of the first, deciding reply to the last */
	struct histogram dot;       /* last byte of the message handed over → reply */
	struct histogram whole;     /* drawn time (open loop) or connect → reply */
};

enum load_step {
	STEP_BANNER, STEP_EHLO, STEP_STARTTLS, STEP_HANDSHAKE, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_DOT, STEP_QUIT,
	STEP_PARKED, STEP_OVER,
};
struct load_session {
	int fd;
	enum load_step step;
	bool has_pipelining, is_quit_sent, is_secure, wants_write;
	int refusal;                /* first refusing code of the message */
	unsigned sent;              /* messages of this session so far */
	uint64_t due_ns, dot_ns;
	const char *out;            /* what is still to be written: `command` or the message of all */
	size_t n_out, line_n;
	SSL *ssl;
	struct load_session *next;  /* free list */
	char line[40];              /* begin of the reply line that is coming in */
	char command[600];
};

struct load {
	const struct load_options *options;
	struct load_stats stats;
	char *message;              /* with the final dot, then QUIT */
	size_t n_message, n_with_quit;
	SSL_CTX *tls;
	int epoll;
	unsigned active;            /* sessions open and not parked */
	bool must_stop;             /* no new messages */
	struct load_session *free;
};

void load_message_make(struct load *l);
bool load_session_start(struct load *l, uint64_t due_ns); /* false: no socket */
void load_session_event(struct load *l, struct load_session *s, uint32_t events);
