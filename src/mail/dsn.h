/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery status notifications: multipart/report with a part for people, a part for programs (RFC 3464)
 * and what was returned of the message (RFC 6522); with UTF-8 addresses as RFC 6533 wants it.
 *
 * The caller sends the report with a null reverse-path (RFC 3461 6.1), and decides whether one may be
 * sent at all: NOTIFY, and never to the null sender. Bytes of peers and of the original cannot end a
 * field or a part.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

struct dsn_rcpt {
	struct str orcpt;         /* ORCPT as it was given, xtext and all; empty: none */
	struct str address;       /* final recipient, local@domain as on the wire */
	enum dsn_action action;
	struct str status;        /* "5.1.1"; empty: x.0.0 of the action */
	struct str remote_mta;    /* host that said it; empty: nobody was reached */
	struct str diagnostic;    /* its reply, "550 5.1.1 No such user", lines by '\n'; empty: none */
	struct str explanation;   /* a sentence in plain words; empty: by the status */
	struct wall last_attempt; /* 0: none */
	struct wall retry_until;  /* of delayed ones; 0: not said */
};
struct dsn_args {
	struct str host;          /* ours: Reporting-MTA, From, Message-ID */
	struct str ref;           /* short reference, unique here */
	struct str to;            /* the original sender */
	struct str envid;         /* decoded; empty: none */
	struct wall now, arrived;
	bool allow_utf8;          /* the original came with SMTPUTF8: the report may go so */
	bool return_full;         /* RET=FULL; ignored unless something failed (RFC 3461 4.3) */
	struct str original;      /* the message, or at least its header */
	bool is_original_whole;
	const struct dsn_rcpt *rcpts;
	size_t n_rcpts;
};
/* What the transport needs. */
struct dsn_form {
	bool is_8bit;
	bool needs_smtputf8;
};

#define DSN_FULL_MAX   (256 * 1024) /* larger originals come back as their header */
#define DSN_HEADER_MAX (64 * 1024)

/* Appends the whole report, CR LF line ends, without dot-stuffing; test buf_ok. */
void dsn_build(const struct dsn_args *args, struct buf *out, struct dsn_form *form);
/* "5.1.1" in words for the sender of the mail: "The address does not exist …". */
struct str dsn_explain(struct str status, bool is_delay);
