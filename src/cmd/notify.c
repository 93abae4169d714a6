/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sd_notify and socket activation in the few lines they need, without libsystemd and what it brings. */
#include "cmd/notify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define FIRST_FD 3

void notify_manager(const char *format, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[512];
	va_list args;

	if (!path || strlen(path) >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || n < 0)
		return;
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	/* Nobody listening is no trouble of ours. */
	(void)!sendto(fd, text, strnlen(text, sizeof(text)), MSG_NOSIGNAL, (struct sockaddr *)&to, length);
	close(fd);
}

usec_t notify_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *every = getenv("WATCHDOG_USEC");
	uint64_t interval;

	if (!every || !str_to_u64(str_from(every), USEC_DAY, &interval) || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return (usec_t)interval / 2;
}

size_t notify_listen_fds(int *fds, size_t max)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	size_t n = 0;

	if (pid && count && strtol(pid, NULL, 10) == getpid()) {
		long given = strtol(count, NULL, 10);
		for (long i = 0; i < given && n < max; i++) {
			int fd = FIRST_FD + (int)i;
			int flags = fcntl(fd, F_GETFL);
			if (flags < 0)
				continue;
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			fcntl(fd, F_SETFL, flags | O_NONBLOCK);
			fds[n++] = fd;
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n;
}
