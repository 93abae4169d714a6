/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives way. A kernel that does not preempt lets a thread run to its tick, milliseconds, whoever waits for the processor;
 * and what we write, sweep and search is long. So who waits goes first every tenth of a millisecond: between steps of
 * SQLite's machine, and between the writes of a commit or a checkpoint, which are no steps. For that the system's way of
 * writing a file is wrapped; everything else of its files stays. Not more often: a scheduler punishes who yields.
 */
#include "store/sqlite_inside.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define STEPS   100 /* some five rows written; then it looks at the clock */
#define TURN_NS 100000

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int give_way(void *arg)
{
	static _Thread_local int64_t began;

	if (now_ns() - began >= TURN_NS) {
		(void)sched_yield();
		began = now_ns();
	}
	return 0; /* go on */
}

void db_gives_way(sqlite3 *handle)
{
	sqlite3_progress_handler(handle, STEPS, give_way, NULL);
}

/* --- files --- */

/* What the system does with a kind of file (databases are locked, journals are not), and ours beside it. */
struct kind {
	_Atomic(const sqlite3_io_methods *) system; /* NULL: free */
	sqlite3_io_methods own;
};
static struct kind kinds[4];
static pthread_mutex_t kinds_lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs files, *system_files;

static int write_file(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
	const struct kind *k = (const struct kind *)((const char *)f->pMethods - offsetof(struct kind, own));
	int rc = k->system->xWrite(f, bytes, n, at);

	give_way(NULL);
	return rc;
}

static void learn(struct kind *k, const sqlite3_io_methods *system)
{
	k->own = *system;
	k->own.xWrite = write_file;
	k->system = system;
}

/* NULL: one too many, which is served as the system does. */
static struct kind *kind_of(const sqlite3_io_methods *system)
{
	struct kind *found = NULL;

	pthread_mutex_lock(&kinds_lock);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !found; i++) {
		if (!kinds[i].system)
			learn(&kinds[i], system);
		if (kinds[i].system == system)
			found = &kinds[i];
	}
	pthread_mutex_unlock(&kinds_lock);
	return found;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	int rc = system_files->xOpen(system_files, name, f, flags, flags_out);
	struct kind *k = rc == SQLITE_OK && f->pMethods ? kind_of(f->pMethods) : NULL;

	if (k)
		f->pMethods = &k->own;
	return rc;
}

static void register_files(void)
{
	system_files = sqlite3_vfs_find(NULL);
	files = *system_files;
	files.zName = "postern";
	files.xOpen = open_file;
	sqlite3_vfs_register(&files, 0);
}

const char *db_files(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_files);
	return files.zName;
}
