/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the gate share and nobody else sees. */
#pragma once

#include "base/bucket.h"
#include "gate/evidence_memo.h"
#include "gate/gate.h"
#include "gate/gate_metrics.h"
#include "gate/heard.h"
#include "gate/settings.h"
#include "policy/client_limits.h"

struct door;
struct policy_door;

struct gate {
	struct settings *now;        /* of sessions that begin */
	struct list all_settings;
	struct client_limits *clients;
	struct heard *heard;
	struct evidence_memo *memo;
	struct bucket iprev;         /* reverse names that may be asked for */
	struct gate_metrics metrics;
	struct list sessions;
	size_t n_sessions, n_transactions;
	uint64_t last_number;
	size_t memory;               /* of the bodies of all sessions */
	struct door **doors;
	size_t n_doors;
	struct policy_door *policy;
	struct group accepting, running;
	bool is_draining;
	struct cond quieter;         /* while draining: a transaction or a session has ended */
};

/* May this client have a session? Counts it in on true; else says which 421 or 451 it hears. */
bool gate_admits(struct gate *g, const struct settings *set, struct ip client, enum situation *what,
                 usec_t *retry_after);
