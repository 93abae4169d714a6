/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What DNS said for a client and a sender a moment ago: the same client sends the next message of the same sender within
 * seconds, and a policy client asks for each of them. Only what was found out for certain is kept, for a minute, in a fixed
 * table of fingerprints; the oldest of a row goes first.
 */
#pragma once

#include "base/clock.h"
#include "verify/evidence.h"

struct evidence_memo;
struct memo {
	uint64_t print;               /* 0: empty */
	usec_t at;
	uint8_t spf, iprev;           /* enums of verify/evidence.h */
	bool is_own_mx;
	bool is_domain_certain;       /* the sender's domain resolves, and takes mail */
};
struct evidence_memo *evidence_memo_new(size_t rows); /* of four, a power of two */
void evidence_memo_free(struct evidence_memo *t);     /* accepts NULL */
void evidence_memo_clear(struct evidence_memo *t);
uint64_t evidence_memo_print(struct ip client, struct str helo, struct str sender);
const struct memo *evidence_memo_find(const struct evidence_memo *t, uint64_t print, usec_t now); /* NULL: not there */
void evidence_memo_put(struct evidence_memo *t, const struct memo *m);
