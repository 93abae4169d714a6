/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connecting by real sockets, and the words for what goes wrong. */
#include "rt/net.h"

#include "rt/backend.h"
#include "rt/stream_fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

static const char *words(int number)
{
	switch (number) {
	case ECONNREFUSED:
		return "connection refused";
	case ECONNRESET:
	case EPIPE:
		return "connection reset by the peer";
	case ETIMEDOUT:
		return "timed out";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "no route";
	case EMFILE:
	case ENFILE:
		return "no free descriptors";
	case ENOENT:
		return "no such socket";
	default:
		return strerrordesc_np(number);
	}
}

static bool is_own_trouble(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS ||
	       number == EADDRNOTAVAIL || number == EADDRINUSE;
}

bool net_error(struct err *err, int number, const char *what)
{
	bool is_closed = number == ECONNRESET || number == EPIPE;
	const char *text = words(number);
	return err_kind(err, is_closed ? ERR_CLOSED : ERR_FAILED,
			is_own_trouble(number) ? CAUSE_LOCAL_ERROR : CAUSE_NETWORK, "%s%s%s",
			what ? what : "", what ? ": " : "", text ? text : "network error");
}

/* --- dial --- */

static bool target(const struct dial *dial, struct sockaddr_storage *out, socklen_t *n,
		   struct err *err)
{
	if (dial->ip.family) {
		*n = ip_to_sockaddr(dial->ip, dial->port, out);
		return true;
	}
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)out;
	struct str path = str_from(dial->path);
	if (path.n == 0 || path.n >= sizeof(un->sun_path))
		return err_perm(err, CAUSE_LOCAL_ERROR, "not a usable socket path: %.*s",
				STR_ARG(path));
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(un->sun_path, path.p, path.n);
	*n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return true;
}

static bool prepare(int fd, const struct dial *dial)
{
	int on = 1;
	struct sockaddr_storage from;
	if (!dial->ip.family)
		return true;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!dial->source.family)
		return true;
	/* The port is chosen by connect: a bound address then has 28,000 ports for each target. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&from, ip_to_sockaddr(dial->source, 0, &from)) == 0;
}

WAITS static bool connected(struct stream *s, bool is_pending, const char *label, struct err *err)
{
	int number = 0;
	socklen_t n = sizeof(number);
	if (!is_pending)
		return true;
	if (!stream_wait(s, SIDE_WRITE, IO_OUT, label, err))
		return false;
	getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &number, &n);
	return number == 0 || net_error(err, number, label);
}

struct stream *net_dial(const struct dial *dial, struct err *err)
{
	const char *label = dial->label ? dial->label : "connect";
	struct sockaddr_storage to;
	socklen_t n = 0;
	if (!fiber_may_wait(err) || !target(dial, &to, &n, err))
		return NULL;
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !prepare(fd, dial)) {
		net_error(err, errno, label);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	bool is_pending = connect(fd, (struct sockaddr *)&to, n) != 0;
	if (is_pending && errno != EINPROGRESS) {
		net_error(err, errno, label);
		close(fd);
		return NULL;
	}
	struct stream *s = stream_fd_new(fd, (struct sockaddr *)&to, err);
	if (s && !connected(s, is_pending, label, err)) {
		stream_close(s);
		return NULL;
	}
	return s;
}

struct stream *stream_dial(const struct dial *dial, struct err *err)
{
	return the_rt->backend->dial(dial, err);
}
