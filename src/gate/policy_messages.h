/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages that Postfix has asked about lately. It asks again for each recipient, at DATA and at the end; `instance`
 * ties the requests together, so that a message is verified once, is tagged once, and has one trail.
 *
 *	policy_message_take ─► new: open, with a case ─► policy_message_decide ─► decided
 *	policy_message_release       │ quiet for STORE_AFTER: the trail to the history, again when it has grown
 *	                             │ nothing was asked for SETTLE_AFTER, or too many are open
 *	                             └─► settled: the case freed; what was decided stays
 *	                                       │ another recipient: open again, with a trail of its own
 *	                                       │ MESSAGE_LIFE after its last use, or too many in all
 *	                                       └─► forgotten
 */
#pragma once

#include "gate/sender_check.h"
#include "spool/spool.h"

enum policy_action { POLICY_DUNNO, POLICY_PREPEND, POLICY_DEFER, POLICY_REFUSE };
const char *policy_action_name(enum policy_action a);

/* What is needed only while questions are asked. */
struct policy_case {
	struct arena arena;
	struct settings *set;
	struct trail trail;
	struct address sender;
	struct sender_check check;
	bool has_begun;               /* what stands before the first recipient is checked: the operator's word, DNS */
	bool has_started;             /* sender_start has passed */
	struct str recipients;        /* with a space between; in the arena */
	size_t recipients_room;
	bool is_stored;               /* the trail as it is now */
};
struct policy_message {
	struct link link;             /* of all, longest unused first */
	struct link open;             /* of those with a case, likewise */
	struct str key;
	char ref[SPOOL_ID_MAX];
	usec_t used;
	unsigned users;               /* fibers that have it: it stays */
	struct cond answered;         /* who is asking has an answer */
	bool is_asking;
	bool was_asked_at_rcpt;
	bool is_decided, is_refused_whole; /* whole: whoever the recipients are */
	bool is_tag_said;
	enum policy_action action;    /* decided */
	enum verdict verdict;
	char *text;                   /* what is said with it: a reply with its code, or the header field */
	struct policy_case *open_case; /* NULL: settled */
	char key_bytes[];
};
struct policy_messages {
	struct gate *gate;
	struct map by_key;
	struct list all, open;
	size_t n, n_open;
	struct group keeper;          /* one fiber while messages are open */
	bool is_keeping;
};

void policy_messages_init(struct policy_messages *t, struct gate *g);
/* Stores the open trails and forgets all; nobody has a message any more. */
WAITS void policy_messages_done(struct policy_messages *t);
/* The message of this key, found or new; it has a case unless it is decided and no new recipient is asked about. */
struct policy_message *policy_message_take(struct policy_messages *t, struct str key, bool has_recipient);
void policy_message_release(struct policy_messages *t, struct policy_message *m);
/* text is copied. Once decided it stays so. */
void policy_message_decide(struct policy_message *m, enum policy_action action, enum verdict verdict, struct str text);
/* One more recipient for the trail; at most RECIPIENTS_BYTES of them are kept. */
void policy_message_add_recipient(struct policy_message *m, struct str text);
