/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SMTP session on the server's side (RFC 5321), and its transaction.
 *
 * A session is one fiber: banner, then one command after the other (session.c), each command a function in a file of
 * its own. There is a transaction exactly while `tx` is not NULL: from an accepted MAIL to the end of the message,
 * RSET, EHLO, STARTTLS, a refusal that ends it, or the end of the session. Everything that belongs to it hangs on `tx`
 * and goes with session_clear, the only function that ends one, so that no transaction lends anything to the next.
 * Nothing is said with a 4xx or 5xx but through say.h.
 *
 * An idle session is small: this struct, its stream, and the few pages of stack below the read of the next command.
 */
#pragma once

#include "cause/cause.h"
#include "gate/sender_check.h"
#include "smtp/command.h"
#include "smtp/dot.h"

enum session_state { SESSION_GREETING, SESSION_COMMAND, SESSION_DATA, SESSION_HELD, SESSION_STORING, SESSION_ENDING };

struct transaction {
	struct arena arena;
	struct spool_id id;
	struct str ref;                /* printed id: in replies, trail and 250 */
	usec_t begun, ends;
	struct trail trail;

	struct smtp_mail mail;
	struct str sender;             /* local@domain as on the wire; "" for the null path */
	struct spool_rcpt *rcpts;
	size_t n_rcpts, rcpts_capacity;
	size_t n_trusted;              /* of them postmaster, abuse, or exempt by the exceptions file */
	size_t n_refused;              /* RCPT commands that were refused */
	struct sender_check check;     /* filled at MAIL */

	bool is_chunked;               /* BDAT has begun: DATA may no longer come */
	struct dot_reader dot;
	struct spool_body *body;       /* NULL before the data and after a fault */
	size_t memory;                 /* of the body, as counted in the gate's total */
	usec_t data_begun;
	bool has_fault;                /* the message is refused: read to its end, not kept */
	enum situation fault;
	struct str fault_detail;

	enum verdict verdict;
	enum cause_id cause;
	struct str reply;              /* the last refusal, or the 250 of the end */
};

struct session {
	struct gate *gate;
	struct settings *set;
	struct stream *stream;
	struct link link;              /* in the gate's list */
	struct transaction *tx;        /* NULL: none is open */
	uint64_t number;
	usec_t begun, ends;
	struct ip client;
	enum session_state state;
	bool is_esmtp;
	bool is_local_network;
	bool is_counted;               /* in the limits of its client */
	bool needs_reset;              /* a BDAT failed in the middle: RSET first (RFC 3030 2) */
	bool is_ending;                /* the last reply was said */
	bool is_out_of_step;           /* ended in the middle of a message: more of it may come */
	uint32_t errors;               /* refused commands since the last accepted message */
	uint32_t junk;                 /* commands in a row that brought nothing forward */
	uint64_t commands, messages;
	char *helo;                    /* NULL: not said; printable ASCII */
	char name[64];                 /* of the fiber: "smtp 192.0.2.1" */
};

/* session.c */
struct session *session_new(struct gate *g, struct stream *stream);
WAITS void session_run(struct session *s); /* to its end; frees it */
void session_drop(struct session *s);      /* one that was never run */
/* Waits for more input until idle, pace, transaction or session run out; then says so and ends the session. */
WAITS bool session_fill(struct session *s);

/* transaction.c */
void transaction_begin(struct session *s);
/* Forgets the transaction whole: after this the session is as after RSET. Without one it does nothing. */
void session_clear(struct session *s);
/* The trail as it stands with this verdict and the last reply. */
void transaction_close_trail(struct transaction *tx, enum verdict verdict);
/* The end of a transaction that is worth a trail: history, log line, metrics, then session_clear. */
void transaction_end(struct session *s, enum verdict verdict);
void transaction_count_memory(struct session *s); /* after the body grew or went */
const char *session_state_name(enum session_state state);
size_t session_memory(const struct session *s);

/* One function for each command; `argument` is valid until the stream is read again. */
WAITS void session_helo(struct session *s, struct str argument);
WAITS void session_ehlo(struct session *s, struct str argument);
WAITS void session_mail(struct session *s, struct str argument);
WAITS void session_rcpt(struct session *s, struct str argument);
WAITS void session_data(struct session *s, struct str argument);
WAITS void session_bdat(struct session *s, struct str argument);
WAITS void session_starttls(struct session *s, struct str argument);

/* session_proxy.c: the PROXY header of a listed peer. False: the session is over. */
WAITS bool session_proxy(struct session *s);

/* session_receive.c */
WAITS void receive_begin(struct session *s); /* body and verification, before the first byte */
/* Reads to the end of data, of the chunk; false: the connection is out of step or gone. */
WAITS bool receive_dots(struct session *s);
WAITS bool receive_chunk(struct session *s, uint64_t size);
WAITS bool receive_nothing(struct session *s, uint64_t size); /* a chunk that nobody wants */
bool receive_is_endless(const struct session *s, uint64_t size); /* more than is worth draining */

/* session_verify.c. False, here and below: refused or deferred, and said. */
void session_check_begin(struct session *s); /* at MAIL, parsed */
WAITS bool session_sender_is_allowed(struct session *s);
/* At RCPT: a refusal that this client has heard at the dot before is repeated. */
WAITS bool session_sender_passes_again(struct session *s);
/* At DATA; what is found out already becomes the fault that is said at the dot. */
WAITS void session_sender_start(struct session *s);
/* At the dot. */
WAITS bool session_sender_passes(struct session *s);

/* session_verdict.c: the whole message is here; says 250 or why not, and ends the transaction. */
WAITS void session_judge(struct session *s);
