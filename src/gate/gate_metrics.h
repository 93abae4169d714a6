/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate counts. */
#pragma once

#include "base/metric.h"
#include "cause/cause.h"
#include "trail/trail.h"

#define GATE_POLICY_ACTIONS 4

struct gate_metrics {
	struct metric *sessions, *sessions_open, *turned_away;
	struct metric *transactions[VERDICT_REJECT + 1]; /* by verdict; NONE: given up by the client */
	struct metric *replies[CAUSE_COUNT];             /* 4xx and 5xx by cause */
	struct metric *held, *hold_seconds;
	struct metric *sender_refused, *refused_then_accepted, *would_refuse;
	struct metric *memory, *received_bytes, *tls_sessions;
	struct metric *policy_connections, *policy_closed, *policy_seconds;
	struct metric *policy_requests[GATE_POLICY_ACTIONS];     /* by enum policy_action */
	struct metric *policy_messages[VERDICT_REJECT + 1];      /* by verdict */
};
void gate_metrics_init(struct gate_metrics *m);
