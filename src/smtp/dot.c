/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end-of-data machine, and its counterpart that writes. */
#include "smtp/dot.h"

#include <assert.h>

/* Where the next CR, LF and NUL stand. Each is looked for again only once it was passed, so that no
 * mixture of them makes us scan a byte more than three times. */
struct marks {
	struct str in;
	size_t cr, lf, nul;
};

static void marks_init(struct marks *m, struct str in)
{
	*m = (struct marks){in, str_find_char(in, '\r'), str_find_char(in, '\n'), str_find_char(in, '\0')};
}

static size_t next_mark(struct str in, size_t at, size_t mark, char c)
{
	return mark >= at ? mark : at + str_find_char(str_skip(in, at), c);
}

/* The first of the three at or behind `at`. */
static size_t marks_next(struct marks *m, size_t at)
{
	m->cr = next_mark(m->in, at, m->cr, '\r');
	m->lf = next_mark(m->in, at, m->lf, '\n');
	m->nul = next_mark(m->in, at, m->nul, '\0');
	size_t first = m->cr < m->lf ? m->cr : m->lf;
	return first < m->nul ? first : m->nul;
}

void dot_reader_init(struct dot_reader *d)
{
	*d = (struct dot_reader){.state = DOT_LINE_START};
}

static void count_text(struct dot_reader *d, size_t n)
{
	d->line += n;
	if (d->line > d->longest_line)
		d->longest_line = d->line;
}

static void bare_cr(struct dot_reader *d)
{
	d->bare_cr++;
	d->is_after_bare = true;
	count_text(d, 1);
}

static void line_end(struct dot_reader *d)
{
	d->state = DOT_LINE_START;
	d->is_after_bare = false;
	d->line = 0;
}

/* A byte of text in any place but directly behind CR or behind the first dot of a line. */
static void text_byte(struct dot_reader *d, char c)
{
	bool is_at_start = d->state == DOT_LINE_START;

	d->state = c == '\r' ? DOT_CR : DOT_TEXT;
	if (c == '\r')
		return; /* counted when it is known what follows */
	count_text(d, 1);
	if (c == '\n') {
		d->bare_lf++;
		d->is_after_bare = true;
	} else if (c == '\0') {
		/* Some receivers drop NUL: at a line start, or behind a bare newline, it hides nothing. */
		d->nul++;
		d->is_after_bare = d->is_after_bare || is_at_start;
	} else {
		d->has_bare_newline_dot = d->has_bare_newline_dot || (c == '.' && d->is_after_bare);
		d->is_after_bare = false;
	}
}

/* Behind a dot that begins a line, whatever is neither text nor the true end imitates the end. */
static void byte_behind_dot(struct dot_reader *d, char c)
{
	if (c == '\r') {
		d->state = DOT_START_DOT_CR;
		return;
	}
	d->has_bare_newline_dot = d->has_bare_newline_dot || c == '\n' || c == '\0';
	d->state = DOT_TEXT;
	text_byte(d, c);
}

/* One byte through the machine. In chunks (RFC 3030) CR LF "." CR LF is a line like any other. */
static void step(struct dot_reader *d, char c, bool is_chunk)
{
	switch (d->state) {
	case DOT_LINE_START:
		if (c == '.') {
			d->state = DOT_START_DOT;
			if (is_chunk)
				count_text(d, 1);
			return;
		}
		text_byte(d, c);
		return;
	case DOT_TEXT:
		text_byte(d, c);
		return;
	case DOT_START_DOT:
		byte_behind_dot(d, c);
		return;
	case DOT_START_DOT_CR:
		if (c == '\n') {
			line_end(d);
			if (!is_chunk)
				d->state = DOT_END;
			return;
		}
		d->has_bare_newline_dot = true;
		bare_cr(d);
		text_byte(d, c);
		return;
	case DOT_CR:
		if (c == '\n') {
			line_end(d);
			return;
		}
		bare_cr(d);
		text_byte(d, c);
		return;
	case DOT_END:
		assert(!"fed behind the end of data");
	}
}

/* What is kept lies in the input in one piece between two dots that are dropped; `from` begins it. */
struct output {
	struct dot_reader *d;
	void (*put)(void *arg, struct str bytes);
	void *arg;
};

static void emit(const struct output *o, struct str bytes)
{
	o->d->bytes += bytes.n;
	if (o->put && bytes.n > 0)
		o->put(o->arg, bytes);
}

/* The bytes of text up to the next CR, LF or NUL in one go; 0 where the state needs single steps. */
static size_t skip_text(struct dot_reader *d, struct marks *m, size_t at)
{
	if (d->state != DOT_TEXT || d->is_after_bare)
		return 0;
	size_t n = marks_next(m, at) - at;
	count_text(d, n);
	return n;
}

size_t dot_reader_feed(struct dot_reader *d, struct str in, void (*put)(void *arg, struct str bytes), void *arg)
{
	struct output o = {d, put, arg};
	struct marks marks;
	size_t from = 0, i = 0;

	marks_init(&marks, in);
	while (d->state != DOT_END && i < in.n) {
		size_t n = skip_text(d, &marks, i);
		if (n > 0) {
			i += n;
			continue;
		}
		enum dot_state before = d->state;
		step(d, in.p[i], false);
		if (d->state == DOT_START_DOT || d->state == DOT_START_DOT_CR) {
			/* The dot is stuffing or the end; a CR behind it is held until we know. */
			emit(&o, str_slice(in, from, i));
			from = i + 1;
		} else if (d->state == DOT_END) {
			from = i + 1;
		} else if (before == DOT_START_DOT_CR) {
			emit(&o, STR("\r"));
		}
		i++;
	}
	emit(&o, str_slice(in, from, i));
	return i;
}

void dot_reader_feed_chunk(struct dot_reader *d, struct str in)
{
	struct marks marks;
	size_t i = 0;

	marks_init(&marks, in);
	while (i < in.n) {
		size_t n = skip_text(d, &marks, i);
		if (n == 0) {
			step(d, in.p[i], true);
			n = 1;
		}
		i += n;
	}
	d->bytes += in.n;
}

void dot_reader_finish_chunks(struct dot_reader *d)
{
	if (d->state == DOT_START_DOT_CR)
		d->has_bare_newline_dot = true;
	if (d->state == DOT_CR || d->state == DOT_START_DOT_CR)
		bare_cr(d);
	d->state = DOT_TEXT;
}

void dot_writer_init(struct dot_writer *w)
{
	w->state = DOTW_LINE_START;
}

/* A run of text without CR and LF. */
static void write_text(struct dot_writer *w, struct str text, struct buf *out)
{
	if (text.n == 0)
		return;
	if (w->state == DOTW_CR)
		buf_str(out, STR("\r\n"));
	if (w->state != DOTW_TEXT && text.p[0] == '.')
		buf_char(out, '.');
	buf_str(out, text);
	w->state = DOTW_TEXT;
}

void dot_writer_feed(struct dot_writer *w, struct str in, struct buf *out)
{
	struct marks m;

	marks_init(&m, in);
	m.nul = in.n; /* NUL is text here */
	for (size_t i = 0; i < in.n; i++) {
		size_t end = marks_next(&m, i);
		write_text(w, str_slice(in, i, end), out);
		i = end;
		if (end == in.n)
			break;
		if (in.p[end] == '\r') {
			w->state = DOTW_CR; /* written with the LF, or before the next text */
		} else {
			buf_str(out, STR("\r\n"));
			w->state = DOTW_LINE_START;
		}
	}
}

void dot_writer_finish(struct dot_writer *w, struct buf *out)
{
	if (w->state != DOTW_LINE_START)
		buf_str(out, STR("\r\n"));
	buf_str(out, STR(".\r\n"));
	w->state = DOTW_LINE_START;
}
