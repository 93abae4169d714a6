/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verification counts. */
#include "verify/service.h"

void verify_metrics_open(struct verify_metrics *m)
{
	m->asked = metric_counter("postern_verify_asked_total", NULL, NULL, "Addresses that were to be asked about");
	m->cached = metric_counter("postern_verify_cached_total", NULL, NULL, "Answers from the cache");
	m->joined = metric_counter("postern_verify_joined_total", NULL, NULL, "Askers who shared a question under way");
	m->sessions = metric_counter("postern_verify_sessions_total", NULL, NULL, "Connections to mail servers for probes");
	m->recipients = metric_counter("postern_verify_recipients_total", NULL, NULL, "RCPT commands in probes");
	m->unreachable = metric_counter("postern_verify_unreachable_total", NULL, NULL, "Connections that did not come about");
	m->reprobes = metric_counter("postern_verify_reprobes_total", NULL, NULL, "Questions repeated of our own accord");
	m->took = metric_histogram("postern_verify_seconds", "Time from the first asker to the verdict", NULL);
	for (int i = 0; i <= VERIFY_SKIPPED; i++)
		m->verdicts[i] = metric_counter("postern_verify_verdicts_total", "verdict",
		                                verify_verdict_name((enum verify_verdict)i), "Verdicts of questions asked");
	for (int i = 0; i <= SKIP_FORGED; i++)
		m->skips[i] = metric_counter("postern_verify_skipped_total", "reason", verify_skip_name((enum verify_skip)i),
		                             "Senders that were not asked about");
	for (int i = 0; i <= VERIFY_REFUSE; i++)
		m->actions[i] = metric_counter("postern_verify_actions_total", "action",
		                               verify_action_name((enum verify_action)i), "What verdicts became");
}
