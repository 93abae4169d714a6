/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies as words: who speaks, what was quoted, and a plain form that phrases can be found in.
 *
 * The plain form holds a-z, 0-9, single blanks and the bytes of other scripts; it begins and ends with a blank, so
 * " word " finds whole words. Accents are folded (u umlaut to ue), apostrophes vanish, addresses become "addr", IP
 * addresses "ip", host names "host", the null path "nullsender", codes nothing. UTF-8 that was read as Latin-1 and
 * written again is repaired; stray Latin-1 bytes are read as such. Pure, linear, allocates nothing.
 */
#pragma once

#include "smtp/reply.h"

#define NORMALISE_MAX 4096

/* Appends nothing beyond NORMALISE_MAX; returns what was written to `out`. */
struct str normalise_text(struct str text, char out[NORMALISE_MAX]);
/* A phrase of a rule in the same form, without the blanks at its ends. */
struct str normalise_phrase(struct str phrase, char out[NORMALISE_MAX]);

/* One reply as somebody pasted it. What stands before the code is the wrapper of a log or a report, what another
 * server is quoted with is `inner`, the rest is `before` and `after` it. */
struct reply_layers {
	int code;                     /* 0: none */
	struct enhanced_code enhanced;
	struct str wrapper;           /* "host mx.example said:" */
	struct str before, after;     /* the outer speaker's words */
	struct str inner;             /* begins with its own code, or empty */
	bool is_typed_code;           /* "4.5.1" alone where a reply code was meant */
};
/* `code`: already known and not in the text; 0: the text has it. */
void reply_split(struct str text, int code, struct reply_layers *out);
