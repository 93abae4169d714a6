/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens, checks, sets aside and serializes one SQLite file. */
#include "store/sqlite.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite_inside.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA_VERSION 1
/* Checking reads the whole file. Beyond this size damage is noticed when it is met, which heals as well. */
#define CHECK_BYTES_MAX ((off_t)256 * 1024 * 1024)
#define PATH_BYTES_MAX  ((size_t)8192)
#define BUSY_MS         10000 /* the old process of a restart may still be closing */

struct db {
	pthread_mutex_t lock;
	char *path; /* NULL: in memory */
	sqlite3 *handle; /* NULL after a failed healing: the next transaction tries again */
	struct buf schema;
	atomic_int refs;
	atomic_int pending;
};

/* --- small words --- */

int db_exec(sqlite3 *handle, const char *sql)
{
	return sqlite3_exec(handle, sql, NULL, NULL, NULL);
}

void db_bind_blob(sqlite3_stmt *s, int at, struct str bytes)
{
	sqlite3_bind_blob64(s, at, bytes.n ? bytes.p : "", bytes.n, SQLITE_STATIC);
}

void db_bind_text(sqlite3_stmt *s, int at, struct str text)
{
	sqlite3_bind_text64(s, at, text.n ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

struct str db_column(sqlite3_stmt *s, int at)
{
	const char *p = sqlite3_column_blob(s, at);
	return (struct str){p, (size_t)sqlite3_column_bytes(s, at)};
}

int db_run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	return sqlite3_reset(s);
}

/* Not the machine's doing and not a lack of room: the file itself is wrong. */
static bool is_damage(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_ERROR: /* our statements are right: the tables are not what they should be */
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return true;
	default:
		return false;
	}
}

/* --- opening --- */

static int open_handle(struct db *db)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(db->path ? db->path : ":memory:", &db->handle, flags,
	                         db->path ? db_files() : NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	db_gives_way(db->handle);
	/* Exclusive: no other process, and the WAL index in memory of our own instead of a mapped file that
	 * somebody could cut short under us. 8 MB of pages: most of what one batch touches. Checkpoints of 1 MB:
	 * the sync of a larger one holds a processor for milliseconds inside the kernel. */
	return db_exec(db->handle, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
	                           "PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;"
	                           "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;"
	                           "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=250;");
}

static int check_pages(struct db *db)
{
	sqlite3_stmt *s;
	struct stat st;
	int rc;

	if (!db->path || stat(db->path, &st) != 0 || st.st_size > CHECK_BYTES_MAX)
		return SQLITE_OK;
	rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		rc = str_eq(db_column(s, 0), STR("ok")) ? SQLITE_OK : SQLITE_CORRUPT;
	else if (rc == SQLITE_DONE)
		rc = SQLITE_CORRUPT;
	sqlite3_finalize(s);
	return rc;
}

/* A file of another program, or of a later version of this one, is not ours to write into. */
static int check_version(struct db *db)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &s, NULL), version = 0;

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
	if (version == SCHEMA_VERSION)
		return SQLITE_OK;
	return version == 0 ? db_exec(db->handle, "PRAGMA user_version=1") : SQLITE_NOTADB;
}

static int open_checked(struct db *db)
{
	int rc = open_handle(db);

	if (rc == SQLITE_OK)
		rc = check_pages(db);
	if (rc == SQLITE_OK)
		rc = check_version(db);
	if (rc == SQLITE_OK && db->schema.n > 0)
		rc = db_exec(db->handle, db->schema.p);
	return rc;
}

static void close_handle(struct db *db)
{
	sqlite3_close_v2(db->handle);
	db->handle = NULL;
}

static void move_aside(const struct db *db, const char *suffix, const char *mark)
{
	auto_buf struct buf from, to;

	buf_init(&from, PATH_BYTES_MAX);
	buf_init(&to, PATH_BYTES_MAX);
	buf_printf(&from, "%s%s", db->path, suffix);
	buf_printf(&to, "%s.damaged-%s%s", db->path, mark, suffix);
	buf_char(&from, '\0');
	buf_char(&to, '\0');
	/* When it cannot be moved it goes: a journal of the old file must not be applied to the new one. */
	if (!buf_ok(&from) || !buf_ok(&to) || rename(from.p, to.p) != 0)
		unlink(from.p);
}

/* Moved before it is closed: closing would fold the WAL into the file and hide how it was found. */
static void set_aside(struct db *db, int why)
{
	char mark[64];

	if (db->path) {
		snprintf(mark, sizeof(mark), "%lld-%u", (long long)time(NULL), (unsigned)getpid());
		move_aside(db, "", mark);
		move_aside(db, "-wal", mark);
		move_aside(db, "-shm", mark);
		log_event(LOG_ERROR_, "store_damaged", LOG_C("file", db->path), LOG_C("why", sqlite3_errstr(why)),
		          LOG_C("set_aside_as", mark));
	}
	close_handle(db);
}

static int open_or_begin_anew(struct db *db, bool *was_reset)
{
	int rc = open_checked(db);

	if (is_damage(rc)) {
		set_aside(db, rc);
		*was_reset = true;
		rc = open_checked(db);
	}
	if (rc != SQLITE_OK)
		close_handle(db);
	return rc;
}

static bool fail(const struct db *db, int rc, struct err *err)
{
	const char *where = db->path ? db->path : "memory";

	if ((rc & 0xff) == SQLITE_BUSY)
		return err_temp(err, CAUSE_STORAGE, "%s is in use by another process", where);
	return err_temp(err, CAUSE_STORAGE, "%s: %s", where, sqlite3_errstr(rc));
}

struct opening {
	struct db *db;
	int rc;
};

static void open_in_thread(void *arg)
{
	struct opening *o = arg;
	bool was_reset = false;

	o->rc = open_or_begin_anew(o->db, &was_reset);
}

struct db *db_open(const char *path, struct err *err)
{
	struct db *db = mem_new(struct db);
	struct opening o = {.db = db};

	pthread_mutex_init(&db->lock, NULL);
	atomic_init(&db->refs, 1);
	buf_init(&db->schema, 65536);
	db->path = path ? mem_cstr(str_from(path)) : NULL;
	db_aside(open_in_thread, &o);
	if (o.rc == SQLITE_OK)
		return db;
	fail(db, o.rc, err);
	db_unref(db);
	return NULL;
}

struct db *db_ref(struct db *db)
{
	atomic_fetch_add(&db->refs, 1);
	return db;
}

void db_unref(struct db *db)
{
	if (!db || atomic_fetch_sub(&db->refs, 1) > 1)
		return;
	close_handle(db);
	buf_done(&db->schema);
	pthread_mutex_destroy(&db->lock);
	free(db->path);
	free(db);
}

/* --- working --- */

static int transact(struct db *db, int (*fn)(sqlite3 *handle, void *arg), void *arg)
{
	int rc = db_exec(db->handle, "BEGIN IMMEDIATE");

	if (rc == SQLITE_OK)
		rc = fn(db->handle, arg);
	if (rc == SQLITE_OK)
		rc = db_exec(db->handle, "COMMIT");
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(db->handle))
		db_exec(db->handle, "ROLLBACK");
	return rc;
}

bool db_transact(struct db *db, int (*fn)(sqlite3 *handle, void *arg), void *arg, bool *was_reset,
                 struct err *err)
{
	bool is_new = false;
	int rc = SQLITE_OK;

	pthread_mutex_lock(&db->lock);
	if (!db->handle)
		rc = open_or_begin_anew(db, &is_new);
	if (rc == SQLITE_OK)
		rc = transact(db, fn, arg);
	if (is_damage(rc) && !is_new) {
		set_aside(db, rc);
		is_new = true;
		rc = open_or_begin_anew(db, &is_new);
		if (rc == SQLITE_OK)
			rc = transact(db, fn, arg);
	}
	pthread_mutex_unlock(&db->lock);
	if (was_reset)
		*was_reset = is_new;
	return rc == SQLITE_OK || fail(db, rc, err);
}

static int run_sql(sqlite3 *handle, void *arg)
{
	return db_exec(handle, arg);
}

bool db_schema(struct db *db, const char *sql, struct err *err)
{
	bool is_made;
	char *copy = mem_cstr(str_from(sql));

	is_made = db_transact(db, run_sql, copy, NULL, err);
	pthread_mutex_lock(&db->lock);
	/* Kept with its NUL behind it, which is not counted. */
	buf_str(&db->schema, str_from(sql));
	buf_str(&db->schema, STR(";\0"));
	db->schema.n--;
	assert(buf_ok(&db->schema));
	pthread_mutex_unlock(&db->lock);
	free(copy);
	return is_made;
}

void db_sent(struct db *db)
{
	atomic_fetch_add(&db->pending, 1);
}

void db_ended(struct db *db)
{
	int before = atomic_fetch_sub(&db->pending, 1);
	assert(before > 0);
}

int db_pending(const struct db *db)
{
	return atomic_load(&db->pending);
}

/* --- a thread for a moment --- */

struct aside {
	void (*fn)(void *arg);
	void *arg;
};

static void *aside_main(void *arg)
{
	struct aside *a = arg;
	a->fn(a->arg);
	return NULL;
}

void db_aside(void (*fn)(void *arg), void *arg)
{
	struct aside a = {fn, arg};
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, aside_main, &a) != 0)
		abort(); /* at start, or at the very end when nothing is lost by it */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_join(thread, NULL);
}
