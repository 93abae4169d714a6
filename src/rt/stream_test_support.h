/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of streams: a pair of ends, a server of lines, and much data. */
#pragma once

#include "rt/stream.h"
#include "rt/test_support.h"
#include "rt/tls.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct str text(const char *s)
{
	return str_from(s);
}

static inline bool is_text(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

static const struct ip loopback = {4, {127, 0, 0, 1}};

/* --- a pair of whatever the backend has --- */

static inline void make_pair(struct stream *out[2])
{
	int fd[2];
	if (rt_is_fake()) {
		stream_pair(out);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	out[0] = stream_take_fd(fd[0]);
	out[1] = stream_take_fd(fd[1]);
}

static inline void close_pair(struct stream *s[2])
{
	stream_close(s[0]);
	stream_close(s[1]);
}

static inline void serve(void *arg)
{
	struct stream *s = arg;
	struct err err;
	struct str line;
	bool is_long;
	stream_label(s, "the client");
	while (stream_read_line(s, 100, &line, NULL, &is_long, &err))
		stream_printf(s, "250 %.*s\r\n", STR_ARG(line));
	stream_close(s);
}

/* --- much data, both ways through small windows --- */

enum { BULK = 5 * 1000 * 1000 };

static inline unsigned char bulk_byte(size_t i)
{
	return (unsigned char)(i * 31 + i / 997);
}

static inline void send_bulk(void *arg)
{
	struct stream *s = arg;
	struct err err;
	size_t sizes[] = {1, 700, 65536, 65537, 200000, 13};
	unsigned char *p = malloc(BULK);
	for (size_t i = 0; i < BULK; i++)
		p[i] = bulk_byte(i);
	for (size_t at = 0, k = 0; at < BULK; k++) {
		size_t n = sizes[k % 6] < BULK - at ? sizes[k % 6] : BULK - at;
		stream_write(s, (struct str){(char *)p + at, n});
		at += n;
	}
	assert_true(stream_flush(s, &err));
	free(p);
}

static inline void receive_bulk(struct stream *s)
{
	struct err err;
	size_t at = 0;
	while (at < BULK) {
		struct str have = stream_buffered(s);
		if (have.n == 0) {
			assert_true(stream_fill(s, &err));
			continue;
		}
		size_t wrong = 0;
		for (size_t i = 0; i < have.n; i++)
			wrong += (unsigned char)have.p[i] != bulk_byte(at + i);
		assert_int_equal(wrong, 0);
		at += have.n;
		stream_consume(s, have.n);
	}
}

static inline void bulk_over(struct stream *s[2])
{
	struct group g;
	struct err err;
	group_init(&g, "bulk");
	assert_true(group_go(&g, "bulk", send_bulk, s[1], &err));
	receive_bulk(s[0]);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
