/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ids of messages as people see them: Crockford's base32, 13 characters for 64 bits. */
#include "spool/spool.h"

enum { ID_CHARACTERS = 13 };

struct str spool_id_text(struct spool_id id, char out[SPOOL_ID_MAX])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t n = id.n;
	for (int i = ID_CHARACTERS - 1; i >= 0; i--, n >>= 5)
		out[i] = digits[n & 31];
	out[ID_CHARACTERS] = '\0';
	return (struct str){out, ID_CHARACTERS};
}

static int digit(char c)
{
	/* I, L and O are read as the digits that they look like; U is none. */
	static const char values[] = "ABCDEFGH1JK1MN0PQRST\0VWXYZ";
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	c = ascii_lower(c);
	if (c >= 'a' && c <= 'z')
		c = values[c - 'a'];
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool spool_id_parse(struct str s, struct spool_id *out)
{
	uint64_t n = 0;
	if (s.n != ID_CHARACTERS || digit(s.p[0]) > 15)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);
		if (d < 0)
			return false;
		n = n << 5 | (uint64_t)d;
	}
	out->n = n;
	return true;
}
