/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matching: one pass finds all words, then the first rule in file order whose conditions hold decides. */
#include "cause/rules_file.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define HITS_MAX  256
#define NEAR_MAX  40 /* bytes between two words that belong together */

extern const char rules_builtin_text[]; /* made from rules/replies.rules when it is built */

struct found {
	struct words_hit hits[HITS_MAX];
	size_t n;
	uint64_t seen[RULES_TERMS_MAX / 64];
};

static bool is_seen(const struct found *f, uint16_t term)
{
	return f->seen[term / 64] >> (term % 64) & 1;
}

static bool is_near(const struct found *f, uint16_t a, uint16_t b)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->hits[i].number != a)
			continue;
		for (size_t k = 0; k < f->n; k++) {
			const struct words_hit *x = &f->hits[i], *y = &f->hits[k];
			if (y->number != b)
				continue;
			int gap = x->from < y->from ? y->from - x->to : x->from - y->to;
			if (gap <= NEAR_MAX)
				return true;
		}
	}
	return false;
}

static bool when_holds(const struct rules *r, const struct rule_when *when, const struct found *f)
{
	const struct rule_part *parts = r->parts + when->first_part;

	for (unsigned i = 0; i < when->n_parts; i++)
		if (is_seen(f, parts[i].term) == parts[i].is_negated)
			return false;
	for (unsigned i = 1; i < when->n_parts; i++)
		if (parts[i].is_near && !is_near(f, parts[i - 1].term, parts[i].term))
			return false;
	return true;
}

static bool code_fits(const struct rule *rule, int code)
{
	if (rule->n_codes == 0)
		return true;
	for (unsigned i = 0; i < rule->n_codes; i++) {
		const char *want = rule->codes[i];
		if ((want[0] == 'x' || want[0] - '0' == code / 100) && (want[1] == 'x' || want[1] - '0' == code / 10 % 10) &&
		    (want[2] == 'x' || want[2] - '0' == code % 10) && code > 0)
			return true;
	}
	return false;
}

static bool conditions_hold(const struct rule *rule, const struct rule_question *q)
{
	if (!code_fits(rule, q->code))
		return false;
	if (rule->has_enhanced) {
		const struct enhanced_code *e = &q->enhanced;
		if (e->class < 4 || (rule->class && rule->class != e->class) ||
		    (rule->subject >= 0 && rule->subject != e->subject) ||
		    (rule->detail >= 0 && (e->detail < rule->detail || e->detail > rule->detail_to)))
			return false;
	}
	if (rule->stages && !(rule->stages & (1u << q->stage)))
		return false;
	return rule->mx.n == 0 || str_ifind(q->mx, rule->mx) < q->mx.n;
}

static uint32_t best_by_words(const struct rules *r, const struct rule_question *q, const struct found *f)
{
	uint32_t best = (uint32_t)r->n_rules;
	uint64_t done[RULES_TERMS_MAX / 64] = {0};

	for (size_t h = 0; h < f->n; h++) {
		uint16_t term = f->hits[h].number;
		if (done[term / 64] >> (term % 64) & 1)
			continue;
		done[term / 64] |= (uint64_t)1 << (term % 64);
		for (uint32_t i = r->starts[term]; i < r->starts[term + 1]; i++) {
			const struct rule_when *when = &r->whens[r->by_term[i]];
			if (when->rule >= best)
				break;
			if (conditions_hold(&r->rules[when->rule], q) && when_holds(r, when, f)) {
				best = when->rule;
				break;
			}
		}
	}
	return best;
}

const struct rule *rules_match(const struct rules *r, const struct rule_question *q)
{
	struct found f; /* the hits are as many as were found, and need no zeros */

	memset(f.seen, 0, sizeof f.seen);
	f.n = words_scan(r->words, str_slice(q->plain, 0, UINT16_MAX), f.hits, HITS_MAX);
	for (size_t i = 0; i < f.n; i++)
		f.seen[f.hits[i].number / 64] |= (uint64_t)1 << (f.hits[i].number % 64);
	uint32_t best = best_by_words(r, q, &f);
	for (size_t i = 0; i < r->n_wordless && r->wordless[i] < best; i++) {
		if (conditions_hold(&r->rules[r->wordless[i]], q)) {
			best = r->wordless[i];
			break;
		}
	}
	return best < r->n_rules ? &r->rules[best] : NULL;
}

size_t rules_count(const struct rules *r)
{
	return r->n_rules;
}

const struct rule *rules_get(const struct rules *r, size_t i)
{
	assert(i < r->n_rules);
	return &r->rules[i];
}

struct str rules_sample(const struct rules *r, uint32_t like)
{
	assert(like < r->n_likes);
	return r->likes[like];
}

struct rules *rules_new(struct str own, struct err *err)
{
	struct rules *r = rules_file_begin();

	if ((own.n > 0 && !rules_file_read(r, own, true, err)) ||
	    !rules_file_read(r, str_from(rules_builtin_text), false, err) || !rules_file_end(r, err)) {
		rules_free(r);
		return NULL;
	}
	return r;
}

static struct rules *builtin;

static void builtin_make(void)
{
	struct err err;

	builtin = rules_new(STR_NONE, &err);
	if (!builtin) { /* the unit test reads the same text: this cannot leave a build that was tested */
		fprintf(stderr, "built-in rules: %s\n", err.text);
		abort();
	}
}

const struct rules *rules_builtin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, builtin_make);
	return builtin;
}
