/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams in memory: what the fake network is made of. They behave as sockets do: bounded, ordered,
 * and closing one end is seen at the other after the last byte. */
#include "rt/pipe.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

#define INBOX_MAX ((size_t)64 * 1024)

struct pipe_end {
	struct stream *stream;
	struct pipe_end *peer; /* NULL: closed */
	struct buf inbox;
};

static ssize_t would_block(int error)
{
	errno = error;
	return -1;
}

static ssize_t pipe_read(struct stream *s, void *out, size_t n)
{
	struct pipe_end *end = s->pipe;
	if (end->inbox.n == 0)
		return end->peer ? would_block(EAGAIN) : 0;
	size_t take = end->inbox.n < n ? end->inbox.n : n;
	memcpy(out, end->inbox.p, take);
	buf_drop_front(&end->inbox, take);
	buf_shrink(&end->inbox);
	if (end->peer)
		watch_ready(&end->peer->stream->watch, IO_OUT, false);
	return (ssize_t)take;
}

static ssize_t pipe_write(struct stream *s, const void *bytes, size_t n)
{
	struct pipe_end *peer = s->pipe->peer;
	if (!peer)
		return would_block(EPIPE);
	size_t room = INBOX_MAX - peer->inbox.n;
	if (room == 0)
		return would_block(EAGAIN);
	size_t take = room < n ? room : n;
	buf_add(&peer->inbox, bytes, take);
	watch_ready(&peer->stream->watch, IO_IN, false);
	return (ssize_t)take;
}

static bool pipe_has_input(struct stream *s)
{
	return s->pipe->inbox.n > 0;
}

static void pipe_close(struct stream *s)
{
	struct pipe_end *end = s->pipe;
	if (end->peer) {
		end->peer->peer = NULL;
		watch_ready(&end->peer->stream->watch, IO_IN | IO_OUT, true);
	}
	buf_done(&end->inbox);
	free(end);
}

static const struct transport pipe_transport = {
	.read = pipe_read,
	.write = pipe_write,
	.has_input = pipe_has_input,
	.close = pipe_close,
};

void pipe_pair(struct stream *out[2], struct ip ip[2], const uint16_t port[2])
{
	for (int i = 0; i < 2; i++) {
		struct stream *s = out[i] = stream_new(&pipe_transport, -1);
		s->pipe = mem_new(struct pipe_end);
		s->pipe->stream = s;
		buf_init(&s->pipe->inbox, INBOX_MAX);
		s->local = ip[i];
		s->local_port = port[i];
		s->peer = ip[!i];
		s->peer_port = port[!i];
	}
	out[0]->pipe->peer = out[1]->pipe;
	out[1]->pipe->peer = out[0]->pipe;
}

void stream_pair(struct stream *out[2])
{
	struct ip nowhere[2] = {{0}, {0}};
	pipe_pair(out, nowhere, (const uint16_t[2]){0, 0});
}
