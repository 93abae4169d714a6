/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explanations for people and for programs: one screen, a letter, a page, JSON members.
 */
#pragma once

#include "base/buf.h"
#include "cause/classify.h"
#include "cmd/explain_input.h"

struct explanation {
	struct classification what;
	struct explain_input from;
	enum cause_reader reader;
	bool has_colour;
};
/* `"code":…,…,"do":[…]` without braces. */
void explain_members(const struct explanation *e, struct buf *out);
void explain_screen(const struct explanation *e, struct buf *out);
void explain_letter(const struct explanation *e, struct wall now, struct buf *out);
void explain_html(const struct explanation *e, struct buf *out);
/* The vocabulary: a table, JSON, or the text of docs/reading-a-451.md. */
void explain_list(struct buf *out);
void explain_list_json(struct buf *out);
