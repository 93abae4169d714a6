/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base64 with folding white space in it. */
#include "auth/dkim_base64.h"

/* One more than the value of a digit; 0: none. */
static const unsigned char digit_of[256] = {
	['A'] = 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

bool dkim_base64_decode(struct arena *arena, struct str text, struct str *out)
{
	char *p = arena_alloc(arena, text.n / 4 * 3 + 3);
	size_t n = 0, pads = 0, digits = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		unsigned v = digit_of[(unsigned char)c];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		if (v == 0 || pads > 0)
			return false;
		bits = bits << 6 | (v - 1);
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
