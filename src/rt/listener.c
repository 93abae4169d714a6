/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets: opening, taking over, and accepting without being hurt by a lack of
 * descriptors. */
#include "rt/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "rt/backend.h"
#include "rt/net.h"
#include "rt/stream_fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };
#define BACK_OFF (100 * USEC_MS)

/* --- open --- */

static struct listener *listener_new(int fd, struct err *err)
{
	struct listener *l = mem_new(struct listener);
	watch_init(&l->watch, fd);
	link_init(&l->link);
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
		ip_from_sockaddr((struct sockaddr *)&at, &l->ip, &l->port);
	if (the_rt->backend->watch_add(the_rt, &l->watch, IO_IN, false, err))
		return l;
	close(fd);
	free(l);
	return NULL;
}

static int bound_inet(const struct conf_addr *at)
{
	struct sockaddr_storage to;
	socklen_t n = ip_to_sockaddr(at->ip, at->port, &to);
	int on = 1;
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ip.family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* Connections inherit it, which spares a call for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, n) == 0)
		return fd;
	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

/* A socket file that nobody answers is left over from a crash. */
static bool is_left_over(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	bool is_refused =
		connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return is_refused;
}

static int bound_unix(struct str path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	if (path.n == 0 || path.n >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path.p, path.n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int rc = bind(fd, (struct sockaddr *)&un, sizeof(un));
	if (rc != 0 && errno == EADDRINUSE && is_left_over(&un)) {
		unlink(un.sun_path);
		rc = bind(fd, (struct sockaddr *)&un, sizeof(un));
	}
	if (rc == 0)
		return fd;
	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

static bool open_error(const struct conf_addr *at, int number, struct err *err)
{
	char text[IP_TEXT_MAX];
	net_error(err, number, NULL);
	err->cause = CAUSE_LOCAL_ERROR;
	if (at->ip.family)
		return err_context(err, "cannot listen on %.*s port %u",
				   STR_ARG(ip_text(at->ip, text)), at->port);
	return err_context(err, "cannot listen on %.*s", STR_ARG(at->path));
}

struct listener *net_listen(const struct conf_addr *at, struct err *err)
{
	int fd = at->ip.family ? bound_inet(at) : bound_unix(at->path);
	if (fd < 0 || listen(fd, BACKLOG) != 0) {
		open_error(at, errno, err);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct listener *l = listener_new(fd, err);
	if (l && !at->ip.family)
		l->path = mem_cstr(at->path);
	return l;
}

struct listener *listener_open(const struct conf_addr *at, struct err *err)
{
	assert(the_rt);
	return the_rt->backend->listen(at, err);
}

struct listener *listener_take_fd(int fd)
{
	struct err err;
	int on = 1;
	assert(the_rt && !the_rt->is_fake);
	/* Whoever bound it did not think of us; a Unix socket refuses this without harm. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct listener *l = listener_new(fd, &err);
	if (!l)
		log_event(LOG_ERROR_, "listener", LOG_C("error", err.text), LOG_I("fd", fd));
	return l;
}

/* --- accept --- */

static bool is_shortage(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

/* One client is let in on the reserve descriptor and shown out, so that somebody learns that we are
 * full; the others wait in the kernel's queue while we back off instead of spinning. */
static void show_one_out(struct listener *l, int number)
{
	struct runtime *rt = the_rt;
	if (number == EMFILE && rt->reserve_fd >= 0) {
		close(rt->reserve_fd);
		int fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		rt->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (l->complained == 0 || l->complained + USEC_MIN < rt->now) {
		l->complained = rt->now;
		log_event(LOG_WARN_, "accept", LOG_C("error", strerrordesc_np(number)),
			  LOG_I("port", l->port));
	}
}

static struct stream *accept_now(struct listener *l, struct err *err)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer);
	if (l->watch.fd < 0) {
		struct stream *s = l->n_backlog ? l->backlog[0] : NULL;
		if (s)
			memmove(l->backlog, l->backlog + 1, --l->n_backlog * sizeof(s));
		errno = EAGAIN;
		return s;
	}
	int fd = accept4(l->watch.fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct stream *s = stream_fd_new(fd, (struct sockaddr *)&peer, err);
	if (!s)
		errno = ENOMEM;
	return s;
}

static void listener_free(struct listener *l)
{
	free(l->path);
	free(l);
}

WAITS static bool wait_for_client(struct listener *l, int number, struct err *err)
{
	bool elapsed;
	if (number == EAGAIN)
		return watch_wait(&l->watch, SIDE_READ, IO_IN, INT64_MAX, NULL, "accept", err);
	if (!is_shortage(number))
		return true; /* ECONNABORTED and the like: that client is gone, the next */
	show_one_out(l, number);
	/* On the write side, which no event of a listening socket ever ends. */
	return watch_wait(&l->watch, SIDE_WRITE, IO_OUT, rt_now() + BACK_OFF, &elapsed,
			  "accept: no free descriptors", err);
}

struct stream *listener_accept(struct listener *l, struct err *err)
{
	struct stream *s = NULL;
	bool ok = true;
	l->accepting++;
	while (ok && !s) {
		fiber_spend();
		ok = fiber_may_wait(err);
		if (ok && l->is_closed)
			ok = err_kind(err, ERR_CLOSED, CAUSE_MAINTENANCE,
				      "the listener was closed");
		if (ok && !(s = accept_now(l, err)))
			ok = wait_for_client(l, errno, err);
	}
	l->accepting--;
	if (l->is_closed && l->accepting == 0)
		listener_free(l);
	return s;
}

int listener_fd(const struct listener *l)
{
	return l->watch.fd;
}

void listener_addr(const struct listener *l, struct ip *ip, uint16_t *port)
{
	*ip = l->ip;
	*port = l->port;
}

bool listener_is_made_here(const struct listener *l)
{
	return l->path != NULL;
}

void listener_leave_path(struct listener *l)
{
	free(l->path);
	l->path = NULL;
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	l->is_closed = true;
	link_remove(&l->link);
	while (l->n_backlog > 0)
		stream_close(l->backlog[--l->n_backlog]);
	if (l->watch.fd >= 0) {
		the_rt->backend->watch_remove(the_rt, &l->watch);
		close(l->watch.fd);
		l->watch.fd = -1;
		if (l->path)
			unlink(l->path);
	}
	watch_ready(&l->watch, IO_IN | IO_OUT, true);
	if (l->accepting == 0)
		listener_free(l);
}
