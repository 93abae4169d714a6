/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate counts. */
#pragma once

#include "base/metric.h"
#include "cause/cause.h"
#include "trail/trail.h"

struct gate_metrics {
	struct metric *sessions, *sessions_open, *turned_away;
	struct metric *transactions[VERDICT_REJECT + 1]; /* by verdict; NONE: given up by the client */
	struct metric *replies[CAUSE_COUNT];             /* 4xx and 5xx by cause */
	struct metric *held, *hold_seconds;
	struct metric *sender_refused, *refused_then_accepted, *would_refuse;
	struct metric *memory, *received_bytes, *tls_sessions;
};
void gate_metrics_init(struct gate_metrics *m);
