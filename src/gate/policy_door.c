/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections of the policy door, and its settings. */
#include "gate/policy_door.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/policy_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX   4096
#define PIECE_TIME   (30 * USEC_S) /* for the rest of a request that has begun, and for taking an answer */
#define COMPLAIN_AT  USEC_MIN      /* at most so often a line of log about what is no request */

#define FIELD(member) offsetof(struct policy_door_conf, member)

const struct conf_row policy_door_conf_rows[] = {
	{"listen", CONF_TEXTS, FIELD(listen), "", 0, 0, NULL,
	 "Where Postfix may ask: address:port, [IPv6]:port or unix:/path; empty: nowhere."},
	{"socket_mode", CONF_CHOICE, FIELD(socket_mode), "0666", 0, 0, "0600|0660|0666",
	 "The permissions of Unix sockets; the directory decides who gets that far."},
	{"wait", CONF_DURATION, FIELD(wait), "8s", 100 * USEC_MS, 90 * USEC_S, NULL,
	 "How long one question may wait for its answer; then Postfix is told to defer, and the work goes on."},
	{"idle", CONF_DURATION, FIELD(idle), "10m", USEC_S, USEC_DAY, NULL,
	 "How long a connection may be idle; Postfix closes its own after five minutes."},
	{"connections", CONF_INT, FIELD(connections), "1000", 1, 1000000, NULL,
	 "Connections at the same time; one for each smtpd process that asks."},
	{"request_size", CONF_SIZE, FIELD(request_size), "16k", 4096, 60 << 10, NULL, "Longest request, in bytes."},
	CONF_ROWS_END,
};

const struct conf_section policy_door_section = {
	"policy_door", "The policy door: Postfix asks, and is answered as the SMTP door would (mode and profile are verify's).",
	policy_door_conf_rows, sizeof(struct policy_door_conf), false,
};

struct connection {
	struct gate *gate;
	struct stream *stream;
	struct link link;
	uint64_t number;
	usec_t begun, heard;           /* heard: when the bytes of this request came */
	bool is_busy;
	struct ip client;              /* of the message that is asked about, else the peer */
	struct str helo, sender;       /* of the request, as they came; views of the stream's buffer while busy */
	char name[64];                 /* of the fiber */
};

static const struct policy_door_conf *conf_of(const struct gate *g)
{
	return g->now->deps.policy_door;
}

/* --- what cannot be answered --- */

/* Postfix asks again on a new connection, and says in its own log what it does then. */
static void complain(struct connection *p, const char *why)
{
	struct policy_door *door = p->gate->policy;
	char ip[IP_TEXT_MAX];
	metric_inc(p->gate->metrics.policy_closed);
	if (door->complained && door->complained + COMPLAIN_AT > rt_now())
		return;
	door->complained = rt_now();
	log_event(LOG_WARN_, "policy_closed", LOG_S("client", ip_text(p->client, ip)), LOG_C("why", why),
	          LOG_C("means", "closed without an answer; Postfix does what smtpd_policy_service_default_action says"));
}

/* --- reading --- */

WAITS static bool fill(struct connection *p, usec_t until)
{
	struct deadline limit;
	struct err err;
	deadline_push_at(&limit, until, "waiting for a request");
	bool ok = stream_fill(p->stream, &err);
	deadline_pop(&limit);
	p->heard = rt_now();
	return ok;
}

/* Length of the next request, whole in the stream's buffer; 0: the connection is over. */
WAITS static size_t next_request(struct connection *p)
{
	const struct policy_door_conf *conf = conf_of(p->gate);
	usec_t whole_by = 0;
	size_t scanned = 0;
	for (;;) {
		struct str in = stream_buffered(p->stream);
		size_t n = policy_request_length(in, &scanned);
		if (n > (size_t)conf->request_size || (n == 0 && in.n > (size_t)conf->request_size)) {
			complain(p, "a request that is too long");
			return 0;
		}
		if (n)
			return n;
		if (in.n && whole_by == 0)
			whole_by = rt_now() + PIECE_TIME;
		if (!fill(p, in.n ? whole_by : rt_now() + conf->idle)) {
			if (in.n)
				complain(p, "half a request");
			return 0;
		}
	}
}

/* --- answering --- */

static void set_busy(struct connection *p, const struct policy_request *r)
{
	struct policy_door *door = p->gate->policy;
	if (!r && p->is_busy && --door->n_busy == 0 && p->gate->is_draining)
		cond_broadcast(&p->gate->quieter);
	door->n_busy += r && !p->is_busy;
	p->is_busy = r != NULL;
	p->helo = r ? r->helo_name : STR_NONE;
	p->sender = r ? r->sender : STR_NONE;
	if (!r || !ip_parse(r->client_address, &p->client))
		p->client = stream_peer(p->stream, NULL);
}

/* Nobody waits for earlier answers while this question is asked; a peer that takes none is not waited for. */
WAITS static bool flush(struct connection *p)
{
	struct deadline limit;
	struct err err;
	deadline_push(&limit, PIECE_TIME, "taking an answer");
	bool ok = stream_flush(p->stream, &err);
	deadline_pop(&limit);
	return ok;
}

WAITS static bool answer(struct connection *p, const struct policy_request *r)
{
	auto_buf struct buf out = {.max = ANSWER_MAX};
	struct deadline limit;
	usec_t until = p->heard + conf_of(p->gate)->wait;
	deadline_push_at(&limit, until, "policy answer");
	bool ok = policy_answer(p->gate, r, until, &out);
	deadline_pop(&limit);
	metric_observe(p->gate->metrics.policy_seconds, rt_now() - p->heard);
	if (!ok || !buf_ok(&out)) {
		complain(p, fiber_is_cancelled() ? "shutting down" : "trouble of our own");
		return false;
	}
	stream_write(p->stream, buf_view(&out));
	return true;
}

WAITS static bool serve_one(struct connection *p, size_t n)
{
	struct policy_request r;
	const char *why;
	if (!policy_request_parse(str_slice(stream_buffered(p->stream), 0, n), &r, &why)) {
		complain(p, why);
		return false;
	}
	set_busy(p, &r);
	bool ok = flush(p) && answer(p, &r);
	stream_consume(p->stream, n);
	set_busy(p, NULL);
	return ok;
}

static void drop(struct connection *p)
{
	struct gate *g = p->gate;
	stream_close(p->stream);
	link_remove(&p->link);
	g->policy->n_connections--;
	metric_set(g->metrics.policy_connections, (double)g->policy->n_connections);
	free(p);
}

WAITS static void run(struct connection *p)
{
	char ip[IP_TEXT_MAX];
	size_t n;
	snprintf(p->name, sizeof p->name, "policy %.*s", STR_ARG(ip_text(p->client, ip)));
	fiber_name(p->name);
	while ((n = next_request(p)) > 0 && serve_one(p, n) && !p->gate->is_draining)
		;
	flush(p);
	fiber_name(NULL);
	drop(p);
}

WAITS static void run_connection(void *arg)
{
	run(arg);
}

static struct connection *connection_new(struct gate *g, struct stream *stream)
{
	struct connection *p = mem_new(struct connection);
	*p = (struct connection){.gate = g, .stream = stream, .number = ++g->last_number, .begun = rt_now(), .heard = rt_now(),
	                         .client = stream_peer(stream, NULL)};
	list_push_back(&g->policy->connections, &p->link);
	g->policy->n_connections++;
	metric_set(g->metrics.policy_connections, (double)g->policy->n_connections);
	return p;
}

void policy_door_admit(struct gate *g, struct stream *stream)
{
	struct err err;
	struct connection *p = connection_new(g, stream);
	if (g->policy->n_connections > (size_t)conf_of(g)->connections)
		complain(p, "too many connections");
	else if (group_go(&g->policy->running, "policy connection", run_connection, p, &err))
		return;
	drop(p);
}

void gate_policy_run(struct gate *g, struct stream *s)
{
	run(connection_new(g, s));
}

/* --- the door as a whole --- */

void policy_door_init(struct gate *g)
{
	g->policy = mem_new(struct policy_door);
	list_init(&g->policy->connections);
	group_init(&g->policy->running, "policy connections");
	policy_messages_init(&g->policy->messages, g);
}

void policy_door_drain(struct gate *g)
{
	group_done(&g->policy->running);
	policy_messages_done(&g->policy->messages);
}

void policy_door_done(struct gate *g)
{
	assert(list_is_empty(&g->policy->connections));
	free(g->policy);
}

size_t gate_policy_count(const struct gate *g)
{
	return g->policy->n_connections;
}

void policy_door_each(struct gate *g, void (*fn)(void *arg, const char *name, const struct gate_session_info *info), void *arg)
{
	list_each(it, &g->policy->connections) {
		const struct connection *p = container_of(it, struct connection, link);
		auto_buf struct buf helo = {.max = 1024}, sender = {.max = 1024}; /* anything may stand in a request */
		buf_escaped(&helo, p->helo);
		buf_escaped(&sender, p->sender);
		const struct gate_session_info info = {
			.number = p->number,
			.client = p->client,
			.helo = buf_view(&helo),
			.sender = buf_view(&sender),
			.state = p->is_busy ? "policy" : "idle",
			.age = rt_now() - p->begun,
			.memory = sizeof *p,
		};
		fn(arg, p->name, &info);
	}
}
