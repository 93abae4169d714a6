/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that the spool asks of a disk, as one small table of functions.
 *
 * `spool_io_posix` is the real one. The test double in io_sim.h records writes and syncs and makes crash
 * images of them, and fails any call it is told to. Results are 0 or a count, or -errno. All calls may block
 * and may come from any thread; two threads never use one descriptor for writing at a time.
 *
 * Each sync names its site. The sites are the spool's whole argument for durability: README.md says what
 * each of them promises, and crash_test proves that none can be left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum spool_sync {
	SYNC_PARENT_DIR,     /* the spool's own directory, when it was made */
	SYNC_ROOT_DIR,       /* the folders inside it */
	SYNC_RECOVER_DATA,   /* what a killed process wrote and did not sync, before it is believed */
	SYNC_RECOVER_DIR,    /* what it unlinked or renamed */
	SYNC_SEGMENT_HEADER, /* a new segment, before it gets its name */
	SYNC_SEGMENT_DIR,    /* its name, before the first record */
	SYNC_BATCH,          /* records that somebody waits for */
	SYNC_NOTES,          /* records that nobody waits for, at most a second later */
	SYNC_COMPACT,        /* survivors copied forward, before their old segment goes */
	SYNC_AMENDS,         /* cancel records after a failed sync, before the 451 */
	SYNC_ROLL,           /* a full segment, before the next one states where it ends */
	SYNC_CLOSE,          /* everything, before the lock is let go */
	SYNC_RECLAIM_DIR,    /* an unlinked segment, before the next one is */
	SYNC_DAMAGED_DIR,    /* the name of a damaged segment under damaged/, before its old name goes */
	SYNC_LARGE_FILE,     /* a body with a file of its own, before its record */
	SYNC_LARGE_DIR,      /* the name of that file, before its record */
	SYNC_SITES
};
const char *spool_sync_name(enum spool_sync site);

enum spool_open {
	SPOOL_OPEN_READ,
	SPOOL_OPEN_WRITE,  /* both ways, must exist */
	SPOOL_OPEN_CREATE, /* both ways, must not exist */
	SPOOL_OPEN_LOCK,   /* both ways, made if need be */
};

struct spool_space {
	uint64_t bytes, inodes; /* free for us; a file system without inodes says UINT64_MAX */
};

struct spool_io {
	void *self;
	/* The directory `name` below `at` (-1: the path as given). With `created`, it is made if need be and
	 * *created tells so; without, it must exist. */
	int (*open_dir)(void *self, int at, const char *name, bool *created);
	int (*open_file)(void *self, int dir, const char *name, enum spool_open how);
	void (*close)(void *self, int fd);
	/* May write less than asked, never 0. */
	int64_t (*write)(void *self, int fd, const struct iovec *v, int n, uint64_t at);
	/* Less than asked only at the end of the file. Not may_wait: -EAGAIN when the disk would be needed. */
	int64_t (*read)(void *self, int fd, void *out, size_t n, uint64_t at, bool may_wait);
	int (*allocate)(void *self, int fd, uint64_t size); /* the file has this size afterwards */
	int (*truncate)(void *self, int fd, uint64_t size);
	int (*sync)(void *self, int fd, enum spool_sync site);
	int (*sync_dir)(void *self, int dir, enum spool_sync site);
	/* Lets go of what memory holds of a synced file, so that reading it asks the disk. */
	void (*forget)(void *self, int fd);
	int (*rename)(void *self, int from, const char *name, int to, const char *new_name);
	int (*unlink)(void *self, int dir, const char *name);
	/* Names without "." and "..", in no order; `each` must not change the directory. */
	int (*list)(void *self, int dir, void (*each)(void *arg, const char *name), void *arg);
	int (*size)(void *self, int fd, uint64_t *out);
	int (*lock)(void *self, int fd); /* exclusive, until closed; -EWOULDBLOCK: somebody else has it */
	int (*space)(void *self, int dir, struct spool_space *out);
};

extern const struct spool_io spool_io_posix;

/* All of it or an error; *written (may be NULL) tells how far it got. Changes v. */
int io_write_all(const struct spool_io *io, int fd, struct iovec *v, int n, uint64_t at,
                 uint64_t *written);
/* Exactly n bytes, or -EIO where the file ends before. */
int io_read_all(const struct spool_io *io, int fd, void *out, size_t n, uint64_t at);
