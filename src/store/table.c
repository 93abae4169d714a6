/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table in memory: a map, a list by use, a list of what the file does not know yet. What was removed
 * and may be in the file leaves a tombstone until the file knows.
 */
#include "store/store.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX        512
#define VALUE_MAX      ((size_t)16 * 1024)
#define ROWS_MAX       4096                     /* in one job */
#define JOB_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define SWEEP_EVERY    (10 * USEC_MIN)
#define SWEEP_ROWS_MAX 10000
#define NAME_MAX_BYTES 32

struct entry {
	struct link used;  /* most recently used first; a tombstone: in `gone` */
	struct link dirty;
	struct wall expires;
	bool is_in_file;   /* a row of this key may be in the file */
	uint32_t key_n, value_n;
	char bytes[];      /* key, value */
};

struct table {
	struct source source;
	struct store *store;
	char name[NAME_MAX_BYTES];
	size_t max, n;
	struct map entries, tombstones;
	struct list used, dirty;
	struct list gone; /* tombstones, oldest first */
	usec_t sweep_at;
	bool is_kept;
};

static struct str key_of(const struct entry *e)
{
	return (struct str){e->bytes, e->key_n};
}

static struct str value_of(const struct entry *e)
{
	return (struct str){e->bytes + e->key_n, e->value_n};
}

/* --- memory --- */

static struct entry *entry_new(struct str key, struct str value, struct wall expires)
{
	struct entry *e = mem_alloc(sizeof(*e) + key.n + value.n);

	link_init(&e->used);
	link_init(&e->dirty);
	e->expires = expires;
	e->key_n = (uint32_t)key.n;
	e->value_n = (uint32_t)value.n;
	memcpy(e->bytes, key.n ? key.p : "", key.n);
	memcpy(e->bytes + key.n, value.n ? value.p : "", value.n);
	return e;
}

static void entry_free(struct entry *e)
{
	link_remove(&e->used);
	link_remove(&e->dirty);
	free(e);
}

static void forget_tombstone(struct table *t, struct entry *e)
{
	map_remove(&t->tombstones, key_of(e));
	entry_free(e);
}

/* Bounded: when the file cannot be written for long, the oldest are forgotten. Their rows may come back at
 * the next start, for as long as they have not expired. */
static void add_tombstone(struct table *t, struct str key)
{
	struct entry *e;

	if (map_get(&t->tombstones, key))
		return;
	e = entry_new(key, STR_NONE, (struct wall){0});
	map_put(&t->tombstones, key, e);
	list_push_back(&t->gone, &e->used);
	if (t->tombstones.n > t->max)
		forget_tombstone(t, container_of(list_first(&t->gone), struct entry, used));
	store_wake(t->store);
}

static void mark_dirty(struct table *t, struct entry *e)
{
	if (!t->is_kept || link_is_in_list(&e->dirty))
		return;
	list_push_back(&t->dirty, &e->dirty);
	store_wake(t->store);
}

static void drop(struct table *t, struct entry *e)
{
	map_remove(&t->entries, key_of(e));
	t->n--;
	if (t->is_kept && e->is_in_file)
		add_tombstone(t, key_of(e));
	entry_free(e);
}

/* What has expired in the file as well needs no tombstone: the sweep and the next start see it themselves. */
static void drop_expired(struct table *t, struct entry *e)
{
	if (!link_is_in_list(&e->dirty))
		e->is_in_file = false;
	drop(t, e);
}

static bool is_expired(const struct entry *e)
{
	return !wall_is_before(rt_wall(), e->expires);
}

static struct entry *oldest(struct table *t)
{
	return container_of(t->used.head.prev, struct entry, used);
}

static void put_entry(struct table *t, struct entry *e)
{
	struct entry *former = map_put(&t->entries, key_of(e), e);
	struct entry *tombstone = map_get(&t->tombstones, key_of(e));

	if (former)
		e->is_in_file = former->is_in_file;
	if (tombstone)
		e->is_in_file = true;
	if (former)
		entry_free(former);
	else
		t->n++;
	if (tombstone)
		forget_tombstone(t, tombstone);
	list_push_front(&t->used, &e->used);
	while (t->n > t->max)
		drop(t, oldest(t));
}

bool table_get(struct table *t, struct str key, struct str *value, struct wall *expires)
{
	struct entry *e = map_get(&t->entries, key);

	if (!e)
		return false;
	if (is_expired(e)) {
		drop_expired(t, e);
		return false;
	}
	link_remove(&e->used);
	list_push_front(&t->used, &e->used);
	if (value)
		*value = value_of(e);
	if (expires)
		*expires = e->expires;
	return true;
}

bool table_put(struct table *t, struct str key, struct str value, struct wall expires)
{
	struct entry *e;

	if (key.n > KEY_MAX || value.n > VALUE_MAX)
		return false;
	e = entry_new(key, value, expires);
	put_entry(t, e);
	mark_dirty(t, e);
	return true;
}

void table_remove(struct table *t, struct str key)
{
	struct entry *e = map_get(&t->entries, key);

	if (e)
		drop(t, e);
}

void table_each(struct table *t, struct str prefix,
                void (*fn)(void *arg, struct str key, struct str value, struct wall expires), void *arg)
{
	list_each(it, &t->used) {
		const struct entry *e = container_of(it, struct entry, used);
		if (str_starts(key_of(e), prefix) && !is_expired(e))
			fn(arg, key_of(e), value_of(e), e->expires);
	}
}

size_t table_count(const struct table *t)
{
	return t->n;
}

/* --- writing behind --- */

/* Rows as bytes, one after the other: head, key, value. */
struct row_head {
	bool is_gone;
	uint32_t key_n, value_n;
	int64_t expires;
};
struct table_job {
	struct job job;
	char name[NAME_MAX_BYTES];
	struct buf rows;
	int64_t sweep_before; /* 0: no sweep */
};

static bool next_row(struct str *rest, struct row_head *head, struct str *key, struct str *value)
{
	if (rest->n == 0)
		return false;
	memcpy(head, rest->p, sizeof(*head));
	*rest = str_skip(*rest, sizeof(*head));
	*key = str_slice(*rest, 0, head->key_n);
	*value = str_slice(*rest, head->key_n, (size_t)head->key_n + head->value_n);
	*rest = str_skip(*rest, (size_t)head->key_n + head->value_n);
	return true;
}

static int write_row(sqlite3_stmt *put, sqlite3_stmt *remove, const struct row_head *head, struct str key,
                     struct str value)
{
	sqlite3_stmt *s = head->is_gone ? remove : put;

	db_bind_blob(s, 1, key);
	if (!head->is_gone) {
		db_bind_blob(s, 2, value);
		sqlite3_bind_int64(s, 3, head->expires);
	}
	return db_run(s);
}

static int sweep(sqlite3 *handle, const struct table_job *j)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	         "DELETE FROM kv_%s WHERE key IN (SELECT key FROM kv_%s WHERE expires < %lld LIMIT %d)", j->name,
	         j->name, (long long)j->sweep_before, SWEEP_ROWS_MAX);
	return db_exec(handle, sql);
}

static int write_table(sqlite3 *handle, struct job *job)
{
	struct table_job *j = container_of(job, struct table_job, job);
	sqlite3_stmt *put = NULL, *remove = NULL;
	struct str rest = buf_view(&j->rows), key, value;
	struct row_head head;
	char sql[128];
	int rc;

	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO kv_%s VALUES(?,?,?)", j->name);
	rc = sqlite3_prepare_v2(handle, sql, -1, &put, NULL);
	snprintf(sql, sizeof(sql), "DELETE FROM kv_%s WHERE key=?", j->name);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(handle, sql, -1, &remove, NULL);
	while (rc == SQLITE_OK && next_row(&rest, &head, &key, &value))
		rc = write_row(put, remove, &head, key, value);
	if (rc == SQLITE_OK && j->sweep_before != 0)
		rc = sweep(handle, j);
	sqlite3_finalize(put);
	sqlite3_finalize(remove);
	return rc;
}

static void free_job(struct job *job)
{
	struct table_job *j = container_of(job, struct table_job, job);

	buf_done(&j->rows);
	free(j);
}

static void add_row(struct table_job *j, const struct entry *e, bool is_gone)
{
	struct row_head head;

	memset(&head, 0, sizeof(head)); /* padding too: the bytes travel */
	head.is_gone = is_gone;
	head.key_n = e->key_n;
	head.value_n = e->value_n;
	head.expires = e->expires.us;
	buf_add(&j->rows, &head, sizeof(head));
	buf_add(&j->rows, e->bytes, (size_t)e->key_n + e->value_n);
}

/* Entries at the cold end that have expired: a few at each write, so that they do not crowd out live ones. */
static void drop_some_expired(struct table *t)
{
	for (int i = 0; i < 100 && t->n > 0 && is_expired(oldest(t)); i++)
		drop_expired(t, oldest(t));
}

static struct job *collect(struct source *source)
{
	struct table *t = container_of(source, struct table, source);
	struct table_job *j;
	struct link *it;

	drop_some_expired(t);
	if (list_is_empty(&t->dirty) && list_is_empty(&t->gone))
		return NULL;
	j = mem_new(struct table_job);
	j->job = (struct job){.write = write_table, .free = free_job};
	memcpy(j->name, t->name, sizeof(j->name));
	buf_init(&j->rows, JOB_BYTES_MAX + KEY_MAX + VALUE_MAX + sizeof(struct row_head));
	for (int rows = 0; rows < ROWS_MAX && j->rows.n < JOB_BYTES_MAX; rows++) {
		if ((it = list_first(&t->gone))) {
			struct entry *e = container_of(it, struct entry, used);
			add_row(j, e, true);
			forget_tombstone(t, e);
		} else if ((it = list_pop_front(&t->dirty))) {
			struct entry *e = container_of(it, struct entry, dirty);
			e->is_in_file = true;
			add_row(j, e, false);
		} else {
			break;
		}
	}
	assert(buf_ok(&j->rows));
	if (rt_now() >= t->sweep_at) {
		t->sweep_at = rt_now() + SWEEP_EVERY;
		j->sweep_before = rt_wall().us;
	}
	return &j->job;
}

static void settle(struct source *source, struct job *job, bool is_written)
{
	struct table *t = container_of(source, struct table, source);
	struct table_job *j = container_of(job, struct table_job, job);
	struct str rest = buf_view(&j->rows), key, value;
	struct row_head head;

	while (!is_written && next_row(&rest, &head, &key, &value)) {
		struct entry *e = map_get(&t->entries, key);
		if (e)
			mark_dirty(t, e);
		else
			add_tombstone(t, key);
	}
}

static void forget_tombstones(struct table *t)
{
	struct link *it;

	while ((it = list_first(&t->gone)))
		forget_tombstone(t, container_of(it, struct entry, used));
}

static void rewrite(struct source *source)
{
	struct table *t = container_of(source, struct table, source);

	forget_tombstones(t);
	list_each(it, &t->used)
		mark_dirty(t, container_of(it, struct entry, used));
}

static void table_free(struct source *source)
{
	struct table *t = container_of(source, struct table, source);

	forget_tombstones(t);
	list_each(it, &t->used)
		entry_free(container_of(it, struct entry, used));
	map_done(&t->entries);
	map_done(&t->tombstones);
	free(t);
}

/* --- opening --- */

struct loading {
	struct table *table;
	struct db *db;
	struct err err;
	bool is_fine;
};

static void clear(struct table *t)
{
	list_each(it, &t->used) {
		struct entry *e = container_of(it, struct entry, used);
		map_remove(&t->entries, key_of(e));
		entry_free(e);
	}
	t->n = 0;
}

/* Those that live longest, should the file hold more than fit. Whether one has expired is seen when it is
 * asked for: the clock of the runtime may not run yet. */
static int load_rows(sqlite3 *handle, void *arg)
{
	struct table *t = arg;
	sqlite3_stmt *s;
	char sql[160];
	int rc;

	clear(t);
	snprintf(sql, sizeof(sql), "SELECT key, value, expires FROM kv_%s ORDER BY expires DESC LIMIT %zu", t->name,
	         t->max);
	rc = sqlite3_prepare_v2(handle, sql, -1, &s, NULL);
	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct str key = db_column(s, 0), value = db_column(s, 1);
		if (key.n > KEY_MAX || value.n > VALUE_MAX || map_get(&t->entries, key))
			continue;
		struct entry *e = entry_new(key, value, (struct wall){sqlite3_column_int64(s, 2)});
		e->is_in_file = true;
		map_put(&t->entries, key, e);
		list_push_back(&t->used, &e->used);
		t->n++;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void load(void *arg)
{
	struct loading *l = arg;
	char sql[384];
	bool was_reset = false;

	snprintf(sql, sizeof(sql),
	         "CREATE TABLE IF NOT EXISTS kv_%s(key BLOB PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL)"
	         " WITHOUT ROWID; CREATE INDEX IF NOT EXISTS kv_%s_expires ON kv_%s(expires)",
	         l->table->name, l->table->name, l->table->name);
	l->is_fine = db_schema(l->db, sql, &l->err) &&
	             db_transact(l->db, load_rows, l->table, &was_reset, &l->err);
}

static bool is_good_name(const char *name)
{
	return name[0] && strlen(name) < NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name);
}

static struct table *table_new(struct store *s, const char *name, size_t max)
{
	struct table *t = mem_new(struct table);

	t->store = s;
	t->max = max;
	t->is_kept = store_is_kept(s);
	snprintf(t->name, sizeof(t->name), "%s", name);
	map_init(&t->entries);
	map_init(&t->tombstones);
	list_init(&t->used);
	list_init(&t->dirty);
	list_init(&t->gone);
	t->source = (struct source){.collect = collect, .settle = settle, .rewrite = rewrite, .free = table_free};
	return t;
}

struct table *store_table(struct store *s, const char *name, size_t max, struct err *err)
{
	struct table *t;
	struct loading l = {.is_fine = true};

	assert(is_good_name(name) && max > 0);
	t = table_new(s, name, max);
	if (t->is_kept) {
		l.table = t;
		l.db = store_db(s, err);
		db_aside(load, &l);
	}
	if (!l.is_fine) {
		*err = l.err;
		table_free(&t->source);
		return NULL;
	}
	store_add(s, &t->source);
	return t;
}
