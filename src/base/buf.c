/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes being built, up to a maximum. */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->is_overflown = false;
}

/* One byte more than the capacity is allocated: room for the NUL that vsnprintf insists on. */
static void set_capacity(struct buf *b, size_t capacity)
{
	b->p = mem_resize(b->p, capacity + 1);
	b->capacity = capacity;
}

void buf_shrink(struct buf *b)
{
	if (b->n > 0) {
		set_capacity(b, b->n);
		return;
	}
	free(b->p);
	b->p = NULL;
	b->capacity = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (b->is_overflown || n > b->max - b->n) {
		b->is_overflown = true;
		return NULL;
	}
	size_t need = b->n + n;
	if (!b->p || need > b->capacity) {
		size_t capacity = b->capacity > b->max / 2 ? b->max : b->capacity * 2;
		if (capacity < FIRST_CAPACITY)
			capacity = FIRST_CAPACITY < b->max ? FIRST_CAPACITY : b->max;
		set_capacity(b, capacity > need ? capacity : need);
	}
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	assert(n <= b->capacity - b->n);
	b->n += n;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *room = n ? buf_reserve(b, n) : NULL;
	if (!room)
		return;
	memcpy(room, bytes, n);
	b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_char(struct buf *b, char c)
{
	if (b->n < b->capacity && !b->is_overflown)
		b->p[b->n++] = c;
	else
		buf_add(b, &c, 1);
}

void buf_int(struct buf *b, int64_t value)
{
	char digits[20], *p = digits + sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	size_t room = b->p && !b->is_overflown ? b->capacity - b->n + 1 : 0;
	va_copy(again, args);
	int n = vsnprintf(room ? b->p + b->n : NULL, room, format, args);
	assert(n >= 0);
	char *at = buf_reserve(b, (size_t)n);
	if (at) {
		if ((size_t)n >= room)
			vsnprintf(at, (size_t)n + 1, format, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void buf_drop_front(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n -= n;
	if (b->n && n)
		memmove(b->p, b->p + n, b->n);
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n = n;
}

/* Appends one character of valid UTF-8 as it may stand in a JSON string. */
static void json_char(struct buf *b, struct str c)
{
	unsigned char first = (unsigned char)c.p[0];
	/* C1 controls are legal in JSON, and commands to some terminals. */
	bool is_c1 = c.n == 2 && first == 0xC2 && (unsigned char)c.p[1] < 0xA0;
	if (c.n == 1 && (first == '"' || first == '\\'))
		buf_printf(b, "\\%c", first);
	else if (c.n == 1 && first == '\n')
		buf_str(b, STR("\\n"));
	else if (c.n == 1 && first == '\r')
		buf_str(b, STR("\\r"));
	else if (c.n == 1 && first == '\t')
		buf_str(b, STR("\\t"));
	else if (c.n == 1 && (first < 0x20 || first == 0x7F))
		buf_printf(b, "\\u%04x", first);
	else if (is_c1)
		buf_printf(b, "\\u%04x", (unsigned char)c.p[1]);
	else
		buf_str(b, c);
}

/* How many bytes stand for themselves in a JSON string. */
static size_t json_plain(struct str s)
{
	const uint64_t ones = 0x0101010101010101, highs = 0x80 * ones;
	size_t n = 0;
	/* Eight at once: a byte's high bit is set where it is below a blank, one of the three or beyond ASCII. A borrow may set
	 * a later one's too; the eight are then looked at singly. */
	for (uint64_t x; n + 8 <= s.n; n += 8) {
		memcpy(&x, s.p + n, 8);
		uint64_t quote = x ^ '"' * ones, backslash = x ^ '\\' * ones, del = x ^ 0x7F * ones;
		if (((x - ' ' * ones) | (quote - ones) | (backslash - ones) | (del - ones) | x) & highs)
			break;
	}
	/* as signed, so that what is beyond ASCII is below the space */
	while (n < s.n && (signed char)s.p[n] >= ' ' && s.p[n] != 0x7F && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

void buf_json(struct buf *b, struct str s)
{
	buf_char(b, '"');
	while (s.n) {
		size_t plain = json_plain(s);
		buf_add(b, s.p, plain);
		s = str_skip(s, plain);
		if (s.n == 0)
			break;
		size_t n = str_utf8_next(s);
		if (n)
			json_char(b, str_slice(s, 0, n));
		else
			buf_str(b, STR("\xEF\xBF\xBD"));
		s = str_skip(s, n ? n : 1);
	}
	buf_char(b, '"');
}

void buf_escaped(struct buf *b, struct str s)
{
	size_t done = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= ' ' && c < 0x7F && c != '\\')
			continue;
		buf_add(b, s.p + done, i - done);
		done = i + 1;
		if (c == '\\')
			buf_str(b, STR("\\\\"));
		else
			buf_printf(b, "\\x%02x", c);
	}
	if (done < s.n)
		buf_add(b, s.p + done, s.n - done);
}
