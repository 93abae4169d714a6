/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One message to one host for some recipients, over an open conversation: MAIL, RCPT…, then DATA or BDAT, with
 * per-recipient results (per-recipient final replies in LMTP, RFC 2033 4.2). Pipelined where offered.
 */
#pragma once

#include "client/smtp_client.h"

#define DELIVER_RCPTS_MAX 1000

struct deliver_rcpt {
	struct str address, orcpt;
	unsigned notify;
	/* Results. is_answered false: the conversation was lost before this recipient was decided. */
	bool is_answered, is_delivered;
	bool is_data_stage;   /* the deciding reply came at DATA or the final dot */
	struct reply reply;
};
struct deliver_job {
	struct str sender, envid;
	enum smtp_ret ret;
	enum smtp_body body;
	bool smtputf8;
	uint64_t size;        /* exactly what `read` gives; with fewer bytes the message is not sent */
	struct str prefix;    /* goes in front of the message (Return-Path for LMTP/Maildir) */
	bool may_be_repeat;   /* an earlier attempt may have got through: a Maildir looks for it in cur/ too */
	/* The message in pieces; offset only grows, from 0 again for a second pass. *got 0 before `size` is a fault. */
	WAITS bool (*read)(void *arg, uint64_t offset, void *out, size_t n, size_t *got, struct err *err);
	/* Called once before the final dot goes out: from here on a lost connection may mean a duplicate. */
	void (*before_dot)(void *arg);
	void *arg;
	struct deliver_rcpt *rcpts;
	size_t n;
	bool is_sent;         /* result: the final dot went out */
	bool is_in_doubt;     /* result: lost after the final dot, before the answer */
};
/* Replies' texts live in c->arena: until smtp_client_forget or smtp_client_close. A 421 answers for all recipients
 * that are left. More than DELIVER_RCPTS_MAX recipients, or than the host's RCPTMAX, are left unanswered.
 * With CHUNKING a small message goes out in one flight with its envelope, MAIL to BDAT LAST (RFC 3030 4.2); larger
 * ones use DATA, which streams without a wait for each chunk. Bare CR and LF never leave us either way.
 * False: the conversation broke (recipients with is_answered keep their results) or the message could not be
 * read (CAUSE_STORAGE). 8-bit or UTF-8 mail to a host that does not offer it gives 554 5.6.3 / 5.6.7 made here. */
WAITS bool deliver_run(struct smtp_client *c, struct deliver_job *job, struct err *err);
