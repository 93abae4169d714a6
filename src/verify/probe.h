/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One session with one mail server in which addresses are asked about: MAIL and RCPT, RSET between, never DATA.
 *
 * The null sender is shown first. Where it is refused (at MAIL, or at RCPT by words about the sender), the
 * question is asked once more with the probe sender, which then serves for the rest of the session.
 * Each question is a transaction with one recipient, because some servers take only one for `<>`.
 */
#pragma once

#include "client/smtp_client.h"
#include "verify/probe_reply.h"

struct probe {
	struct smtp_client *client;  /* open */
	struct str probe_sender;
	bool use_pipelining;
	bool uses_probe_sender;      /* <> was refused, now or lately */
	bool null_refused;           /* what was found out in this session; or set by who knows it already */
	bool in_transaction;
	bool mail_accepted;          /* the sender in use was accepted at least once */
	unsigned rcpts;              /* recipients asked so far */
};
struct probe_answer {
	struct probe_reading reading;
	enum probe_stage stage;      /* at which the reading was made */
	int code;                    /* 0: none came */
	char said[256];              /* "550 5.1.1 no such user", escaped */
};

/* False: cancelled. PROBE_LOST is an answer. */
WAITS bool probe_ask(struct probe *p, struct str local, struct str ascii_domain, struct probe_answer *out, struct err *err);
/* "550 5.1.1 no such user" escaped and cut into out; a reply of code 0 gives its text. */
void probe_said(const struct reply *r, char *out, size_t n);
