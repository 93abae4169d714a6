/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folding tags into a field and putting the signature in its place. */
#include "auth/dkim_write.h"

#include "base/auto.h"
#include "base/hex.h"

#define COLUMNS 76
#define B_WIDTH 72 /* with "b=" on the first line */
#define B_WHOLE_MAX 960 /* on one line of at most 998 bytes (RFC 5322 2.1.1) */

void dkim_write_begin(struct dkim_writer *w, struct arena *arena, struct str name)
{
	*w = (struct dkim_writer){.arena = arena, .name = name};
	buf_init(&w->text, 65536);
	buf_str(&w->text, name);
	buf_char(&w->text, ':');
	w->column = w->text.n;
}

void dkim_write_done(struct dkim_writer *w)
{
	buf_done(&w->text);
}

static void line_break(struct dkim_writer *w)
{
	buf_str(&w->text, STR("\r\n\t"));
	w->column = 8;
}

static void text_add(struct dkim_writer *w, struct str s)
{
	buf_str(&w->text, s);
	w->column += s.n;
}

static void semicolon_add(struct dkim_writer *w)
{
	if (w->text.n > w->name.n + 1)
		text_add(w, STR(";"));
}

void dkim_write_tag(struct dkim_writer *w, const char *name, struct str value)
{
	struct str rest = value, part;
	bool is_first = true;

	semicolon_add(w);
	while (str_cut(&rest, ':', &part)) {
		bool is_last = rest.n == 0;
		size_t need = part.n + !is_last + (is_first ? strlen(name) + 3 : 1);
		if (w->column + need > COLUMNS)
			line_break(w);
		else if (is_first)
			text_add(w, STR(" "));
		if (is_first) {
			text_add(w, str_from(name));
			text_add(w, STR("="));
		}
		text_add(w, part);
		if (!is_last)
			text_add(w, STR(":"));
		is_first = false;
	}
}

void dkim_write_number(struct dkim_writer *w, const char *name, uint64_t value)
{
	dkim_write_tag(w, name, arena_printf(w->arena, "%llu", (unsigned long long)value));
}

void dkim_write_digest(struct dkim_writer *w, const char *name, const struct dkim_digest *digest)
{
	auto_buf struct buf text = {.max = 128};

	base64_encode(&text, (struct str){(const char *)digest->bytes, digest->n});
	dkim_write_tag(w, name, buf_view(&text));
}

void dkim_write_b(struct dkim_writer *w)
{
	semicolon_add(w);
	line_break(w);
	text_add(w, STR("b="));
	w->b_at = w->text.n;
	w->column = COLUMNS; /* what follows goes on a new line, wherever the signature ends */
}

struct header_field dkim_made_field(struct str whole)
{
	size_t colon = str_find_char(whole, ':');

	return (struct header_field){.name = str_slice(whole, 0, colon), .value = str_skip(whole, colon + 1), .whole = whole};
}

struct header_field dkim_write_field(const struct dkim_writer *w)
{
	return dkim_made_field(buf_view(&w->text));
}

bool dkim_write_sign(struct dkim_writer *w, struct dkim_private_key *key, const struct dkim_digest *digest,
                     struct buf *out, struct err *err)
{
	auto_buf struct buf raw = {.max = 4096}, text = {.max = 8192};

	if (!dkim_private_key_sign(key, digest, &raw, err))
		return false;
	base64_encode(&text, buf_view(&raw));
	buf_str(out, str_slice(buf_view(&w->text), 0, w->b_at));
	size_t width = w->is_b_whole && text.n < B_WHOLE_MAX ? B_WHOLE_MAX : B_WIDTH;
	for (size_t at = 0, to = width - 2; at < text.n; at = to, to += width) {
		if (at > 0)
			buf_str(out, STR("\r\n\t"));
		buf_str(out, str_slice(buf_view(&text), at, to));
	}
	buf_str(out, str_skip(buf_view(&w->text), w->b_at));
	buf_str(out, STR("\r\n"));
	if (!buf_ok(out) || !buf_ok(&w->text) || !buf_ok(&text))
		return err_perm(err, CAUSE_LOCAL_ERROR, "the signature's field would be too long");
	return true;
}
