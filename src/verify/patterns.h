/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decorated senders: VERP, BATV, SRS and +tags give each mail an address of its own, and asking for each
 * would be one probe for each newsletter. After three different addresses of a pattern were found to exist, the pattern
 * counts as existing for the time to live of "exists". The exact address is what goes on the wire, always;
 * one that is absent ends the trust.
 */
#pragma once

#include "store/table.h"
#include "verify/verify.h"

#define PATTERN_TIMES 3

struct patterns {
	struct table *table;
};
bool patterns_open(struct patterns *p, struct store *store, size_t max, struct err *err);
/* Whether key ("local@domain") is decorated by a pattern that is trusted; *checked: when it last was confirmed. */
bool patterns_trust(struct patterns *p, struct str key, struct wall *checked);
/* An answer for key came. */
void patterns_learn(struct patterns *p, struct str key, bool exists, usec_t ttl, struct wall now);
/* Forgets all patterns of a domain; how many. */
size_t patterns_forget(struct patterns *p, struct str domain);
