/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the author of a message is (RFC 9989 5.3.1). Pure. A message without exactly one readable From field is out of DMARC's
 * scope (4.2), and 11.5 warns that forgers live there: so every doubt is an answer of its own, "not readable", never a guess.
 * docs/forged-from.md lists the tricks.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define DMARC_AUTHORS_MAX 8
struct dmarc_authors {
	struct str domain[DMARC_AUTHORS_MAX]; /* A-labels in lower case, each once */
	size_t n;
};
/* Of the value of a From field. False: not readable as addresses; nothing may be concluded from such a field. */
bool dmarc_authors_parse(struct arena *arena, struct str from, struct dmarc_authors *out);
/* Of a whole header. Without a From field n is 0. False too: several From fields, or a line beside it that is no field but that
 * some readers take for one ("From\r\n :", " From:", a null byte in the name). */
bool dmarc_authors_of_header(struct arena *arena, struct str header, struct dmarc_authors *out);
