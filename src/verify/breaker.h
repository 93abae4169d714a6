/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A circuit breaker for each MX operator: who says that we are blocked, or asks for rest, is left alone.
 *
 *	CLOSED ──three times blocked at different minutes, a storm of 421, or one word of opt-out──► OPEN
 *	OPEN ──its time is over──► HALF_OPEN: one probe may go ──answered──► CLOSED
 *	                                                       └─blocked again──► OPEN, twice as long (to 30 d)
 *
 * Kept by operator and not by sender domain, because that is how block lists work: thousands of domains are served
 * by the same hosts. Survives a restart.
 */
#pragma once

#include "store/table.h"
#include "verify/verify.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
enum breaker_why { BREAKER_BLOCKED, BREAKER_STORM, BREAKER_OPT_OUT };

struct breaker {
	struct table *operators;
};
struct breaker_look {
	enum breaker_state state;
	enum breaker_why why;   /* of OPEN */
	struct wall until;
	char said[128];
};

bool breaker_open(struct breaker *b, struct store *store, struct err *err);
/* HALF_OPEN is granted to one caller at a time; others meanwhile see OPEN. */
void breaker_look(struct breaker *b, struct str mx_operator, struct wall now, struct breaker_look *out);
/* The same without claiming the one probe: for printing. */
void breaker_peek(struct breaker *b, struct str mx_operator, struct wall now, struct breaker_look *out);
/* Something was said that counts; `said` is escaped. open: how long the first time. True: it has just opened. */
bool breaker_trip(struct breaker *b, struct str mx_operator, enum breaker_why why, struct str said, usec_t open, struct wall now);
/* An ordinary answer came. */
void breaker_answered(struct breaker *b, struct str mx_operator, struct wall now);
/* The probe that HALF_OPEN allowed did not find out anything: the next may try. */
void breaker_release(struct breaker *b, struct str mx_operator, struct wall now);
bool breaker_reset(struct breaker *b, struct str mx_operator); /* by an operator of ours; false: was not there */
const char *breaker_why_name(enum breaker_why why);
