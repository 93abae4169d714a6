/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical forms of fields and bodies (RFC 6376 3.4). */
#include "auth/dkim_canon.h"

#include <assert.h>
#include <endian.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

#define PIECE  4096 /* of canonical bytes that are gathered before they are hashed */
#define LONG   1024 /* what is longer is hashed where it lies */
#define WINDOW 32 /* bytes looked at at once; eights in it are found by their words */

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

/* --- bodies --- */

struct body_form {
	bool is_wanted, is_relaxed;
	bool saw_cr;        /* the last byte of the piece before was a CR, its line end is counted */
	bool saw_blank;     /* relaxed: blanks that become a space if text follows on the line */
	uint64_t line_ends; /* that are hashed only if text follows */
	uint64_t length;    /* canonical bytes so far */
	size_t n;
	char out[PIECE];
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

static void form_flush(struct dkim_bodies *b, struct body_form *f)
{
	hashes_update(b, f, (struct str){f->out, f->n});
	f->n = 0;
}

static void form_add(struct dkim_bodies *b, struct body_form *f, struct str text)
{
	if (f->n + text.n > PIECE || text.n >= LONG)
		form_flush(b, f);
	if (text.n >= LONG) {
		hashes_update(b, f, text);
		return;
	}
	memcpy(f->out + f->n, text.p, text.n);
	f->n += text.n;
}

/* Text is about to follow: what was held back is part of the body after all. */
static void form_release(struct dkim_bodies *b, struct body_form *f)
{
	for (; f->line_ends > 0; f->line_ends--)
		form_add(b, f, STR("\r\n"));
	if (f->saw_blank)
		form_add(b, f, STR(" "));
	f->saw_blank = false;
}

/* Whether c in front of d must be looked at by itself: a line end other than CR LF, and in relaxed form what is not one
 * space between words. A control byte behind a space is, too: it costs a look and saves comparisons. */
static inline unsigned char is_odd(unsigned char c, unsigned char d, bool is_relaxed)
{
	unsigned char odd = (c == '\r') ^ (d == '\n');

	return is_relaxed ? (unsigned char)(odd | (c == '\t') | ((c == ' ') & (d <= ' '))) : odd;
}

/* Without a branch, so that compilers make vectors of it. */
static inline void window_mark(const unsigned char *p, bool is_relaxed, unsigned char odd[WINDOW])
{
	for (int i = 0; i < WINDOW; i++)
		odd[i] = is_odd(p[i], p[i + 1], is_relaxed);
}

/* How many bytes from the start are in canonical form, line ends among them. */
static size_t run_length(struct str s, bool is_relaxed)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char odd[WINDOW];
	uint64_t eights[WINDOW / 8];
	size_t n = 0;

	for (; n + WINDOW < s.n; n += WINDOW) {
		if (is_relaxed)
			window_mark(p + n, true, odd);
		else
			window_mark(p + n, false, odd);
		memcpy(eights, odd, sizeof(eights));
		for (size_t i = 0; i < WINDOW / 8; i++)
			if (eights[i])
				return n + i * 8 + (size_t)__builtin_ctzll(le64toh(eights[i])) / 8;
	}
	while (n + 1 < s.n && !is_odd(p[n], p[n + 1], is_relaxed))
		n++;
	return n;
}

/* `s` begins with text. What the canonical form takes as it is; the blanks and line ends at the end are left to be held
 * back, because nobody knows yet whether text follows. */
static size_t text_length(struct str s, bool is_relaxed)
{
	size_t n = run_length(s, is_relaxed);

	while (n > 1 && (s.p[n - 1] == '\r' || s.p[n - 1] == '\n' || (is_relaxed && s.p[n - 1] == ' ')))
		n--;
	return n > 0 ? n : 1;
}

static void form_line_end(struct body_form *f)
{
	f->line_ends++;
	f->saw_blank = false;
}

static void form_push(struct dkim_bodies *b, struct body_form *f, struct str s)
{
	while (s.n > 0) {
		char c = s.p[0];
		size_t n = 1;
		if (c == '\r' || c == '\n') {
			if (!f->saw_cr)
				form_line_end(f);
			f->saw_cr = c == '\r';
		} else if (f->is_relaxed && is_blank(c)) {
			f->saw_blank = true;
			f->saw_cr = false;
			while (n < s.n && is_blank(s.p[n]))
				n++;
		} else {
			f->saw_cr = false;
			n = text_length(s, f->is_relaxed);
			form_release(b, f);
			form_add(b, f, str_slice(s, 0, n));
		}
		s = str_skip(s, n);
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
	bool is_empty = f->length == 0 && f->n == 0;

	if (!is_empty || !f->is_relaxed)
		form_add(b, f, STR("\r\n"));
	form_flush(b, f);
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
