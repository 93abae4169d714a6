/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a stream. Three layers, each without waiting: a transport (descriptor or pipe in
 * memory), TLS over it or not, and the buffers. Only stream.c waits.
 *
 * Errors have a direction: after a failed read (end of input, time-out) output still works, because
 * a reply and a goodbye must be possible; after a failed write nothing does.
 */
#pragma once

#include "rt/stream.h"
#include "rt/watch.h"

#include <sys/types.h>

#define STREAM_IN_MAX  ((size_t)64 * 1024)
#define STREAM_OUT_MAX ((size_t)64 * 1024)

struct pipe_end;
struct stream_tls;

enum io {
	IO_DONE,  /* *n bytes moved */
	IO_AGAIN, /* after *wants */
	IO_END,	  /* reading: the peer has ended its output */
	IO_ERROR, /* err is set */
};

/* Non-blocking, with the results of read(2) and write(2). */
struct transport {
	ssize_t (*read)(struct stream *s, void *out, size_t n);
	ssize_t (*write)(struct stream *s, const void *bytes, size_t n);
	bool (*has_input)(struct stream *s);
	void (*close)(struct stream *s);
};

struct stream {
	struct watch watch;
	const struct transport *transport;
	struct pipe_end *pipe;
	struct stream_tls *tls;
	struct buf in, out;   /* without memory while they are empty */
	size_t in_at, out_at; /* consumed, written */
	struct err *in_error, *out_error;
	const char *label;
	uint16_t peer_port, local_port;
	struct ip peer, local; /* local family 0: not asked yet */
};

struct stream *stream_new(const struct transport *transport, int fd);
/* Waits until the peer's readiness after `wants`; an error becomes the stream's. */
WAITS bool stream_wait(struct stream *s, enum watch_side side, int wants, const char *label,
		       struct err *err);
bool stream_in_fail(struct stream *s, const struct err *err);
bool stream_out_fail(struct stream *s, const struct err *err);

/* TLS, one step each. */
enum io tls_read(struct stream *s, void *out, size_t *n, int *wants, struct err *err);
enum io tls_write(struct stream *s, const void *bytes, size_t *n, int *wants, struct err *err);
bool tls_has_input(struct stream *s);
void tls_free(struct stream *s);
