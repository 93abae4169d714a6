/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three words for what would have been: "would refuse", "would defer", "would tag". */
#include "trail/would.h"

#include <assert.h>

static const struct {
	const char *word;
	enum verdict would;
} words[] = {
	/* The gravest first. */
	{"would refuse", VERDICT_REJECT},
	{"would defer", VERDICT_DEFER},
	{"would tag", VERDICT_TAG},
};
enum { WORDS = sizeof(words) / sizeof(*words) };

static const char *word_of(enum verdict would)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (words[i].would == would)
			return words[i].word;
	}
	assert(!"only a refusal, a deferral or a tag can have been");
	return "";
}

void trail_note_would(struct trail *t, struct wall at, const char *check, enum verdict would, enum cause_id cause,
                      struct str subject, struct str reply)
{
	trail_note(t, at, 0, check, word_of(would), cause, subject, "%.*s", STR_ARG(reply));
}

enum verdict trail_entry_would(const struct trail_entry *e)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (str_eq(e->result, str_from(words[i].word)))
			return words[i].would;
	}
	return VERDICT_NONE;
}

enum verdict trail_would(const struct trail *t, const struct trail_entry **entry)
{
	for (size_t w = 0; w < WORDS; w++) {
		for (size_t i = 0; i < t->n; i++) {
			if (!str_eq(t->entries[i].result, str_from(words[w].word)))
				continue;
			if (entry)
				*entry = &t->entries[i];
			return words[w].would;
		}
	}
	return VERDICT_NONE;
}
