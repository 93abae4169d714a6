/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of rules.c: what a file of rules becomes, and reading one. The file's form stands at the head of
 * rules/replies.rules.
 */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "cause/rules.h"
#include "cause/rules_words.h"

#define RULES_TERMS_MAX 2048
#define RULES_PARTS_MAX 16

struct rule_part {
	uint16_t term;
	bool is_negated;
	bool is_near;                 /* to the part before */
};
struct rule_when {
	uint32_t rule, first_part;
	unsigned n_parts;
};
/* A term is a list of alternative phrases; terms with the same text are one. */
struct rule_term {
	struct str text;
};
struct rule_set {
	struct str name, phrases;
};
struct rules {
	struct arena arena;
	struct words *words;
	struct rule *rules;
	struct rule_when *whens;
	struct rule_part *parts;
	struct rule_term *terms;
	struct rule_set *sets;
	struct str *likes;
	size_t n_rules, n_whens, n_parts, n_terms, n_sets, n_likes, n_own;
	uint32_t *starts, *by_term;   /* by_term[starts[t]..starts[t + 1]): whens that begin with term t, in file order */
	uint32_t *wordless;           /* rules without words, in file order */
	size_t n_wordless;
};

struct rules *rules_file_begin(void);
bool rules_file_read(struct rules *r, struct str text, bool is_own, struct err *err);
bool rules_file_end(struct rules *r, struct err *err);
