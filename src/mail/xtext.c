/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xtext, the encoding of ENVID and ORCPT (RFC 3461 4). */
#include "mail/xtext.h"

/* RFC 3461 4 asks for upper case; lower case is seen in practice and means nothing else. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool xtext_decode(struct arena *arena, struct str s, struct str *out)
{
	char *text = arena_alloc(arena, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];
		if (c == '+') {
			if (s.n - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
				return false;
			c = hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]);
			i += 2;
		} else if (c < '!' || c > '~' || c == '=') {
			return false;
		}
		if (c < ' ' || c == 127)
			return false;
		text[n++] = (char)c;
	}
	*out = (struct str){text, n};
	return true;
}

void xtext_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < '!' || c > '~' || c == '+' || c == '=')
			buf_printf(out, "+%02X", c);
		else
			buf_char(out, (char)c);
	}
}
