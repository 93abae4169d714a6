/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end-of-data machine of DATA, one for the whole program (RFC 5321 4.1.1.4, 4.5.2; RFC 5322 2.3).
 *
 * Only CR LF "." CR LF ends a message (and "." CR LF as the very first line). Dot-stuffing is removed.
 * A bare CR or a bare LF anywhere near a dot is what smuggling is made of: it never ends data, and marks
 * the message `has_bare_newline_dot`; the caller refuses it after draining to the true end. Other bare
 * newlines are counted; NUL is counted. Cost: one memchr scan for CR, LF at line starts; about 1 ns a byte.
 */
#pragma once

#include "base/buf.h"

enum dot_state {
	DOT_LINE_START,        /* after CR LF, or at the very start */
	DOT_TEXT,              /* inside a line */
	DOT_CR,                /* CR seen in a line */
	DOT_START_DOT,         /* "." at a line start */
	DOT_START_DOT_CR,      /* "." CR at a line start */
	DOT_END,
};
struct dot_reader {
	enum dot_state state;
	bool is_after_bare;          /* behind a bare CR or LF, or NULs at a line start: a dot here is a look-alike */
	bool has_bare_newline_dot;   /* a look-alike of the end was seen */
	uint64_t bare_cr, bare_lf, nul;
	uint64_t bytes;              /* of the message, after unstuffing */
	uint64_t longest_line;       /* without CR LF */
	uint64_t line;
};
void dot_reader_init(struct dot_reader *d);
/* Consumes from `in` up to the end of data or of `in`; appends message bytes (with CR LF) to `out` through
 * `put` (NULL: drained without keeping). Returns how many bytes of `in` were consumed; state is DOT_END when
 * the end was met, and bytes behind it are the next commands. */
size_t dot_reader_feed(struct dot_reader *d, struct str in, void (*put)(void *arg, struct str bytes), void *arg);
/* The same bookkeeping for the bytes of BDAT chunks, where nothing ends by content. */
void dot_reader_feed_chunk(struct dot_reader *d, struct str in);
/* After the last chunk: a CR at the very end is bare too. */
void dot_reader_finish_chunks(struct dot_reader *d);

/* The writing side: stuffs dots, and makes every line end CR LF, so that a bare CR or LF never leaves us.
 * A line end is CR* LF or a run of CR, as for mail/header.h. A piece grows to at most twice its size and
 * two bytes. Feed any pieces; finish ends the last line if needed and writes ". CR LF". */
struct dot_writer {
	enum { DOTW_LINE_START, DOTW_TEXT, DOTW_CR } state;
};
void dot_writer_init(struct dot_writer *w);
void dot_writer_feed(struct dot_writer *w, struct str in, struct buf *out);
void dot_writer_finish(struct dot_writer *w, struct buf *out);
