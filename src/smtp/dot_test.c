/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end-of-data machine against a slow description of it: every short text, every split. */
#include "smtp/dot.h"

#include "base/auto.h"
#include "base/hex.h"
#include "base/test.h"
#include "mail/test_data.h"

static void keep(void *arg, struct str bytes)
{
	buf_str(arg, bytes);
}

struct outcome {
	struct buf text;
	size_t used;
	struct dot_reader d;
};

/* Feeds the pieces that end at `cuts` (ascending, the last is in.n). */
static void read_in_pieces(struct str in, const size_t *cuts, size_t n_cuts, struct outcome *o)
{
	size_t from = 0;

	buf_init(&o->text, 1 << 20);
	dot_reader_init(&o->d);
	o->used = 0;
	for (size_t i = 0; i < n_cuts && o->d.state != DOT_END; i++) {
		o->used += dot_reader_feed(&o->d, str_slice(in, from, cuts[i]), keep, &o->text);
		from = cuts[i];
	}
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return str_eq(buf_view(&a->text), buf_view(&b->text)) && a->used == b->used &&
	       a->d.state == b->d.state && a->d.has_bare_newline_dot == b->d.has_bare_newline_dot &&
	       a->d.bare_cr == b->d.bare_cr && a->d.bare_lf == b->d.bare_lf && a->d.nul == b->d.nul &&
	       a->d.bytes == b->d.bytes && a->d.longest_line == b->d.longest_line && a->d.line == b->d.line;
}

static char at(struct str s, size_t i)
{
	return i < s.n ? s.p[i] : 'x';
}

/* True line start: the beginning, or behind CR LF. */
static bool is_line_start(struct str s, size_t i)
{
	return i == 0 || (i >= 2 && s.p[i - 2] == '\r' && s.p[i - 1] == '\n');
}

static bool is_bare(struct str s, size_t i)
{
	if (s.p[i] == '\r')
		return at(s, i + 1) != '\n';
	return s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r');
}

/* A dot behind a bare newline or NULs that begin a line, or a dot that begins a line with neither text
 * nor CR LF behind it. */
static bool imitates_end(struct str s, size_t i)
{
	size_t k = i;

	if (s.p[i] != '.')
		return false;
	if (is_line_start(s, i))
		return at(s, i + 1) == '\n' || at(s, i + 1) == '\0' ||
		       (at(s, i + 1) == '\r' && at(s, i + 2) != '\n');
	while (k > 0 && s.p[k - 1] == '\0')
		k--;
	return k == 0 || (k < i && is_line_start(s, k)) || is_bare(s, k - 1);
}

/* What RFC 5321 4.5.2 says, with the text at hand as a whole. */
static void describe(struct str in, struct outcome *o)
{
	size_t i = 0;

	buf_init(&o->text, 1 << 20);
	dot_reader_init(&o->d);
	for (; i < in.n; i++) {
		if (is_line_start(in, i) && str_starts(str_skip(in, i), STR(".\r\n"))) {
			o->d.state = DOT_END;
			i += 3;
			break;
		}
		o->d.has_bare_newline_dot |= imitates_end(in, i);
		o->d.bare_cr += in.p[i] == '\r' && is_bare(in, i);
		o->d.bare_lf += in.p[i] == '\n' && is_bare(in, i);
		o->d.nul += in.p[i] == '\0';
		if (!(is_line_start(in, i) && in.p[i] == '.'))
			buf_char(&o->text, in.p[i]);
	}
	o->used = i;
}

static void check_text(struct str in)
{
	struct outcome whole, described, split;
	size_t cuts[3] = {in.n, in.n, in.n};

	read_in_pieces(in, cuts, 1, &whole);
	describe(in, &described);
	bool ok = str_eq(buf_view(&whole.text), buf_view(&described.text)) && whole.used == described.used &&
	          (whole.d.state == DOT_END) == (described.d.state == DOT_END) &&
	          whole.d.has_bare_newline_dot == described.d.has_bare_newline_dot &&
	          whole.d.bare_cr == described.d.bare_cr && whole.d.bare_lf == described.d.bare_lf &&
	          whole.d.nul == described.d.nul && whole.d.bytes == whole.text.n;
	for (cuts[0] = 0; ok && cuts[0] <= in.n; cuts[0]++)
		for (cuts[1] = cuts[0]; ok && cuts[1] <= in.n; cuts[1]++) {
			read_in_pieces(in, cuts, 3, &split);
			ok = same(&whole, &split);
			buf_done(&split.text);
		}
	if (!ok) {
		auto_buf struct buf hex = {.max = 4096};
		hex_encode(&hex, in);
		fail_msg("%.*s", STR_ARG(buf_view(&hex)));
	}
	buf_done(&whole.text);
	buf_done(&described.text);
}

static void every_short_text(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', '\0', 'a'};
	char text[8];

	for (size_t length = 1; length <= 6; length++) {
		size_t count = 1;
		for (size_t i = 0; i < length; i++)
			count *= COUNT(alphabet);
		for (size_t k = 0; k < count; k++) {
			size_t rest = k;
			for (size_t i = 0; i < length; i++, rest /= COUNT(alphabet))
				text[i] = alphabet[rest % COUNT(alphabet)];
			text[length] = 'x'; /* so that a last CR is known to be bare */
			check_text((struct str){text, length + 1});
		}
	}
}

/* A look-alike between two halves of a message: no end before the true one, and it is noticed. */
static void check_smuggling(struct str sequence)
{
	static const char before[] = "Subject: a\r\n\r\nfirst";
	static const char after[] = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\n.\r\nQUIT\r\n";
	auto_buf struct buf in = {.max = 4096};
	struct outcome o;

	buf_str(&in, str_from(before));
	buf_str(&in, sequence);
	buf_str(&in, str_from(after));
	struct str s = buf_view(&in);
	for (size_t cut = 0; cut <= s.n; cut++) {
		read_in_pieces(s, (size_t[]){cut, s.n}, 2, &o);
		assert_int_equal(o.d.state, DOT_END);
		assert_int_equal(o.used, s.n - 6); /* only QUIT is left */
		bool has_dot = str_find_char(sequence, '.') < sequence.n;
		assert_int_equal(o.d.has_bare_newline_dot, has_dot);
		buf_done(&o.text);
	}
	check_text(s);
	/* As a sender: the same bytes in a body of ours reach nobody as an end. */
	auto_buf struct buf out = {.max = 4096};
	struct dot_writer w;
	dot_writer_init(&w);
	dot_writer_feed(&w, s, &out);
	dot_writer_finish(&w, &out);
	read_in_pieces(buf_view(&out), (size_t[]){out.n}, 1, &o);
	assert_int_equal(o.used, out.n);
	assert_false(str_find_char(sequence, '\0') == sequence.n && o.d.has_bare_newline_dot);
	assert_int_equal(o.d.bare_cr + o.d.bare_lf, 0);
	buf_done(&o.text);
}

/* The published lists of SMTP-Smuggling-Tools and smtpsmug. */
static void smuggling(void **state)
{
	static const char *const sequences[] = {
		"0a2e0a", "0a2e0d", "0d2e0a", "0d2e0d", "0a2e0d0a", "0d2e0d0a", "0d0a002e0d0a", "0d0a2e0d0d0a",
		"0d0d0a2e0d0d0a", "0d0a2e0a", "0d0a2e0d", "0d0a2e000d0a",
	};
	for (size_t i = 0; i < COUNT(sequences); i++) {
		auto_buf struct buf bytes = {.max = 100};
		assert_true(hex_decode(&bytes, str_from(sequences[i])));
		check_smuggling(buf_view(&bytes));
	}
}

/* The same lists where they are collected, so that a longer list is tested without a change here. */
static void smuggling_collection(void **state)
{
	struct buf file;
	struct str rest, word;
	size_t n = 0;

	if (test_data_read("smtp/smuggling-eod.json", &file)) {
		rest = buf_view(&file);
		while (str_cut(&rest, '"', &word)) {
			auto_buf struct buf bytes = {.max = 4096};
			if (word.n < 6 || !hex_decode(&bytes, word))
				continue;
			check_smuggling(buf_view(&bytes));
			n++;
		}
		assert_true(n >= 19);
	}
	buf_done(&file);
}

static void measures(void **state)
{
	struct outcome o;
	struct str s = STR("12345\r\n..78\r\n\r\n123456789\0\r\n.\r\nQUIT\r\n");

	read_in_pieces(s, &s.n, 1, &o);
	assert_int_equal(o.d.longest_line, 10);
	assert_int_equal(o.d.bytes, o.text.n);
	assert_str(str_slice(buf_view(&o.text), 0, 14), "12345\r\n.78\r\n\r\n");
	buf_done(&o.text);
	dot_reader_init(&o.d);
	assert_int_equal(dot_reader_feed(&o.d, s, NULL, NULL), s.n - 6); /* drained without keeping */
	assert_int_equal(o.d.bytes, 26);
}

static void empty_messages(void **state)
{
	struct outcome o;

	read_in_pieces(STR(".\r\n"), (size_t[]){3}, 1, &o);
	assert_int_equal(o.d.state, DOT_END);
	assert_int_equal(o.text.n, 0);
	read_in_pieces(STR("\r\n.\r\n"), (size_t[]){5}, 1, &o);
	assert_int_equal(o.d.state, DOT_END);
	assert_str(buf_view(&o.text), "\r\n");
	buf_done(&o.text);
}

static void chunks(void **state)
{
	static const struct {
		const char *in;
		size_t cr, lf, longest;
		bool is_marked;
	} rows[] = {
		{"a\r\n.\r\nb\r\n", 0, 0, 1, false}, {"a\r\n..\r\nbcd", 0, 0, 3, false},
		{"a\nb", 0, 1, 3, false}, {"a\rb\r", 2, 0, 4, false}, {"a\n.b", 0, 1, 4, true},
		{"a\r\n.\nb", 0, 1, 3, true}, {"a\r\n.\r", 1, 0, 2, true}, {"", 0, 0, 0, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			struct dot_reader d;
			struct str in = str_from(rows[i].in);
			dot_reader_init(&d);
			dot_reader_feed_chunk(&d, str_slice(in, 0, cut));
			dot_reader_feed_chunk(&d, str_skip(in, cut));
			assert_row(d.state != DOT_END, rows[i].in);
			dot_reader_finish_chunks(&d);
			assert_row(d.bare_cr == rows[i].cr && d.bare_lf == rows[i].lf, rows[i].in);
			assert_row(d.longest_line == rows[i].longest, rows[i].in);
			assert_row(d.has_bare_newline_dot == rows[i].is_marked, rows[i].in);
			assert_row(d.bytes == in.n, rows[i].in);
		}
}

static void writes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ".\r\n"}, {"a", "a\r\n.\r\n"}, {"a\r\n", "a\r\n.\r\n"}, {".", "..\r\n.\r\n"},
		{"..\r\n.\r\n", "...\r\n..\r\n.\r\n"}, {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
		{"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"}, {"a\r\r\nb\n", "a\r\nb\r\n.\r\n"},
		{"\n\n", "\r\n\r\n.\r\n"}, {"\r", "\r\n.\r\n"}, {"a.b\r\n", "a.b\r\n.\r\n"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			auto_buf struct buf out = {.max = 4096};
			struct dot_writer w;
			struct str in = str_from(rows[i].in);
			dot_writer_init(&w);
			dot_writer_feed(&w, str_slice(in, 0, cut), &out);
			dot_writer_feed(&w, str_skip(in, cut), &out);
			assert_row(out.n <= 2 * in.n + 2, rows[i].in);
			dot_writer_finish(&w, &out);
			assert_str(buf_view(&out), rows[i].out);
		}
}

/* Any mixture costs a few looks at each byte, not the square. */
static void is_linear(void **state)
{
	const char *const pieces[] = {"\r", "\n", "\0a", ".", "a\r", "a\n", ".\r", "\r\n.a", "a", "\r\n"};
	size_t n = 2 * 1024 * 1024;
	auto_free char *text = malloc(n);

	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct dot_reader d;
		size_t l = pieces[i][0] ? strlen(pieces[i]) : 2;
		for (size_t k = 0; k < n; k++)
			text[k] = pieces[i][k % l];
		dot_reader_init(&d);
		assert_int_equal(dot_reader_feed(&d, (struct str){text, n}, NULL, NULL), n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_text), cmocka_unit_test(smuggling),
		cmocka_unit_test(smuggling_collection), cmocka_unit_test(measures),
		cmocka_unit_test(empty_messages), cmocka_unit_test(chunks),
		cmocka_unit_test(writes), cmocka_unit_test(is_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
