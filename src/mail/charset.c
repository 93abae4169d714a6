/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what older mail programs wrote: charsets by iconv. */
#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

#define NAME_MAX_BYTES 40

/* A name that iconv may have: nothing that could be a path or one of its own suffixes ("//IGNORE"). */
static bool name_read(struct str charset, char out[NAME_MAX_BYTES + 1])
{
	if (charset.n == 0 || charset.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < charset.n; i++) {
		char c = ascii_lower(charset.p[i]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':'))
			return false;
		out[i] = charset.p[i];
	}
	out[charset.n] = '\0';
	return true;
}

/* What iconv is asked for. cp932 and its like are what is in use under the standards' names. */
static const char *table_name(const char *charset)
{
	static const char *const rows[][2] = {
		{"iso-2022-jp", "ISO-2022-JP-3"}, {"shift_jis", "CP932"}, {"sjis", "CP932"}, {"x-sjis", "CP932"}, {"gb2312", "GB18030"},
		{"gbk", "GB18030"}, {"ks_c_5601-1987", "CP949"}, {"euc-kr", "CP949"}, {"iso-8859-1", "CP1252"}, {"latin1", "CP1252"},
		{"us-ascii", "CP1252"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (str_ieq(str_from(charset), str_from(rows[i][0])))
			return rows[i][1];
	return charset;
}

/* UTF-8 takes at most three bytes for one of any charset here, U+FFFD too; four leave room for composed pairs. */
static struct str convert(struct arena *arena, const char *charset, struct str text)
{
	iconv_t table = iconv_open("UTF-8", table_name(charset));
	if (table == (iconv_t)-1)
		return text;
	size_t room = text.n * 4 + 16, left = text.n;
	char *start = arena_alloc(arena, room), *to = start, *from = (char *)text.p;

	while (left > 0 && room > 8) {
		if (iconv(table, &from, &left, &to, &room) != (size_t)-1)
			break;
		if (errno == E2BIG)
			break;
		memcpy(to, "\xEF\xBF\xBD", 3);
		to += 3;
		room -= 3;
		from++;
		left--;
	}
	iconv_close(table);
	return (struct str){start, (size_t)(to - start)};
}

/* ISO 2022 announces a set of two bytes for each character by ESC $. */
static const char *shifted(struct str text)
{
	size_t at = str_find(text, STR("\x1b$"));

	if (at + 2 >= text.n)
		return NULL;
	return text.p[at + 2] == ')' && at + 3 < text.n ? (text.p[at + 3] == 'C' ? "ISO-2022-KR" : "ISO-2022-CN") : "iso-2022-jp";
}

struct str charset_to_utf8(struct arena *arena, struct str charset, struct str text)
{
	char name[NAME_MAX_BYTES + 1];
	bool is_named = name_read(str_trim(charset), name);
	bool is_plain = !is_named || str_ieq(str_from(name), STR("utf-8")) || str_ieq(str_from(name), STR("utf8")) ||
	                str_ieq(str_from(name), STR("us-ascii"));
	const char *shift = shifted(text);

	if (shift)
		return convert(arena, shift, text);
	if (is_plain && str_is_utf8(text))
		return text;
	return is_named && !str_istarts(str_from(name), STR("utf-8")) ? convert(arena, name, text) : text;
}

struct str charset_of(struct str content_type)
{
	size_t at = str_ifind(content_type, STR("charset="));

	if (at == content_type.n)
		return STR_NONE;
	struct str s = str_trim(str_skip(content_type, at + 8));
	if (s.n > 0 && s.p[0] == '"') {
		s = str_skip(s, 1);
		return str_slice(s, 0, str_find_char(s, '"'));
	}
	size_t end = 0;
	while (end < s.n && !strchr("; \t\r\n", s.p[end]))
		end++;
	return str_slice(s, 0, end);
}
