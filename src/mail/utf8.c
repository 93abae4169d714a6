/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checking UTF-8 that strangers chose. */
#include "mail/utf8.h"

/* C0, DEL, C1; U+2028 to U+202E and U+2066 to U+2069, which break or turn the line they stand in. */
static bool is_control(const unsigned char *p, size_t n)
{
	switch (n) {
	case 1:
		return p[0] < 0x20 || p[0] == 0x7f;
	case 2:
		return p[0] == 0xc2 && p[1] < 0xa0;
	case 3:
		return p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
		                        (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
	}
	return false;
}

bool utf8_is_clean(struct str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_next(s);
		if (n == 0 || is_control((const unsigned char *)s.p, n))
			return false;
		s = str_skip(s, n);
	}
	return true;
}

bool str_is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}
