/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sender of one message, and what verification makes of it: the part that all doors share, so that a message hears
 * the same whichever door it came to. The SMTP session and the policy door differ in when they ask and in how the answer
 * is said; what is asked, noted in the trail, counted and decided stands here.
 *
 *	fill the members above the line ─► sender_is_allowed ─► sender_domain_passes ─► sender_start ─► sender_passes
 *
 * Each of the four says true to let the message go on; false leaves in `fault` and `args` what is to be said. Everything
 * lives in the arena of the transaction; sender_check_done lets go of the ticket.
 */
#pragma once

#include "cause/cause.h"
#include "gate/gate_inside.h"
#include "trail/trail.h"

struct sender_check {
	struct gate *gate;
	struct settings *set;
	struct arena *arena;
	struct trail *trail;
	struct str ref;
	const struct address *address; /* NULL: the null reverse-path */
	struct str text;               /* local@domain as on the wire; "" for the null path */
	bool allows_utf8;              /* in replies */
	struct evidence evidence;      /* client, helo and the booleans of the session; the rest is found out */
	bool is_for_trusted;           /* all recipients so far are postmaster, abuse, or exempt */
	/* --- */
	bool is_mx_known;              /* so is_own_mx of the evidence is certain */
	bool is_domain_certain;        /* DNS was asked about the sender's domain, and it takes mail */
	enum verify_skip skip;         /* why the sender is not asked about; NONE: it is */
	struct ticket *ticket;         /* of the verification under way; NULL: not asked */
	const struct verify_answer *answer; /* what sender_passes went by; NULL: skipped */
	enum situation fault;
	struct say_args args;
	bool is_own_trouble;           /* the fault is ours, not the sender's */
	struct str tag;                /* whole header fields that say what was found out; "" for none */
	bool is_tagged;                /* X-Postern-Sender is among them */
};

void sender_check_done(struct sender_check *c);
/* Is anybody asked about this sender at all? What the trusted recipients are may change the answer until the DATA. */
bool sender_is_asked(const struct sender_check *c);
/* The operator's own word about this sender or client. */
bool sender_is_allowed(struct sender_check *c);
/* postmaster and abuse, in any case (RFC 2142). */
bool sender_address_is_role(const struct address *a);
/* The operator's word about a recipient; *is_trusted: mail to it is taken whatever the sender. `is_ours`: we receive
 * mail for its domain, so that its postmaster and abuse are trusted (REPLIES: never verified). */
bool sender_recipient_is_allowed(struct sender_check *c, const struct address *a, struct str text, bool is_ours,
                                 bool *is_trusted);
/* What DNS alone says of the sender's domain, where that is enforced. */
WAITS bool sender_domain_passes(struct sender_check *c);
/* A refusal that this client has heard before is repeated without waiting for the message. */
bool sender_passes_again(struct sender_check *c);
/* Gathers evidence and begins to ask; nothing is asked about those that are skipped, or are forged by their own
 * domain's word. */
WAITS bool sender_start(struct sender_check *c);
/* Waits at most `within` for what sender_start began, and decides. */
WAITS bool sender_passes(struct sender_check *c, usec_t within);
/* The reply as it would be said, on one line without its end. */
struct str sender_reply(const struct sender_check *c, enum situation what, const struct say_args *args);

/* sender_evidence.c. DNS has said a moment ago that the sender's domain takes mail. */
bool evidence_knows_domain(struct sender_check *c);
/* Fills c->evidence and notes in the trail what each piece says, before anybody is asked. */
WAITS void evidence_fill(struct sender_check *c);
/* The domain's own SPF record says no, and what it says counts. */
bool sender_fails_spf(const struct sender_check *c);
