/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server's reply to a probe means. Pure: the stage, the reply, whom we asked about and which host spoke.
 *
 * The rule above all others: a reply is never read as "no such mailbox" unless it says that about the mailbox.
 * Only a 5xx at RCPT can say it, by one of the enhanced codes that name the mailbox, by words for an unknown user
 * without a code that contradicts them, or by a provider's known form. Everything else that is refused is
 * AMBIGUOUS (the positive control decides), or about us, or about the sender we showed.
 */
#pragma once

#include "base/cause_id.h"
#include "smtp/reply.h"

enum probe_stage { PROBE_CONNECT /* greeting, EHLO */, PROBE_MAIL, PROBE_RCPT };

enum probe_meaning {
	PROBE_ACCEPTED,     /* RCPT: takes mail; whether for this address alone, the random local part tells */
	PROBE_FULL,         /* exists: its mailbox is full, or it receives too fast */
	PROBE_UNVERIFIABLE, /* 252 */
	PROBE_ABSENT,       /* certain */
	PROBE_AMBIGUOUS,    /* 5xx at RCPT that may mean anything: positive control */
	PROBE_RESTRICTED,   /* not for strangers: authentication, members only; tells nothing */
	PROBE_GREYLISTED,   /* the same question later is answered */
	PROBE_TEMPORARY,
	PROBE_BUSY,         /* 421, or too fast: this server wants rest */
	PROBE_REFUSED_NOW,  /* 4xx because of our address or reputation */
	PROBE_NULL_REFUSED, /* the sender we showed is refused: <> at first */
	PROBE_BLOCKED,      /* 5xx because of us, or before RCPT: inconclusive */
	PROBE_OPT_OUT,      /* they say in words that they do not want to be asked */
	PROBE_LOST,         /* the conversation broke off; never returned by probe_reply_read */
};

struct probe_reading {
	enum probe_meaning meaning;
	enum cause_id cause;
	bool says_us;       /* names our address, reputation or reverse DNS: what breakers count */
};

/* local: the local part that was asked about (its echo must not be taken for words), may be empty. mx: the name
 * of the host that speaks; a few providers have forms of their own. */
struct probe_reading probe_reply_read(enum probe_stage stage, const struct reply *r, struct str local, struct str mx);
const char *probe_meaning_name(enum probe_meaning m);
