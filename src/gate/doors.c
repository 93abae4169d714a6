/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening, accepting, and turning away at once what is too much in all. */
#include "gate/doors.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/policy_door.h"
#include "gate/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct door {
	struct gate *gate;
	bool is_policy;             /* Postfix asks here, and nobody speaks SMTP */
	struct str text;            /* as configured, owned */
	struct listener *listener;
	bool is_accepting;          /* its fiber runs and frees it when it is closed meanwhile */
	bool is_closed;
};

static void door_free(struct door *door)
{
	free((void *)door->text.p);
	free(door);
}

/* --- accepting --- */

WAITS static void run_session(void *arg)
{
	session_run(arg);
}

/* What was accepted one too many hears why; its buffer is empty, so this does not wait for it. */
WAITS static void turn_away(struct gate *g, struct stream *stream, enum situation what)
{
	struct buf text;
	struct deadline now;
	struct err err;
	buf_init(&text, 1024);
	struct said said = cause_render(what, &(struct say_args){.here = g->now->host}, false, &text);
	deadline_push(&now, 0, "turning away");
	stream_write(stream, buf_view(&text));
	stream_flush(stream, &err);
	deadline_pop(&now);
	stream_close(stream);
	buf_done(&text);
	metric_inc(g->metrics.turned_away);
	metric_inc(g->metrics.replies[said.cause]);
}

WAITS static void admit(struct gate *g, struct stream *stream)
{
	struct err err;
	if (g->n_sessions >= (size_t)g->now->conf->sessions) {
		turn_away(g, stream, SAY_TOO_BUSY);
		return;
	}
	struct session *s = session_new(g, stream);
	if (group_go(&g->running, "smtp session", run_session, s, &err))
		return;
	log_event(LOG_ERROR_, "session", LOG_C("trouble", err.text));
	session_drop(s);
}

WAITS static bool accept_one(struct door *door)
{
	struct err err;
	struct stream *stream = listener_accept(door->listener, &err);
	if (stream && door->is_policy)
		policy_door_admit(door->gate, stream);
	else if (stream)
		admit(door->gate, stream);
	if (stream)
		return true;
	if (err.kind == ERR_CLOSED || err.kind == ERR_CANCELLED)
		return false;
	/* Out of descriptors or memory: sessions that end will give some back. */
	log_event(LOG_ERROR_, "accept", LOG_C("trouble", err.text));
	return rt_sleep(100 * USEC_MS, "pause after a failed accept", &err);
}

WAITS static void accept_sessions(void *arg)
{
	struct door *door = arg;
	while (!door->is_closed && accept_one(door))
		;
	door->is_accepting = false;
	if (door->is_closed)
		door_free(door);
}

/* --- opening --- */

static bool fd_is_at(int fd, const struct conf_addr *at)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr *sa = (struct sockaddr *)&storage;
	socklen_t n = sizeof storage;
	struct ip ip;
	uint16_t port;
	if (getsockname(fd, sa, &n) < 0)
		return false;
	if (sa->sa_family == AF_UNIX)
		return at->path.n && str_eq(str_from(((struct sockaddr_un *)sa)->sun_path), at->path);
	return ip_from_sockaddr(sa, &ip, &port) && port == at->port && ip_eq(ip, at->ip);
}

static struct listener *open_listener(struct str text, const int *fds, size_t n_fds, struct err *err)
{
	struct conf_addr at;
	if (!conf_parse_addr(text, 25, &at, err))
		return NULL;
	for (size_t i = 0; i < n_fds; i++)
		if (fd_is_at(fds[i], &at))
			return listener_take_fd(fds[i]);
	return listener_open(&at, err);
}

static struct door *find_door(const struct gate *g, bool is_policy, struct str text)
{
	for (size_t i = 0; i < g->n_doors; i++)
		if (g->doors[i]->is_policy == is_policy && str_eq(g->doors[i]->text, text))
			return g->doors[i];
	return NULL;
}

static void door_close(struct door *door)
{
	listener_close(door->listener);
	door->listener = NULL;
	door->is_closed = true;
	if (!door->is_accepting)
		door_free(door);
}

/* The policy client runs under another account; nobody has connected yet. */
static bool set_mode(const struct gate *g, struct str text, struct err *err)
{
	static const mode_t modes[] = {0600, 0660, 0666};
	auto_free char *path = NULL;
	if (!str_starts(text, STR("unix:")))
		return true;
	path = mem_cstr(str_skip(text, 5));
	if (chmod(path, modes[g->now->deps.policy_door->socket_mode]) == 0)
		return true;
	return err_perm(err, CAUSE_LOCAL_ERROR, "socket_mode: %s", strerrordesc_np(errno));
}

static struct door *door_open(struct gate *g, bool is_policy, struct str text, const int *fds, size_t n_fds,
                              struct err *err)
{
	struct listener *listener = open_listener(text, fds, n_fds, err);
	if (!listener || (is_policy && listener_is_made_here(listener) && !set_mode(g, text, err))) {
		err_context(err, "listen %.*s", STR_ARG(text));
		listener_close(listener);
		return NULL;
	}
	struct door *door = mem_new(struct door);
	*door = (struct door){.gate = g, .is_policy = is_policy, .text = {mem_cstr(text), text.n}, .listener = listener};
	return door;
}

static size_t count_listen(const struct gate *g)
{
	return g->now->conf->listen.n + (g->now->deps.policy_door ? g->now->deps.policy_door->listen.n : 0);
}

/* SMTP first, then policy. */
static struct str listen_at(const struct gate *g, size_t i, bool *is_policy)
{
	const struct conf_texts *smtp = &g->now->conf->listen;
	*is_policy = i >= smtp->n;
	return *is_policy ? g->now->deps.policy_door->listen.items[i - smtp->n] : smtp->items[i];
}

/* The doors for each configured address, old ones where there are; NULL: one could not be opened. */
static struct door **gather(struct gate *g, const int *fds, size_t n_fds, struct err *err)
{
	size_t n = count_listen(g);
	struct door **doors = mem_alloc((n + 1) * sizeof *doors);
	for (size_t i = 0; i < n; i++) {
		bool is_policy;
		struct str text = listen_at(g, i, &is_policy);
		doors[i] = find_door(g, is_policy, text);
		if (!doors[i])
			doors[i] = door_open(g, is_policy, text, fds, n_fds, err);
		if (doors[i])
			continue;
		while (i-- > 0)
			if (!doors[i]->is_accepting)
				door_close(doors[i]);
		free(doors);
		return NULL;
	}
	return doors;
}

static bool is_among(struct door *const *doors, size_t n, const struct door *door)
{
	for (size_t i = 0; i < n; i++)
		if (doors[i] == door)
			return true;
	return false;
}

static void replace(struct gate *g, struct door **doors, size_t n)
{
	for (size_t i = 0; i < g->n_doors; i++)
		if (!is_among(doors, n, g->doors[i]))
			door_close(g->doors[i]);
	free(g->doors);
	g->doors = doors;
	g->n_doors = n;
}

bool doors_open(struct gate *g, const int *fds, size_t n_fds, struct err *err)
{
	size_t n = count_listen(g);
	struct door **doors = gather(g, fds, n_fds, err);
	if (!doors)
		return false;
	replace(g, doors, n);
	for (size_t i = 0; i < n; i++) {
		if (doors[i]->is_accepting)
			continue;
		doors[i]->is_accepting = group_go(&g->accepting, doors[i]->is_policy ? "policy listener" : "smtp listener",
		                                   accept_sessions, doors[i], err);
		assert(doors[i]->is_accepting && "memory for a handful of stacks");
	}
	return true;
}

/* --- the end --- */

void doors_close(struct gate *g)
{
	for (size_t i = 0; i < g->n_doors; i++)
		door_close(g->doors[i]);
	free(g->doors);
	g->doors = NULL;
	g->n_doors = 0;
}

void doors_stop(struct gate *g, bool keep_listeners)
{
	group_done(&g->accepting);
	if (!keep_listeners)
		doors_close(g);
	for (size_t i = 0; i < g->n_doors; i++)
		listener_leave_path(g->doors[i]->listener); /* who takes over goes on to be found there */
}

size_t gate_listener_fds(const struct gate *g, int *fds, size_t max)
{
	size_t n = g->n_doors < max ? g->n_doors : max;
	for (size_t i = 0; i < n; i++)
		fds[i] = listener_fd(g->doors[i]->listener);
	return n;
}
