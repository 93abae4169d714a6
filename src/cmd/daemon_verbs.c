/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon answers on its socket: reload, stop, mode, stats, metrics, why, failures, cache, verify. */
#include "cmd/daemon_verbs.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/metric.h"
#include "cmd/cmd.h"
#include "cmd/daemon_metrics.h"
#include "cmd/verify_print.h"

struct str request_option(const struct control_request *request, const char *name)
{
	char front[32];

	snprintf(front, sizeof(front), "--%s=", name);
	for (size_t i = 0; i < request->n; i++) {
		if (str_starts(request->words[i], str_from(front)))
			return str_skip(request->words[i], strlen(front));
	}
	return STR_NONE;
}

int answer_usage(struct buf *out, const char *what)
{
	buf_printf(out, "postern: %s\n", what);
	return EXIT_USAGE;
}

int answer_err(struct buf *out, int status, const struct err *err)
{
	buf_printf(out, "postern: %s\n", err->text);
	return status;
}

static int answer_ok(const struct control_request *request, struct buf *out, const char *text)
{
	if (request->as_json)
		buf_str(out, STR("{\"ok\":true}\n"));
	else
		buf_printf(out, "%s\n", text);
	return EXIT_FINE;
}

WAITS static int answer_reload(void *arg, const struct control_request *request, struct buf *out)
{
	struct err err;

	if (!daemon_reload(arg, &err))
		return answer_err(out, EXIT_FAULT, &err);
	return answer_ok(request, out, "The new configuration is in force.");
}

WAITS static int answer_stop(void *arg, const struct control_request *request, struct buf *out)
{
	daemon_stop(arg, false);
	return answer_ok(request, out, "Draining: open transactions are finished, then the daemon ends.");
}

static const char *const mode_names[] = {"off", "observe", "tag", "enforce"};

WAITS static int answer_mode(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;

	for (int i = 0; request->n > 0; i++) {
		if (i == 4)
			return answer_usage(out, "mode is one of off, observe, tag, enforce");
		if (str_eq(request->words[0], str_from(mode_names[i]))) {
			verify_set_mode(d->verify, (enum verify_mode)i);
			break;
		}
	}
	const char *mode = mode_names[verify_mode(d->verify)];
	buf_printf(out, request->as_json ? "{\"mode\":\"%s\"}\n" : "Sender verification: %s\n", mode);
	return EXIT_FINE;
}

struct printing {
	struct buf *out;
	bool as_json;
	bool is_first;
};

static void metric_print_one(void *arg, const char *name, const char *label, const char *value, const struct metric *m)
{
	struct printing *p = arg;
	double n = metric_value(m);

	if (n == 0 && !p->as_json)
		return;
	if (!p->as_json) {
		buf_printf(p->out, "  %-44s %-16s %12.6g\n", name, value ? value : "", n);
		return;
	}
	buf_printf(p->out, "%s{\"name\":\"%s\"", p->is_first ? "" : ",", name);
	if (label)
		buf_printf(p->out, ",\"%s\":\"%s\"", label, value);
	buf_printf(p->out, ",\"value\":%.15g}", n);
	p->is_first = false;
}

static void stats_text(struct daemon *d, struct buf *out)
{
	struct queue_stats q;
	struct spool_stats s;
	struct rt_stats r;
	char up[32], oldest[32];

	queue_stats(d->queue, &q);
	spool_stats(d->spool, &s);
	rt_stats(&r);
	duration_text(rt_now() - d->started, up);
	duration_text(q.oldest, oldest);
	buf_printf(out, "Up %s, verification %s, %zu sessions, %u fibers (deepest stack %zu KiB)\n", up,
	           mode_names[verify_mode(d->verify)], gate_session_count(d->gate), r.fibers, r.stack_high_water / 1024);
	buf_printf(out, "Queue: %llu messages, %llu being sent, %llu deferred, %llu held, %llu kept; oldest %s\n",
	           (unsigned long long)q.messages, (unsigned long long)q.active, (unsigned long long)q.deferred,
	           (unsigned long long)q.on_hold, (unsigned long long)q.kept, oldest);
	buf_printf(out, "Spool: %llu messages, %llu segments, %llu accepted with %llu syncs%s\n",
	           (unsigned long long)s.messages, (unsigned long long)s.segments, (unsigned long long)s.accepted,
	           (unsigned long long)s.syncs, s.is_read_only ? "; CANNOT BE WRITTEN" : "");
	if (s.damaged_records > 0)
		buf_printf(out, "Spool: %llu damaged records were found (postern spool check)\n",
		           (unsigned long long)s.damaged_records);
}

WAITS static int answer_stats(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct printing p = {out, request->as_json, true};
	struct queue_stats q;
	struct spool_stats s;

	daemon_metrics_read(d);
	if (!request->as_json) {
		stats_text(d, out);
		metrics_each(metric_print_one, &p);
		return EXIT_FINE;
	}
	queue_stats(d->queue, &q);
	spool_stats(d->spool, &s);
	buf_printf(out, "{\"mode\":\"%s\",\"sessions\":%zu,\"queue\":%llu,\"deferred\":%llu,\"delivered\":%llu,\"failed\":%llu,"
	           "\"kept\":%llu,\"oldest_s\":%lld,\"accepted\":%llu,\"syncs\":%llu,\"metrics\":[",
	           mode_names[verify_mode(d->verify)], gate_session_count(d->gate), (unsigned long long)q.messages,
	           (unsigned long long)q.deferred, (unsigned long long)q.delivered, (unsigned long long)q.failed,
	           (unsigned long long)q.kept, (long long)(q.oldest / USEC_S), (unsigned long long)s.accepted, (unsigned long long)s.syncs);
	metrics_each(metric_print_one, &p);
	buf_str(out, STR("]}\n"));
	return EXIT_FINE;
}

WAITS static int answer_metrics(void *arg, const struct control_request *request, struct buf *out)
{
	daemon_metrics_print(arg, out);
	return EXIT_FINE;
}

static void session_print(void *arg, const struct gate_session_info *s)
{
	struct printing *p = arg;
	char ip[IP_TEXT_MAX], age[32];

	if (!p->as_json) {
		duration_text(s->age, age);
		buf_printf(p->out, "%-8llu %-16.*s %-9s %-9s %-24.*s %.*s\n", (unsigned long long)s->number,
		           STR_ARG(ip_text(s->client, ip)), age, s->state, STR_ARG(s->sender), STR_ARG(s->wait));
		return;
	}
	buf_printf(p->out, "%s{\"session\":%llu,\"client\":\"%.*s\",\"state\":\"%s\",\"age_ms\":%lld,\"memory\":%zu,\"sender\":",
	           p->is_first ? "" : ",", (unsigned long long)s->number, STR_ARG(ip_text(s->client, ip)), s->state,
	           (long long)(s->age / USEC_MS), s->memory);
	buf_json(p->out, s->sender);
	buf_str(p->out, STR(",\"helo\":"));
	buf_json(p->out, s->helo);
	buf_str(p->out, STR(",\"wait\":"));
	buf_json(p->out, s->wait);
	buf_char(p->out, '}');
	p->is_first = false;
}

WAITS static int answer_sessions(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct printing p = {out, request->as_json, true};

	if (request->as_json)
		buf_char(out, '[');
	else if (gate_session_count(d->gate) + gate_policy_count(d->gate) == 0)
		buf_str(out, STR("Nobody is connected.\n"));
	else
		buf_printf(out, "%-8s %-16s %-9s %-9s %-24s %s\n", "SESSION", "CLIENT", "AGE", "STATE", "SENDER", "WAITS FOR");
	gate_sessions(d->gate, session_print, &p);
	if (request->as_json)
		buf_str(out, STR("]\n"));
	return EXIT_FINE;
}

static enum history_by what_is(struct str what)
{
	struct ip ip;
	struct spool_id id;

	if (ip_parse(what, &ip))
		return HISTORY_IP;
	if (str_find_char(what, '@') < what.n)
		return HISTORY_ADDRESS;
	return spool_id_parse(what, &id) ? HISTORY_REF : HISTORY_ADDRESS;
}

WAITS static int trails_answer(struct daemon *d, const struct control_request *request, enum history_by by, struct str what,
                               struct buf *out)
{
	struct str *found;
	struct err err;
	struct trail trail;
	uint64_t limit = 10;
	size_t n;

	str_to_u64(request_option(request, "limit"), 1000, &limit);
	if (!history_find(d->history, by, what, limit, request->arena, &found, &n, &err))
		return answer_err(out, EXIT_UNKNOWN, &err);
	if (request->as_json)
		buf_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (request->as_json) {
			buf_printf(out, "%s%.*s", i ? "," : "", STR_ARG(found[i]));
		} else if (trail_decode(request->arena, found[i], &trail, &err)) {
			if (i)
				buf_char(out, '\n');
			trail_print(&trail, false, out);
		}
	}
	if (request->as_json)
		buf_str(out, STR("]\n"));
	else if (n == 0)
		buf_printf(out, "Nothing is known about %.*s; trails are kept for the configured `retention`.\n", STR_ARG(what));
	return n > 0 || by == HISTORY_FAILURES ? EXIT_FINE : EXIT_WARNING;
}

WAITS static int answer_why(void *arg, const struct control_request *request, struct buf *out)
{
	struct str what;

	if (request->n == 0)
		return answer_usage(out, "why: give a reference, an address or an IP");
	what = request->words[0];
	/* A bare domain means all its addresses. */
	if (what_is(what) == HISTORY_ADDRESS && str_find_char(what, '@') == what.n)
		what = arena_printf(request->arena, "@%.*s", STR_ARG(what));
	return trails_answer(arg, request, what_is(what), what, out);
}

WAITS static int answer_failures(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct queue_stats q;

	queue_stats(d->queue, &q);
	if (!request->as_json)
		buf_printf(out, "%llu messages could not be delivered and are kept (postern queue list).\nLately refused or deferred:\n",
		           (unsigned long long)q.kept);
	return trails_answer(d, request, HISTORY_FAILURES, STR("failures"), out);
}

WAITS static int answer_cache_show(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;

	if (request->n == 0)
		return answer_usage(out, "cache show: give an address or a domain");
	verify_cache_show(d->verify, request->words[0], request->as_json, out);
	return EXIT_FINE;
}

WAITS static int answer_cache_flush(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;

	if (request->n == 0)
		return answer_usage(out, "cache flush: give an address or a domain");
	size_t n = verify_cache_flush(d->verify, request->words[0]);
	buf_printf(out, request->as_json ? "{\"flushed\":%zu}\n" : "%zu records forgotten\n", n);
	return n > 0 ? EXIT_FINE : EXIT_WARNING;
}

WAITS static int answer_verify(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct address address;
	struct verify_answer answer;
	struct evidence nobody = {0};
	struct err err;

	if (request->n == 0)
		return answer_usage(out, "verify: give an address");
	if (!address_parse(request->arena, request->words[0], true, &address, &err))
		return answer_err(out, EXIT_USAGE, &err);
	if (!verify_address(d->verify, &address, &nobody, &answer, &err))
		return answer_err(out, EXIT_UNKNOWN, &err);
	return verify_answer_print(request->words[0], &answer, request->as_json, out);
}

const struct control_verb daemon_verbs[] = {
	{"reload", answer_reload},
	{"stop", answer_stop},
	{"mode", answer_mode},
	{"stats", answer_stats},
	{"metrics", answer_metrics},
	{"sessions", answer_sessions},
	{"why", answer_why},
	{"failures", answer_failures},
	{"cache show", answer_cache_show},
	{"cache flush", answer_cache_flush},
	{"verify", answer_verify},
	{"report observe", answer_report_observe},
	{"queue list", answer_queue_list},
	{"queue show", answer_queue_show},
	{"queue hold", answer_queue_hold},
	{"queue release", answer_queue_release},
	{"queue retry", answer_queue_retry},
	{"queue remove", answer_queue_remove},
	{NULL, NULL},
};
