/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local parts that programs decorate: BATV, SRS, VERP and +tags, folded to what stays the same. */
#include "mail/address.h"

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool has_digit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= '0' && s.p[i] <= '9')
			return true;
	return false;
}

/* draft-levine-smtp-batv: prvs=KDDDSSSSSS=local; Barracuda writes btv1==TAG==local, SparkPost
 * msprvs1=TAG=local. */
static struct str batv(struct arena *arena, struct str local)
{
	static const struct {
		const char *begin, *separator;
	} forms[] = {{"prvs=", "="}, {"btv1==", "=="}, {"msprvs1=", "="}};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct str begin = str_from(forms[i].begin), separator = str_from(forms[i].separator);
		if (!str_istarts(local, begin))
			continue;
		struct str rest = str_skip(local, begin.n);
		size_t at = str_find(rest, separator);
		if (at == 0 || at + separator.n >= rest.n)
			continue;
		return arena_printf(arena, "%.*s*%.*s", STR_ARG(begin), STR_ARG(str_skip(rest, at)));
	}
	return STR_NONE;
}

/* SRS0=HHH=TT=domain=local and SRS1=…; the separator behind the tag may be '=', '+' or '-'. */
static struct str srs(struct arena *arena, struct str local)
{
	if (local.n < 6 || !(str_istarts(local, STR("SRS0")) || str_istarts(local, STR("SRS1"))))
		return STR_NONE;
	if (!strchr("=+-", local.p[4]))
		return STR_NONE;
	return arena_printf(arena, "%.*s*", STR_ARG(str_slice(local, 0, 5)));
}

/* A machine's token: at least 16 bytes of hexadecimal digits and hyphens, as Amazon SES writes. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_hex(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n >= 16 && has_digit(s);
}

/* ezmlm and qmail: list-return-123-user=example.com; the recipient behind the last '-' before '='. */
static struct str hyphen_verp(struct arena *arena, struct str local)
{
	size_t equals = str_rfind_char(local, '=');

	if (equals == 0 || equals + 1 >= local.n ||
	    str_find_char(str_skip(local, equals), '.') == local.n - equals)
		return STR_NONE;
	struct str base = str_slice(local, 0, equals);
	base = str_slice(base, 0, str_find_char(base, '-'));
	if (base.n == equals)
		return STR_NONE;
	/* Keep the words of the list's own name: all that stand before the first with a digit or '='. */
	size_t at = base.n;
	for (;;) {
		struct str rest = str_slice(local, at + 1, equals);
		size_t word = str_find_char(rest, '-');
		if (word == rest.n || has_digit(str_slice(rest, 0, word)))
			break;
		at += 1 + word;
	}
	return arena_printf(arena, "%.*s-*", STR_ARG(str_slice(local, 0, at)));
}

struct str address_pattern(struct arena *arena, struct str local)
{
	struct str p = batv(arena, local);

	if (p.n == 0)
		p = srs(arena, local);
	if (p.n > 0)
		return p;
	size_t plus = str_find_char(local, '+');
	if (plus > 0 && plus + 1 < local.n)
		return arena_printf(arena, "%.*s+*", STR_ARG(str_slice(local, 0, plus)));
	p = hyphen_verp(arena, local);
	if (p.n == 0 && is_token(local))
		p = arena_str(arena, STR("*"));
	return p;
}
