/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registration of the gate's metrics. */
#include "gate/gate_metrics.h"

#include "gate/policy_messages.h"

/* The ladder around the 25 s that a client waits at the final dot. */
static const double hold_bounds[] = {0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 20, 25, 30, 60, 0};

static void policy_metrics_init(struct gate_metrics *m)
{
	m->policy_connections = metric_gauge("postern_policy_connections", NULL, NULL, "Connections of policy clients now");
	m->policy_closed = metric_counter("postern_policy_closed_total", NULL, NULL,
	                                  "Policy connections closed without an answer");
	m->policy_seconds = metric_histogram("postern_policy_seconds", "From a policy request to its answer", hold_bounds);
	for (enum policy_action a = POLICY_DUNNO; a <= POLICY_REFUSE; a++)
		m->policy_requests[a] = metric_counter("postern_policy_requests_total", "action", policy_action_name(a),
		                                       "Policy requests by their answer");
	for (enum verdict v = VERDICT_NONE; v <= VERDICT_REJECT; v++)
		m->policy_messages[v] = metric_counter("postern_policy_messages_total", "verdict", verdict_name(v),
		                                       "Messages that policy clients asked about, by verdict");
}

void gate_metrics_init(struct gate_metrics *m)
{
	policy_metrics_init(m);
	m->sessions = metric_counter("postern_sessions_total", NULL, NULL, "Sessions begun");
	m->sessions_open = metric_gauge("postern_sessions_open", NULL, NULL, "Sessions now");
	m->turned_away = metric_counter("postern_sessions_refused_total", NULL, NULL,
	                                "Sessions turned away before the banner");
	for (enum verdict v = VERDICT_NONE; v <= VERDICT_REJECT; v++)
		m->transactions[v] = metric_counter("postern_transactions_total", "verdict", verdict_name(v),
		                                    "Transactions by their end; none: given up by the client");
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		m->replies[c] = metric_counter("postern_replies_total", "cause", cause_get((enum cause_id)c)->name,
		                               "Replies of 4xx and 5xx by cause");
	m->held = metric_gauge("postern_held", NULL, NULL, "Messages now held for the verdict on their sender");
	m->hold_seconds = metric_histogram("postern_hold_seconds", "From the final dot to the verdict", hold_bounds);
	m->sender_refused = metric_counter("postern_sender_refused_total", NULL, NULL,
	                                   "Messages refused or deferred by sender verification");
	m->refused_then_accepted = metric_counter("postern_sender_refused_then_accepted_total", NULL, NULL,
	                                          "Messages accepted from a client and sender refused or deferred before");
	m->would_refuse = metric_counter("postern_sender_would_refuse_total", NULL, NULL,
	                                 "Messages that the modes observe and tag let through and enforce would refuse or defer");
	m->memory = metric_gauge("postern_message_memory_bytes", NULL, NULL,
	                         "Memory of messages being received or held");
	m->received_bytes = metric_counter("postern_received_bytes_total", NULL, NULL, "Bytes of accepted messages");
	m->tls_sessions = metric_counter("postern_tls_sessions_total", NULL, NULL, "Sessions that took up TLS");
}
