/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name server for benches: every domain exists and has an MX "mx.DOMAIN" whose address is one of `hosts` addresses
 * from `first` on, the same for a domain each time. Anything else asked about is NODATA. UDP only (RFC 1035).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "bench/socket.h"

enum { TYPE_A = 1, TYPE_MX = 15, HEADER = 12 };

static uint32_t first, hosts = 1;

/* End of the name at p, or NULL: it is cut off or compressed, which a question never is. */
static const unsigned char *name_end(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p != 0) {
		if (*p > 63)
			return NULL;
		p += *p + 1;
	}
	return p < end ? p + 1 : NULL;
}

static unsigned char *put(unsigned char *p, const char *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* Which host serves the domain (its labels in wire form). */
static uint32_t host_of(const unsigned char *p, const unsigned char *end)
{
	uint32_t h = 2166136261u;

	for (; p < end; p++)
		h = (h ^ (uint32_t)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p)) * 16777619u;
	return first + (h ^ h >> 15) % hosts;
}

/* Turns the question into its answer in place; returns the length, 0: no answer. */
static size_t answer(unsigned char *m, size_t n)
{
	const unsigned char *name = m + HEADER, *end = n > HEADER ? name_end(name, m + n) : NULL;
	bool is_mx_host = end && end - name > 4 && name[0] == 2 && strncasecmp((const char *)name + 1, "mx", 2) == 0;

	if (!end || end + 4 > m + n || m[2] & 0x80)
		return 0;
	unsigned type = (unsigned)end[0] << 8 | end[1];
	unsigned char *p = m + (end - m) + 4;
	m[2] = (unsigned char)((m[2] & 0x01) | 0x84); /* an answer with authority; RD is given back */
	m[3] = 0;
	memset(m + 6, 0, 6);
	/* Owner is a pointer to the question, TTL an hour. */
	if (type == TYPE_MX && !is_mx_host) {
		p = put(p, "\xc0\x0c\0\x0f\0\1\0\0\x0e\x10\0\7\0\x0a\2mx\xc0\x0c", 19);
		m[7] = 1;
	} else if (type == TYPE_A && is_mx_host) {
		uint32_t ip = htonl(host_of(name + 3, end));
		p = put(p, "\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4", 12);
		p = put(p, (const char *)&ip, 4);
		m[7] = 1;
	}
	return (size_t)(p - m);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at, from;
	struct in_addr ip;
	unsigned char m[1024];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 4 << 20;

	if (argc != 4 || !socket_parse(argv[1], &at) || inet_pton(AF_INET, argv[2], &ip) != 1 ||
	    (hosts = (uint32_t)strtoul(argv[3], NULL, 10)) == 0)
		die("usage: names ADDR:PORT FIRST-MX-ADDRESS HOSTS");
	first = ntohl(ip.s_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		die("names: %s: %s", argv[1], strerror(errno));
	for (;;) {
		socklen_t n_from = sizeof(from);
		ssize_t n = recvfrom(fd, m, sizeof(m) - 64, 0, (struct sockaddr *)&from, &n_from);
		size_t out = n > 0 ? answer(m, (size_t)n) : 0;
		if (out > 0)
			sendto(fd, m, out, 0, (struct sockaddr *)&from, n_from);
	}
}
