/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy service that answers every question with "dunno": what policy_load reaches here is its ceiling, and the machine's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/socket.h"

#define EVENTS_MAX 256

static const char dunno[] = "action=dunno\n\n";

/* Questions come one at a time: one that ends in an empty line is whole. */
static void answer(int fd)
{
	static char in[65536];
	ssize_t n = recv(fd, in, sizeof(in), 0);
	if (n <= 0)
		close(fd);
	else if (n >= 2 && memcmp(in + n - 2, "\n\n", 2) == 0 && send(fd, dunno, sizeof(dunno) - 1, MSG_NOSIGNAL) < 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct epoll_event events[EVENTS_MAX], e = {.events = EPOLLIN};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2)
		die("usage: policy_sink PATH");
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", argv[1]);
	if (bind(listener, (struct sockaddr *)&un, sizeof(un)) != 0 || listen(listener, 1000) != 0)
		die("%s: %s", argv[1], strerror(errno));
	e.data.fd = listener;
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != listener) {
				answer(events[i].data.fd);
				continue;
			}
			e.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			if (e.data.fd >= 0)
				epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
		}
	}
}
