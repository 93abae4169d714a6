/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The leaves of a message, decoded (RFC 2045, 2046), lenient: reports are old, broken and cut short. */
#include "mail/bounce.h"
#include "mail/charset.h"
#include "mail/header.h"

struct open_part {
	struct str text; /* header and body */
	unsigned depth;
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str decode_qp(struct arena *arena, struct str s)
{
	char *p = arena_alloc(arena, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '=') {
			p[n++] = s.p[i];
			continue;
		}
		if (i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0) {
			p[n++] = (char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]));
			i += 2;
		} else if (i + 1 < s.n && s.p[i + 1] == '\n') {
			i++;
		} else if (i + 2 < s.n && s.p[i + 1] == '\r' && s.p[i + 2] == '\n') {
			i += 2;
		} else {
			p[n++] = '=';
		}
	}
	return (struct str){p, n};
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct str bounce_base64(struct arena *arena, struct str s)
{
	char *p = arena_alloc(arena, s.n + 1);
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		int v = base64_value(s.p[i]);
		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (char)(bits >> have & 0xFF);
		}
	}
	return (struct str){p, n};
}

static struct str field(struct arena *arena, struct str text, struct str name)
{
	struct str value;
	return header_find(text, name, &value) ? header_unfold(arena, value) : STR_NONE;
}

static struct str boundary_of(struct str type)
{
	size_t at = str_ifind(type, STR("boundary"));
	if (at == type.n)
		return STR_NONE;
	struct str s = str_trim(str_skip(type, at + 8));
	if (s.n == 0 || s.p[0] != '=')
		return STR_NONE;
	s = str_trim(str_skip(s, 1));
	if (s.n && s.p[0] == '"') {
		s = str_skip(s, 1);
		return str_slice(s, 0, str_find_char(s, '"'));
	}
	size_t end = 0;
	while (end < s.n && s.p[end] != ';' && s.p[end] != ' ' && s.p[end] != '\t')
		end++;
	return str_slice(s, 0, end);
}

static struct str body_of(struct str text)
{
	struct header_scan scan;
	struct header_field f;

	header_scan_init(&scan, text);
	while (header_scan_next(&scan, &f))
		;
	return str_skip(text, scan.has_body ? scan.body : text.n);
}

/* Pushes the parts between boundaries, the last one first, so that they are taken in order. */
static void push_parts(struct str body, struct str boundary, unsigned depth, struct open_part *stack, size_t *n)
{
	struct str found[BOUNCE_PARTS];
	size_t n_found = 0, at = 0, start = SIZE_MAX;

	while (at < body.n) {
		struct str line = str_slice(body, at, at + str_find_char(str_skip(body, at), '\n'));
		bool is_mark = line.n >= boundary.n + 2 && line.p[0] == '-' && line.p[1] == '-' &&
		               str_starts(str_skip(line, 2), boundary);
		if (is_mark) {
			if (start != SIZE_MAX && n_found < BOUNCE_PARTS)
				found[n_found++] = str_slice(body, start, at);
			bool is_end = str_starts(str_skip(line, boundary.n + 2), STR("--"));
			start = is_end ? SIZE_MAX : at + line.n + 1;
			if (is_end)
				break;
		}
		at += line.n + 1;
	}
	if (start != SIZE_MAX && start < body.n && n_found < BOUNCE_PARTS) /* cut short */
		found[n_found++] = str_skip(body, start);
	while (n_found-- > 0 && *n < BOUNCE_PARTS)
		stack[(*n)++] = (struct open_part){found[n_found], depth + 1};
}

static void add_leaf(struct bounce_parts *out, struct str type, struct str body)
{
	if (out->n < BOUNCE_PARTS)
		out->part[out->n++] = (struct bounce_part){type, body};
}

static void read_part(struct arena *arena, struct open_part *p, struct open_part *stack, size_t *n, struct bounce_parts *out)
{
	struct str content = field(arena, p->text, STR("Content-Type"));
	struct str encoding = field(arena, p->text, STR("Content-Transfer-Encoding"));
	struct str type = arena_lower(arena, str_trim(str_slice(content, 0, str_find_char(content, ';'))));
	struct str body = body_of(p->text), boundary = boundary_of(content);

	if (type.n == 0)
		type = STR("text/plain");
	if (str_istarts(encoding, STR("base64")))
		body = bounce_base64(arena, body);
	else if (str_istarts(encoding, STR("quoted-printable")))
		body = decode_qp(arena, body);
	if (str_starts(type, STR("multipart/"))) {
		size_t before = *n;
		if (boundary.n > 0 && p->depth < BOUNCE_DEPTH)
			push_parts(body, boundary, p->depth, stack, n);
		if (*n > before)
			return;
		type = STR("text/plain"); /* a broken one is still readable */
	}
	/* What is nested has charsets of its own. */
	if (!str_starts(type, STR("message/rfc822")))
		body = charset_to_utf8(arena, charset_of(content), body);
	add_leaf(out, type, body);
	/* A report may travel inside a message that somebody forwarded. */
	if (str_starts(type, STR("message/rfc822")) && p->depth < BOUNCE_DEPTH && *n < BOUNCE_PARTS &&
	    str_ifind(body, STR("multipart/report")) < body.n)
		stack[(*n)++] = (struct open_part){body, p->depth + 1};
}

void bounce_parts_read(struct arena *arena, struct str message, struct bounce_parts *out)
{
	struct open_part stack[BOUNCE_PARTS];
	size_t n = 0;

	out->n = 0;
	stack[n++] = (struct open_part){message, 0};
	while (n > 0 && out->n < BOUNCE_PARTS && !arena_is_full(arena)) {
		struct open_part p = stack[--n];
		read_part(arena, &p, stack, &n, out);
	}
}
