/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checking UTF-8 that strangers chose. */
#include "mail/utf8.h"

bool utf8_is_clean(struct str s)
{
	while (s.n > 0) {
		const unsigned char *p = (const unsigned char *)s.p;
		size_t n = str_utf8_next(s);
		bool is_control = p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && n == 2 && p[1] < 0xa0);
		if (n == 0 || is_control)
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
