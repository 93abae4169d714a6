/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds trails. */
#include "base/auto.h"
#include "base/mem.h"
#include "store/history_inside.h"

#include "cause/cause.h"

#include <stdlib.h>

#define LIMIT_MAX       1000
#define FOUND_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define DECODED_MAX     ((size_t)4 * 1024 * 1024)
#define LOOKED_AT_MAX   20000 /* ids of one word: those of trails that have changed or gone are among them */

/* --- what was posted under a word --- */

struct visit {
	struct str word;
	struct wall since;
	bool (*fn)(void *arg, struct str body, const struct trail *t);
	void *arg;
	sqlite3_stmt *rows, *body;
	int64_t *seen;
	size_t n, capacity;
	bool is_over;
};

static bool is_seen(struct visit *v, int64_t id)
{
	for (size_t i = v->n; i > 0; i--)
		if (v->seen[i - 1] == id)
			return true;
	if (v->n == v->capacity) {
		v->capacity = v->capacity ? 2 * v->capacity : 64;
		v->seen = mem_resize(v->seen, v->capacity * sizeof(*v->seen));
	}
	v->seen[v->n++] = id;
	return false;
}

static void visit_body(struct visit *v, struct str body)
{
	auto_buf struct buf words = {.max = HISTORY_WORDS_MAX};
	struct arena arena;
	struct trail t;
	struct err err;

	arena_init(&arena, DECODED_MAX);
	if (trail_decode(&arena, body, &t, &err)) {
		history_words(&t, &words);
		if (history_has_word(buf_view(&words), v->word) && !wall_is_before(t.begun, v->since))
			v->is_over = !v->fn(v->arg, body, &t);
	}
	arena_done(&arena);
}

static int visit_id(struct visit *v, int64_t id)
{
	if (is_seen(v, id))
		return SQLITE_OK;
	sqlite3_bind_int64(v->body, 1, id);
	if (sqlite3_step(v->body) == SQLITE_ROW)
		visit_body(v, db_column(v->body, 0));
	v->is_over |= v->n >= LOOKED_AT_MAX;
	return sqlite3_reset(v->body);
}

static int visit_row(struct visit *v, struct str ids)
{
	int rc = SQLITE_OK;

	for (size_t n = ids.n / sizeof(int64_t); n > 0 && rc == SQLITE_OK && !v->is_over; n--) {
		int64_t id;
		memcpy(&id, ids.p + (n - 1) * sizeof(id), sizeof(id));
		rc = visit_id(v, id);
	}
	return rc;
}

static int visit_rows(struct visit *v)
{
	int rc, visited = SQLITE_OK;

	db_bind_text(v->rows, 1, v->word);
	sqlite3_bind_int64(v->rows, 2, v->since.us);
	while (visited == SQLITE_OK && !v->is_over && (rc = sqlite3_step(v->rows)) == SQLITE_ROW)
		visited = visit_row(v, db_column(v->rows, 0));
	rc = sqlite3_reset(v->rows);
	return visited != SQLITE_OK ? visited : rc;
}

int history_each(sqlite3 *handle, struct str word, struct wall since,
                 bool (*fn)(void *arg, struct str body, const struct trail *t), void *arg)
{
	struct visit v = {.word = word, .since = since, .fn = fn, .arg = arg};
	int rc = sqlite3_prepare_v2(handle, "SELECT ids FROM trail_posting WHERE word=? AND last>=? ORDER BY last DESC", -1, &v.rows, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(handle, "SELECT body FROM trail WHERE id=?", -1, &v.body, NULL);
	if (rc == SQLITE_OK)
		rc = visit_rows(&v);
	sqlite3_finalize(v.rows);
	sqlite3_finalize(v.body);
	free(v.seen);
	return rc;
}

/* --- a search --- */

struct search {
	struct db *db;
	const char *sql; /* NULL: what was posted under the word */
	char *word;
	size_t limit;
	struct buf bodies; /* length, bytes, and again */
	size_t n;
	bool is_fine;
	struct err err;
};

static bool take(struct search *q, struct str body)
{
	if (q->n == q->limit || q->bodies.n + sizeof(body.n) + body.n > q->bodies.max)
		return false;
	buf_add(&q->bodies, &body.n, sizeof(body.n));
	buf_str(&q->bodies, body);
	q->n++;
	return true;
}

static bool take_posted(void *arg, struct str body, const struct trail *t)
{
	return take(arg, body);
}

static int search_rows(sqlite3 *handle, struct search *q)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(handle, q->sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	db_bind_text(s, 1, str_from(q->word));
	sqlite3_bind_int64(s, 2, (sqlite3_int64)q->limit);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && take(q, db_column(s, 0)))
		;
	sqlite3_finalize(s);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int search_in(sqlite3 *handle, void *arg)
{
	struct search *q = arg;

	buf_clear(&q->bodies);
	q->n = 0;
	return q->sql ? search_rows(handle, q) : history_each(handle, str_from(q->word), (struct wall){0}, take_posted, q);
}

static void search_run(void *arg)
{
	struct search *q = arg;

	q->is_fine = db_transact(q->db, search_in, q, NULL, &q->err);
}

static void search_free(void *arg)
{
	struct search *q = arg;

	db_unref(q->db);
	buf_done(&q->bodies);
	free(q->word);
	free(q);
}

static const char by_ref[] = "SELECT body FROM trail WHERE ref=? LIMIT ?";
static const char by_date[] = "SELECT t.body FROM trail_word w JOIN trail t ON t.id=w.id WHERE w.word=?"
                              " ORDER BY w.at DESC, w.id DESC LIMIT ?";

static struct search *search_new(struct history *h, const char *sql, char kind, struct str what, size_t limit)
{
	struct search *q = mem_new(struct search);
	struct buf word;

	q->db = history_db(h);
	q->sql = sql;
	q->limit = limit < LIMIT_MAX ? limit : LIMIT_MAX;
	buf_init(&q->bodies, FOUND_BYTES_MAX);
	buf_init(&word, 1024);
	if (kind)
		buf_char(&word, kind);
	for (size_t i = 0; i < what.n && i < 1000; i++)
		buf_char(&word, kind ? ascii_lower(what.p[i]) : what.p[i]);
	q->word = mem_cstr(buf_view(&word));
	buf_done(&word);
	return q;
}

static void take_bodies(const struct search *q, struct arena *arena, struct str **found, size_t *n)
{
	struct str rest = buf_view(&q->bodies);
	struct str *bodies = arena_alloc(arena, (q->n + 1) * sizeof(*bodies));

	for (size_t i = 0; i < q->n; i++) {
		size_t length;
		memcpy(&length, rest.p, sizeof(length));
		rest = str_skip(rest, sizeof(length));
		bodies[i] = arena_str(arena, str_slice(rest, 0, length));
		rest = str_skip(rest, length);
	}
	*found = bodies;
	*n = q->n;
}

WAITS static bool search(struct search *q, struct arena *arena, struct str **found, size_t *n, struct err *err)
{
	bool is_fine;

	if (!rt_offload("history: search", search_run, q, search_free, err))
		return false;
	is_fine = q->is_fine;
	if (is_fine)
		take_bodies(q, arena, found, n);
	else
		*err = q->err;
	search_free(q);
	return is_fine;
}

/* Without an @ it may be the reference of a refused message, or a domain. */
WAITS static bool search_address(struct history *h, struct str what, size_t limit, struct arena *arena,
                                 struct str **found, size_t *n, struct err *err)
{
	struct buf domain;
	bool is_fine;

	if (str_find_char(what, '@') < what.n || str_eq(what, STR("<>")))
		return search(search_new(h, NULL, 'a', what, limit), arena, found, n, err);
	if (!search(search_new(h, by_ref, 0, what, limit), arena, found, n, err))
		return false;
	if (*n > 0)
		return true;
	buf_init(&domain, 300);
	buf_char(&domain, '@');
	buf_str(&domain, what);
	is_fine = search(search_new(h, NULL, 'a', buf_view(&domain), limit), arena, found, n, err);
	buf_done(&domain);
	return is_fine;
}

bool history_find(struct history *h, enum history_by by, struct str what, size_t limit, struct arena *arena,
                  struct str **found, size_t *n, struct err *err)
{
	if (!history_flush(h, err))
		return false;
	switch (by) {
	case HISTORY_REF:
		return search(search_new(h, by_ref, 0, what, limit), arena, found, n, err);
	case HISTORY_ADDRESS:
		return search_address(h, what, limit, arena, found, n, err);
	case HISTORY_IP:
		return search(search_new(h, NULL, 'i', what, limit), arena, found, n, err);
	case HISTORY_FAILURES:
		if (cause_from_name(what) == CAUSE_NONE)
			what = STR_NONE;
		return search(search_new(h, by_date, 'f', what, limit), arena, found, n, err);
	}
	return err_perm(err, CAUSE_LOCAL_ERROR, "history: unknown kind of search");
}
