/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mail servers of other people, as a script describes them: the MX hosts that are asked and the next hops that are
 * delivered to. What no rule says is answered as a friendly server would; what was heard and taken is kept.
 *
 *	peer mx.good.example 192.0.2.10
 *		mailboxes anna joe                                only these exist: 550 5.1.1 for all others
 *		banner => after 40s 220 hello                     KEY => [3x] [after 40s] [greylist 5m] ACTION
 *		MAIL FROM:<>* => 550 5.7.1 null sender refused    a key is a command with `*`, a bare verb, banner or dot
 *		RCPT => drop                                      ACTION: a reply, lines separated by " | ";
 *		QUIT => silent                                    drop [reply]; silent; tls
 */
#pragma once

#include "base/list.h"
#include "rt/stream.h"
#include "script.h"

struct heard {
	unsigned session;
	struct wall at;
	struct str line;
};
struct mail {
	struct link link;
	const char *peer;
	struct str from;
	struct str *rcpts;
	size_t n_rcpts;
	struct str text; /* as it came over the wire, dots unstuffed */
	struct wall at;
};
struct peer {
	struct link link;
	const char *name;
	struct ip ip;
	uint16_t port;
	struct rule *rules;
	size_t n_rules;
	struct str mailboxes;   /* empty: all */
	struct listener *listener;
	unsigned sessions;
	struct heard *heard;    /* commands */
	size_t n_heard, heard_capacity;
	struct list grey;
};

/* `peer NAME IP[:PORT]` with rules, or `peer NAME down|silent|up`. */
void peers_open(struct arena *arena);
WAITS void peers_close(void);
void peer_statement(const struct statement *st, struct str rest);
struct peer *peer_find(unsigned line, struct str name);
/* Name and address of each, for the DNS. */
void peers_each(void (*fn)(void *arg, const struct peer *p), void *arg);

/* Messages that some peer has taken for the recipient. */
size_t peers_delivered(struct str rcpt);
const struct mail *peers_last_mail(struct str rcpt);
void peers_print(void);
