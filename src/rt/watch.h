/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readiness of one descriptor (or end of a pipe in memory), with at most one fiber reading and one
 * writing.
 *
 * Descriptors are watched edge-triggered from their first to their last day: one system call for
 * each connection where starting and stopping level-triggered polls would cost two for each wait.
 * So the rule is: try first, and wait only after EAGAIN. `is_readable` remembers between edges
 * whether a try is worth its call.
 */
#pragma once

#include "base/err.h"
#include "rt/rt.h"

enum { IO_IN = 1, IO_OUT = 2 };
enum watch_side { SIDE_READ, SIDE_WRITE };

struct fiber;
struct watch {
	struct fiber *fiber[2]; /* by side */
	int fd;			/* -1: in memory */
	uint8_t wants[2];	/* what each waits for: TLS may read in order to write */
	bool is_readable;
	bool is_hung_up; /* the peer will send no more: reading always tells something */
	bool is_once;
};

void watch_init(struct watch *w, int fd);
/* Until one of `events` has come after the last try; *elapsed as in fiber_park. */
WAITS bool watch_wait(struct watch *w, enum watch_side side, int events, usec_t until,
		      bool *elapsed, const char *label, struct err *err);
void watch_ready(struct watch *w, int events, bool is_hung_up);
bool watch_is_idle(const struct watch *w); /* nobody waits */
