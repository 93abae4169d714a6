/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON in one pass, by the grammar of RFC 8259; NULL wherever Jansson should have a look. */
#include "cmd/json_line.h"

#define DIGITS_MAX 18 /* of a number that is surely within 64 bits */

struct reader {
	const char *p, *end;
	struct buf *scratch;
	bool is_ascii; /* the text as a whole: nothing needs to be looked at as UTF-8 */
	unsigned depth;
};

/* The next byte that is no blank; 0 at the end, where nothing of the grammar goes on with 0 either. */
static char next_byte(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
	return r->p < r->end ? *r->p : '\0';
}

static bool take_byte(struct reader *r, char c)
{
	if (next_byte(r) != c)
		return false;
	r->p++;
	return true;
}

/* --- strings --- */

/* The bytes of a string that stand for themselves. */
static struct str take_plain(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && (unsigned char)*r->p >= ' ' && *r->p != '"' && *r->p != '\\')
		r->p++;
	return (struct str){from, (size_t)(r->p - from)};
}

static void add_utf8(struct buf *b, unsigned point)
{
	if (point >= 0x800) {
		buf_char(b, (char)(0xE0 | point >> 12));
		buf_char(b, (char)(0x80 | (point >> 6 & 0x3F)));
	} else if (point >= 0x80) {
		buf_char(b, (char)(0xC0 | point >> 6));
	}
	buf_char(b, (char)(point < 0x80 ? point : 0x80 | (point & 0x3F)));
}

/* Four hexadecimal digits; not NUL, which some members may not hold, and no half of a pair. */
static bool take_point(struct reader *r)
{
	unsigned point = 0;

	if (r->end - r->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = ascii_lower(*r->p++);
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		point = point * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (point == 0 || (point >= 0xD800 && point <= 0xDFFF))
		return false;
	add_utf8(r->scratch, point);
	return true;
}

static bool take_escape(struct reader *r)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";

	if (r->p == r->end)
		return false;
	char c = *r->p++;
	if (c == 'u')
		return take_point(r);
	const char *hit = memchr(names, c, sizeof(names) - 1);
	if (hit)
		buf_char(r->scratch, means[hit - names]);
	return hit != NULL;
}

/* From behind the opening quote: where it lies, or in the scratch buffer when something in it is escaped. */
static bool take_text(struct reader *r, struct str *out)
{
	*out = take_plain(r);
	if (r->p < r->end && *r->p == '"') {
		r->p++;
		return true;
	}
	buf_clear(r->scratch);
	buf_str(r->scratch, *out);
	while (r->p < r->end && *r->p == '\\') {
		r->p++;
		if (!take_escape(r))
			return false;
		buf_str(r->scratch, take_plain(r));
	}
	*out = buf_view(r->scratch);
	return r->p < r->end && *r->p++ == '"' && buf_ok(r->scratch);
}

static json_t *read_string(struct reader *r)
{
	struct str text;

	if (!take_text(r, &text))
		return NULL;
	return r->is_ascii ? json_stringn_nocheck(text.p ? text.p : "", text.n) : json_stringn(text.p ? text.p : "", text.n);
}

/* --- the rest --- */

static json_t *read_integer(struct reader *r)
{
	bool is_negative = *r->p == '-';
	const char *first = r->p += is_negative;
	json_int_t n = 0;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - first <= DIGITS_MAX)
		n = n * 10 + (*r->p++ - '0');
	ptrdiff_t digits = r->p - first;
	bool has_more = r->p < r->end && (*r->p == '.' || *r->p == 'e' || *r->p == 'E');
	if (digits == 0 || digits > DIGITS_MAX || (digits > 1 && *first == '0') || has_more)
		return NULL;
	return json_integer(is_negative ? -n : n);
}

static json_t *read_word(struct reader *r)
{
	static const struct {
		const char *word;
		size_t n;
		json_t *(*make)(void);
	} words[] = {{"true", 4, json_true}, {"false", 5, json_false}, {"null", 4, json_null}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if ((size_t)(r->end - r->p) >= words[i].n && memcmp(r->p, words[i].word, words[i].n) == 0) {
			r->p += words[i].n;
			return words[i].make();
		}
	}
	return NULL;
}

/* Calls itself through lists and objects, JSON_LINE_DEPTH_MAX levels at most, as Jansson does when it frees them. */
static json_t *value_read(struct reader *r);

static bool take_member(struct reader *r, json_t *object)
{
	struct str key;

	if (!take_byte(r, '"'))
		return false;
	key = take_plain(r);
	if (r->p == r->end || *r->p++ != '"' || !take_byte(r, ':'))
		return false;
	json_t *value = value_read(r);
	return value && (r->is_ascii ? json_object_setn_new_nocheck(object, key.p, key.n, value)
	                             : json_object_setn_new(object, key.p, key.n, value)) == 0;
}

static bool take_item(struct reader *r, json_t *list)
{
	json_t *value = value_read(r);

	return value && json_array_append_new(list, value) == 0;
}

static json_t *read_container(struct reader *r, char close, json_t *made, bool (*take)(struct reader *r, json_t *into))
{
	bool ok = made != NULL;

	if (ok && take_byte(r, close))
		return made;
	do
		ok = ok && take(r, made);
	while (ok && take_byte(r, ','));
	if (ok && take_byte(r, close))
		return made;
	json_decref(made);
	return NULL;
}

static json_t *value_read(struct reader *r)
{
	char c = next_byte(r);
	json_t *value = NULL;

	if (c == '"') {
		r->p++;
		return read_string(r);
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_integer(r);
	if (c != '{' && c != '[')
		return read_word(r);
	r->p++;
	if (++r->depth <= JSON_LINE_DEPTH_MAX)
		value = c == '{' ? read_container(r, '}', json_object(), take_member) : read_container(r, ']', json_array(), take_item);
	r->depth--;
	return value;
}

static bool is_all_ascii(struct str s)
{
	unsigned char seen = 0;

	for (size_t i = 0; i < s.n; i++)
		seen |= (unsigned char)s.p[i];
	return seen < 0x80;
}

json_t *json_line_read(struct str text, struct buf *scratch)
{
	struct reader r = {.p = text.p, .end = text.p + text.n, .scratch = scratch, .is_ascii = is_all_ascii(text)};
	char first = text.n > 0 ? next_byte(&r) : '\0';
	json_t *value = first == '{' || first == '[' ? value_read(&r) : NULL;

	next_byte(&r);
	if (value && r.p == r.end)
		return value;
	json_decref(value);
	return NULL;
}
