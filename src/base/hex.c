/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hexadecimal and base64, RFC 4648 4 and 8. */
#include "base/hex.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(struct buf *out, struct str bytes)
{
	char *to = buf_reserve(out, bytes.n * 2);
	if (!to)
		return;
	for (size_t i = 0; i < bytes.n; i++) {
		*to++ = hex_digits[(unsigned char)bytes.p[i] >> 4];
		*to++ = hex_digits[(unsigned char)bytes.p[i] & 15];
	}
	buf_added(out, bytes.n * 2);
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct buf *out, struct str text)
{
	size_t n = text.n / 2;
	char *to = text.n % 2 ? NULL : buf_reserve(out, n);
	if (!to)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (char)(high << 4 | low);
	}
	buf_added(out, n);
	return true;
}

void base64_encode(struct buf *out, struct str bytes)
{
	const unsigned char *from = (const unsigned char *)bytes.p;
	size_t n = bytes.n / 3 * 4 + (bytes.n % 3 ? 4 : 0);
	char *to = buf_reserve(out, n);
	if (!to)
		return;
	for (size_t i = 0; i < bytes.n; i += 3, to += 4) {
		size_t left = bytes.n - i;
		unsigned word = (unsigned)from[i] << 16 | (left > 1 ? from[i + 1] << 8 : 0) |
		                (left > 2 ? from[i + 2] : 0);
		to[0] = base64_digits[word >> 18];
		to[1] = base64_digits[word >> 12 & 63];
		to[2] = left > 1 ? base64_digits[word >> 6 & 63] : '=';
		to[3] = left > 2 ? base64_digits[word & 63] : '=';
	}
	buf_added(out, n);
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

bool base64_decode(struct buf *out, struct str text)
{
	size_t digits = text.n, n = 0;
	unsigned word = 0;
	if (text.n % 4)
		return false;
	while (digits > 0 && text.n - digits < 2 && text.p[digits - 1] == '=')
		digits--;
	char *to = buf_reserve(out, digits * 3 / 4);
	if (!to)
		return false;
	for (size_t i = 0; i < digits; i++) {
		int value = base64_value(text.p[i]);
		if (value < 0)
			return false;
		word = (word << 6 | (unsigned)value) & 0xFFFFFF;
		if (i % 4)
			to[n++] = (char)(word >> (2 * (3 - i % 4)));
	}
	/* RFC 4648 3.5: bits that pad the last digit are zero, so that each text has one meaning */
	unsigned left_over = digits % 4 == 2 ? word & 15 : digits % 4 == 3 ? word & 3 : 0;
	if (left_over)
		return false;
	buf_added(out, n);
	return true;
}
