/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's half of a conversation in SMTP or LMTP: connect, greet, TLS, MAIL, RCPT, DATA or BDAT.
 *
 * One function for each step, so that a caller reads like the dialogue. Every step records what was sent and
 * answered in `dialogue` (bounded, escaped, times in ms), the evidence that trails keep. A reply of any code is
 * a result; only the loss of the conversation is a failure (ERR_CLOSED, ERR_TIMEOUT, protocol nonsense).
 * Timers are RFC 5321 4.5.3.2 by default; a caller's deadline may be shorter.
 */
#pragma once

#include "base/clock.h"
#include "rt/stream.h"
#include "rt/tls.h"
#include "smtp/command.h"
#include "smtp/reply.h"

struct smtp_client_conf {
	struct str helo;                 /* our name */
	struct ip source, source6;       /* bind to; family 0: any */
	bool is_lmtp;
	bool use_tls;                    /* STARTTLS when offered; a failed handshake is retried in clear on a new connection */
	bool require_tls;
	struct tls_context *tls;
	usec_t connect, greeting, command, data_start, data_block, data_end; /* 0: RFC values */
};

struct smtp_client {
	struct stream *stream;
	const struct smtp_client_conf *conf;
	struct str host;                 /* MX name, for labels and the dialogue */
	struct ip ip;
	uint16_t port;
	/* What EHLO offered. */
	bool has_pipelining, has_8bitmime, has_smtputf8, has_chunking, has_starttls, has_dsn, has_enhanced;
	bool has_size;
	uint64_t size_max, rcpt_max, mail_max; /* SIZE, LIMITS RCPTMAX and MAILMAX; 0: none */
	bool is_esmtp;
	bool is_lost;                    /* the connection is gone; nothing more can be asked */
	bool tls_failed;                 /* offered, broken: the session is in clear after a reconnect */
	struct reply_reader reader;
	struct buf dialogue;             /* "→ MAIL FROM:<>\n← 250 ok (12 ms)\n", at most 8 KiB */
	usec_t asked;                    /* when the last command went out */
	struct str label;                /* "RCPT at mx1.example" */
	struct arena arena;
	struct buf line;                 /* private: the command being written */
	char label_text[96];             /* private: what `label` shows */
	unsigned replies_open;           /* commands whose replies have not been read */
};
/* Outcome of opening a session. */
enum client_open {
	CLIENT_READY,
	CLIENT_UNREACHABLE,  /* refused, no route, timed out, closed before the greeting */
	CLIENT_REFUSED_TEMP, /* greeting or EHLO 4xx, 421 */
	CLIENT_REFUSED_PERM, /* greeting or EHLO 5xx */
	CLIENT_NONSENSE,     /* not SMTP */
	CLIENT_NO_TLS,       /* require_tls, and it is not to be had */
};
/* Connect, greeting, EHLO (HELO when refused), STARTTLS and EHLO again. *said is the refusing reply, or code 0
 * and in its text what went wrong; the text lives in c->arena. `host` is borrowed as long as c is open; with an ip
 * of family 0 it is "unix:/path". `c` is initialised in every case; follow by smtp_client_close. False: cancelled. */
WAITS bool smtp_client_open(struct smtp_client *c, const struct smtp_client_conf *conf, struct str host, struct ip ip,
                            uint16_t port, enum client_open *outcome, struct reply *said, struct err *err);

/* Between two transactions of one session: forgets the dialogue and the texts of replies. */
void smtp_client_forget(struct smtp_client *c);
/* Queue a command; replies are then read in order with smtp_client_reply. Without PIPELINING use the pairs below. */
WAITS void smtp_client_send(struct smtp_client *c, const char *label, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The next reply; text lives in c->arena. within 0: the conf's time for a command. A 421 marks the connection lost after this reply. */
WAITS bool smtp_client_reply(struct smtp_client *c, usec_t within, struct reply *out, struct err *err);
/* send + reply */
WAITS bool smtp_client_ask(struct smtp_client *c, usec_t within, const char *label, struct reply *out, struct err *err,
                           const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Bytes of a message: they stand in no dialogue. Errors are sticky, met by the next reply. */
WAITS bool smtp_client_write(struct smtp_client *c, struct str bytes, usec_t within, struct err *err);
/* QUIT, waits at most 2 s for the answer, closes. Never after a time-out or loss: then it just closes. */
WAITS void smtp_client_close(struct smtp_client *c);
void smtp_client_note(struct smtp_client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
