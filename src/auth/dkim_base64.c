/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base64 with folding white space in it. */
#include "auth/dkim_base64.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dkim_base64_decode(struct arena *arena, struct str text, struct str *out)
{
	char *p = arena_alloc(arena, text.n / 4 * 3 + 3);
	size_t n = 0, pads = 0, digits = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int v = value_of(c);
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		if (v < 0 || pads > 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (++digits % 4 != 0)
			continue;
		p[n++] = (char)(bits >> 16);
		p[n++] = (char)(bits >> 8);
		p[n++] = (char)bits;
	}
	/* Signers that leave the padding out are understood; wrong padding is not. */
	if (digits % 4 == 1 || (pads > 0 && (digits + pads) % 4 != 0) || pads > 2)
		return false;
	if (digits % 4 == 2)
		p[n++] = (char)(bits >> 4);
	if (digits % 4 == 3) {
		p[n++] = (char)(bits >> 10);
		p[n++] = (char)(bits >> 2);
	}
	*out = (struct str){p, n};
	return n > 0;
}
