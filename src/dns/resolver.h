/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the resolver: one flight for each question under way, however many ask it. A back end is asked
 * once for a flight and lands it exactly once, at once or later, from the loop thread. Flights belong to
 * the resolver and not to who asked: an asker that runs out of time leaves, its retry finds the answer.
 */
#pragma once

#include "base/list.h"
#include "dns/answer.h"
#include "dns/cache.h"

struct flight {
	struct resolver *resolver;
	struct dns_answer *answer; /* to be filled; name and type say what is asked */
	struct ticket *ticket;
	usec_t begun;
	usec_t until;              /* the back end lands by then, with TEMPORARY "timed out" if need be */
	struct link link;          /* the back end's */
	int handle;                /* the back end's */
};

struct resolver_backend {
	/* NULL where each answer takes its time. Fills the answer without a flight; false: it is thrown away, and `ask` follows. */
	bool (*answer)(void *self, struct dns_answer *a);
	void (*ask)(void *self, struct flight *f);
	/* Its fibers have ended; afterwards the resolver lands what is left. */
	void (*close)(void *self);
};

/* Takes `self`. Never fails. */
struct resolver *resolver_new(const struct dns_conf *conf, const struct resolver_backend *backend,
                              void *self);
/* f->answer is complete: caps its TTL, caches it, wakes who waits, frees f. */
void flight_land(struct flight *f);
void flight_time_out(struct flight *f);
/* The group for the back end's fibers; resolver_close ends it before backend->close is called. */
struct group *resolver_group(struct resolver *r);
usec_t resolver_timeout(const struct resolver *r);
