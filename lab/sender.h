/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clients of the lab: one mail, one session, from an address of choice. */
#pragma once

#include "base/arena.h"
#include "base/ip.h"
#include "rt/rt.h"
#include "smtp/reply.h"

struct lab_mail {
	const char *from, *to;       /* from "": the null sender */
	struct ip client;            /* where it comes from */
	const char *helo;
	struct str message;          /* with CRLF line ends */
	bool smtputf8;
};
struct lab_sent {
	struct reply reply;          /* the deciding one */
	const char *stage;           /* "MAIL", "RCPT", "the final dot" … */
	usec_t took;
	struct str dialogue;
};
/* All texts in arena. False: no conversation came about. */
WAITS bool lab_send(const struct lab_mail *mail, struct ip gate, uint16_t port, struct arena *arena, struct lab_sent *out,
                    struct err *err);
