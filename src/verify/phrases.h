/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words that servers use, and what each speaks about. Text is normalised first: ASCII in lower case, white
 * space single, everything with an '@' left out (an echo of an address is not the server's opinion), "<>" written
 * as "nullsender". A phrase matches at the beginning of a word.
 */
#pragma once

#include "base/cause_id.h"
#include "base/str.h"

enum phrase_about {
	ABOUT_NOTHING,
	ABOUT_OPT_OUT,    /* do not verify here */
	ABOUT_GREYLIST,   /* says greylisting in so many words */
	ABOUT_US,         /* our address, name, reputation */
	ABOUT_RESTRICTED, /* only for members, only with authentication */
	ABOUT_SENDER,     /* the envelope sender we showed */
	ABOUT_RELAY,      /* not responsible for this domain */
	ABOUT_SYSTEM,     /* trouble of theirs */
	ABOUT_RATE,       /* this recipient receives too fast */
	ABOUT_FULL,
	ABOUT_DISABLED,
	ABOUT_UNKNOWN,    /* no such user */
	ABOUT_LATER,      /* come back later, and no word why: what many greylisters say */
	ABOUT_COUNT,
};

#define PHRASES_TEXT_MAX 1024

/* Normalises into out; local, when its own words could be taken for a phrase, is left out too. */
struct str phrases_normalise(struct str text, struct str local, char out[PHRASES_TEXT_MAX]);
/* Which kinds of words stand in a normalised text: bit (1 << about). */
unsigned phrases_find(struct str text);
/* The cause that the first phrase of this kind names. */
enum cause_id phrases_cause(struct str text, enum phrase_about about);
