/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking, measuring and filtering the header of a message. */
#include "mail/header.h"

#include "mail/address.h"

/* Length of the line end that `s` begins with: CR* LF, or a run of CR. */
static size_t line_end_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] == '\r')
		n++;
	return n < s.n && s.p[n] == '\n' ? n + 1 : n;
}

/* In windows, so that a text with one kind of line end only is still looked at once. */
static size_t line_text_length(struct str s)
{
	for (size_t at = 0; at < s.n; at += 256) {
		struct str window = str_slice(s, at, at + 256);
		size_t n = str_find_char(window, '\n');
		n = str_find_char(str_slice(window, 0, n), '\r');
		if (n < window.n)
			return at + n;
	}
	return s.n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void header_scan_init(struct header_scan *s, struct str message)
{
	*s = (struct header_scan){.message = message};
}

/* Field names are printable ASCII without colon; blanks before the colon are obsolete syntax that
 * readers accept (RFC 5322 4.5.3). */
static void split_field(struct header_field *f, size_t text_n)
{
	struct str line = str_slice(f->whole, 0, text_n);
	size_t colon = str_find_char(line, ':'), n = colon;

	while (n > 0 && is_blank(line.p[n - 1]))
		n--;
	if (colon == line.n || n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (line.p[i] <= ' ' || line.p[i] > '~')
			return;
	f->name = str_slice(line, 0, n);
	f->value = str_skip(line, colon + 1);
}

bool header_scan_next(struct header_scan *s, struct header_field *out)
{
	struct str rest = str_skip(s->message, s->at);
	size_t text = 0, whole = 0, line;

	if (rest.n == 0 || line_text_length(rest) == 0) {
		s->has_body = rest.n > 0;
		s->body = s->at + line_end_length(rest);
		return false;
	}
	do { /* the field's line and its continuations */
		line = line_text_length(str_skip(rest, whole));
		text = whole + line;
		whole = text + line_end_length(str_skip(rest, text));
	} while (whole < rest.n && is_blank(rest.p[whole]));

	*out = (struct header_field){
		.whole = str_slice(rest, 0, whole), .offset = s->at, .text_n = text, .before = s->text_end};
	s->text_end = s->at + text;
	split_field(out, text);
	s->at += whole;
	return true;
}

struct str header_unfold(struct arena *arena, struct str value)
{
	char *text = arena_alloc(arena, value.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			text[n++] = value.p[i];
	return str_trim((struct str){text, n});
}

bool header_find(struct str message, struct str name, struct str *value)
{
	struct header_scan s;
	struct header_field f;

	header_scan_init(&s, message);
	while (header_scan_next(&s, &f)) {
		if (!str_ieq(f.name, name))
			continue;
		*value = f.value;
		return true;
	}
	return false;
}

static void summarise_field(const struct header_field *f, struct header_summary *h)
{
	h->fields++;
	if (f->whole.n > h->longest_field)
		h->longest_field = f->whole.n;
	h->nameless += f->name.n == 0;
	h->received += str_ieq(f->name, STR("Received"));
	h->from += str_ieq(f->name, STR("From"));
	h->date += str_ieq(f->name, STR("Date"));
	h->message_id += str_ieq(f->name, STR("Message-ID"));
	if (str_ieq(f->name, STR("Auto-Submitted"))) {
		struct str v = str_trim(f->value);
		v = str_trim(str_slice(v, 0, str_find_char(v, ';')));
		h->is_automatic = h->is_automatic || !str_ieq(v, STR("no"));
	}
}

void header_summarise(struct str message, struct header_summary *out)
{
	struct header_scan s;
	struct header_field f;
	struct header_summary h = {0};

	header_scan_init(&s, message);
	while (header_scan_next(&s, &f))
		summarise_field(&f, &h);
	h.header_bytes = s.at;
	h.body_offset = s.body;
	h.has_body = s.has_body;
	*out = h;
}

struct str header_skip_cfws(struct str s)
{
	size_t i = 0, depth = 0;

	for (; i < s.n; i++) {
		char c = s.p[i];
		if (depth > 0 && c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth == 0 && !is_blank(c) && c != '\r' && c != '\n')
			break;
	}
	return str_skip(s, i);
}

static bool is_token_byte(char c)
{
	return (unsigned char)c > ' ' && c != 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

static bool quoted_authserv_id(struct arena *arena, struct str s, struct str *out)
{
	char *text = arena_alloc(arena, s.n);
	size_t n = 0;

	size_t i = 1;

	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			text[n++] = s.p[i];
	}
	if (i >= s.n)
		return false; /* a quotation without an end: nobody knows where the id ends */
	*out = str_trim((struct str){text, n});
	return out->n > 0;
}

bool header_authserv_id(struct arena *arena, struct str value, struct str *out)
{
	struct str s = header_skip_cfws(value);
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '"')
		return quoted_authserv_id(arena, s, out);
	while (n < s.n && is_token_byte(s.p[n]))
		n++;
	if (n == 0)
		return false;
	*out = str_slice(s, 0, n);
	return true;
}

/* Whether readers may take the one for the other: in any case, with a dot at the end, as U-labels. False in *is_clear: the id is
 * no name, and what a reader makes of it is not known. */
static bool is_same_name(struct arena *arena, struct str id, struct str ours, bool *is_clear)
{
	struct str ascii;
	struct err err;

	*is_clear = domain_to_ascii(arena, id, &ascii, &err);
	return str_ieq(id, ours) || (*is_clear && str_ieq(ascii, ours));
}

/* An id that cannot be read as a name, in a field that names ours anywhere, is taken for a forgery: readers downstream may
 * be more lenient than we are. */
bool header_claims_authserv_id(struct str value, struct str authserv_id)
{
	struct arena arena;
	struct str id;
	bool is_clear = false;

	arena_init(&arena, 4 * value.n + 4096);
	bool is_ours = header_authserv_id(&arena, value, &id) && is_same_name(&arena, id, authserv_id, &is_clear);
	if (!is_ours && !is_clear)
		is_ours = str_ifind(value, authserv_id) < value.n;
	arena_done(&arena);
	return is_ours;
}

static bool is_dropped(const struct header_keep *k, const struct header_field *f)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (str_ieq(f->name, k->names[i]))
			return true;
	return k->authserv_id.n > 0 && str_ieq(f->name, STR("Authentication-Results")) &&
	       header_claims_authserv_id(f->value, k->authserv_id);
}

void header_field_cut(const struct header_field *f, bool has_kept, size_t *from, size_t *to)
{
	*from = has_kept ? f->before : f->offset;
	*to = f->offset + (has_kept ? f->text_n : f->whole.n);
}

void header_keep_init(struct header_keep *k, struct str message, const struct str *names, size_t n_names,
                      struct str authserv_id)
{
	*k = (struct header_keep){.names = names, .n_names = n_names, .authserv_id = authserv_id};
	header_scan_init(&k->scan, message);
}

bool header_keep_next(struct header_keep *k, struct str *slice)
{
	struct header_field f;

	while (!k->is_done) {
		size_t from = k->kept_to, to;
		if (!header_scan_next(&k->scan, &f)) {
			k->is_done = true;
			to = k->kept_to = k->scan.message.n;
		} else if (is_dropped(k, &f)) {
			k->dropped++;
			header_field_cut(&f, k->has_kept, &to, &k->kept_to);
		} else {
			k->has_kept = true;
			continue;
		}
		if (from < to) {
			*slice = str_slice(k->scan.message, from, to);
			return true;
		}
	}
	return false;
}
