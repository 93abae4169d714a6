/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams over descriptors: sockets and pipes of the kernel. */
#include "rt/stream_fd.h"

#include "rt/backend.h"
#include "rt/net.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A short read means that the queue is empty, and what comes later is a new edge; unless the peer
 * has hung up: the end of input is no byte and makes no second edge. So a command costs one read,
 * not a second one for EAGAIN. */
static ssize_t fd_read(struct stream *s, void *out, size_t n)
{
	if (!s->watch.is_readable) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t got;
	do {
		got = read(s->watch.fd, out, n);
	} while (got < 0 && errno == EINTR);
	if (!s->watch.is_hung_up && (got < 0 ? errno == EAGAIN : (size_t)got < n && got > 0))
		s->watch.is_readable = false;
	return got;
}

static ssize_t fd_write(struct stream *s, const void *bytes, size_t n)
{
	ssize_t got;
	do {
		got = write(s->watch.fd, bytes, n);
	} while (got < 0 && errno == EINTR);
	return got;
}

static bool fd_has_input(struct stream *s)
{
	char byte;
	return recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Closing with unread input makes the kernel send a reset, which may overtake our last reply: what
 * is there is read first, once; a peer that floods gets the reset. */
static void fd_close(struct stream *s)
{
	the_rt->backend->watch_remove(the_rt, &s->watch);
	if (s->watch.is_readable && !s->out_error) {
		ssize_t dropped = read(s->watch.fd, the_rt->scratch, SCRATCH_SIZE);
		(void)dropped;
	}
	close(s->watch.fd);
}

static const struct transport fd_transport = {
	.read = fd_read,
	.write = fd_write,
	.has_input = fd_has_input,
	.close = fd_close,
};

struct stream *stream_fd_new(int fd, const struct sockaddr *peer, struct err *err)
{
	struct stream *s = stream_new(&fd_transport, fd);
	struct sockaddr_storage asked;
	socklen_t n = sizeof(asked);
	if (!peer && getpeername(fd, (struct sockaddr *)&asked, &n) == 0)
		peer = (struct sockaddr *)&asked;
	if (peer)
		ip_from_sockaddr(peer, &s->peer, &s->peer_port);
	if (the_rt->backend->watch_add(the_rt, &s->watch, IO_IN | IO_OUT, false, err))
		return s;
	stream_close(s);
	return NULL;
}

struct stream *stream_take_fd(int fd)
{
	struct err err;
	assert(the_rt && !the_rt->is_fake);
	struct stream *s = stream_new(&fd_transport, fd);
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer);
	if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0)
		ip_from_sockaddr((struct sockaddr *)&peer, &s->peer, &s->peer_port);
	if (!the_rt->backend->watch_add(the_rt, &s->watch, IO_IN | IO_OUT, false, &err))
		stream_out_fail(s, &err); /* met by the first use */
	return s;
}

struct ip stream_local(const struct stream *s, uint16_t *port)
{
	struct stream *cache = (struct stream *)s;
	struct sockaddr_storage local;
	socklen_t n = sizeof(local);
	if (s->local.family == 0 && s->watch.fd >= 0 &&
	    getsockname(s->watch.fd, (struct sockaddr *)&local, &n) == 0)
		ip_from_sockaddr((struct sockaddr *)&local, &cache->local, &cache->local_port);
	if (port)
		*port = s->local_port;
	return s->local;
}
