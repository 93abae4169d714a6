/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history: a trail as JSON under its reference, and a row for each word that it can be found by. Words
 * carry their kind in the first byte: `a` an address or @domain, `i` the client, `f` a failure and its cause, `w` what
 * would have happened to it.
 */
#include "store/history.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"
#include "cause/cause.h"
#include "store/history_inside.h"
#include "store/store.h"
#include "trail/would.h"

#include <stdio.h>
#include <stdlib.h>

#define TRAIL_MAX       ((size_t)512 * 1024)
#define QUEUE_MAX       10000
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define JOB_TRAILS_MAX  500
#define JOB_BYTES_MAX   ((size_t)4 * 1024 * 1024)
#define WORDS_MAX       ((size_t)128 * 1024)
#define LIMIT_MAX       1000
#define FOUND_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define SWEEP_EVERY     (5 * USEC_MIN)
#define SWEEP_ROWS_MAX  20000

/* One trail on its way to the file. */
struct item {
	struct link link;
	int64_t at;
	struct str ref;
	struct buf body;
	struct buf words; /* each followed by a line feed */
};

struct history {
	struct source source;
	struct store *store;
	struct db *db; /* the store's */
	usec_t retention, sweep_at;
	int64_t rows_max;
	struct list queue;
	struct map waiting; /* reference → item in the queue */
	size_t queued, queued_bytes;
	struct metric *dropped;
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS trail(id INTEGER PRIMARY KEY, ref TEXT UNIQUE, at INTEGER NOT NULL,"
	" body BLOB NOT NULL);"
	"CREATE INDEX IF NOT EXISTS trail_at ON trail(at);"
	"CREATE TABLE IF NOT EXISTS trail_word(word TEXT NOT NULL, at INTEGER NOT NULL, id INTEGER NOT NULL,"
	" PRIMARY KEY(word, at, id)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS trail_word_id ON trail_word(id)";

/* --- what a trail is found by --- */

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

const char *const history_would_words[3] = {"wrefuse", "wdefer", "wtag"};

static void add_would(struct buf *words, const struct trail *t)
{
	enum verdict would = trail_would(t, NULL);

	if (would != VERDICT_NONE)
		add_word(words, 'w', str_from(history_would_words[would == VERDICT_REJECT ? 0 : would == VERDICT_DEFER ? 1 : 2] + 1));
}

static void add_words(struct buf *words, const struct trail *t)
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

/* --- the queue --- */

static size_t cost(const struct item *item)
{
	return sizeof(*item) + item->body.capacity + item->words.capacity;
}

static void item_free(struct item *item)
{
	link_remove(&item->link);
	buf_done(&item->body);
	buf_done(&item->words);
	free((void *)(uintptr_t)item->ref.p);
	free(item);
}

static struct item *item_new(const struct trail *t)
{
	struct item *item = mem_new(struct item);

	link_init(&item->link);
	item->at = t->begun.us;
	item->ref = (struct str){mem_cstr(t->ref), t->ref.n};
	buf_init(&item->body, TRAIL_MAX);
	buf_init(&item->words, WORDS_MAX);
	buf_reserve(&item->body, 1024); /* most fit; what is left over is given back */
	trail_encode(t, &item->body);
	add_words(&item->words, t);
	buf_shrink(&item->body);
	buf_shrink(&item->words);
	return item;
}

static void unqueue(struct history *h, struct item *item)
{
	link_remove(&item->link);
	if (item->ref.n > 0)
		map_remove(&h->waiting, item->ref);
	h->queued--;
	h->queued_bytes -= cost(item);
}

/* Most messages are delivered before the writer has come round to their acceptance: one trail is written, not two.
 * What comes back to the front is older than what waits. */
static bool is_superseded(struct history *h, struct item *item, bool at_front)
{
	struct item *other = item->ref.n > 0 ? map_get(&h->waiting, item->ref) : NULL;

	if (other && !at_front) {
		unqueue(h, other);
		item_free(other);
		return false;
	}
	return other != NULL;
}

static void enqueue(struct history *h, struct item *item, bool at_front)
{
	if (buf_ok(&item->body) && is_superseded(h, item, at_front)) {
		item_free(item);
		return;
	}
	if (!buf_ok(&item->body) || h->queued >= QUEUE_MAX || h->queued_bytes + cost(item) > QUEUE_BYTES_MAX) {
		metric_inc(h->dropped);
		item_free(item);
		return;
	}
	if (at_front)
		list_push_front(&h->queue, &item->link);
	else
		list_push_back(&h->queue, &item->link);
	if (item->ref.n > 0)
		map_put(&h->waiting, item->ref, item);
	h->queued++;
	h->queued_bytes += cost(item);
}

static struct item *dequeue(struct history *h)
{
	struct link *first = list_first(&h->queue);

	if (!first)
		return NULL;
	unqueue(h, container_of(first, struct item, link));
	return container_of(first, struct item, link);
}

void history_put(struct history *h, const struct trail *t)
{
	/* When the disk cannot follow, what will be dropped is not made ready first. */
	if (h->queued >= QUEUE_MAX && (t->ref.n == 0 || !map_get(&h->waiting, t->ref))) {
		metric_inc(h->dropped);
		return;
	}
	enqueue(h, item_new(t), false);
	store_wake(h->store);
}

/* --- writing --- */

struct history_job {
	struct job job;
	struct list items;
	bool is_sweep;
	int64_t sweep_before, rows_max;
};

enum statement { FIND_ID, DROP_WORDS, DROP_TRAIL, ADD_TRAIL, ADD_WORD, STATEMENTS };

static const char *const statements[STATEMENTS] = {
	"SELECT id FROM trail WHERE ref=?",
	"DELETE FROM trail_word WHERE id=?",
	"DELETE FROM trail WHERE id=?",
	"INSERT INTO trail(ref, at, body) VALUES(?,?,?)",
	"INSERT OR IGNORE INTO trail_word(word, at, id) VALUES(?,?,?)",
};

static int prepare(sqlite3 *handle, sqlite3_stmt *s[STATEMENTS])
{
	int rc = SQLITE_OK;

	for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v2(handle, statements[i], -1, &s[i], NULL);
	return rc;
}

static int drop_former(sqlite3_stmt *s[STATEMENTS], struct str ref)
{
	sqlite3_int64 id = 0;
	int rc;

	db_bind_text(s[FIND_ID], 1, ref);
	bool is_there = sqlite3_step(s[FIND_ID]) == SQLITE_ROW;
	if (is_there)
		id = sqlite3_column_int64(s[FIND_ID], 0);
	rc = sqlite3_reset(s[FIND_ID]);
	for (int i = DROP_WORDS; is_there && rc == SQLITE_OK && i <= DROP_TRAIL; i++) {
		sqlite3_bind_int64(s[i], 1, id);
		rc = db_run(s[i]);
	}
	return rc;
}

static int write_words(sqlite3_stmt *s, const struct item *item, sqlite3_int64 id)
{
	struct str rest = buf_view(&item->words), word;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && str_cut(&rest, '\n', &word)) {
		db_bind_text(s, 1, word);
		sqlite3_bind_int64(s, 2, item->at);
		sqlite3_bind_int64(s, 3, id);
		rc = db_run(s);
	}
	return rc;
}

static int write_item(sqlite3 *handle, sqlite3_stmt *s[STATEMENTS], const struct item *item)
{
	int rc = item->ref.n > 0 ? drop_former(s, item->ref) : SQLITE_OK;

	if (rc != SQLITE_OK)
		return rc;
	if (item->ref.n > 0)
		db_bind_text(s[ADD_TRAIL], 1, item->ref);
	else
		sqlite3_bind_null(s[ADD_TRAIL], 1); /* many may have none */
	sqlite3_bind_int64(s[ADD_TRAIL], 2, item->at);
	db_bind_blob(s[ADD_TRAIL], 3, buf_view(&item->body));
	rc = db_run(s[ADD_TRAIL]);
	return rc == SQLITE_OK ? write_words(s[ADD_WORD], item, sqlite3_last_insert_rowid(handle)) : rc;
}

/* What is too old, then what is too much, oldest first. */
static int sweep(sqlite3 *handle, const struct history_job *j)
{
	char sql[768];

	snprintf(sql, sizeof(sql),
	         "CREATE TEMP TABLE IF NOT EXISTS doomed(id INTEGER PRIMARY KEY);"
	         "INSERT OR IGNORE INTO doomed SELECT id FROM trail WHERE at < %lld ORDER BY at LIMIT %d;"
	         "INSERT OR IGNORE INTO doomed SELECT id FROM trail ORDER BY at"
	         " LIMIT min(%d, max(0, (SELECT count(*) FROM trail) - %lld));"
	         "DELETE FROM trail_word WHERE id IN (SELECT id FROM doomed);"
	         "DELETE FROM trail WHERE id IN (SELECT id FROM doomed);"
	         "DELETE FROM doomed;",
	         (long long)j->sweep_before, SWEEP_ROWS_MAX, SWEEP_ROWS_MAX, (long long)j->rows_max);
	return db_exec(handle, sql);
}

static int write_history(sqlite3 *handle, struct job *job)
{
	struct history_job *j = container_of(job, struct history_job, job);
	sqlite3_stmt *s[STATEMENTS] = {NULL};
	int rc = prepare(handle, s);

	list_each(it, &j->items)
		if (rc == SQLITE_OK)
			rc = write_item(handle, s, container_of(it, struct item, link));
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s[i]);
	if (rc == SQLITE_OK && j->is_sweep)
		rc = sweep(handle, j);
	return rc;
}

static void free_job(struct job *job)
{
	struct history_job *j = container_of(job, struct history_job, job);

	list_each(it, &j->items)
		item_free(container_of(it, struct item, link));
	free(j);
}

static struct job *collect(struct source *source)
{
	struct history *h = container_of(source, struct history, source);
	struct history_job *j;
	struct item *item;
	size_t bytes = 0;

	if (list_is_empty(&h->queue))
		return NULL;
	j = mem_new(struct history_job);
	j->job = (struct job){.write = write_history, .free = free_job};
	list_init(&j->items);
	for (int i = 0; i < JOB_TRAILS_MAX && bytes < JOB_BYTES_MAX && (item = dequeue(h)); i++) {
		list_push_back(&j->items, &item->link);
		bytes += cost(item);
	}
	if (rt_now() >= h->sweep_at) {
		h->sweep_at = rt_now() + SWEEP_EVERY;
		j->is_sweep = true;
		j->sweep_before = wall_add(rt_wall(), -h->retention).us;
		j->rows_max = h->rows_max;
	}
	return &j->job;
}

/* What was not written goes back in front, in its order; what does not fit any more is dropped and counted. */
static void settle(struct source *source, struct job *job, bool is_written)
{
	struct history *h = container_of(source, struct history, source);
	struct history_job *j = container_of(job, struct history_job, job);

	while (!is_written && !list_is_empty(&j->items)) {
		struct link *last = j->items.head.prev;
		link_remove(last);
		enqueue(h, container_of(last, struct item, link), true);
	}
	if (!is_written && j->is_sweep)
		h->sweep_at = 0;
}

/* The trails of a file that was set aside stay in it. */
static void rewrite(struct source *source)
{
}

static void history_free(struct source *source)
{
	struct history *h = container_of(source, struct history, source);
	struct item *item;

	while ((item = dequeue(h)))
		item_free(item);
	map_done(&h->waiting);
	free(h);
}

/* --- opening --- */

struct opening {
	struct db *db;
	struct err err;
	bool is_made;
};

static void make_schema(void *arg)
{
	struct opening *o = arg;

	o->is_made = db_schema(o->db, schema, &o->err);
}

struct history *history_open(struct store *s, usec_t retention, int64_t rows_max, struct err *err)
{
	struct opening o = {.db = store_db(s, err)};
	struct history *h;

	if (!o.db)
		return NULL;
	db_aside(make_schema, &o);
	if (!o.is_made) {
		*err = o.err;
		return NULL;
	}
	h = mem_new(struct history);
	h->store = s;
	h->db = o.db;
	h->retention = retention;
	h->rows_max = rows_max;
	list_init(&h->queue);
	map_init(&h->waiting);
	h->dropped = metric_counter("postern_trails_dropped_total", NULL, NULL,
	                            "Trails that the history had no room for");
	h->source = (struct source){.collect = collect, .settle = settle, .rewrite = rewrite, .free = history_free};
	store_add(s, &h->source);
	return h;
}

/* --- searching --- */

struct search {
	struct db *db;
	const char *sql;
	char *word;
	size_t limit;
	struct buf bodies; /* length, bytes, and again */
	size_t n;
	bool is_fine;
	struct err err;
};

static int search_rows(sqlite3 *handle, void *arg)
{
	struct search *q = arg;
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(handle, q->sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	buf_clear(&q->bodies);
	q->n = 0;
	db_bind_text(s, 1, str_from(q->word));
	sqlite3_bind_int64(s, 2, (sqlite3_int64)q->limit);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct str body = db_column(s, 0);
		if (q->bodies.n + sizeof(body.n) + body.n > q->bodies.max)
			break;
		buf_add(&q->bodies, &body.n, sizeof(body.n));
		buf_str(&q->bodies, body);
		q->n++;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void search_run(void *arg)
{
	struct search *q = arg;

	q->is_fine = db_transact(q->db, search_rows, q, NULL, &q->err);
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
static const char by_word[] = "SELECT t.body FROM trail_word w JOIN trail t ON t.id=w.id WHERE w.word=?"
                              " ORDER BY w.at DESC, w.id DESC LIMIT ?";

static struct search *search_new(struct history *h, const char *sql, char kind, struct str what, size_t limit)
{
	struct search *q = mem_new(struct search);
	struct buf word;

	q->db = db_ref(h->db);
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
		return search(search_new(h, by_word, 'a', what, limit), arena, found, n, err);
	if (!search(search_new(h, by_ref, 0, what, limit), arena, found, n, err))
		return false;
	if (*n > 0)
		return true;
	buf_init(&domain, 300);
	buf_char(&domain, '@');
	buf_str(&domain, what);
	is_fine = search(search_new(h, by_word, 'a', buf_view(&domain), limit), arena, found, n, err);
	buf_done(&domain);
	return is_fine;
}

struct db *history_db(struct history *h)
{
	return db_ref(h->db);
}

bool history_flush(struct history *h, struct err *err)
{
	struct err not_written;

	/* What cannot be written just now is missing from the answer; what can be read is still told. */
	if (store_flush(h->store, &not_written) || not_written.kind == ERR_FAILED)
		return true;
	*err = not_written;
	return false;
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
		return search(search_new(h, by_word, 'i', what, limit), arena, found, n, err);
	case HISTORY_FAILURES:
		if (cause_from_name(what) == CAUSE_NONE)
			what = STR_NONE;
		return search(search_new(h, by_word, 'f', what, limit), arena, found, n, err);
	}
	return err_perm(err, CAUSE_LOCAL_ERROR, "history: unknown kind of search");
}
