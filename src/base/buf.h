/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes being built: a growing buffer with a mandatory maximum and a sticky overflow.
 *
 * Appending beyond `max` sets `is_overflown`, changes nothing and lets every later append do
 * nothing; test `buf_ok` once where the result is used. A buffer reached from outside input
 * therefore cannot grow without bound. Memory comes from the heap; running out of memory aborts.
 */
#pragma once

#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
	char *p;
	size_t n;
	size_t capacity;
	size_t max;
	bool is_overflown;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* accepts an all-zero struct */
void buf_clear(struct buf *b); /* empties, keeps the memory, forgets an overflow */
void buf_shrink(struct buf *b); /* gives unused memory back; an empty buffer keeps none */

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_char(struct buf *b, char c);
void buf_int(struct buf *b, int64_t value); /* decimal */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
        __attribute__((format(printf, 2, 0)));
/* Room for n more bytes to be written at p + n, or NULL on overflow; follow by buf_added. */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
void buf_drop_front(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n);

/* JSON string with quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_json(struct buf *b, struct str s);
/* Printable ASCII kept, everything else \xNN and `\` doubled: safe for a terminal, a log line, a reply. */
void buf_escaped(struct buf *b, struct str s);

static inline bool buf_ok(const struct buf *b)
{
	return !b->is_overflown;
}
static inline struct str buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}
