/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk for tests, behind the spool's table of I/O functions. It keeps two truths: what the process sees,
 * and what a power cut would leave.
 *
 * Every write, change of size and change of a directory is pending until a sync of that very file or directory. A
 * crash image takes what is durable and any part of what is pending: each sector of 512 bytes, each change of size and each
 * directory entry for itself, in no order; a rename may leave both names or none. A sync that fails makes some
 * sectors durable, forgets the rest, and claims success ever after, as Linux does; the process goes on reading what
 * it wrote, until the cache is told to forget.
 *
 * One thread. Linked into tests only.
 */
#pragma once

#include "spool/io.h"

struct sim;

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *m); /* accepts NULL */
const struct spool_io *sim_io(struct sim *m);

enum sim_call {
	SIM_OPEN_DIR, SIM_OPEN_FILE, SIM_WRITE, SIM_READ, SIM_ALLOCATE, SIM_TRUNCATE, SIM_SYNC, SIM_SYNC_DIR, SIM_RENAME,
	SIM_UNLINK, SIM_LIST, SIM_SIZE, SIM_LOCK, SIM_SPACE, SIM_CALLS
};
const char *sim_call_name(enum sim_call call);

/* --- crashes --- */

enum sim_crash {
	SIM_POWER_NOTHING, /* nothing that was pending */
	SIM_POWER_SOME,    /* some of it, drawn */
	SIM_POWER_PREFIX,  /* each file's writes up to some sector, drawn */
	SIM_POWER_ALL,     /* all of it */
};
/* Another disk, as after a power cut now. */
struct sim *sim_crash(const struct sim *m, enum sim_crash how, uint64_t seed);
/* The process dies: descriptors and locks go, the page cache stays. */
void sim_kill(struct sim *m);
/* From now on (after n more changes) every call fails and changes nothing, as if the process were dead. Until
 * sim_kill. */
void sim_freeze_after(struct sim *m, uint64_t changes);
/* The same right after the n-th call of a kind that changes something. */
void sim_freeze_after_call(struct sim *m, enum sim_call call, uint64_t n);
bool sim_is_frozen(const struct sim *m);
/* Called after each call that changed something. */
void sim_on_change(struct sim *m, void (*fn)(void *arg, struct sim *m), void *arg);
uint64_t sim_changes(const struct sim *m);
/* Syncs of this site say yes and do nothing. SYNC_SITES: none. */
void sim_skip_sync(struct sim *m, enum spool_sync site);
uint64_t sim_syncs(const struct sim *m, enum spool_sync site);

/* --- faults --- */

enum { SIM_SHORT = 1 }; /* as an error: a write that takes only a part */
/* The first-th call from now (1: the next) and `count` in all fail with -error. */
void sim_fault(struct sim *m, enum sim_call call, unsigned first, unsigned count, int error);
void sim_fault_clear(struct sim *m);
uint64_t sim_faults_met(const struct sim *m); /* since the last sim_fault */
uint64_t sim_calls(const struct sim *m, enum sim_call call);
/* Bytes that all files together may have. */
void sim_set_capacity(struct sim *m, uint64_t bytes);
/* One in so many reads that must not wait finds nothing in memory; 0: none. */
void sim_set_cold(struct sim *m, unsigned one_in);

/* --- hands on the files --- */

/* Calls `each` for every file below the directory at `path`, with its bytes, which may be changed in place. */
void sim_each_file(struct sim *m, const char *path,
                   void (*each)(void *arg, const char *name, uint8_t *bytes, size_t n), void *arg);
void sim_cut_file(struct sim *m, const char *path, const char *name, size_t n);
