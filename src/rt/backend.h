/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the scheduler asks of the outside world: libuv and the kernel, or a world that is made up.
 */
#pragma once

#include "base/conf_row.h"
#include "rt/runtime.h"
#include "rt/stream.h"
#include "rt/watch.h"

struct backend {
	bool (*open)(struct runtime *rt, struct err *err);
	void (*close)(struct runtime *rt);
	/* Takes what has arrived: readiness, posts, the time. May sleep until the next timer if no
	 * fiber is runnable. */
	void (*poll)(struct runtime *rt, bool is_busy, usec_t next_timer);
	/* From any thread, after a post went into an empty queue; post_lock is held. */
	void (*kick)(struct runtime *rt);
	/* Arranges for the order in which the runnable fibers run. */
	void (*order)(struct runtime *rt);
	struct wall (*wall)(struct runtime *rt);

	/* Starts edge-triggered events for w->fd; watch_ready is called for each. `is_once`: level,
	 * once. */
	bool (*watch_add)(struct runtime *rt, struct watch *w, int events, bool is_once,
			  struct err *err);
	void (*watch_remove)(struct runtime *rt, struct watch *w);
	WAITS bool (*wait_signal)(struct runtime *rt, const int *signals, int n, int *got,
				  struct err *err);

	WAITS struct stream *(*dial)(const struct dial *dial, struct err *err);
	struct listener *(*listen)(const struct conf_addr *at, struct err *err);
	/* Runs fn(arg) elsewhere and posts `done` afterwards. */
	void (*offload)(struct runtime *rt, struct offload *job);
};

extern const struct backend backend_uv, backend_fake;
