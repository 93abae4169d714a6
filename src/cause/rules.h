/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that read replies: data in rules/replies.rules, built in; an operator's own file is looked at first.
 *
 * A rule has an id, a cause, conditions on code, enhanced code, stage and provider, and words. All words of all rules
 * are found in one pass (Aho-Corasick), then the first rule in file order whose conditions hold decides. How the file
 * is written stands at its head. A `struct rules` does not change once it is built and may be shared.
 */
#pragma once

#include "base/cause_id.h"
#include "base/err.h"
#include "cause/cause.h"

enum cause_stage {
	CAUSE_AT_UNKNOWN, CAUSE_AT_CONNECT, CAUSE_AT_HELO, CAUSE_AT_MAIL, CAUSE_AT_RCPT, CAUSE_AT_DATA, CAUSE_AT_END_OF_DATA,
};
bool cause_stage_parse(struct str name, enum cause_stage *out); /* "rcpt", "RCPT TO", "end of data", … */
struct str cause_stage_name(enum cause_stage stage);

struct rule {
	struct str id;
	enum cause_id cause;
	enum cause_owner owner;       /* the cause's, unless the rule narrows it */
	uint8_t confidence;           /* percent */
	bool wants_stage;             /* without a stage it is less sure */
	uint8_t stages;               /* bits 1 << cause_stage; 0: any */
	char codes[4][3];             /* digits, 'x' any; any of the first n_codes, 0: no condition */
	uint8_t n_codes;
	uint8_t class;                /* of the enhanced code, 0: any */
	int16_t subject, detail;      /* -1: any */
	int16_t detail_to;            /* with detail a range */
	bool has_enhanced;
	struct str mx;                /* part of the MX host's name */
	uint32_t first_when, n_when, first_like, n_like;
};

struct rules;
/* Rules of `own` (may be empty) before the built-in ones; a rule with a known id takes that one's place. NULL with a
 * sentence and a line number in `err`. */
struct rules *rules_new(struct str own, struct err *err);
void rules_free(struct rules *r);
const struct rules *rules_builtin(void); /* built at the first call, for the life of the process */

size_t rules_count(const struct rules *r);
const struct rule *rules_get(const struct rules *r, size_t i);
struct str rules_sample(const struct rules *r, uint32_t like); /* rule.first_like + k */

struct rule_question {
	struct str plain;             /* by normalise_text */
	int code;                     /* 0: none */
	struct enhanced_code enhanced;
	enum cause_stage stage;
	struct str mx;
};
/* The rule that decides, NULL: none. */
const struct rule *rules_match(const struct rules *r, const struct rule_question *q);
