/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SQLite file that heals: WAL, one connection under one lock, locked against other processes. A file
 * that turns out to be damaged, at opening or later, is set aside with one log line and an empty one begins.
 * Everything here blocks: call it from the pool, or through `db_aside` at start and stop.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <sqlite3.h>

struct db;

/* path NULL: in memory. Failure: the directory cannot be written, or another process has the file. */
struct db *db_open(const char *path, struct err *err);
struct db *db_ref(struct db *db); /* from any thread */
void db_unref(struct db *db);     /* the last one closes; accepts NULL */

/* Statements that make what is missing; remembered for the file that may have to begin anew. */
bool db_schema(struct db *db, const char *sql, struct err *err);
/* Runs fn in a transaction. fn returns a result code of SQLite; anything but SQLITE_OK rolls back. When the
 * file was damaged it is set aside, fn runs once more in the new one and *was_reset is set (may be NULL). */
bool db_transact(struct db *db, int (*fn)(sqlite3 *handle, void *arg), void *arg, bool *was_reset,
                 struct err *err);

/* Transactions that were sent to the pool and have not ended, those included whose sender has gone. Who
 * wants order sends the next when none is left. From any thread. */
void db_sent(struct db *db);
void db_ended(struct db *db);
int db_pending(const struct db *db);

/* Runs fn(arg) on a thread of its own and waits for it, blocking: SQLite's stack is not a fiber's. */
void db_aside(void (*fn)(void *arg), void *arg);

/* --- for those who write statements --- */
int db_exec(sqlite3 *handle, const char *sql);
void db_bind_blob(sqlite3_stmt *s, int at, struct str bytes); /* borrowed until the statement is reset */
void db_bind_text(sqlite3_stmt *s, int at, struct str text);
struct str db_column(sqlite3_stmt *s, int at); /* valid until the next step */
/* Steps a statement that gives no rows, resets it: SQLITE_OK or what went wrong. */
int db_run(sqlite3_stmt *s);
