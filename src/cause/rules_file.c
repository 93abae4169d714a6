/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a file of rules: sets, rules, their conditions, words and samples. */
#include "cause/rules_file.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cause/normalise.h"

#define ARENA_MAX (8 << 20)

/* Makes room for one more element; arrays double at powers of two. */
static void *grown(void *array, size_t n, size_t size)
{
	if (n == 0)
		return mem_resize(array, 16 * size);
	return n >= 16 && (n & (n - 1)) == 0 ? mem_resize(array, n * 2 * size) : array;
}
#define GROW(array, n) ((array) = grown((array), (n), sizeof *(array)))

struct rules *rules_file_begin(void)
{
	struct rules *r = mem_new(struct rules);

	arena_init(&r->arena, ARENA_MAX);
	r->words = words_new();
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	words_free(r->words);
	free(r->rules);
	free(r->whens);
	free(r->parts);
	free(r->terms);
	free(r->sets);
	free(r->likes);
	free(r->starts);
	free(r->by_term);
	free(r->wordless);
	arena_done(&r->arena);
	free(r);
}

static const struct rule_set *set_find(const struct rules *r, struct str name)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (str_eq(r->sets[i].name, name))
			return &r->sets[i];
	return NULL;
}

/* Scripts without blanks between words: nothing marks where a word ends. */
static bool is_unspaced(struct str phrase)
{
	return phrase.n > 0 && (unsigned char)phrase.p[0] >= 0xE0;
}

static bool phrase_add(struct rules *r, struct str phrase, uint16_t number, struct err *err)
{
	char plain[NORMALISE_MAX], padded[256];
	bool is_open_left = str_starts(phrase, STR("*")), is_open_right = str_ends(phrase, STR("*"));
	struct str p = normalise_phrase(phrase, plain);

	if (p.n < 2 || p.n > 200)
		return err_perm(err, CAUSE_PROTOCOL, "\"%.*s\": a phrase has 2 to 200 letters", STR_ARG(phrase));
	size_t n = 0;
	if (!is_open_left && !is_unspaced(p))
		padded[n++] = ' ';
	memcpy(padded + n, p.p, p.n);
	n += p.n;
	if (!is_open_right && !is_unspaced(p))
		padded[n++] = ' ';
	if (!words_has_room(r->words, n))
		return err_perm(err, CAUSE_PROTOCOL, "too many phrases in all");
	words_add(r->words, (struct str){padded, n}, number);
	return true;
}

static bool phrases_add(struct rules *r, struct str list, uint16_t number, unsigned depth, struct err *err)
{
	struct str word;

	while (str_cut(&list, '|', &word)) {
		word = str_trim(word);
		if (word.n && word.p[0] == '@') {
			const struct rule_set *set = set_find(r, str_skip(word, 1));
			if (!set || depth > 3)
				return err_perm(err, CAUSE_PROTOCOL, "there is no set %.*s above", STR_ARG(word));
			if (!phrases_add(r, set->phrases, number, depth + 1, err))
				return false;
		} else if (!phrase_add(r, word, number, err)) {
			return false;
		}
	}
	return true;
}

static bool term_number(struct rules *r, struct str text, uint16_t *out, struct err *err)
{
	for (size_t i = 0; i < r->n_terms; i++) {
		if (str_eq(r->terms[i].text, text)) {
			*out = (uint16_t)i;
			return true;
		}
	}
	if (r->n_terms == RULES_TERMS_MAX)
		return err_perm(err, CAUSE_PROTOCOL, "more than %d different lists of words", RULES_TERMS_MAX);
	GROW(r->terms, r->n_terms);
	*out = (uint16_t)r->n_terms;
	r->terms[r->n_terms++] = (struct rule_term){text};
	return phrases_add(r, text, *out, 0, err);
}

/* Up to the next & or ~, which *link tells. */
static struct str part_cut(struct str *rest, char *link)
{
	size_t end = 0;

	while (end < rest->n && rest->p[end] != '&' && rest->p[end] != '~')
		end++;
	struct str part = str_trim(str_slice(*rest, 0, end));
	*link = end < rest->n ? rest->p[end] : 0;
	*rest = str_skip(*rest, end + 1);
	return part;
}

static bool when_read(struct rules *r, struct str line, struct err *err)
{
	char link = '&', next;
	struct rule_when when = {(uint32_t)r->n_rules - 1, (uint32_t)r->n_parts, 0};

	do {
		struct str text = part_cut(&line, &next);
		struct rule_part part = {.is_near = link == '~'};
		if (text.n && text.p[0] == '!') {
			part.is_negated = true;
			text = str_trim(str_skip(text, 1));
		}
		if (text.n == 0 || when.n_parts == RULES_PARTS_MAX || (part.is_negated && (when.n_parts == 0 || part.is_near)))
			return err_perm(err, CAUSE_PROTOCOL, "when: 1 to %d lists of words, the first without !, none ~ !", RULES_PARTS_MAX);
		if (!term_number(r, text, &part.term, err))
			return false;
		GROW(r->parts, r->n_parts);
		r->parts[r->n_parts++] = part;
		when.n_parts++;
		link = next;
	} while (next);
	GROW(r->whens, r->n_whens);
	r->whens[r->n_whens++] = when;
	r->rules[r->n_rules - 1].n_when++;
	return true;
}

static bool number_or_any(struct str s, int16_t *from, int16_t *to)
{
	struct str low = s, high;
	uint64_t a, b;

	if (str_eq(s, STR("x"))) {
		*from = *to = -1;
		return true;
	}
	size_t dash = str_find_char(s, '-');
	low = str_slice(s, 0, dash);
	high = dash < s.n ? str_skip(s, dash + 1) : low;
	if (!str_to_u64(low, 999, &a) || !str_to_u64(high, 999, &b))
		return false;
	*from = (int16_t)a;
	*to = (int16_t)b;
	return true;
}

/* esc=x.7.500-599 */
static bool enhanced_read(struct rule *rule, struct str value)
{
	struct str class, subject;
	int16_t ignored;

	if (!str_cut(&value, '.', &class) || !str_cut(&value, '.', &subject) || class.n != 1 || !strchr("x45", class.p[0]))
		return false;
	rule->class = class.p[0] == 'x' ? 0 : (uint8_t)(class.p[0] - '0');
	rule->has_enhanced = true;
	return number_or_any(subject, &rule->subject, &ignored) && number_or_any(value, &rule->detail, &rule->detail_to);
}

static bool codes_read(struct rule *rule, struct str value)
{
	struct str code;

	while (str_cut(&value, ',', &code)) {
		if (code.n != 3 || rule->n_codes == 4)
			return false;
		for (int i = 0; i < 3; i++)
			if (code.p[i] != 'x' && (code.p[i] < '0' || code.p[i] > '9'))
				return false;
		memcpy(rule->codes[rule->n_codes++], code.p, 3);
	}
	return true;
}

static bool stages_read(struct rule *rule, struct str value)
{
	struct str word;

	while (str_cut(&value, ',', &word)) {
		enum cause_stage stage;
		if (!cause_stage_parse(word, &stage))
			return false;
		rule->stages |= (uint8_t)(1u << stage);
	}
	return true;
}

static bool owner_read(struct rule *rule, struct str value)
{
	for (int o = OWNER_UNKNOWN; o <= OWNER_NOBODY; o++) {
		if (str_eq(cause_owner_name((enum cause_owner)o), value)) {
			rule->owner = (enum cause_owner)o;
			return true;
		}
	}
	return false;
}

static bool condition_read(struct rule *rule, struct str word)
{
	struct str key = str_slice(word, 0, str_find_char(word, '='));
	struct str value = str_skip(word, key.n + 1);

	if (str_eq(key, STR("code")))
		return codes_read(rule, value);
	if (str_eq(key, STR("esc")))
		return enhanced_read(rule, value);
	if (str_eq(key, STR("stage")))
		return stages_read(rule, value);
	if (str_eq(key, STR("owner")))
		return owner_read(rule, value);
	if (str_eq(key, STR("mx"))) {
		rule->mx = value;
		return value.n > 0;
	}
	rule->wants_stage = true;
	return str_eq(word, STR("staged"));
}

static bool is_own_id(const struct rules *r, struct str id)
{
	for (size_t i = 0; i < r->n_own; i++)
		if (str_eq(r->rules[i].id, id))
			return true;
	return false;
}

/* rule ID CAUSE CONFIDENCE [conditions] */
static bool rule_read(struct rules *r, struct str line, struct err *err)
{
	struct rule rule = {.subject = -1, .detail = -1, .first_when = (uint32_t)r->n_whens, .first_like = (uint32_t)r->n_likes};
	struct str cause, confidence, word;
	uint64_t n;

	if (!str_next_word(&line, &rule.id) || !str_next_word(&line, &cause) || !str_next_word(&line, &confidence) ||
	    !str_to_u64(confidence, 100, &n))
		return err_perm(err, CAUSE_PROTOCOL, "rule ID CAUSE CONFIDENCE is needed");
	rule.cause = cause_from_name(cause);
	if (rule.cause == CAUSE_NONE)
		return err_perm(err, CAUSE_PROTOCOL, "%.*s is no cause; postern explain --list shows them", STR_ARG(cause));
	rule.confidence = (uint8_t)n;
	rule.owner = cause_get(rule.cause)->owner;
	while (str_next_word(&line, &word))
		if (!condition_read(&rule, word))
			return err_perm(err, CAUSE_PROTOCOL, "%.*s: no such condition", STR_ARG(word));
	GROW(r->rules, r->n_rules);
	r->rules[r->n_rules++] = rule;
	return true;
}

static bool line_read(struct rules *r, struct str line, bool is_own, bool *skips, struct err *err)
{
	struct str rest = line, word, name;

	if (!str_next_word(&rest, &word) || word.p[0] == '#')
		return true;
	if (str_eq(word, STR("set"))) {
		if (!str_next_word(&rest, &name) || !str_next_word(&rest, &word) || !str_eq(word, STR("=")))
			return err_perm(err, CAUSE_PROTOCOL, "set NAME = phrase | phrase is needed");
		GROW(r->sets, r->n_sets);
		r->sets[r->n_sets++] = (struct rule_set){name, str_trim(rest)};
		return true;
	}
	if (str_eq(word, STR("rule"))) {
		struct str copy = rest;
		*skips = !is_own && str_next_word(&copy, &name) && is_own_id(r, name);
		return *skips || rule_read(r, rest, err);
	}
	if (*skips)
		return true;
	if (r->n_rules == 0)
		return err_perm(err, CAUSE_PROTOCOL, "\"%.*s\" stands before the first rule", STR_ARG(word));
	if (str_eq(word, STR("when")))
		return when_read(r, rest, err);
	if (!str_eq(word, STR("like")))
		return err_perm(err, CAUSE_PROTOCOL, "\"%.*s\": a line begins with set, rule, when, like or #", STR_ARG(word));
	GROW(r->likes, r->n_likes);
	r->likes[r->n_likes++] = str_trim(rest);
	r->rules[r->n_rules - 1].n_like++;
	return true;
}

bool rules_file_read(struct rules *r, struct str text, bool is_own, struct err *err)
{
	struct str rest = arena_str(&r->arena, text), line;
	bool skips = false;
	unsigned number = 0;

	if (text.n > ARENA_MAX / 2)
		return err_perm(err, CAUSE_PROTOCOL, "rules: over %d bytes", ARENA_MAX / 2);
	while (str_cut(&rest, '\n', &line)) {
		number++;
		if (!line_read(r, str_trim(line), is_own, &skips, err))
			return err_context(err, "line %u", number);
		if (is_own)
			r->n_own = r->n_rules;
	}
	return true;
}

bool rules_file_end(struct rules *r, struct err *err)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (r->rules[i].n_like == 0)
			return err_perm(err, CAUSE_PROTOCOL, "rule %.*s: has no sample (like …)", STR_ARG(r->rules[i].id));
	words_build(r->words);
	r->starts = mem_alloc((r->n_terms + 2) * sizeof *r->starts);
	r->by_term = mem_alloc((r->n_whens + 1) * sizeof *r->by_term);
	r->wordless = mem_alloc((r->n_rules + 1) * sizeof *r->wordless);
	for (size_t i = 0; i < r->n_whens; i++)
		r->starts[r->parts[r->whens[i].first_part].term + 1]++;
	for (size_t t = 0; t < r->n_terms; t++)
		r->starts[t + 1] += r->starts[t];
	uint32_t *at = mem_alloc((r->n_terms + 1) * sizeof *at);
	memcpy(at, r->starts, r->n_terms * sizeof *at);
	for (uint32_t i = 0; i < r->n_whens; i++)
		r->by_term[at[r->parts[r->whens[i].first_part].term]++] = i;
	free(at);
	for (uint32_t i = 0; i < r->n_rules; i++)
		if (r->rules[i].n_when == 0)
			r->wordless[r->n_wordless++] = i;
	return true;
}
