/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk through the history: days, then the messages that something would have happened to, then their senders. */
#include "store/observed.h"

#include "base/mem.h"
#include "store/history_inside.h"
#include "store/sqlite.h"

#include <stdlib.h>

#define ROWS_AT_ONCE    400
#define SENDERS_AT_ONCE 500
#define LATER_MAX       20 /* other messages looked at for each sender */
#define DECODED_MAX     ((size_t)4 * 1024 * 1024)

/* Where the walk stands; owned by the piece of work that is in the pool. */
struct reading {
	struct db *db;
	struct observed *o;
	uint64_t rows_max, rows_left; /* of each kind */
	enum { DAYS, KINDS, SENDERS, DONE } step;
	size_t i;               /* day, kind or sender */
	int64_t at, id;         /* of the last row of this kind */
	bool is_fine;
	struct err err;
};

static void next_step(struct reading *r)
{
	r->step++;
	r->i = 0;
}

/* --- how many messages there were --- */

/* An index alone answers each. */
static int count_range(sqlite3 *handle, const char *sql, const char *word, struct wall from, struct wall to, uint64_t *n)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(handle, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, from.us);
	sqlite3_bind_int64(s, 2, to.us);
	if (word)
		db_bind_text(s, 3, str_from(word));
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*n = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int count_day(struct reading *r, sqlite3 *handle)
{
	struct observed_day *day = &r->o->days[r->i];
	struct wall from = wall_is_before(day->begin, r->o->since) ? r->o->since : day->begin;
	struct wall to = wall_add(day->begin, USEC_DAY);
	int rc = count_range(handle, "SELECT count(*) FROM trail WHERE at >= ? AND at < ?", NULL, from, to, &day->messages);

	for (int k = 0; k < OBSERVED_KINDS && rc == SQLITE_OK; k++)
		rc = count_range(handle, "SELECT count(*) FROM trail_word WHERE at >= ? AND at < ? AND word = ?",
		                 history_would_words[k], from, to, &day->n[k]);
	if (rc == SQLITE_OK && ++r->i == r->o->n_days)
		next_step(r);
	return rc;
}

/* --- what would have been --- */

static const char by_kind[] = "SELECT w.at, w.id, t.body FROM trail_word w JOIN trail t ON t.id=w.id"
                              " WHERE w.word=? AND (w.at, w.id) < (?,?) AND w.at >= ?"
                              " ORDER BY w.at DESC, w.id DESC LIMIT ?";

static void visit(struct reading *r, struct str body)
{
	struct arena arena;
	struct trail t;
	struct err err;

	arena_init(&arena, DECODED_MAX);
	if (trail_decode(&arena, body, &t, &err))
		observed_add(r->o, &t);
	arena_done(&arena);
}

static void next_kind(struct reading *r)
{
	r->at = r->o->until.us;
	r->id = INT64_MAX;
	r->rows_left = r->rows_max;
	if (++r->i == OBSERVED_KINDS)
		next_step(r);
}

static int read_kind(struct reading *r, sqlite3 *handle)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(handle, by_kind, -1, &s, NULL), n = 0;

	if (rc != SQLITE_OK)
		return rc;
	db_bind_text(s, 1, str_from(history_would_words[r->i]));
	sqlite3_bind_int64(s, 2, r->at);
	sqlite3_bind_int64(s, 3, r->id);
	sqlite3_bind_int64(s, 4, r->o->since.us);
	sqlite3_bind_int(s, 5, ROWS_AT_ONCE);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && r->rows_left > 0) {
		r->at = sqlite3_column_int64(s, 0);
		r->id = sqlite3_column_int64(s, 1);
		visit(r, db_column(s, 2));
		r->rows_left--;
		n++;
	}
	if (rc == SQLITE_ROW)
		r->o->is_partial = true;
	sqlite3_finalize(s);
	if (n < ROWS_AT_ONCE && (rc == SQLITE_ROW || rc == SQLITE_DONE))
		next_kind(r);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- what speaks for the senders --- */

static const char count_sender[] = "SELECT sum(length(ids)) / 8 FROM trail_posting WHERE word=? AND last >= ?";

/* Most forged senders are seen once: the index alone tells that there is nothing else. */
static int has_others(sqlite3_stmt *s, struct str word, struct wall since, const struct observed_sender *sender, bool *has)
{
	int64_t own = 0;

	db_bind_text(s, 1, word);
	sqlite3_bind_int64(s, 2, since.us);
	int rc = sqlite3_step(s);
	for (int k = 0; k < OBSERVED_KINDS; k++)
		own += sender->n[k];
	*has = rc == SQLITE_ROW && sqlite3_column_int64(s, 0) > own;
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

struct learning {
	struct observed_sender *sender;
	int left;
};

static bool learn(void *arg, struct str body, const struct trail *t)
{
	struct learning *l = arg;

	observed_learn(l->sender, t);
	return --l->left > 0;
}

static int read_sender(struct reading *r, sqlite3 *handle, sqlite3_stmt *count, struct observed_sender *sender)
{
	struct learning l = {sender, LATER_MAX};
	struct arena arena;
	bool has = false;
	int rc;

	arena_init(&arena, 4096);
	struct str word = arena_printf(&arena, "a%.*s", STR_ARG(sender->address));
	rc = has_others(count, word, r->o->since, sender, &has);
	if (rc == SQLITE_OK && has)
		rc = history_each(handle, word, r->o->since, learn, &l);
	arena_done(&arena);
	return rc;
}

static int read_senders(struct reading *r, sqlite3 *handle)
{
	sqlite3_stmt *count = NULL;
	int rc = sqlite3_prepare_v2(handle, count_sender, -1, &count, NULL);

	for (int n = 0; rc == SQLITE_OK && n < SENDERS_AT_ONCE && r->i < r->o->n_senders; n++, r->i++)
		rc = read_sender(r, handle, count, r->o->senders[r->i]);
	sqlite3_finalize(count);
	if (rc == SQLITE_OK && r->i == r->o->n_senders)
		next_step(r);
	return rc;
}

/* --- the walk --- */

static int read_piece(sqlite3 *handle, void *arg)
{
	struct reading *r = arg;

	switch (r->step) {
	case DAYS:
		return count_day(r, handle);
	case KINDS:
		return read_kind(r, handle);
	case SENDERS:
		return read_senders(r, handle);
	case DONE:
		break;
	}
	return SQLITE_OK;
}

static void read_run(void *arg)
{
	struct reading *r = arg;

	r->is_fine = db_transact(r->db, read_piece, r, NULL, &r->err);
}

static void read_free(void *arg)
{
	struct reading *r = arg;

	db_unref(r->db);
	observed_free(r->o);
	free(r);
}

bool observed_read(struct history *h, struct wall since, struct wall until, uint64_t messages_max,
                   struct observed **out, struct err *err)
{
	struct reading *r;

	if (!history_flush(h, err))
		return false;
	r = mem_new(struct reading);
	*r = (struct reading){.db = history_db(h), .o = observed_new(since, until), .rows_max = messages_max, .rows_left = messages_max,
	                      .at = until.us, .id = INT64_MAX};
	while (r->step != DONE) {
		if (!rt_offload("history: what was observed", read_run, r, read_free, err))
			return false;
		if (!r->is_fine) {
			*err = r->err;
			read_free(r);
			return false;
		}
	}
	*out = r->o;
	r->o = NULL;
	read_free(r);
	return true;
}
