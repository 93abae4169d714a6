/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffered conversation over a transport, with or without TLS: the one place where connections
 * wait. */
#include "rt/stream.h"

#include "base/mem.h"
#include "rt/net.h"
#include "rt/runtime.h"
#include "rt/stream_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A piece of output that is longer goes directly from the caller's memory. */
#define DIRECT_OVER ((size_t)16 * 1024)
#define OUT_ROOM    (STREAM_OUT_MAX + DIRECT_OVER)

struct stream *stream_new(const struct transport *transport, int fd)
{
	struct stream *s = mem_new(struct stream);
	watch_init(&s->watch, fd);
	s->transport = transport;
	s->in.max = STREAM_IN_MAX;
	s->out.max = OUT_ROOM;
	return s;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	assert(watch_is_idle(&s->watch) && "a fiber waits on this stream");
	tls_free(s);
	s->transport->close(s);
	buf_done(&s->in);
	buf_done(&s->out);
	free(s->in_error);
	free(s->out_error);
	free(s);
}

void stream_label(struct stream *s, const char *label)
{
	s->label = label;
}

/* --- errors that stay --- */

static bool fail(struct err **kept, const struct err *err)
{
	if (!*kept) {
		*kept = mem_new(struct err);
		**kept = *err;
	}
	return false;
}

bool stream_in_fail(struct stream *s, const struct err *err)
{
	return fail(&s->in_error, err);
}

bool stream_out_fail(struct stream *s, const struct err *err)
{
	fail(&s->in_error, err);
	return fail(&s->out_error, err);
}

static bool again(const struct err *kept, struct err *err)
{
	*err = *kept;
	return false;
}

/* --- one step, without waiting --- */

static enum io plain_result(struct stream *s, ssize_t got, size_t *n, int *wants, int direction,
			    struct err *err)
{
	if (got > 0 || (got == 0 && direction == IO_OUT)) {
		*n = (size_t)got;
		return IO_DONE;
	}
	if (got == 0)
		return IO_END;
	*wants = direction;
	if (errno == EAGAIN)
		return IO_AGAIN;
	net_error(err, errno, NULL);
	return IO_ERROR;
}

static enum io io_read(struct stream *s, void *out, size_t *n, int *wants, struct err *err)
{
	if (s->tls)
		return tls_read(s, out, n, wants, err);
	return plain_result(s, s->transport->read(s, out, *n), n, wants, IO_IN, err);
}

static enum io io_write(struct stream *s, const void *bytes, size_t *n, int *wants, struct err *err)
{
	if (s->tls)
		return tls_write(s, bytes, n, wants, err);
	return plain_result(s, s->transport->write(s, bytes, *n), n, wants, IO_OUT, err);
}

bool stream_wait(struct stream *s, enum watch_side side, int wants, const char *label,
		 struct err *err)
{
	return watch_wait(&s->watch, side, wants, INT64_MAX, NULL, s->label ? s->label : label,
			  err);
}

/* --- output --- */

/* Writes before it asks whether it may wait: a goodbye leaves even a cancelled fiber, if there is
 * room. */
WAITS static bool write_all(struct stream *s, const char *p, size_t n)
{
	struct err err;
	while (n > 0) {
		size_t done = n;
		int wants = 0;
		switch (io_write(s, p, &done, &wants, &err)) {
		case IO_DONE:
			p += done;
			n -= done;
			break;
		case IO_AGAIN:
			if (!stream_wait(s, SIDE_WRITE, wants, NULL, &err))
				return stream_out_fail(s, &err);
			break;
		default:
			return stream_out_fail(s, &err);
		}
	}
	return true;
}

WAITS static bool flush(struct stream *s)
{
	if (s->out_error)
		return false;
	if (s->out.n == 0)
		return true;
	bool ok = write_all(s, s->out.p, s->out.n);
	buf_done(&s->out);
	return ok;
}

bool stream_flush(struct stream *s, struct err *err)
{
	return flush(s) || again(s->out_error, err);
}

void stream_write(struct stream *s, struct str bytes)
{
	if (s->out_error)
		return;
	if (s->out.n + bytes.n > STREAM_OUT_MAX) {
		fiber_spend();
		if (!flush(s))
			return;
	}
	if (bytes.n <= DIRECT_OVER)
		buf_str(&s->out, bytes);
	else if (flush(s))
		write_all(s, bytes.p, bytes.n);
}

void stream_printf(struct stream *s, const char *format, ...)
{
	if (s->out_error || (s->out.n > STREAM_OUT_MAX && !flush(s)))
		return;
	va_list args;
	va_start(args, format);
	buf_vprintf(&s->out, format, args);
	va_end(args);
	assert(buf_ok(&s->out) && "what is printed is a line, not a body");
}

/* --- input --- */

struct str stream_buffered(const struct stream *s)
{
	return str_skip(buf_view(&s->in), s->in_at);
}

void stream_consume(struct stream *s, size_t n)
{
	assert(n <= s->in.n - s->in_at);
	s->in_at += n;
}

size_t stream_discard_input(struct stream *s)
{
	size_t n = s->in.n - s->in_at;
	buf_done(&s->in);
	s->in_at = 0;
	return n;
}

/* What was consumed goes; with nothing left, so does the memory: the next wait may be long. */
static void compact(struct stream *s, bool is_idle)
{
	if (s->in_at == s->in.n) {
		if (is_idle)
			buf_done(&s->in);
		else
			buf_clear(&s->in);
	} else if (s->in_at > 0) {
		buf_drop_front(&s->in, s->in_at);
	}
	s->in_at = 0;
}

static bool fill_fail(struct stream *s, struct err *err)
{
	stream_in_fail(s, err);
	return false;
}

/* Reads land in the loop's scratch memory first, so that a stream owns memory only for what has
 * come. */
WAITS static bool read_some(struct stream *s, size_t room, struct err *err)
{
	for (;;) {
		size_t n = room;
		int wants = 0;
		char *scratch = the_rt->scratch;
		switch (io_read(s, scratch, &n, &wants, err)) {
		case IO_DONE:
			compact(s, false);
			buf_add(&s->in, scratch, n);
			return true;
		case IO_AGAIN:
			compact(s, true);
			if (!stream_wait(s, SIDE_READ, wants, NULL, err))
				return false;
			break;
		case IO_END:
			return err_kind(err, ERR_CLOSED, CAUSE_NETWORK,
					"connection closed by the peer");
		case IO_ERROR:
			return false;
		}
	}
}

bool stream_fill(struct stream *s, struct err *err)
{
	if (!stream_flush(s, err))
		return false;
	if (s->in_error)
		return again(s->in_error, err);
	size_t have = s->in.n - s->in_at;
	if (have >= STREAM_IN_MAX) {
		err_perm(err, CAUSE_PROTOCOL, "more than 64 KiB without an end");
		return fill_fail(s, err);
	}
	fiber_spend();
	if (!fiber_may_wait(err) || !read_some(s, STREAM_IN_MAX - have, err))
		return fill_fail(s, err);
	return true;
}

bool stream_has_input(struct stream *s)
{
	if (s->in.n > s->in_at)
		return true;
	if (s->in_error)
		return false;
	return s->tls ? tls_has_input(s) : s->transport->has_input(s);
}

bool stream_peer_has_left(struct stream *s)
{
	struct err err;
	int wants;
	if (s->in.n > s->in_at)
		return false;
	if (s->in_error)
		return true;
	size_t n = STREAM_IN_MAX;
	switch (io_read(s, the_rt->scratch, &n, &wants, &err)) {
	case IO_DONE:
		compact(s, false);
		buf_add(&s->in, the_rt->scratch, n);
		return false;
	case IO_AGAIN:
		return false;
	case IO_END:
		err_kind(&err, ERR_CLOSED, CAUSE_NETWORK, "connection closed by the peer");
		break;
	case IO_ERROR:
		break;
	}
	fill_fail(s, &err);
	return true;
}

/* The rest of a line that is too long, without keeping it. */
WAITS static bool skip_line(struct stream *s, size_t limit, struct err *err)
{
	size_t skipped = 0;
	for (;;) {
		struct str have = stream_buffered(s);
		size_t lf = str_find_char(have, '\n');
		if (lf < have.n) {
			stream_consume(s, lf + 1);
			return true;
		}
		stream_consume(s, have.n);
		skipped += have.n;
		if (skipped > limit) {
			err_perm(err, CAUSE_PROTOCOL, "a line longer than %zu bytes", limit);
			return fill_fail(s, err);
		}
		if (!stream_fill(s, err))
			return false;
	}
}

static void take_line(struct stream *s, struct str line, bool *has_crlf, struct str *out)
{
	stream_consume(s, line.n + 1);
	bool is_crlf = line.n > 0 && line.p[line.n - 1] == '\r';
	if (has_crlf)
		*has_crlf = is_crlf;
	*out = str_slice(line, 0, line.n - is_crlf);
}

bool stream_read_line(struct stream *s, size_t max, struct str *line, bool *has_crlf,
		      bool *is_too_long, struct err *err)
{
	assert(max <= STREAM_IN_MAX - 2);
	size_t seen = 0;
	for (;;) {
		struct str have = stream_buffered(s);
		size_t lf = seen + str_find_char(str_skip(have, seen), '\n');
		bool is_whole = lf < have.n;
		size_t length = lf - (lf > 0 && is_whole && have.p[lf - 1] == '\r');
		/* Without its end yet, one byte more may be the CR. */
		if (length > max + !is_whole) {
			if (!skip_line(s, 64 * max, err))
				return false;
			*line = STR_NONE;
			if (has_crlf)
				*has_crlf = false;
			*is_too_long = true;
			return true;
		}
		if (is_whole) {
			take_line(s, str_slice(have, 0, lf), has_crlf, line);
			*is_too_long = false;
			return true;
		}
		seen = have.n;
		if (!stream_fill(s, err))
			return false;
	}
}

bool stream_read_exact(struct stream *s, void *out, size_t n, struct err *err)
{
	char *p = out;
	while (n > 0) {
		struct str have = stream_buffered(s);
		size_t take = have.n < n ? have.n : n;
		if (take == 0) {
			if (!stream_fill(s, err))
				return false;
			continue;
		}
		memcpy(p, have.p, take);
		stream_consume(s, take);
		p += take;
		n -= take;
	}
	return true;
}

/* --- addresses --- */

struct ip stream_peer(const struct stream *s, uint16_t *port)
{
	if (port)
		*port = s->peer_port;
	return s->peer;
}

void stream_set_peer(struct stream *s, struct ip ip, uint16_t port)
{
	s->peer = ip;
	s->peer_port = port;
}
