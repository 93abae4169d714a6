/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain names from text to wire form and back. */
#include "dns/name.h"

#include <stdio.h>

static bool label_add(struct dns_name *out, size_t *n, struct str label)
{
	if (label.n == 0 || label.n > 63 || *n + 1 + label.n + 1 > DNS_NAME_WIRE_MAX)
		return false;
	out->b[(*n)++] = (uint8_t)label.n;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];
		if (c < 0x20 || c > 0x7e || c == '\\')
			return false;
		out->b[(*n)++] = (uint8_t)ascii_lower(c);
	}
	return true;
}

bool dns_name_parse(struct str text, struct dns_name *out)
{
	struct dns_name name;
	size_t n = 0;
	struct str rest = text, label;

	if (text.n == 0 || text.n > DNS_NAME_TEXT_MAX + 1)
		return false;
	if (str_eq(text, STR(".")))
		rest = STR_NONE;
	else if (text.p[text.n - 1] == '.')
		rest.n--;
	/* A loop over str_cut would lose an empty last label ("a..b" and "a.." must fail). */
	while (rest.n > 0) {
		size_t dot = str_find_char(rest, '.');
		label = str_slice(rest, 0, dot);
		if (!label_add(&name, &n, label) || dot + 1 == rest.n)
			return false;
		rest = str_skip(rest, dot == rest.n ? dot : dot + 1);
	}
	name.b[n++] = 0;
	name.n = (uint8_t)n;
	*out = name;
	return true;
}

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_text(const struct dns_name *name, struct arena *arena, struct str *out)
{
	char text[DNS_NAME_TEXT_MAX + 8];
	size_t n = 0;

	for (size_t at = 0; name->b[at] != 0; at += 1 + (size_t)name->b[at]) {
		if (at > 0)
			text[n++] = '.';
		for (size_t i = 0; i < name->b[at]; i++) {
			uint8_t c = name->b[at + 1 + i];
			if (n + 4 > sizeof(text) - 1)
				return false;
			if (is_plain(c))
				text[n++] = (char)c;
			else
				n += (size_t)snprintf(text + n, sizeof(text) - n, "\\%03u", c);
		}
		if (n > DNS_NAME_TEXT_MAX)
			return false;
	}
	*out = arena_str(arena, (struct str){text, n});
	return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}
