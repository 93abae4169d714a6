/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small state with expiry: a bounded table in memory, written behind to SQLite (WAL, at most 1 s late).
 *
 * What is here can be learned again: losing it costs time, never mail. Reading never waits and never
 * touches the disk. When the table is full the least recently used goes first. At start what is in the file
 * is loaded; a damaged file is set aside (`name.damaged-<time>`), a new one begins, one log line says so.
 * Keys up to 512 bytes, values up to 16 KiB; longer ones are refused (false).
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "rt/rt.h"

struct store; /* one SQLite file, many tables */
struct table;

/* dir NULL: memory only (command line, fake backend). Opening reads the file: at start only. */
struct store *store_open(const char *dir, const char *file, struct err *err); /* both are copied */
/* Writes what is outstanding and frees all tables. Accepts NULL. */
WAITS void store_close(struct store *s);
/* For each store there is one writer fiber in this group; call once after the runtime runs. */
bool store_start(struct store *s, struct group *root, struct err *err);
/* Writes now what is outstanding. False: the file could not be written (memory is right all the same), or
 * the fiber was called off. */
WAITS bool store_flush(struct store *s, struct err *err);

/* name: letters and '_'; literal. max: entries. Entries already expired at load are skipped. */
struct table *store_table(struct store *s, const char *name, size_t max, struct err *err);
/* *value is valid until the next call on this table; value and expires may be NULL. Expired entries are
 * not there. */
bool table_get(struct table *t, struct str key, struct str *value, struct wall *expires);
bool table_put(struct table *t, struct str key, struct str value, struct wall expires);
void table_remove(struct table *t, struct str key);
/* Each live entry whose key starts with prefix; fn may remove the entry it is given. Cost: a walk of all. */
void table_each(struct table *t, struct str prefix,
                void (*fn)(void *arg, struct str key, struct str value, struct wall expires), void *arg);
size_t table_count(const struct table *t); /* expired ones that nobody asked for since are among them */
