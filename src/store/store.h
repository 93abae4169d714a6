/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside a store: sources hand over what is to be written as jobs, the writer writes the jobs of all sources
 * in one transaction in the pool. A job owns copies of everything it writes, so that it can outlive both the
 * fiber that sent it and the store itself.
 */
#pragma once

#include "store/sqlite.h"
#include "store/table.h"

struct job {
	struct job *next;
	struct source *source;
	int (*write)(sqlite3 *handle, struct job *job); /* in the pool; maybe twice: the file began anew */
	/* In the pool, once it is written for good: lets go of what nobody needs any more, so that the loop thread need not. */
	void (*written)(struct job *job);
	void (*free)(struct job *job);
};

/* Part of a table, or of the history; all on the loop thread. */
struct source {
	struct link link;
	/* Takes a bounded part of what is to be written; NULL: nothing is. */
	struct job *(*collect)(struct source *source);
	/* The job was written, or it was not and must come again. */
	void (*settle)(struct source *source, struct job *job, bool is_written);
	/* The file began anew: everything must come again. */
	void (*rewrite)(struct source *source);
	void (*free)(struct source *source);
};

void store_add(struct store *s, struct source *source);
/* There is something to collect. */
void store_wake(struct store *s);
/* Whether what is put survives a restart; false for memory only. */
bool store_is_kept(const struct store *s);
/* The file; for a store in memory only a database in memory, made at the first call. Borrowed. */
struct db *store_db(struct store *s, struct err *err);
