/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical forms of fields and bodies (RFC 6376 3.4). */
#include "auth/dkim_canon.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/lanes.h"
#include "base/mem.h"

#define GATHERED 8192 /* canonical bytes, before they are hashed: calls are few then, and the bytes still in the nearest cache */

/* --- hashes: fetched once, because a look-up in OpenSSL 3 costs more than a short message --- */

static const EVP_MD *md_of(enum dkim_hash hash)
{
	static EVP_MD *sha256, *sha1;

	if (!sha256) {
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	}
	assert(sha256 && sha1);
	return hash == DKIM_SHA1 ? sha1 : sha256;
}

void dkim_hash(enum dkim_hash hash, struct str text, struct dkim_digest *out)
{
	unsigned n = 0;
	int ok = EVP_Digest(text.p ? text.p : "", text.n, out->bytes, &n, md_of(hash), NULL);

	assert(ok == 1 && n <= DKIM_DIGEST_MAX);
	out->n = n;
}

/* --- fields --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void field_simple(struct buf *out, struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t text = i;
		while (i < s.n && s.p[i] != '\r' && s.p[i] != '\n')
			i++;
		buf_str(out, str_slice(s, text, i));
		size_t end = i;
		while (i < s.n && s.p[i] == '\r')
			i++;
		if (i < s.n && s.p[i] == '\n')
			i++;
		if (i > end)
			buf_str(out, STR("\r\n"));
	}
}

/* Lines joined, runs of blanks one space, none at the end (3.4.2). */
static void value_relaxed(struct buf *out, struct str s, bool *is_begun, bool *is_gap)
{
	for (size_t i = 0; i < s.n;) {
		if (is_blank(s.p[i]))
			*is_gap = *is_begun;
		if (is_blank(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n') {
			i++;
			continue;
		}
		size_t word = i;
		while (i < s.n && !is_blank(s.p[i]) && s.p[i] != '\r' && s.p[i] != '\n')
			i++;
		if (*is_gap)
			buf_char(out, ' ');
		*is_gap = false;
		*is_begun = true;
		buf_add(out, s.p + word, i - word);
	}
}

void dkim_canon_field(struct buf *out, bool is_relaxed, struct str name, struct str whole, struct str cut)
{
	size_t from = cut.p ? (size_t)(cut.p - whole.p) : whole.n, to = cut.p ? from + cut.n : whole.n;
	struct str before = str_slice(whole, 0, from), after = str_skip(whole, to);
	bool is_begun = false, is_gap = false;

	if (!is_relaxed) {
		field_simple(out, before);
		field_simple(out, after);
		if (out->n == 0 || out->p[out->n - 1] != '\n')
			buf_str(out, STR("\r\n"));
		return;
	}
	for (size_t i = 0; i < name.n; i++)
		buf_char(out, ascii_lower(name.p[i]));
	buf_char(out, ':');
	value_relaxed(out, str_skip(before, str_find_char(before, ':') + 1), &is_begun, &is_gap);
	value_relaxed(out, after, &is_begun, &is_gap);
	buf_str(out, STR("\r\n"));
}

/* --- bodies ---
 *
 * They are read in blocks of 64 bytes. What matters about each byte becomes a bit in a word (bit i: byte i), and a few
 * operations on words tell which blanks go and where a line end is not CR LF; only there is a byte looked at by itself.
 * A block is stored whole, and what must go is overwritten by what follows, because stores of a fixed length cost less
 * than copies of the right one. Text that needs no change is gathered too: one way for
 * all, which hashing base64 where it lies beats by a few per cent on a busy core. */

/* Compiled once more for processors since 2013, where words of bits cost half; the loader chooses. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FOR_NEW_PROCESSORS __attribute__((target_clones("arch=haswell", "default")))
#else
#define FOR_NEW_PROCESSORS
#endif

#define INLINED static inline __attribute__((always_inline)) /* into each version */

struct body_form {
	bool is_wanted, is_relaxed;
	bool saw_cr;        /* `out` ends in half a line end: its LF is to come */
	bool saw_blank;     /* relaxed: the piece before ended in blanks, a space if text follows */
	uint64_t line_ends; /* in front of `out`, hashed only if text follows */
	uint64_t length;    /* canonical bytes hashed */
	size_t n;
	char out[GATHERED + 2 * LANES];
};
struct body_hash {
	bool is_relaxed, has_limit;
	enum dkim_hash hash;
	uint64_t limit, taken;
	EVP_MD_CTX *context;
	struct dkim_digest digest;
};
struct dkim_bodies {
	struct body_form forms[2]; /* simple, relaxed */
	struct body_hash hashes[DKIM_BODY_HASHES_MAX];
	int n;
	bool is_finished;
};

struct dkim_bodies *dkim_bodies_new(void)
{
	struct dkim_bodies *b = mem_new(struct dkim_bodies);

	b->forms[1].is_relaxed = true;
	return b;
}

void dkim_bodies_free(struct dkim_bodies *b)
{
	for (int i = 0; b && i < b->n; i++)
		EVP_MD_CTX_free(b->hashes[i].context);
	free(b);
}

int dkim_bodies_want(struct dkim_bodies *b, bool is_relaxed, enum dkim_hash hash, bool has_limit, uint64_t limit)
{
	for (int i = 0; i < b->n; i++) {
		const struct body_hash *h = &b->hashes[i];
		if (h->is_relaxed == is_relaxed && h->hash == hash && h->has_limit == has_limit && h->limit == limit)
			return i;
	}
	if (b->n == DKIM_BODY_HASHES_MAX)
		return -1;
	struct body_hash *h = &b->hashes[b->n];
	*h = (struct body_hash){.is_relaxed = is_relaxed, .has_limit = has_limit, .hash = hash, .limit = limit};
	h->context = EVP_MD_CTX_new();
	int ok = h->context && EVP_DigestInit_ex(h->context, md_of(hash), NULL);
	assert(ok);
	b->forms[is_relaxed].is_wanted = true;
	return b->n++;
}

static void hashes_update(struct dkim_bodies *b, struct body_form *f, struct str text)
{
	f->length += text.n;
	for (int i = 0; i < b->n; i++) {
		struct body_hash *h = &b->hashes[i];
		size_t n = text.n;
		if (h->is_relaxed != f->is_relaxed)
			continue;
		if (h->has_limit && n > h->limit - h->taken)
			n = (size_t)(h->limit - h->taken);
		h->taken += n;
		EVP_DigestUpdate(h->context, text.p, n);
	}
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* A table spares a branch, which text makes unpredictable. */
INLINED bool is_space(char c)
{
	static const bool spaces[256] = {[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true};

	return spaces[(unsigned char)c];
}

/* Text follows: the line ends that were held back are part of the body after all. */
static void line_ends_hash(struct dkim_bodies *b, struct body_form *f)
{
	static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	const uint64_t most = (sizeof(ends) - 1) / 2;

	for (uint64_t n; f->line_ends > 0; f->line_ends -= n) {
		n = f->line_ends < most ? f->line_ends : most;
		hashes_update(b, f, (struct str){ends, 2 * n});
	}
}

/* Hashes what is gathered up to the last text; the line ends behind it are held back, by their number. */
static void form_flush(struct dkim_bodies *b, struct body_form *f)
{
	size_t text = f->n;

	while (text > 0 && is_line_end(f->out[text - 1]))
		text--;
	if (text > 0) {
		line_ends_hash(b, f);
		hashes_update(b, f, (struct str){f->out, text});
	}
	f->line_ends += (f->n - text) / 2;
	f->n = 0;
	if (f->saw_cr)
		f->out[f->n++] = '\r';
}

/* The lowest bit that is set; 64: none is. */
INLINED size_t first_bit(uint64_t bits)
{
	return bits ? (size_t)__builtin_ctzll(bits) : LANES;
}

struct marks {
	uint64_t cr, lf, blank;
};

/* Copies a block, tabs as spaces in relaxed form, and marks what is in it. */
INLINED struct marks block_read(char *out, const char *p, bool is_relaxed)
{
	struct lanes x = lanes_load(p);
	struct marks m = {.cr = lanes_find(x, '\r'), .lf = lanes_find(x, '\n')};

	if (is_relaxed) {
		x = lanes_replace(x, '\t', ' ');
		m.blank = lanes_find(x, ' ');
	}
	lanes_store(out, x);
	return m;
}

/* 3.4.4: the blanks in front of a blank or a line end. */
INLINED uint64_t blanks_that_go(struct marks m, char next)
{
	return m.blank & ((m.blank | m.cr | m.lf) >> 1 | (uint64_t)is_space(next) << (LANES - 1));
}

/* Moves the bytes that are kept together, in a block that stands at `out` whole already. Returns how many. */
INLINED size_t block_close_up(char *out, const char *p, uint64_t kept)
{
	size_t n = first_bit(~kept);

	for (kept &= kept + 1; kept != 0;) {
		size_t from = first_bit(kept);
		uint64_t filled = kept | (kept - 1); /* the first run of ones, made to begin at bit 0 */
		lanes_store(out + n, lanes_replace(lanes_load(p + from), '\t', ' '));
		n += first_bit(~filled) - from;
		kept &= filled + 1;
	}
	return n;
}

/* c is an LF without CR, or follows a CR without being its LF; a run of CR is one line end. Returns how many bytes of
 * it are taken. */
static size_t form_odd(struct body_form *f, char c)
{
	if (f->saw_cr && c == '\r')
		return 1;
	if (!f->saw_cr)
		f->out[f->n++] = '\r';
	f->out[f->n++] = '\n';
	f->saw_cr = false;
	return c == '\n';
}

/* Takes up to `most` bytes of a block, fewer if a line end is odd; it may read to p + 2 * LANES. Returns how many. */
INLINED size_t form_block(struct body_form *f, const char *p, size_t most, bool is_relaxed)
{
	char *out = f->out + f->n;
	struct marks m = block_read(out, p, is_relaxed);
	uint64_t odd = m.lf ^ (m.cr << 1 | f->saw_cr);
	uint64_t gone = is_relaxed ? blanks_that_go(m, p[LANES]) : 0;
	size_t n = first_bit(odd) < most ? first_bit(odd) : most;

	if (gone == 0)
		f->n += n;
	else
		f->n += block_close_up(out, p, ~gone & (n < LANES ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0));
	if (n > 0)
		f->saw_cr = p[n - 1] == '\r';
	return n < most ? n + form_odd(f, p[n]) : n;
}

/* What fewer than two blocks are left of a piece, from a place where one may read on. The CR takes away a blank at the
 * end, because whether text follows it is not known yet. */
static size_t form_rest(struct body_form *f, struct str s)
{
	char rest[2 * LANES] = {0};
	size_t most = s.n < LANES ? s.n : LANES;

	memcpy(rest, s.p, s.n);
	rest[s.n] = '\r';
	return f->is_relaxed ? form_block(f, rest, most, true) : form_block(f, rest, most, false);
}

/* Returns what is left of s. Compiled for each form: in simple form most of the work falls away. What comes
 * after the next hashing is asked for now: a body that is not in the cache arrives meanwhile (3 to 5 % of all the time). */
INLINED struct str form_blocks(struct dkim_bodies *b, struct body_form *f, struct str s, bool is_relaxed)
{
	while (s.n >= 2 * LANES) {
		__builtin_prefetch(s.p + (s.n < GATHERED ? s.n : GATHERED));
		if (f->n >= GATHERED)
			form_flush(b, f);
		s = str_skip(s, form_block(f, s.p, LANES, is_relaxed));
	}
	return s;
}

FOR_NEW_PROCESSORS static struct str blocks_simple(struct dkim_bodies *b, struct body_form *f, struct str s)
{
	return form_blocks(b, f, s, false);
}

FOR_NEW_PROCESSORS static struct str blocks_relaxed(struct dkim_bodies *b, struct body_form *f, struct str s)
{
	return form_blocks(b, f, s, true);
}

static void form_push(struct dkim_bodies *b, struct body_form *f, struct str piece)
{
	if (piece.n == 0)
		return;
	if (f->saw_blank && !is_space(piece.p[0]))
		f->out[f->n++] = ' ';
	f->saw_blank = f->is_relaxed && is_blank(piece.p[piece.n - 1]);
	struct str s = f->is_relaxed ? blocks_relaxed(b, f, piece) : blocks_simple(b, f, piece);
	while (s.n > 0) {
		if (f->n >= GATHERED)
			form_flush(b, f);
		s = str_skip(s, form_rest(f, s));
	}
}

void dkim_bodies_push(struct dkim_bodies *b, struct str piece)
{
	assert(!b->is_finished);
	for (int i = 0; i < 2; i++)
		if (b->forms[i].is_wanted)
			form_push(b, &b->forms[i], piece);
}

/* 3.4.3: a body ends with one CRLF, also an empty one; 3.4.4: an empty body stays empty. */
static void form_finish(struct dkim_bodies *b, struct body_form *f)
{
	form_flush(b, f);
	if (f->length > 0 || !f->is_relaxed)
		hashes_update(b, f, STR("\r\n"));
}

void dkim_bodies_finish(struct dkim_bodies *b)
{
	assert(!b->is_finished);
	b->is_finished = true;
	for (int i = 0; i < 2; i++)
		if (b->forms[i].is_wanted)
			form_finish(b, &b->forms[i]);
	for (int i = 0; i < b->n; i++) {
		struct body_hash *h = &b->hashes[i];
		unsigned n = 0;
		EVP_DigestFinal_ex(h->context, h->digest.bytes, &n);
		h->digest.n = n;
	}
}

uint64_t dkim_bodies_result(const struct dkim_bodies *b, int handle, struct dkim_digest *out)
{
	assert(b->is_finished && handle >= 0 && handle < b->n);
	*out = b->hashes[handle].digest;
	return b->forms[b->hashes[handle].is_relaxed].length;
}
