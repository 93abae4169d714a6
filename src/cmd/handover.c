/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets from the old process to the new one, over a Unix socket that only the same user may use. */
#include "cmd/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"

#define SOCKETS_MAX 64

static bool handover_address(const struct daemon_conf *conf, struct sockaddr_un *out, struct err *err)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(out->sun_path, sizeof(out->sun_path), "%.*s/handover.sock", STR_ARG(conf->run_directory));
	if (n < 0 || (size_t)n >= sizeof(out->sun_path))
		return err_perm(err, CAUSE_LOCAL_ERROR, "run_directory %.*s: too long for a socket's name",
		                STR_ARG(conf->run_directory));
	return true;
}

static bool peer_is_ours(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static bool sockets_send(int to, const int *fds, size_t n)
{
	char control[CMSG_SPACE(sizeof(int) * SOCKETS_MAX)] = {0};
	struct iovec one = {(char[]){'L'}, 1};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};

	if (n > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) == 1;
}

static size_t sockets_receive(int from, int *fds, size_t max)
{
	char control[CMSG_SPACE(sizeof(int) * SOCKETS_MAX)];
	char byte;
	struct iovec one = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &one, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	size_t n = 0;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < got; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < max)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* The accepted connection stays open until this process ends: its end tells the new one that the spool is free. */
WAITS static void hand_over_loop(void *arg)
{
	struct daemon *d = arg;
	struct err err;

	while (rt_wait_fd(d->handover_fd, 1, "handover", &err)) {
		int fds[SOCKETS_MAX];
		int asking = accept4(d->handover_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (asking < 0)
			continue;
		if (!peer_is_ours(asking) || !sockets_send(asking, fds, gate_listener_fds(d->gate, fds, SOCKETS_MAX))) {
			close(asking);
			continue;
		}
		log_event(LOG_INFO_, "handed_over", LOG_C("means", "a new process takes the listening sockets"));
		daemon_stop(d, true);
		return;
	}
}

bool handover_open(struct daemon *d, struct err *err)
{
	struct sockaddr_un at;

	d->handover_fd = -1;
	if (!handover_address(d->now->daemon, &at, err))
		return false;
	unlink(at.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before = umask(0177);
	bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 4) == 0;
	umask(before);
	if (!is_bound) {
		err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", at.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	d->handover_fd = fd;
	return group_go(&d->root, "handover", hand_over_loop, d, err);
}

void handover_close(struct daemon *d)
{
	if (d->handover_fd >= 0)
		close(d->handover_fd);
	d->handover_fd = -1;
}

bool handover_take(const struct daemon_conf *conf, usec_t within, int *fds, size_t max, size_t *n, struct err *err)
{
	struct sockaddr_un at;
	auto_close int old = -1;

	*n = 0;
	if (!handover_address(conf, &at, err))
		return false;
	old = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (old < 0 || connect(old, (struct sockaddr *)&at, sizeof(at)) != 0)
		return true;
	*n = sockets_receive(old, fds, max);
	if (*n == 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "the running daemon did not hand over its sockets (%s)", at.sun_path);
	struct pollfd end = {.fd = old, .events = POLLIN};
	if (poll(&end, 1, (int)(within / USEC_MS)) == 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "the old process did not end in time; it still has the spool");
	return true;
}
