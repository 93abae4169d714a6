/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the pieces of the history share: its tables, its words, a trail on its way to the file. */
#pragma once

#include "base/list.h"
#include "store/history.h"
#include "store/store.h"

/*
 * trail          each trail as JSON under its reference. Ids grow, and are no smaller than the microsecond in which the message
 *                began, so that they order trails by time.
 * trail_word     a row for each dated word of a trail: what is counted and read by ranges of time.
 * trail_posting  for every other word, one row for each time something was written: the ids (8 bytes each) of the trails that had it.
 *                Most words repeat, so that this is a fraction of a row for each. It is a hint: a trail that has changed or gone
 *                stays in it, and whoever reads it asks the trail.
 */
extern const char history_schema[];

/* --- words --- */
#define HISTORY_WORDS_MAX ((size_t)128 * 1024)
/* Each followed by a line feed. */
void history_words(const struct trail *t, struct buf *words);
bool history_word_is_dated(struct str word);
bool history_has_word(struct str words, struct str word);
/* The words of messages that would have been refused, deferred, tagged, in the order of enum observed_kind. */
extern const char *const history_would_words[3];

/* --- writing --- */
/* One trail on its way to the file. */
struct history_item {
	struct link link;
	int64_t at;
	struct str ref;
	struct buf body, words;
};
void history_item_free(struct history_item *item);

struct history_job {
	struct job job;
	struct list items;
	bool is_sweep; /* ids below sweep_before go, and the oldest beyond rows_max */
	int64_t sweep_before, rows_max;
};
/* In the pool. */
int history_write(sqlite3 *handle, struct job *job);

/* --- reading --- */
/* Counted: db_unref. */
struct db *history_db(struct history *h);
/* Everything put so far stands in the tables. What cannot be written just now is missing, and that is no failure. */
WAITS bool history_flush(struct history *h, struct err *err);
/* In the pool: the trails that began at `since` or later and have the word, newest first, until fn says false. */
int history_each(sqlite3 *handle, struct str word, struct wall since,
                 bool (*fn)(void *arg, struct str body, const struct trail *t), void *arg);
