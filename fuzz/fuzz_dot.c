/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data in two pieces is read as data in one, by DATA and by BDAT; what we write ends once, at its end. */
#include "fuzz.h"
#include "smtp/dot.h"

static void keep(void *arg, struct str bytes)
{
	buf_str(arg, bytes);
}

static size_t read_split(struct dot_reader *d, struct str s, size_t cut, bool is_chunk, struct buf *out)
{
	size_t n = 0;

	dot_reader_init(d);
	if (is_chunk) {
		dot_reader_feed_chunk(d, str_slice(s, 0, cut));
		dot_reader_feed_chunk(d, str_skip(s, cut));
		dot_reader_finish_chunks(d);
		return s.n;
	}
	n = dot_reader_feed(d, str_slice(s, 0, cut), keep, out);
	return d->state == DOT_END ? n : n + dot_reader_feed(d, str_skip(s, cut), keep, out);
}

static void compare(struct str s, size_t cut, bool is_chunk)
{
	auto_buf struct buf whole = {.max = 1 << 24}, split = {.max = 1 << 24};
	struct dot_reader a, b;

	assert(read_split(&a, s, s.n, is_chunk, &whole) == read_split(&b, s, cut, is_chunk, &split));
	assert(str_eq(buf_view(&whole), buf_view(&split)) && a.state == b.state && a.bytes == b.bytes);
	assert(a.bare_cr == b.bare_cr && a.bare_lf == b.bare_lf && a.nul == b.nul && a.line == b.line);
	assert(a.has_bare_newline_dot == b.has_bare_newline_dot && a.longest_line == b.longest_line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = fuzz_str(data, size);
	size_t cut = size > 0 ? data[0] % (size + 1) : 0;
	auto_buf struct buf out = {.max = 1 << 24};
	struct dot_writer w;
	struct dot_reader d;

	compare(s, cut, false);
	compare(s, cut, true);
	dot_writer_init(&w);
	dot_writer_feed(&w, str_slice(s, 0, cut), &out);
	dot_writer_feed(&w, str_skip(s, cut), &out);
	dot_writer_finish(&w, &out);
	dot_reader_init(&d);
	assert(dot_reader_feed(&d, buf_view(&out), NULL, NULL) == out.n && d.state == DOT_END);
	assert(d.bare_cr + d.bare_lf == 0);
	return 0;
}
