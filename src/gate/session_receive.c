/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving the bytes of a message: from the wire through the end-of-data machine into the body, within limits. */
#include "gate/session.h"

#include "base/auto.h"

/* What is read and thrown away before a connection is closed in the middle instead: four times the largest message,
 * so that a client that is only somewhat over it hears its 552. */
#define DRAIN_FACTOR  4
#define DRAIN_AT_LEAST (64 << 20)

bool receive_is_endless(const struct session *s, uint64_t size)
{
	uint64_t limit = DRAIN_FACTOR * (uint64_t)s->set->conf->message_size;
	return size > (limit > DRAIN_AT_LEAST ? limit : DRAIN_AT_LEAST);
}

/* From here on the message is only read to its end: its memory goes now. */
static void give_up(struct session *s, enum situation fault)
{
	struct transaction *tx = s->tx;
	tx->has_fault = true;
	tx->fault = fault;
	spool_body_drop(tx->body);
	tx->body = NULL;
	transaction_count_memory(s);
}

static void check_limits(struct session *s)
{
	const struct gate_conf *conf = s->set->conf;
	struct transaction *tx = s->tx;
	transaction_count_memory(s);
	if (tx->dot.bytes > (uint64_t)conf->message_size)
		give_up(s, SAY_TOO_BIG);
	else if (tx->memory + tx->arena.used > (size_t)conf->session_memory || s->gate->memory > (size_t)conf->memory)
		give_up(s, SAY_SESSION_MEMORY);
	else if (conf->text_line && tx->dot.longest_line > (uint64_t)conf->text_line)
		give_up(s, SAY_LINE_TOO_LONG);
}

WAITS static void keep(struct session *s, struct str bytes)
{
	struct transaction *tx = s->tx;
	struct err err;
	if (tx->has_fault)
		return;
	if (spool_body_write(tx->body, bytes, &err)) {
		check_limits(s);
		return;
	}
	trail_note(&tx->trail, rt_wall(), 0, "spool", "failed", err.cause, STR_NONE, "%s", err.text);
	give_up(s, spool_has_room(s->set->deps.spool, tx->dot.bytes, &err) ? SAY_SPOOL_ERROR : SAY_STORAGE);
}

static void put(void *arg, struct str bytes)
{
	buf_str(arg, bytes);
}

void receive_begin(struct session *s)
{
	s->state = SESSION_DATA;
	s->tx->data_begun = rt_now();
	s->tx->body = spool_body_new(s->set->deps.spool);
	session_sender_start(s);
}

bool receive_dots(struct session *s)
{
	struct transaction *tx = s->tx;
	auto_buf struct buf text = {.max = 80 << 10}; /* a stream's buffer, and the CR held back before it */
	while (tx->dot.state != DOT_END) {
		if (stream_buffered(s->stream).n == 0 && !session_fill(s))
			return false;
		struct str in = stream_buffered(s->stream);
		buf_clear(&text);
		size_t used = dot_reader_feed(&tx->dot, in, tx->has_fault ? NULL : put, &text);
		stream_consume(s->stream, used);
		keep(s, buf_view(&text));
		if (tx->has_fault && receive_is_endless(s, tx->dot.bytes))
			return false;
	}
	return true;
}

bool receive_chunk(struct session *s, uint64_t size)
{
	struct transaction *tx = s->tx;
	while (size > 0) {
		if (stream_buffered(s->stream).n == 0 && !session_fill(s))
			return false;
		struct str in = stream_buffered(s->stream);
		in = str_slice(in, 0, size < in.n ? (size_t)size : in.n);
		dot_reader_feed_chunk(&tx->dot, in);
		keep(s, in); /* valid still: nobody reads meanwhile */
		stream_consume(s->stream, in.n);
		size -= in.n;
	}
	return true;
}

bool receive_nothing(struct session *s, uint64_t size)
{
	while (size > 0) {
		if (stream_buffered(s->stream).n == 0 && !session_fill(s))
			return false;
		size_t n = stream_buffered(s->stream).n;
		n = size < n ? (size_t)size : n;
		stream_consume(s->stream, n);
		size -= n;
	}
	return true;
}
