/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies as words: the layers of who quotes whom, and the plain form that rules are looked for in. */
#include "cause/normalise.h"

struct plain {
	char *p;
	size_t n;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void plain_char(struct plain *w, char c)
{
	if (w->n >= NORMALISE_MAX - 8 || (c == ' ' && w->n > 0 && w->p[w->n - 1] == ' '))
		return;
	w->p[w->n++] = c;
}

static void plain_text(struct plain *w, const char *text)
{
	while (*text)
		plain_char(w, *text++);
}

/* U+00C0..U+00FF without accents; German transcribes its umlauts. */
static const char *const latin[64] = {
	"a", "a", "a", "a", "ae", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
	"d", "n", "o", "o", "o", "o", "oe", " ", "o", "u", "u", "u", "ue", "y", "th", "ss",
	"a", "a", "a", "a", "ae", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
	"d", "n", "o", "o", "o", "o", "oe", " ", "o", "u", "u", "u", "ue", "y", "th", "y",
};

/* U+0100..U+017F: Polish, Czech, Hungarian, Turkish and their neighbours. */
static const char extended[] =
        "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* One character from `s`, folded; returns the bytes read. */
static size_t plain_utf8(struct plain *w, struct str s)
{
	size_t n = str_utf8_next(s);
	unsigned char a = (unsigned char)s.p[0], b = s.n > 1 ? (unsigned char)s.p[1] : 0;

	if (n == 0) { /* Latin-1 */
		if (a >= 0xC0)
			plain_text(w, latin[a - 0xC0]);
		else if (a != 0xB4)
			plain_char(w, ' ');
		return 1;
	}
	if (n == 2 && a == 0xC3 && (b == 0x82 || b == 0x83) && s.n >= 4 && (unsigned char)s.p[2] == 0xC2) {
		/* C3 83 C2 BC is u umlaut, read as Latin-1 and written as UTF-8 again */
		if (b == 0x83)
			plain_text(w, latin[(unsigned char)s.p[3] & 0x3F]);
		return 4;
	}
	if (n == 2 && a == 0xC3) {
		plain_text(w, latin[b & 0x3F]);
	} else if (n == 2 && a == 0xC2) {
		plain_char(w, ' ');
	} else if (n == 2 && (a == 0xC4 || a == 0xC5)) {
		plain_char(w, extended[(size_t)(a - 0xC4) * 64 + (b & 0x3F)]);
	} else if (n == 3 && a == 0xE2 && b == 0x80) {
		if ((unsigned char)s.p[2] != 0x99) /* a typographic apostrophe vanishes as the other does */
			plain_char(w, ' ');
	} else if (n == 2 && (a == 0xD0 || a == 0xD1)) { /* Cyrillic in lower case */
		unsigned point = (unsigned)(a & 0x1F) << 6 | (b & 0x3F);
		if (point >= 0x410 && point <= 0x42F)
			point += 32;
		plain_char(w, (char)(0xC0 | point >> 6));
		plain_char(w, (char)(0x80 | (point & 0x3F)));
	} else {
		for (size_t i = 0; i < n; i++)
			plain_char(w, s.p[i]);
	}
	return n;
}

static bool ends_token(char c)
{
	static const bool is_end[256] = {[0] = true,   [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['<'] = true,
	                                 ['>'] = true, ['('] = true, [')'] = true,  ['"'] = true,  [','] = true,  [';'] = true};
	return is_end[(unsigned char)c];
}

/* d.d.d or d.d.d.d and nothing else; returns the number of dots, 0 when it is something else. */
static unsigned dotted_digits(struct str t)
{
	unsigned dots = 0, digits = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (is_digit(t.p[i])) {
			if (++digits > 3)
				return 0;
		} else if (t.p[i] == '.' && digits > 0) {
			dots++;
			digits = 0;
		} else {
			return 0;
		}
	}
	return digits > 0 ? dots : 0;
}

static bool is_code(struct str t)
{
	return t.n == 3 && (t.p[0] == '4' || t.p[0] == '5') && t.p[1] <= '9' && t.p[1] >= '0' && is_digit(t.p[2]);
}

static int code_value(struct str s)
{
	return (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + (s.p[2] - '0');
}

static bool names_a_list(struct str t)
{
	static const char *const lists[] = {"bl.", "bl-", "spamhaus", "sorbs", "spamcop", "abuseat", "barracuda", "surbl",
	                                    "uribl", "invaluement", "senderscore", "cloudmark"};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (str_ifind(t, str_from(lists[i])) < t.n)
			return true;
	return false;
}

/* "mx.example.org", but not the end of one sentence and the start of the next, nor "RESOLVER.ADR.RecipNotFound". */
static bool is_host(struct str t)
{
	size_t dots = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		if (c == '.') {
			if (i == 0 || i + 1 == t.n || t.p[i + 1] == '.')
				return false;
			if (i + 2 < t.n && t.p[i + 1] >= 'A' && t.p[i + 1] <= 'Z' && t.p[i + 2] >= 'a' && t.p[i + 2] <= 'z')
				return false;
			dots++;
		} else if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') {
			return false;
		}
	}
	return dots > 0 && !names_a_list(t);
}

static bool is_around_token(char c)
{
	static const bool is[256] = {['['] = true, [']'] = true, ['{'] = true, ['}'] = true, ['\''] = true, ['`'] = true,
	                             [':'] = true, ['.'] = true, ['!'] = true, ['?'] = true, ['*'] = true, ['#'] = true,
	                             ['='] = true, ['-'] = true};
	return is[(unsigned char)c];
}

static struct str token_core(struct str t)
{
	while (t.n && is_around_token(t.p[0]))
		t = str_skip(t, 1);
	while (t.n && is_around_token(t.p[t.n - 1]))
		t.n--;
	return t;
}

/* What stands for a token as a whole; NULL: it is words. */
static const char *token_stands_for(struct str t)
{
	struct str core = token_core(t);
	bool has_at = false, has_dot = false, has_colon = false, has_digit = false;

	for (size_t i = 0; i < core.n; i++) {
		char c = core.p[i];
		if (is_alpha(c))
			continue;
		has_at |= c == '@';
		has_dot |= c == '.';
		has_colon |= c == ':';
		has_digit |= is_digit(c);
	}
	if (has_at && core.n > 2 && !has_colon)
		return " addr ";
	if (has_digit && is_code(str_slice(core, 0, 3)) && (core.n == 3 || core.p[3] == '-'))
		return core.n <= 4 || dotted_digits(str_skip(core, 4)) == 2 ? " " : NULL;
	if (!has_dot)
		return NULL;
	unsigned dots = has_digit ? dotted_digits(core) : 0;
	if (dots == 3)
		return " ip ";
	if (dots == 2)
		return " ";
	size_t open = str_find_char(core, '['); /* mx.example.org[192.0.2.1] */
	if (!has_colon && is_host(str_slice(core, 0, open)))
		return " host ";
	return NULL;
}

static void plain_token(struct plain *w, struct str t)
{
	const char *whole = token_stands_for(t);

	if (whole) {
		plain_text(w, whole);
		return;
	}
	for (size_t i = 0; i < t.n;) {
		char c = t.p[i];
		if ((unsigned char)c >= 0x80) {
			i += plain_utf8(w, str_skip(t, i));
			continue;
		}
		if ((is_alpha(c) || is_digit(c)) && w->n < NORMALISE_MAX - 8)
			w->p[w->n++] = ascii_lower(c);
		else if (c != '\'' && c != '`')
			plain_char(w, ' ');
		i++;
	}
}

struct str normalise_text(struct str text, char out[NORMALISE_MAX])
{
	struct plain w = {out, 0};

	plain_char(&w, ' ');
	for (size_t i = 0; i < text.n && w.n < NORMALISE_MAX - 8;) {
		if (text.p[i] == '<' && i + 1 < text.n && text.p[i + 1] == '>') {
			plain_text(&w, " nullsender ");
			i += 2;
			continue;
		}
		if (ends_token(text.p[i])) {
			plain_char(&w, ' ');
			i++;
			continue;
		}
		size_t end = i;
		while (end < text.n && !ends_token(text.p[end]))
			end++;
		plain_token(&w, str_slice(text, i, end));
		i = end;
		plain_char(&w, ' ');
	}
	plain_char(&w, ' ');
	return (struct str){out, w.n};
}

struct str normalise_phrase(struct str phrase, char out[NORMALISE_MAX])
{
	struct plain w = {out, 0};

	for (size_t i = 0; i < phrase.n;) {
		if ((unsigned char)phrase.p[i] >= 0x80) {
			i += plain_utf8(&w, str_skip(phrase, i));
		} else {
			char c = phrase.p[i++];
			if (is_alpha(c) || is_digit(c))
				plain_char(&w, ascii_lower(c));
			else if (c != '\'')
				plain_char(&w, ' ');
		}
	}
	return str_trim((struct str){out, w.n});
}

/* A reply code at i: by itself, and behind something that announces one. */
static bool code_at(struct str s, size_t i, bool wants_marker)
{
	if (i + 3 > s.n || !is_code(str_slice(s, i, i + 3)))
		return false;
	char next = i + 3 < s.n ? s.p[i + 3] : ' ', before = i > 0 ? s.p[i - 1] : ' ';
	if (is_digit(next) || is_alpha(next) || next == '.' || next == '/' || next == '%' || is_digit(before) || is_alpha(before) ||
	    before == '.' || before == '-' || before == '/' || before == '#' || before == '=')
		return false;
	if (next == ':' && i + 4 < s.n && is_digit(s.p[i + 4]))
		return false;
	if (i == 0)
		return true;
	size_t k = i;
	while (k > 0 && is_blank(s.p[k - 1]))
		k--;
	if (k == 0)
		return true;
	char mark = s.p[k - 1];
	if (strchr(":(<>'\"|", mark) && mark)
		return true;
	if (wants_marker)
		return false;
	struct enhanced_code e;
	size_t used;
	if (next == '-' || (next == ' ' && enhanced_code_parse(str_skip(s, i + 4), &e, &used)))
		return true;
	struct str head = str_slice(s, k > 12 ? k - 12 : 0, k);
	return str_iends(head, STR("error")) || str_iends(head, STR("code")) || str_iends(head, STR("reply")) ||
	       str_iends(head, STR("said")) || str_iends(head, STR("smtp")) || str_iends(head, STR("fehler")) ||
	       str_iends(head, STR("responded with")) || mark == ',' || mark == ';' || mark == '-' || mark == ']';
}

/* "(#5.1.1)", "[#4.1.9]", "smtp;5.2.2 …", anywhere, of the right class. */
static void enhanced_anywhere(struct str s, int code, struct enhanced_code *out)
{
	for (size_t i = 0; i + 5 <= s.n; i++) {
		if ((s.p[i] != '2' && s.p[i] != '4' && s.p[i] != '5') || s.p[i + 1] != '.' || !is_digit(s.p[i + 2]) ||
		    (i > 0 && (is_digit(s.p[i - 1]) || is_alpha(s.p[i - 1]) || s.p[i - 1] == '.')))
			continue;
		size_t end = i;
		while (end < s.n && end < i + 9 && (is_digit(s.p[end]) || s.p[end] == '.'))
			end++;
		while (end > i && s.p[end - 1] == '.')
			end--;
		struct enhanced_code e;
		size_t used;
		if (enhanced_code_parse(str_slice(s, i, end), &e, &used) && used == end - i &&
		    (code == 0 || e.class == code / 100)) {
			*out = e;
			return;
		}
	}
}

/* A second reply code that somebody is quoted with: where it begins; s.n when nobody is. */
static size_t inner_begin(struct str s, int code)
{
	for (size_t i = 1; i + 3 <= s.n; i++) {
		if ((s.p[i] != '4' && s.p[i] != '5') || !code_at(s, i, true))
			continue;
		bool is_line = s.p[i - 1] == '\n' || (i + 3 < s.n && s.p[i + 3] == '-' && code_value(str_skip(s, i)) == code);
		if (!is_line)
			return i;
	}
	static const char *const marks[] = {" said", " response", " responded", " answered"};
	for (size_t i = 4; i + 1 < s.n; i++)
		for (size_t m = 0; s.p[i] == ':' && s.p[i + 1] == ' ' && m < sizeof marks / sizeof *marks; m++)
			if (str_iends(str_slice(s, 0, i), str_from(marks[m])))
				return i + 2;
	return s.n;
}

/* The quotation ends with its line, or where the outer code continues. */
static size_t inner_end(struct str s, size_t from, int code)
{
	for (size_t i = from; i < s.n; i++) {
		if (s.p[i] == '\n')
			return i;
		if (i > from + 3 && s.p[i - 1] == ' ' && is_code(str_slice(s, i, i + 3)) && i + 3 < s.n &&
		    (s.p[i + 3] == ' ' || s.p[i + 3] == '-') && code_value(str_skip(s, i)) == code)
			return i;
	}
	return s.n;
}

static bool enhanced_follows(struct str *rest, struct enhanced_code *out)
{
	size_t skip = 0, used;

	while (skip < rest->n && strchr(" -'#(", rest->p[skip]) && rest->p[skip])
		skip++;
	struct str s = str_skip(*rest, skip);
	if (!enhanced_code_parse(s, out, &used)) {
		*rest = s;
		return false;
	}
	*rest = str_skip(s, used);
	return true;
}

void reply_split(struct str text, int code, struct reply_layers *out)
{
	struct str s = str_trim(text);
	size_t at = 0;

	*out = (struct reply_layers){.code = code};
	if (code && !(s.n >= 3 && is_code(str_slice(s, 0, 3)) && code_value(s) == code))
		at = s.n;
	while (at < s.n && !((s.p[at] == '4' || s.p[at] == '5') && code_at(s, at, false)))
		at++;
	if (at < s.n) {
		out->code = code_value(str_skip(s, at));
		out->wrapper = str_slice(s, 0, at);
		s = str_skip(s, at + 3);
	}
	if (!enhanced_follows(&s, &out->enhanced))
		enhanced_anywhere(s, out->code, &out->enhanced);
	out->is_typed_code = out->code == 0 && out->enhanced.class == 4 && out->enhanced.subject <= 5 &&
	                     out->enhanced.detail <= 9 && text.n <= 60;
	size_t begin = inner_begin(s, out->code), end = begin < s.n ? inner_end(s, begin, out->code) : s.n;
	out->before = str_slice(s, 0, begin);
	out->inner = str_slice(s, begin, end);
	out->after = str_slice(s, end, s.n);
}
