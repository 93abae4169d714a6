/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes and removes trails, in the pool. */
#include "base/auto.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/history_inside.h"

#include <stdlib.h>

#define SWEEP_ROWS_MAX 20000
#define DECODED_MAX    ((size_t)4 * 1024 * 1024)

const char history_schema[] =
	"CREATE TABLE IF NOT EXISTS trail(id INTEGER PRIMARY KEY, ref TEXT UNIQUE, at INTEGER NOT NULL,"
	" body BLOB NOT NULL);"
	"CREATE INDEX IF NOT EXISTS trail_at ON trail(at);"
	"CREATE TABLE IF NOT EXISTS trail_word(word TEXT NOT NULL, at INTEGER NOT NULL, id INTEGER NOT NULL,"
	" PRIMARY KEY(word, at, id)) WITHOUT ROWID;"
	"DROP INDEX IF EXISTS trail_word_id;" /* this and those words are of an earlier form */
	"DELETE FROM trail_word WHERE (word >= 'a' AND word < 'b') OR (word >= 'i' AND word < 'j');"
	"CREATE TABLE IF NOT EXISTS trail_posting(word TEXT NOT NULL, last INTEGER NOT NULL, ids BLOB NOT NULL,"
	" PRIMARY KEY(word, last)) WITHOUT ROWID;";

enum statement {
	FIND_LAST, FIND_FORMER, ADD_TRAIL, SET_TRAIL, DROP_TRAIL, ADD_WORD, DROP_WORD, ADD_POSTING, DROP_POSTINGS, FIND_OLD, FIND_TOO_MANY,
	STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
	[FIND_LAST] = "SELECT max(id) FROM trail",
	[FIND_FORMER] = "SELECT id, at, body FROM trail WHERE ref=?",
	[ADD_TRAIL] = "INSERT INTO trail(at, body, id, ref) VALUES(?,?,?,?)",
	[SET_TRAIL] = "UPDATE trail SET at=?, body=? WHERE id=?",
	[DROP_TRAIL] = "DELETE FROM trail WHERE id=?",
	[ADD_WORD] = "INSERT OR IGNORE INTO trail_word(word, at, id) VALUES(?,?,?)",
	[DROP_WORD] = "DELETE FROM trail_word WHERE word=? AND at=? AND id=?",
	/* The conflict: the newest trail of the row lost the word once, and has it again. */
	[ADD_POSTING] = ("INSERT INTO trail_posting(word, last, ids) VALUES(?,?,?)"
	                 " ON CONFLICT DO UPDATE SET ids=excluded.ids || ids"),
	[DROP_POSTINGS] = "DELETE FROM trail_posting WHERE word=? AND last<=?",
	/* By id, as postings are cut off: a trail that was long in the making stands behind those that began after it. */
	[FIND_OLD] = "SELECT id, at, body FROM trail WHERE id < ? ORDER BY id LIMIT ?",
	[FIND_TOO_MANY] = "SELECT id, at, body FROM trail ORDER BY id LIMIT min(?2, max(0, (SELECT count(*) FROM trail) - ?1))",
};

/* The trails of this job that have a word. */
struct posting {
	size_t n, capacity;
	int64_t ids[];
};

struct writing {
	sqlite3_stmt *s[STATEMENTS];
	int64_t last_id;
	struct map postings; /* by word */
};

/* --- words --- */

static int run_dated(sqlite3_stmt *s, struct str word, int64_t at, int64_t id)
{
	db_bind_text(s, 1, word);
	sqlite3_bind_int64(s, 2, at);
	sqlite3_bind_int64(s, 3, id);
	return db_run(s);
}

static void add_to_posting(struct writing *w, struct str word, int64_t id)
{
	struct posting *p = map_get(&w->postings, word);

	if (!p || p->n == p->capacity) {
		size_t n = p ? p->n : 0, capacity = p ? 4 * n : 2;
		p = mem_resize(p, sizeof(*p) + capacity * sizeof(p->ids[0]));
		p->n = n;
		p->capacity = capacity;
		map_put(&w->postings, word, p);
	}
	size_t at = p->n++; /* ascending; what comes between is a trail that has grown */
	for (; at > 0 && p->ids[at - 1] > id; at--)
		p->ids[at] = p->ids[at - 1];
	p->ids[at] = id;
}

static int write_postings(struct writing *w)
{
	sqlite3_stmt *s = w->s[ADD_POSTING];
	struct str word;
	void *value;
	int rc = SQLITE_OK;

	for (size_t at = 0; rc == SQLITE_OK && map_next(&w->postings, &at, &word, &value);) {
		const struct posting *p = value;
		db_bind_text(s, 1, word);
		sqlite3_bind_int64(s, 2, p->ids[p->n - 1]);
		db_bind_blob(s, 3, (struct str){(const char *)p->ids, p->n * sizeof(p->ids[0])});
		rc = db_run(s);
	}
	return rc;
}

/* A trail that cannot be read leaves its words behind; they lead nowhere. */
static void words_of(struct str body, struct buf *words)
{
	struct arena arena;
	struct trail t;
	struct err err;

	arena_init(&arena, DECODED_MAX);
	if (trail_decode(&arena, body, &t, &err))
		history_words(&t, words);
	arena_done(&arena);
}

/* --- one trail --- */

/* What stands in the tables of an earlier state of a trail. */
struct former {
	int64_t id, at; /* id 0: none */
	struct buf words;
};

static int find_former(struct writing *w, struct str ref, struct former *out)
{
	sqlite3_stmt *s = w->s[FIND_FORMER];

	if (ref.n == 0)
		return SQLITE_OK;
	db_bind_text(s, 1, ref);
	if (sqlite3_step(s) == SQLITE_ROW) {
		out->id = sqlite3_column_int64(s, 0);
		out->at = sqlite3_column_int64(s, 1);
		words_of(db_column(s, 2), &out->words);
	}
	return sqlite3_reset(s);
}

static int drop_dated(struct writing *w, const struct former *f)
{
	struct str rest = buf_view(&f->words), word;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && str_cut(&rest, '\n', &word))
		if (history_word_is_dated(word))
			rc = run_dated(w->s[DROP_WORD], word, f->at, f->id);
	return rc;
}

static int write_body(struct writing *w, const struct history_item *item, int64_t id, bool is_new)
{
	sqlite3_stmt *s = w->s[is_new ? ADD_TRAIL : SET_TRAIL];

	sqlite3_bind_int64(s, 1, item->at);
	db_bind_blob(s, 2, buf_view(&item->body));
	sqlite3_bind_int64(s, 3, id);
	if (is_new && item->ref.n > 0)
		db_bind_text(s, 4, item->ref);
	else if (is_new)
		sqlite3_bind_null(s, 4); /* many may have none */
	return db_run(s);
}

static int write_words(struct writing *w, const struct history_item *item, int64_t id, struct str former)
{
	struct str rest = buf_view(&item->words), word;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && str_cut(&rest, '\n', &word)) {
		if (history_word_is_dated(word))
			rc = run_dated(w->s[ADD_WORD], word, item->at, id);
		else if (!history_has_word(former, word))
			add_to_posting(w, word, id);
	}
	return rc;
}

static int write_item(struct writing *w, const struct history_item *item)
{
	struct former former = {.words = {.max = HISTORY_WORDS_MAX}};
	int rc = find_former(w, item->ref, &former);
	int64_t next = w->last_id < item->at ? item->at : w->last_id + 1, id = former.id ? former.id : next;

	if (rc == SQLITE_OK)
		rc = drop_dated(w, &former);
	if (rc == SQLITE_OK)
		rc = write_body(w, item, id, former.id == 0);
	if (rc == SQLITE_OK)
		rc = write_words(w, item, id, buf_view(&former.words));
	buf_done(&former.words);
	w->last_id = id > w->last_id ? id : w->last_id;
	return rc;
}

/* --- removing --- */

/* The row it stands in: id, at, body. */
static int drop_trail(struct writing *w, sqlite3_stmt *row)
{
	struct former f = {.id = sqlite3_column_int64(row, 0), .at = sqlite3_column_int64(row, 1), .words = {.max = HISTORY_WORDS_MAX}};
	struct str rest, word;
	int rc;

	words_of(db_column(row, 2), &f.words);
	rc = drop_dated(w, &f);
	rest = buf_view(&f.words);
	while (rc == SQLITE_OK && str_cut(&rest, '\n', &word))
		if (!history_word_is_dated(word)) {
			db_bind_text(w->s[DROP_POSTINGS], 1, word);
			sqlite3_bind_int64(w->s[DROP_POSTINGS], 2, f.id);
			rc = db_run(w->s[DROP_POSTINGS]);
		}
	buf_done(&f.words);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(w->s[DROP_TRAIL], 1, f.id);
	return db_run(w->s[DROP_TRAIL]);
}

static int drop_beyond(struct writing *w, enum statement find, int64_t limit)
{
	sqlite3_stmt *s = w->s[find];
	int rc, dropped = SQLITE_OK;

	sqlite3_bind_int64(s, 1, limit);
	sqlite3_bind_int(s, 2, SWEEP_ROWS_MAX);
	while (dropped == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		dropped = drop_trail(w, s);
	rc = sqlite3_reset(s);
	return dropped != SQLITE_OK ? dropped : rc;
}

/* --- the job --- */

static int begin(struct writing *w, sqlite3 *handle)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v2(handle, statements[i], -1, &w->s[i], NULL);
	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(w->s[FIND_LAST]) == SQLITE_ROW)
		w->last_id = sqlite3_column_int64(w->s[FIND_LAST], 0);
	return sqlite3_reset(w->s[FIND_LAST]);
}

static void end(struct writing *w)
{
	struct str word;
	void *posting;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(w->s[i]);
	for (size_t at = 0; map_next(&w->postings, &at, &word, &posting);)
		free(posting);
	map_done(&w->postings);
}

int history_write(sqlite3 *handle, struct job *job)
{
	struct history_job *j = container_of(job, struct history_job, job);
	struct writing w = {.last_id = 0};
	int rc;

	map_init(&w.postings);
	rc = begin(&w, handle);
	list_each(it, &j->items)
		if (rc == SQLITE_OK)
			rc = write_item(&w, container_of(it, struct history_item, link));
	if (rc == SQLITE_OK)
		rc = write_postings(&w);
	if (rc == SQLITE_OK && j->is_sweep)
		rc = drop_beyond(&w, FIND_OLD, j->sweep_before);
	if (rc == SQLITE_OK && j->is_sweep)
		rc = drop_beyond(&w, FIND_TOO_MANY, j->rows_max);
	end(&w);
	return rc;
}
