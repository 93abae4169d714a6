/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_doctor.py: a kernel with another clock, another luck with packets, and no echo sockets (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>

int adjtimex(struct timex *t)
{
	const char *clock = getenv("SHIM_CLOCK");

	memset(t, 0, sizeof(*t));
	t->esterror = clock && strcmp(clock, "off") == 0 ? 900000 : 1500;
	if (!clock || strcmp(clock, "unkept") != 0)
		return TIME_OK;
	t->status = STA_UNSYNC;
	return TIME_ERROR;
}

/* Every n-th packet that comes is lost. */
ssize_t recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *from_n)
{
	static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	static unsigned count;
	const char *lost = getenv("SHIM_LOST");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "recvfrom");
	ssize_t got = real(fd, p, n, flags, from, from_n);
	while (got > 0 && lost && ++count % (unsigned)atoi(lost) == 0)
		got = real(fd, p, n, flags, from, from_n);
	return got;
}

ssize_t __recvfrom_chk(int fd, void *p, size_t n, size_t room, int flags, struct sockaddr *from, socklen_t *from_n)
{
	return recvfrom(fd, p, n, flags, from, from_n);
}

int socket(int family, int type, int protocol)
{
	static int (*real)(int, int, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	if (protocol == IPPROTO_ICMP && getenv("SHIM_NO_ECHO")) {
		errno = EACCES;
		return -1;
	}
	return real(family, type, protocol);
}
