/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classification: split the layers, ask the rules about each, and say how sure the answer is. */
#include "cause/classify.h"

#include <assert.h>

#include "cause/come_back.h"
#include "cause/normalise.h"

/* Pure and without a wait, so one buffer for a thread serves all; fibers have small stacks. */
static _Thread_local char plain_space[NORMALISE_MAX];

/* "in reply to RCPT TO command", "after end of data": reports say where it happened. */
static enum cause_stage stage_in(struct str text)
{
	static const struct {
		const char *words;
		enum cause_stage stage;
	} rows[] = {
		{"end of data", CAUSE_AT_END_OF_DATA}, {"rcpt to command", CAUSE_AT_RCPT}, {"rcpt command", CAUSE_AT_RCPT},
		{"after rcpt to", CAUSE_AT_RCPT}, {"[rcpt_to]", CAUSE_AT_RCPT}, {"mail from command", CAUSE_AT_MAIL},
		{"after mail from", CAUSE_AT_MAIL}, {"[mail_from]", CAUSE_AT_MAIL}, {"recipient address rejected", CAUSE_AT_RCPT},
		{"sender address rejected", CAUSE_AT_MAIL}, {"data command", CAUSE_AT_DATA}, {"ehlo command", CAUSE_AT_HELO},
		{"helo command", CAUSE_AT_HELO}, {"initial connection", CAUSE_AT_CONNECT}, {"while receiving the initial", CAUSE_AT_CONNECT},
		{"after data", CAUSE_AT_DATA}, {"after bdat", CAUSE_AT_END_OF_DATA}, {">>> rcpt to", CAUSE_AT_RCPT},
		{">>> mail from", CAUSE_AT_MAIL}, {">>> data", CAUSE_AT_DATA}, {"client host rejected", CAUSE_AT_CONNECT},
	};
	enum cause_stage found = CAUSE_AT_UNKNOWN;
	size_t best = sizeof rows / sizeof *rows; /* an earlier row is surer */

	/* The first letters of the rows: one search for each word in place of one comparison for each row. */
	static const char first[sizeof rows / sizeof *rows] = {'e', 'r', 'r', 'a', '[', 'm', 'a', '[', 'r', 's', 'd',
	                                                       'e', 'h', 'i', 'w', 'a', 'a', '>', '>', '>', 'c'};
	static const bool is_before_word[256] = {[' '] = true, ['('] = true, ['\n'] = true};
	for (size_t at = 0; at < text.n; at++) {
		if (at > 0 && !is_before_word[(unsigned char)text.p[at - 1]])
			continue;
		const char *hit = memchr(first, ascii_lower(text.p[at]), best);
		for (size_t i; hit && best > 0; hit = i + 1 < best ? memchr(hit + 1, *hit, best - i - 1) : NULL) {
			i = (size_t)(hit - first);
			assert(*hit == rows[i].words[0]);
			if (str_istarts(str_skip(text, at), str_from(rows[i].words))) {
				found = rows[i].stage;
				best = i;
			}
		}
	}
	return found;
}

/* Words that promise another attempt, where no code says it. */
static bool sounds_permanent(struct str text)
{
	static const char *const words[] = {"permanent", "does not exist", "doesn't exist", "unknown user", "user unknown",
	                                    "no such", "giving up", "not found", "gave up", "rejected", "refused", "expired",
	                                    "could not be delivered", "undeliverable", "not listed"};
	static const char *const temporary[] = {"temporar", "try again", "later", "delayed", "deferred", "will be retried"};
	for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
		if (str_ifind(text, str_from(temporary[i])) < text.n)
			return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_ifind(text, str_from(words[i])) < text.n)
			return true;
	return false;
}

static bool is_temporary(const struct classification *c, struct str text)
{
	if (c->code)
		return c->code < 500;
	if (c->enhanced.class)
		return c->enhanced.class == 4;
	return cause_get(c->cause)->is_usually_temporary || !sounds_permanent(text);
}

/* Rules for 4xx or 5xx fit what has only an enhanced code, or only words that sound so. */
static const struct rule *ask(const struct rules *rules, struct str words, const struct classification *c, struct str mx)
{
	struct rule_question q = {
		.plain = normalise_text(words, plain_space), .code = c->code, .enhanced = c->enhanced, .stage = c->stage, .mx = mx,
	};
	if (q.code == 0 && c->enhanced.class)
		q.code = c->enhanced.class * 100 + 99;
	const struct rule *rule = rules_match(rules, &q);
	if (!rule && q.code == 0 && q.plain.n > 4) {
		q.code = sounds_permanent(words) ? 599 : 499;
		rule = rules_match(rules, &q);
	}
	return rule;
}

static void take_rule(struct classification *c, const struct rule *rule)
{
	c->cause = rule->cause;
	c->owner = rule->owner;
	c->rule = rule->id;
	c->confidence = rule->confidence;
	if (rule->wants_stage && c->stage == CAUSE_AT_UNKNOWN)
		c->confidence = c->confidence * 3 / 4;
	if (c->code == 0 && c->enhanced.class == 0)
		c->confidence = c->confidence * 9 / 10;
}

static bool is_vague(const struct rule *rule)
{
	return !rule || rule->n_when == 0 || rule->confidence < 50 || rule->cause == CAUSE_UNKNOWN;
}

/* Whom the reply quotes: its own code, its own words. */
static const struct rule *ask_inner(const struct rules *rules, const struct reply_layers *l, struct str mx)
{
	struct reply_layers inner;
	struct classification c = {0};

	if (l->inner.n == 0)
		return NULL;
	reply_split(l->inner, 0, &inner);
	c.code = inner.code;
	c.enhanced = inner.enhanced;
	c.stage = stage_in(l->inner);
	struct str words = inner.code ? str_slice(l->inner, 3, l->inner.n) : l->inner;
	return ask(rules, words, &c, mx);
}

static struct str find_link(struct str text)
{
	size_t at = str_ifind(text, STR("http"));

	while (at < text.n) {
		struct str rest = str_skip(text, at);
		if (str_istarts(rest, STR("http://")) || str_istarts(rest, STR("https://"))) {
			size_t end = 0;
			while (end < rest.n && !strchr(" \t\r\n<>\"'", rest.p[end]) && rest.p[end])
				end++;
			while (end > 0 && strchr(".,;)]", rest.p[end - 1]))
				end--;
			return str_slice(rest, 0, end);
		}
		at += 4 + str_ifind(str_skip(text, at + 4), STR("http"));
	}
	return STR_NONE;
}

static bool is_ip4(struct str s)
{
	unsigned dots = 0, digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && digits > 0) {
			dots++;
			digits = 0;
		} else if (s.p[i] >= '0' && s.p[i] <= '9' && digits < 3) {
			digits++;
		} else {
			return false;
		}
	}
	return dots == 3 && digits > 0;
}

static struct str find_ip(struct str text)
{
	for (size_t i = 0; i < text.n;) {
		if (text.p[i] < '0' || text.p[i] > '9') {
			i++;
			continue;
		}
		size_t end = i;
		while (end < text.n && ((text.p[end] >= '0' && text.p[end] <= '9') || text.p[end] == '.'))
			end++;
		struct str t = str_slice(text, i, end);
		if (t.n && t.p[t.n - 1] == '.')
			t.n--;
		if (is_ip4(t))
			return t;
		i = end;
	}
	return STR_NONE;
}

/* "[TSS04]", "OFR_999", "IB508", "S3150": capitals and digits, what the provider's own pages are searched for. */
static struct str find_tag(struct str text)
{
	for (size_t i = 0; i < text.n;) {
		size_t end = i;
		unsigned capitals = 0, digits = 0;
		for (; end < text.n; end++) {
			char c = text.p[end];
			bool is_capital = c >= 'A' && c <= 'Z', is_digit = c >= '0' && c <= '9';
			if (!is_capital && !is_digit && (end == i || (c != '_' && c != '#' && c != '-')))
				break;
			capitals += is_capital;
			digits += is_digit;
		}
		if (capitals >= 1 && capitals <= 4 && digits >= 2 && digits <= 6 && (end == text.n || strchr(" ])(;:,.\n", text.p[end])))
			return str_slice(text, i, end);
		while (end < text.n && text.p[end] != ' ' && text.p[end] != '[' && text.p[end] != '(' && text.p[end] != '\n')
			end++;
		i = end + 1;
	}
	return STR_NONE;
}

/* "host mx.example.org[192.0.2.1] said:" */
static struct str find_host(struct str wrapper)
{
	size_t at = str_ifind(wrapper, STR("host "));
	if (at == wrapper.n)
		return STR_NONE;
	struct str rest = str_skip(wrapper, at + 5), word;
	if (!str_next_word(&rest, &word))
		return STR_NONE;
	word = str_slice(word, 0, str_find_char(word, '['));
	while (word.n && strchr(":,;", word.p[word.n - 1]))
		word.n--;
	return str_find_char(word, '.') < word.n ? word : STR_NONE;
}

static void decide(struct classification *c, const struct rules *rules, const struct reply_layers *l,
                   const struct classify_question *q)
{
	const struct rule *outer = ask(rules, l->before, c, q->mx);
	if (is_vague(outer) && l->after.n > 0) {
		const struct rule *after = ask(rules, l->after, c, q->mx);
		outer = is_vague(after) && outer ? outer : after;
	}
	const struct rule *inner = ask_inner(rules, l, q->mx);
	if (is_vague(outer) && !is_vague(inner)) {
		take_rule(c, inner);
		c->confidence = c->confidence * 4 / 5;
		return;
	}
	if (is_vague(outer) && l->code == 0 && l->wrapper.n == 0 && !outer)
		outer = ask(rules, q->text, c, q->mx);
	if (outer)
		take_rule(c, outer);
	if (inner && inner->cause != CAUSE_UNKNOWN)
		c->because = inner->cause;
}

void cause_classify(const struct rules *rules, const struct classify_question *q, struct classification *out)
{
	struct reply_layers l;
	struct classification c = {.cause = CAUSE_UNKNOWN, .because = CAUSE_NONE, .rule = STR("none"), .confidence = 10};
	struct str text = str_slice(q->text, 0, 8192);

	reply_split(text, q->code, &l);
	c.code = l.code;
	c.enhanced = q->enhanced.class ? q->enhanced : l.enhanced;
	c.stage = q->stage != CAUSE_AT_UNKNOWN ? q->stage : stage_in(text);
	c.is_typed_code = l.is_typed_code && q->code == 0;
	decide(&c, rules, &l, q);
	c.is_temporary = is_temporary(&c, text);
	c.retry_after_s = come_back_seconds(text, q->now);
	if (c.is_typed_code && c.confidence > 30)
		c.confidence = 30;
	c.link = find_link(text);
	c.ip = find_ip(text);
	c.tag = find_tag(text);
	c.host = l.wrapper.n ? find_host(l.wrapper) : STR_NONE;
	*out = c;
}

enum cause_mine cause_is_mine(enum cause_owner owner, enum cause_reader reader)
{
	bool is_sending = owner == OWNER_AUTHOR || owner == OWNER_SENDING_HOST || owner == OWNER_SENDER_DOMAIN;

	if (reader == READER_UNKNOWN || owner == OWNER_UNKNOWN || owner == OWNER_NETWORK)
		return MINE_UNKNOWN;
	if (owner == OWNER_NOBODY)
		return MINE_NO;
	return is_sending == (reader == READER_SENDING) ? MINE_YES : MINE_NO;
}
