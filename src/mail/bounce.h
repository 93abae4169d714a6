/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what comes back: delivery reports (RFC 3464, also nested, truncated and as plain text), bounces in the prose of
 * qmail, Exim, Postfix, Sendmail, Exchange and providers, complaints (RFC 5965), and automatic answers (RFC 3834).
 *
 * Pure and bounded: at most BOUNCE_MAX bytes are looked at, BOUNCE_PARTS parts to BOUNCE_DEPTH, BOUNCE_RCPTS recipients.
 * Texts point into the message or the arena. What a diagnostic means is cause/classify.h's to say.
 */
#pragma once

#include "base/arena.h"

#define BOUNCE_MAX   (1 << 20)
#define BOUNCE_PARTS 32
#define BOUNCE_DEPTH 6
#define BOUNCE_RCPTS 128

enum bounce_kind { BOUNCE_NONE, BOUNCE_FAILED, BOUNCE_DELAYED, BOUNCE_FEEDBACK, BOUNCE_VACATION, BOUNCE_DELIVERED };
struct bounce_rcpt {
	struct str address;
	struct str action;       /* "failed", "delayed", "delivered", …; by the report, else by its prose */
	struct str status;       /* "5.1.1", empty: none given */
	struct str diagnostic;   /* the reply or the words of the report on one line */
	struct str remote_mta;   /* host that said it */
};
struct bounce {
	enum bounce_kind kind;
	struct str reporter;     /* Reporting-MTA */
	struct bounce_rcpt rcpts[BOUNCE_RCPTS];
	size_t n;
};
struct str bounce_kind_name(enum bounce_kind kind);
void bounce_read(struct arena *arena, struct str message, struct bounce *out);

/* Inside of the reader: the leaves of a message, decoded. */
struct bounce_part {
	struct str type;         /* "text/plain", lower case */
	struct str body;
};
struct bounce_parts {
	struct bounce_part part[BOUNCE_PARTS];
	size_t n;
};
void bounce_parts_read(struct arena *arena, struct str message, struct bounce_parts *out);
/* What is no base64 is passed over; ends at the first '='. */
struct str bounce_base64(struct arena *arena, struct str s);
/* Recipients that the prose of `text` names, appended. */
void bounce_prose_read(struct arena *arena, struct str text, struct str from, struct str to, struct bounce *out);
/* The next address in *rest, STR_NONE: there is none. */
struct str bounce_address_next(struct str *rest);
void bounce_rcpt_add(struct bounce *b, const struct bounce_rcpt *r);
/* Words of several lines on one; at most 1 KiB. */
struct str bounce_one_line(struct arena *arena, struct str text);
