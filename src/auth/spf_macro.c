/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF macros: letters, transformers, delimiters (RFC 7208 7). */
#include "auth/spf_macro.h"

#include "base/auto.h"

#include <stdio.h>

#define DOMAIN_MAX 253
#define PARTS_MAX  256 /* labels of what a macro stands for; RFC 7208 7.3 knows names of 127 */

/* One %{…}: the letter, how many parts from the right, whether reversed, and the delimiters. */
struct macro {
	char letter;
	bool is_escaped, is_reversed;
	uint32_t keep;   /* 0: all */
	struct str delimiters;
	size_t length;   /* of the whole, with % and braces */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_delimiter(char c)
{
	return c && strchr(".-+,/_=", c);
}

static bool faulty(struct spf_macro_fault *fault, size_t at, size_t n, const char *text)
{
	*fault = (struct spf_macro_fault){at, n, true, text};
	return false;
}

/* macro-expand = "%{" macro-letter transformers *delimiter "}"; s begins at the percent sign. Returns what is wrong. */
static const char *macro_read(struct str s, struct macro *m)
{
	size_t i = 2, begin;

	*m = (struct macro){0};
	if (i >= s.n || !is_alpha(s.p[i]) || !strchr("slodiphcrtv", ascii_lower(s.p[i])))
		return "a macro is one of %{s} %{l} %{o} %{d} %{i} %{p} %{h} %{v}";
	m->letter = ascii_lower(s.p[i]);
	m->is_escaped = s.p[i] != m->letter;
	for (begin = ++i; i < s.n && is_digit(s.p[i]); i++)
		m->keep = m->keep > 100000 ? m->keep : m->keep * 10 + (uint32_t)(s.p[i] - '0');
	if (i > begin && m->keep == 0)
		return "a macro keeps at least one part, not 0 (RFC 7208 7.3)";
	if (i < s.n && ascii_lower(s.p[i]) == 'r') {
		m->is_reversed = true;
		i++;
	}
	for (begin = i; i < s.n && is_delimiter(s.p[i]);)
		i++;
	m->delimiters = i > begin ? str_slice(s, begin, i) : STR(".");
	if (i >= s.n || s.p[i] != '}')
		return "a macro is a letter, a number, r and delimiters, then }";
	m->length = i + 1;
	return NULL;
}

bool spf_macro_string_check(struct str s, bool is_explanation, struct spf_macro_fault *fault)
{
	struct macro m;
	const char *why;

	for (size_t i = 0; i < s.n;) {
		char next = i + 1 < s.n ? s.p[i + 1] : 0;
		if (s.p[i] != '%') {
			if ((s.p[i] < 0x21 || s.p[i] > 0x7e) && !(is_explanation && s.p[i] == ' '))
				return faulty(fault, i, 1, "a byte that is not printable ASCII");
			i++;
		} else if (next == '%' || next == '_' || next == '-') {
			i += 2;
		} else if (next != '{') {
			return faulty(fault, i, 1, "a % begins a macro: %{d}; a percent sign itself is %%");
		} else {
			why = macro_read(str_skip(s, i), &m);
			if (why)
				return faulty(fault, i, str_find_char(str_skip(s, i), '}') + 1, why);
			if (!is_explanation && strchr("crt", m.letter))
				return faulty(fault, i, m.length, "%{c}, %{r} and %{t} are for explanations only");
			i += m.length;
		}
	}
	return true;
}

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool is_top_label(struct str s)
{
	bool is_number = true;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
		is_number = is_number && is_digit(s.p[i]);
	}
	return !is_number;
}

/* Whether the last thing in a checked macro-string is %{…}: macro-expand of the grammar has %% %_ %- as well. */
static bool ends_in_macro(struct str s)
{
	struct macro m;
	bool is_last = false;

	for (size_t i = 0; i < s.n;) {
		is_last = s.p[i] == '%';
		if (is_last)
			i += s.p[i + 1] == '{' && !macro_read(str_skip(s, i), &m) ? m.length : 2;
		else
			i++;
	}
	return is_last;
}

bool spf_domain_spec_check(struct str s, struct spf_macro_fault *fault)
{
	if (!spf_macro_string_check(s, false, fault))
		return false;
	if (ends_in_macro(s))
		return true;
	struct str name = str_ends(s, STR(".")) ? str_slice(s, 0, s.n - 1) : s;
	size_t dot = str_rfind_char(name, '.');
	struct str top = dot < name.n ? str_skip(name, dot + 1) : name;
	if (dot < name.n && is_top_label(top))
		return true;
	*fault = (struct spf_macro_fault){(size_t)(top.p - s.p), top.n, false,
	                                  dot < name.n ? "a domain name ends in a label of letters, such as .com"
	                                               : "a whole domain name is needed, with a dot in it"};
	return false;
}

bool spf_macro_has(struct str s)
{
	return str_find(s, STR("%{")) < s.n;
}

bool spf_macro_uses(struct str s, char letter)
{
	for (size_t i = 0; i + 2 < s.n; i++) {
		if (s.p[i] != '%')
			continue;
		if (s.p[i + 1] == '{' && ascii_lower(s.p[i + 2]) == letter)
			return true;
		i++; /* %% is not the beginning of one */
	}
	return false;
}

bool spf_name_is_askable(struct str name)
{
	struct str rest = name, label;

	if (name.n == 0 || name.n > DOMAIN_MAX || name.p[name.n - 1] == '.')
		return false;
	while (str_cut(&rest, '.', &label))
		if (label.n == 0 || label.n > 63)
			return false;
	return true;
}

/* --- expansion --- */

/* RFC 7208 7.3: IPv6 as 32 nibbles with dots between. */
static void add_ip_dotted(struct ip ip, struct buf *out)
{
	char text[IP_TEXT_MAX];

	if (ip.family == 4) {
		buf_str(out, ip_text(ip, text));
		return;
	}
	for (size_t i = 0; i < 32; i++) {
		buf_str(out, i ? STR(".") : STR(""));
		buf_char(out, "0123456789ABCDEF"[i % 2 ? ip.b[i / 2] & 15 : ip.b[i / 2] >> 4]);
	}
}

static void add_value(const struct spf_macro_values *v, char letter, struct buf *out)
{
	char text[IP_TEXT_MAX];

	switch (letter) {
	case 's':
		buf_str(out, v->local);
		buf_char(out, '@');
		buf_str(out, v->sender_domain);
		return;
	case 'l': buf_str(out, v->local); return;
	case 'o': buf_str(out, v->sender_domain); return;
	case 'd': buf_str(out, v->domain); return;
	case 'h': buf_str(out, v->helo); return;
	case 'i': add_ip_dotted(v->ip, out); return;
	case 'c': buf_str(out, ip_text(v->ip, text)); return;
	case 'v': buf_str(out, v->ip.family == 4 ? STR("in-addr") : STR("ip6")); return;
	case 'p': buf_str(out, v->validated.n ? v->validated : STR("unknown")); return;
	case 'r': buf_str(out, v->receiver.n ? v->receiver : STR("unknown")); return;
	case 't': buf_int(out, v->now.us / USEC_S); return;
	}
}

/* URL escaping of all but the unreserved (RFC 3986 2.3), for upper-case letters. */
static void add_escaped(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_alpha(s.p[i]) || is_digit(s.p[i]) || strchr("-._~", s.p[i] ? s.p[i] : '/'))
			buf_char(out, s.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
	}
}

/* Splits at any delimiter, keeps parts from the right, in reverse where wanted, and joins with dots. */
static void transform(const struct macro *m, struct str value, struct buf *out)
{
	uint16_t begins[PARTS_MAX + 1];
	size_t n = 0;

	value = str_slice(value, 0, UINT16_MAX - 1);
	begins[n++] = 0;
	for (size_t i = 0; i < value.n && n < PARTS_MAX; i++) {
		if (str_find_char(m->delimiters, value.p[i]) < m->delimiters.n)
			begins[n++] = (uint16_t)(i + 1);
	}
	begins[n] = (uint16_t)(value.n + 1);
	size_t from = m->keep && m->keep < n ? n - m->keep : 0;
	for (size_t i = from; i < n; i++) {
		/* RFC 7208 7.3: reversed first, then the right-hand parts of the result */
		size_t part = m->is_reversed ? n - 1 - i : i;
		if (i > from)
			buf_char(out, '.');
		buf_str(out, str_slice(value, begins[part], begins[part + 1] - 1u));
	}
}

static void expand_macro(const struct spf_macro_values *values, const struct macro *m, struct buf *out)
{
	auto_buf struct buf value = {.max = SPF_EXPANSION_MAX}, parts = {.max = SPF_EXPANSION_MAX};

	add_value(values, m->letter, &value);
	transform(m, buf_view(&value), &parts);
	if (m->is_escaped)
		add_escaped(buf_view(&parts), out);
	else
		buf_str(out, buf_view(&parts));
	out->is_overflown = out->is_overflown || !buf_ok(&value) || !buf_ok(&parts);
}

void spf_macro_expand(const struct spf_macro_values *values, struct str s, struct buf *out)
{
	struct macro m;

	for (size_t i = 0; i < s.n && buf_ok(out);) {
		char next = i + 1 < s.n ? s.p[i + 1] : 0;
		if (s.p[i] != '%') {
			buf_char(out, s.p[i++]);
		} else if (next == '{' && !macro_read(str_skip(s, i), &m)) {
			expand_macro(values, &m, out);
			i += m.length;
		} else {
			buf_str(out, next == '_' ? STR(" ") : next == '-' ? STR("%20") : STR("%"));
			i += 2;
		}
	}
}

struct str spf_domain_expand(const struct spf_macro_values *values, struct str spec, struct arena *arena)
{
	auto_buf struct buf out = {.max = SPF_EXPANSION_MAX};
	struct str name, label;

	if (spec.n == 0)
		return values->domain;
	spf_macro_expand(values, spec, &out);
	if (!buf_ok(&out))
		return STR_NONE;
	name = buf_view(&out);
	if (str_ends(name, STR(".")))
		name.n--;
	while (name.n > DOMAIN_MAX && str_find_char(name, '.') < name.n)
		str_cut(&name, '.', &label);
	return arena_lower(arena, name);
}
