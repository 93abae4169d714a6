/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explanations for people and for programs: one screen, a letter, a page, JSON members.
 *
 * What is printed of a reply is made safe for where it goes: control bytes and what is no UTF-8 are escaped for screens
 * and letters, and for pages also < > & ".
 */
#pragma once

#include "base/buf.h"
#include "cause/classify.h"
#include "cause/advice.h"
#include "cmd/explain_check.h"

struct explanation {
	struct classification what;
	struct explain_input from;
	enum cause_reader reader;
	bool has_colour;
	struct explain_facts facts;          /* filled with --check and for letters */
	const struct explain_checks *checks; /* NULL: none were run */
	struct wall now;
};

/* What to do now, in order: what the checks found first, then the advice, last the advice that a check has done. */
#define EXPLAIN_STEPS_MAX (ADVICE_STEPS + EXPLAIN_CHECKS_MAX + 2)
struct explain_step {
	struct str text;
	bool is_done;         /* a check looked at it, and it is fine */
};
size_t explain_steps(const struct explanation *e, struct explain_step out[EXPLAIN_STEPS_MAX]);
/* `"code":…,…,"do":[…]` without braces. */
void explain_members(const struct explanation *e, struct buf *out);
void explain_screen(const struct explanation *e, struct buf *out);
/* explain_letter.c: a mail to the other postmaster, ready to be sent. */
void explain_letter(const struct explanation *e, struct buf *out);
/* False: the cause is none that their postmaster could help with; *why says so. */
bool explain_letter_helps(const struct explanation *e, const char **why);
/* explain_page.c: a page is open, one article for each explanation, close. */
void explain_page_open(struct str title, struct buf *out);
void explain_page_article(const struct explanation *e, struct buf *out);
void explain_page_close(struct buf *out);

/* What to be careful about before anything is concluded; NULL: nothing. */
const char *explain_careful_words(const struct explanation *e);
/* Pieces that screen, letter and page share. */
const char *explain_owner_words(enum cause_owner owner);
const char *explain_role_words(enum cause_owner owner);
void explain_speaker_words(const struct explanation *e, struct buf *out);
void explain_wait_words(const struct classification *c, struct buf *out);
/* UTF-8 kept; control bytes, and bytes that are no UTF-8, as \xNN. */
void explain_printable(struct str s, struct buf *out);
/* The vocabulary: a table, JSON, or the text of docs/reading-a-451.md. */
void explain_list(struct buf *out);
void explain_list_json(struct buf *out);
