/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words that a trail is found by. They carry their kind in the first byte: `a` an address or @domain, `i` the client,
 * `f` a failure and its cause, `w` what would have happened to it.
 */
#include "cause/cause.h"
#include "store/history_inside.h"
#include "trail/would.h"

const char *const history_would_words[3] = {"wrefuse", "wdefer", "wtag"};

static void add_word(struct buf *words, char kind, struct str text)
{
	size_t before = words->n;

	buf_char(words, kind);
	for (size_t i = 0; i < text.n; i++)
		buf_char(words, text.p[i] == '\n' ? ' ' : ascii_lower(text.p[i]));
	buf_char(words, '\n');
	if (!buf_ok(words))
		buf_truncate(words, before);
}

/* The whole and its domain; the null sender as it is written in SMTP. */
static void add_address(struct buf *words, struct str address)
{
	size_t at = str_rfind_char(address, '@');

	if (address.n == 0) {
		add_word(words, 'a', STR("<>"));
		return;
	}
	add_word(words, 'a', address);
	if (at < address.n)
		add_word(words, 'a', str_skip(address, at));
}

static void add_failures(struct buf *words, const struct trail *t)
{
	bool has[CAUSE_COUNT] = {false}, is_failure = t->verdict == VERDICT_DEFER || t->verdict == VERDICT_REJECT;

	for (size_t i = 0; i < t->n; i++)
		has[t->entries[i].cause < CAUSE_COUNT ? t->entries[i].cause : CAUSE_UNKNOWN] = true;
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		if (has[c]) {
			add_word(words, 'f', cause_name((enum cause_id)c));
			is_failure = true;
		}
	if (is_failure)
		add_word(words, 'f', STR_NONE);
}

static void add_would(struct buf *words, const struct trail *t)
{
	enum verdict would = trail_would(t, NULL);

	if (would != VERDICT_NONE)
		add_word(words, 'w', str_from(history_would_words[would == VERDICT_REJECT ? 0 : would == VERDICT_DEFER ? 1 : 2] + 1));
}

void history_words(const struct trail *t, struct buf *words)
{
	struct str rest = t->recipients, recipient;
	char ip[IP_TEXT_MAX];

	add_failures(words, t);
	add_would(words, t);
	if (t->client.family != 0)
		add_word(words, 'i', ip_text(t->client, ip));
	add_address(words, t->sender);
	while (str_next_word(&rest, &recipient))
		add_address(words, recipient);
}

bool history_word_is_dated(struct str word)
{
	return word.n && (word.p[0] == 'f' || word.p[0] == 'w');
}

bool history_has_word(struct str words, struct str word)
{
	struct str each;

	while (str_cut(&words, '\n', &each))
		if (str_eq(each, word))
			return true;
	return false;
}
