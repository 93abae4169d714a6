/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What session.c and session_connect.c share: one session under way. */
#pragma once

#include "verify/inquiry.h"
#include "verify/random_local.h"
#include "verify/session.h"

#define BEFORE_MAX 4096 /* bytes of dialogue with hosts that came to nothing */

/* On the heap: too big for a fiber's stack. */
struct session {
	struct flight *flight;
	struct verify *v;
	const struct verify_conf *conf;
	struct arena arena;
	struct smtp_client_conf smtp;
	struct mx_list mx;
	struct str mx_operator;
	struct work *current;        /* admitted, and not yet answered */
	size_t host, ip;             /* which address comes next */
	unsigned dials;
	struct wall soonest;         /* when a host that is left alone may be tried again; 0: none */
	struct inquiry last;         /* what the last host that could not be asked said */
	struct smtp_client client;
	struct probe probe;
	struct str turn;             /* the MX address we hold; empty: none */
	struct buf before;           /* dialogue with hosts that were tried before */
	size_t asked_from;           /* where the current question begins in the client's dialogue */
	unsigned answered;           /* addresses, in this session */
	bool is_open, has_accepted, has_breaker_probe;
	char random[RANDOM_LOCAL_N];
};

enum step { STEP_OPEN, STEP_NEXT, STEP_SETTLED, STEP_CANCELLED };

/* The same answer for the address taken up and for all that wait. */
void session_settle_all(struct session *s, const struct verify_answer *a);
struct verify_answer session_answer(const struct inquiry *q);
struct host_record session_host_record(const struct inquiry *q);
/* A host wants to be left alone until then. */
void session_comes_back(struct session *s, struct wall at);

/* The next address in strict order of preference: OPEN, or NEXT when none is left, or SETTLED: all are answered. */
WAITS enum step session_connect(struct session *s);
/* QUIT where that is due, and the turn goes to whoever waits. */
WAITS void session_hang_up(struct session *s);
/* No host could be asked. */
void session_settle_unreachable(struct session *s);
