/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical forms: the RFC's examples, line ends of all kinds, and bodies cut at every place. */
#include "auth/dkim_canon.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/test.h"

static void test_fields(void **state)
{
	static const struct { const char *name, *whole, *relaxed, *simple; } rows[] = {
		{"A", "A: X\r\n", "a:X\r\n", "A: X\r\n"}, /* RFC 6376 3.4.5 */
		{"B", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n", "B : Y\t\r\n\tZ  \r\n"},
		{"C", "C:\n", "c:\r\n", "C:\r\n"},
		{"D", "D: x", "d:x\r\n", "D: x\r\n"},
		{"E", "E: x\r y\r\r\n", "e:x y\r\n", "E: x\r\n y\r\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf out = {.max = 1024};
		dkim_canon_field(&out, true, str_from(rows[i].name), str_from(rows[i].whole), STR_NONE);
		assert_str(buf_view(&out), rows[i].relaxed);
		buf_clear(&out);
		dkim_canon_field(&out, false, str_from(rows[i].name), str_from(rows[i].whole), STR_NONE);
		assert_str(buf_view(&out), rows[i].simple);
	}
	auto_buf struct buf out = {.max = 1024};
	struct str whole = STR("S: a=1; b= xx\r\n yy ; c=2\r\n");
	dkim_canon_field(&out, true, STR("S"), whole, str_slice(whole, 10, 19));
	assert_str(buf_view(&out), "s:a=1; b=; c=2\r\n");
}

/* The body that hashes like `want` does by itself: the canonical text, hashed. */
static void check_body(const char *body, bool is_relaxed, const char *want, size_t cut)
{
	struct dkim_bodies *b = dkim_bodies_new();
	struct dkim_digest got, expected;
	int handle = dkim_bodies_want(b, is_relaxed, DKIM_SHA256, false, 0);
	struct str all = str_from(body);

	dkim_bodies_push(b, str_slice(all, 0, cut));
	dkim_bodies_push(b, str_skip(all, cut));
	dkim_bodies_finish(b);
	uint64_t length = dkim_bodies_result(b, handle, &got);
	dkim_bodies_free(b);
	dkim_hash(DKIM_SHA256, str_from(want), &expected);
	assert_row(length == strlen(want), body);
	assert_memory_equal(got.bytes, expected.bytes, expected.n);
}

static void test_bodies(void **state)
{
	static const struct { const char *body, *simple, *relaxed; } rows[] = {
		{"", "\r\n", ""}, /* 3.4.3, 3.4.4 */
		{"\r\n\r\n", "\r\n", ""},
		{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, /* 3.4.5 */
		{"no end", "no end\r\n", "no end\r\n"},
		{"a \t", "a \t\r\n", "a\r\n"},
		{" \t", " \t\r\n", ""},
		{"a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
		{"a\r\rb", "a\r\nb\r\n", "a\r\nb\r\n"}, /* a run of CR is one line end, as smtp/dot.h has it */
		{"a\r\r\nb\r\n \r\n", "a\r\nb\r\n \r\n", "a\r\nb\r\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].body); cut++) {
			check_body(rows[i].body, false, rows[i].simple, cut);
			check_body(rows[i].body, true, rows[i].relaxed, cut);
		}
	}
}

/* One pass serves several wishes; equal ones share a hash; l= hashes a beginning only. */
static void test_many(void **state)
{
	struct dkim_bodies *b = dkim_bodies_new();
	auto_buf struct buf body = {.max = 1 << 20}, canon = {.max = 1 << 20};
	struct dkim_digest got, expected;

	for (int i = 0; i < 5000; i++) {
		buf_printf(&body, "line %d  of\ttext \r\n", i);
		buf_printf(&canon, "line %d of text\r\n", i);
	}
	int simple = dkim_bodies_want(b, false, DKIM_SHA256, false, 0), relaxed = dkim_bodies_want(b, true, DKIM_SHA256, false, 0);
	int part = dkim_bodies_want(b, true, DKIM_SHA1, true, 20000);
	assert_int_equal(simple, dkim_bodies_want(b, false, DKIM_SHA256, false, 0));
	assert_true(simple != relaxed && relaxed != part);
	for (int i = 1; dkim_bodies_want(b, true, DKIM_SHA256, true, (uint64_t)i) >= 0; i++)
		assert_true(i < DKIM_BODY_HASHES_MAX);
	for (size_t at = 0; at < body.n; at += 7)
		dkim_bodies_push(b, str_slice(buf_view(&body), at, at + 7));
	dkim_bodies_finish(b);
	assert_int_equal(dkim_bodies_result(b, simple, &got), body.n);
	dkim_hash(DKIM_SHA256, buf_view(&body), &expected);
	assert_memory_equal(got.bytes, expected.bytes, 32);
	assert_int_equal(dkim_bodies_result(b, relaxed, &got), canon.n);
	dkim_hash(DKIM_SHA256, buf_view(&canon), &expected);
	assert_memory_equal(got.bytes, expected.bytes, 32);
	dkim_bodies_result(b, part, &got);
	dkim_hash(DKIM_SHA1, str_slice(buf_view(&canon), 0, 20000), &expected);
	assert_memory_equal(got.bytes, expected.bytes, 20);
	dkim_bodies_free(b);
}

/* The same by single bytes, and with the whole text kept: what the blocks are held against. */
static void canon_slowly(struct str body, bool is_relaxed, struct buf *out)
{
	bool saw_cr = false, saw_blank = false;
	size_t line_ends = 0;

	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];
		if (c == '\r' || c == '\n') {
			if (!saw_cr) {
				line_ends++;
				saw_blank = false;
			}
		} else if (is_relaxed && (c == ' ' || c == '\t')) {
			saw_blank = true;
		} else {
			for (; line_ends > 0; line_ends--)
				buf_str(out, STR("\r\n"));
			if (saw_blank)
				buf_char(out, ' ');
			buf_char(out, c);
			saw_blank = false;
		}
		saw_cr = c == '\r';
	}
	if (!is_relaxed || out->n > 0)
		buf_str(out, STR("\r\n"));
}

/* Words, blanks and line ends in a mixture of the round's own: from few odd bytes among long words to nothing else. Runs
 * of line ends are at times longer than what is gathered before it is hashed. */
static void random_body(struct buf *out, unsigned *seed)
{
	static const char *const odd[] = {"\r\n", "\r\n", " ", "  ", "\t", " \t", " \r\n", "\r\n\t\t", "\n", "\r", " \n", "\r\n\r\n",
	                                  "\x01", " \x02", "\v ", "\xa0", "\x8d\x8a"};
	unsigned words = 1 + (unsigned)rand_r(seed) % 200, longest = 1u << rand_r(seed) % 9;
	unsigned kinds = 1 + (unsigned)rand_r(seed) % COUNT(odd), first = (unsigned)rand_r(seed);

	buf_clear(out);
	for (unsigned i = 0; i < words; i++) {
		for (unsigned k = (unsigned)rand_r(seed) % longest; k > 0; k--)
			buf_char(out, (char)('a' + k % 26));
		unsigned again = rand_r(seed) % 8 == 0 ? (unsigned)rand_r(seed) % 80 : 1;
		struct str what = str_from(odd[(first + (unsigned)rand_r(seed) % kinds) % COUNT(odd)]);
		if (rand_r(seed) % 4096 == 0)
			again = 20000;
		for (; again > 0; again--)
			buf_str(out, what);
	}
	if (rand_r(seed) % 2)
		buf_str(out, STR("\0 end"));
}

/* In pieces of the round's own size or below, some of them empty; each lies alone, so that a look behind it is seen. */
static void push_in_pieces(struct dkim_bodies *b, struct str body, unsigned *seed)
{
	unsigned longest = 1u << rand_r(seed) % 17;

	for (size_t at = 0, n; at < body.n; at += n) {
		n = (unsigned)rand_r(seed) % (longest + 1);
		if (n > body.n - at)
			n = body.n - at;
		char *piece = mem_alloc(n + 1);
		memcpy(piece + 1, body.p + at, n);
		dkim_bodies_push(b, (struct str){piece + 1, n});
		free(piece);
	}
}

static void assert_hash(const struct dkim_bodies *b, int handle, struct str canon, size_t part, unsigned round)
{
	struct dkim_digest got, expected;

	dkim_hash(DKIM_SHA256, str_slice(canon, 0, part), &expected);
	if (dkim_bodies_result(b, handle, &got) != canon.n || memcmp(got.bytes, expected.bytes, expected.n) != 0)
		fail_msg("round %u, handle %d: not the bytes that the slow way gives", round, handle);
}

/* POSTERN_SEED: other bodies, for a longer search. */
static void test_random_bodies(void **state)
{
	auto_buf struct buf body = {.max = 4 << 20}, simple = {.max = 4 << 20}, relaxed = {.max = 4 << 20};
	const char *other = getenv("POSTERN_SEED");
	unsigned seed = other ? (unsigned)strtoul(other, NULL, 10) : 7;

	for (unsigned round = 0; round < 1500; round++) {
		random_body(&body, &seed);
		buf_clear(&simple);
		buf_clear(&relaxed);
		canon_slowly(buf_view(&body), false, &simple);
		canon_slowly(buf_view(&body), true, &relaxed);
		size_t part = (size_t)rand_r(&seed) % (relaxed.n + 2);
		struct dkim_bodies *b = dkim_bodies_new();
		dkim_bodies_want(b, false, DKIM_SHA256, false, 0);
		dkim_bodies_want(b, true, DKIM_SHA256, false, 0);
		dkim_bodies_want(b, true, DKIM_SHA256, true, part);
		push_in_pieces(b, buf_view(&body), &seed);
		dkim_bodies_finish(b);
		assert_hash(b, 0, buf_view(&simple), simple.n, round);
		assert_hash(b, 1, buf_view(&relaxed), relaxed.n, round);
		assert_hash(b, 2, buf_view(&relaxed), part, round);
		dkim_bodies_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_bodies),
	                                   cmocka_unit_test(test_many), cmocka_unit_test(test_random_bodies)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
