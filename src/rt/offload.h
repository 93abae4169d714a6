/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of rt_offload: jobs, and the pool of threads that the real backend gives them to. */
#pragma once

#include "rt/runtime.h"

struct offload {
	struct post done;     /* back on the loop thread */
	struct offload *next; /* in the pool's queue */
	void (*fn)(void *arg);
	void *arg;
	void (*drop)(void *arg);
	struct fiber *fiber; /* who waits; NULL: has left */
	bool is_done, is_behind;
};

bool offload_open(struct runtime *rt, int threads, struct err *err);
/* Waits for the work that has begun or is queued: what was accepted is done. */
void offload_close(struct runtime *rt);
/* The real backend's way: a thread of the pool. */
void offload_to_pool(struct runtime *rt, struct offload *job);
