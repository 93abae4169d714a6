/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of the exceptions file, read and written. Pure.
 *
 *	kind what action [until RFC3339] [at RFC3339] [by word] [why word]
 *
 * kind: sender, domain, client, recipient. action: never-ask, accept, refuse. A word with blanks stands in double
 * quotes, where `\` keeps the next byte. '#' outside quotes begins a comment.
 */
#pragma once

#include "base/buf.h"
#include "policy/exceptions.h"

enum exception_line { EXCEPTION_LINE_EMPTY, EXCEPTION_LINE_RULE, EXCEPTION_LINE_BROKEN };
/* *out (all but `line`) is filled for RULE: `what` in the form in which it is looked up (lower case, A-labels,
 * "@domain" for all of a domain); its texts are in the arena. `err` says what is wrong with a BROKEN one. */
enum exception_line exception_line_parse(struct arena *arena, struct str line, struct exception *out, struct err *err);
/* The line with its end; refused when it would not be read back. */
bool exception_line_write(const struct exception *e, struct buf *out, struct err *err);
/* `what` in the form in which it is looked up; false: it is no such thing. */
bool exception_what_normalise(struct arena *arena, enum exception_kind kind, struct str what, struct str *out,
                              struct err *err);
const char *exception_action_name(enum exception_action a);
const char *exception_kind_name(enum exception_kind k);
bool exception_action_parse(struct str s, enum exception_action *out);
bool exception_kind_parse(struct str s, enum exception_kind *out);
