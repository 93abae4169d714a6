/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario as it is written: statements, one a line, each with the indented lines below it as its body. `#` begins a
 * comment line. {name} stands for what a statement before has put there.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"

struct line {
	unsigned number;
	struct str text; /* without indentation */
};
struct statement {
	unsigned number;
	struct str text;
	struct line *body;
	size_t n_body;
};
struct scenario {
	struct arena arena;
	struct statement *statements;
	size_t n;
};

/* Ends the process with a message when the file cannot be read. */
void script_load(struct scenario *s, const char *path);
void script_done(struct scenario *s);

/* Ends the process: FILE:LINE in front, then what `script_on_failure` prints. */
_Noreturn void fail_at(unsigned line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void script_on_failure(void (*print)(void));

/* `*` is any text, everything else itself. */
bool glob_matches(struct str glob, struct str text);
/* "3", ">=3", "<=3", "2..4". */
bool number_matches(unsigned line, struct str wanted, double got);
usec_t script_duration(unsigned line, struct str text);
uint64_t script_number(unsigned line, struct str text);
/* The next word of *rest; without one the script is at fault. */
struct str script_word(unsigned line, struct str *rest, const char *what);
/* Cuts off the word if it comes next. */
bool script_skip(struct str *rest, const char *word);

/* Names of the whole run. */
void script_set(struct str name, struct str value);
struct str script_expand(struct arena *arena, struct str text);
