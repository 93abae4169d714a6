/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doors: listeners, the fibers that accept, limits over all sessions, configuration change and drain. */
#include "gate/gate_inside.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/doors.h"
#include "gate/policy_door.h"
#include "gate/session.h"

#include <assert.h>
#include <stdlib.h>

#define CLIENTS_REMEMBERED 100000
#define HEARD_ROWS         4096
#define MEMO_ROWS          4096

bool gate_open(const struct gate_conf *conf, const struct gate_deps *deps, const int *fds, size_t n_fds,
               struct gate **out, struct err *err)
{
	struct gate *g = mem_new(struct gate);
	list_init(&g->all_settings);
	list_init(&g->sessions);
	group_init(&g->accepting, "smtp listeners");
	group_init(&g->running, "smtp sessions");
	cond_init(&g->quieter);
	g->clients = client_limits_new(CLIENTS_REMEMBERED);
	g->heard = heard_new(HEARD_ROWS);
	g->memo = evidence_memo_new(MEMO_ROWS);
	gate_metrics_init(&g->metrics);
	policy_door_init(g);
	g->now = settings_new(conf, deps, err);
	if (!g->now || !doors_open(g, fds, n_fds, err)) {
		gate_close(g);
		return false;
	}
	list_push_back(&g->all_settings, &g->now->link);
	*out = g;
	return true;
}

bool gate_reconfigure(struct gate *g, const struct gate_conf *conf, const struct gate_deps *deps, struct err *err)
{
	struct settings *former = g->now, *next = settings_new(conf, deps, err);
	if (!next)
		return false;
	g->now = next;
	if (!doors_open(g, NULL, 0, err)) {
		g->now = former;
		settings_unref(next);
		return false;
	}
	list_push_back(&g->all_settings, &next->link);
	evidence_memo_clear(g->memo); /* what is asked for may have changed */
	settings_unref(former);
	return true;
}

bool gate_uses(const struct gate *g, const struct gate_conf *conf)
{
	list_each(it, &g->all_settings)
		if (container_of(it, struct settings, link)->conf == conf)
			return true;
	return false;
}

bool gate_admits(struct gate *g, const struct settings *set, struct ip client, enum situation *what,
                 usec_t *retry_after)
{
	const struct client_limits_conf limits = {set->conf->sessions_per_ip, set->conf->connects_per_minute};
	switch (client_limits_enter(g->clients, &limits, client, rt_now(), retry_after)) {
	case CLIENT_HAS_TOO_MANY:
		*what = SAY_TOO_MANY_CONNECTIONS;
		return false;
	case CLIENT_IS_TOO_FAST:
		*what = SAY_RATE_LIMIT;
		return false;
	case CLIENT_WELCOME:
		break;
	}
	return true;
}

void gate_session_run(struct gate *g, struct stream *s)
{
	session_run(session_new(g, s));
}

/* --- the end --- */

/* Until no transaction is open and no question unanswered, or the time is up; false says that the waiter itself must go. */
WAITS static void wait_for_transactions(struct gate *g)
{
	struct deadline limit;
	struct err err;
	deadline_push(&limit, g->now->conf->drain, "open transactions");
	while (g->n_transactions + g->policy->n_busy > 0 && cond_wait(&g->quieter, "drain: open transactions", &err))
		;
	deadline_pop(&limit);
}

void gate_drain(struct gate *g, bool keep_listeners)
{
	g->is_draining = true;
	doors_stop(g, keep_listeners);
	wait_for_transactions(g);
	if (g->n_sessions)
		log_event(LOG_INFO_, "drain", LOG_I("sessions", (int64_t)g->n_sessions),
		          LOG_I("transactions", (int64_t)g->n_transactions));
	group_done(&g->running); /* the cancelled say 421 and go */
	policy_door_drain(g);
}

void gate_close(struct gate *g)
{
	if (!g)
		return;
	assert(list_is_empty(&g->sessions));
	doors_close(g);
	policy_door_done(g);
	settings_unref(g->now);
	client_limits_free(g->clients);
	heard_free(g->heard);
	evidence_memo_free(g->memo);
	free(g);
}
