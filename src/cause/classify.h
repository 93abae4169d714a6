/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reply means: its cause, who can mend it, whether and when to come back, and how sure we are. Pure.
 *
 * The outermost speaker decides; whom it quotes gives `because`. Whether a reply is temporary its code alone decides;
 * without a code the words do, and where they say nothing it counts as temporary, because the other mistake loses mail.
 */
#pragma once

#include "cause/rules.h"

struct classify_question {
	struct str text;              /* whole reply as received or pasted: with or without codes, several lines */
	int code;                     /* 0: read it from the text */
	struct enhanced_code enhanced;
	enum cause_stage stage;       /* unknown: read it from the text */
	struct str mx;                /* host or provider that said it; empty: not known */
	struct wall now;              /* for announced dates; {0}: they are not read */
};
enum cause_mine { MINE_UNKNOWN, MINE_YES, MINE_NO };
enum cause_reader { READER_SENDING, READER_RECEIVING, READER_UNKNOWN };
struct classification {
	enum cause_id cause;
	enum cause_id because;        /* CAUSE_NONE: nobody is quoted, or in words that say nothing */
	bool is_temporary;
	enum cause_owner owner;
	uint32_t retry_after_s;       /* announced, clamped; 0: none */
	unsigned confidence;          /* percent */
	struct str rule;              /* id; "none" */
	int code;                     /* 0: none */
	struct enhanced_code enhanced;
	enum cause_stage stage;
	bool is_typed_code;           /* "4.5.1" by itself: an enhanced code, not the reply 451 */
	struct str link, ip, host, tag; /* found in the text: URL, the address it is about, who said it, a vendor's tag */
};
void cause_classify(const struct rules *rules, const struct classify_question *q, struct classification *out);
/* The reader's side: the one that the reply was said to, or the one that said it. */
enum cause_mine cause_is_mine(enum cause_owner owner, enum cause_reader reader);
