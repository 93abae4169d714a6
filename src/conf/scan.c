/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step for each token: comment, quoted text, word, sign. */
#include "conf/scan.h"

#include "base/map.h"

#include <stdint.h>
#include <stdio.h>

#define SHOWN_MAX 40

enum place { OUTSIDE, IN_SECTION, IN_LIST };

struct scan {
	const char *name;
	struct str rest;
	struct buf *out;
	struct err *err;
	unsigned line;
	enum place place;
	unsigned section_line, list_line; /* where they were opened */
	struct str word;                  /* the last one, as written */
	bool is_value_next;               /* behind `=` */
	struct map keys;                  /* of this section: key to the line where it was set */
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct scan *s, const char *format, ...)
{
	char why[180];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	return err_perm(s->err, CAUSE_LOCAL_ERROR, "%s:%u: %s", s->name, s->line, why);
}

static void copy(struct scan *s, size_t n)
{
	buf_str(s->out, str_slice(s->rest, 0, n));
	s->rest = str_skip(s->rest, n);
}

/* One space for all of it, so that words around it stay two; the newlines stay. */
static bool skip_comment(struct scan *s)
{
	unsigned first = s->line;
	buf_char(s->out, ' ');
	if (!str_starts(s->rest, STR("/*"))) {
		s->rest = str_skip(s->rest, str_find_char(s->rest, '\n'));
		return true;
	}
	s->rest = str_skip(s->rest, 2);
	size_t n = str_find(s->rest, STR("*/"));
	for (size_t i = 0; i < n; i++) {
		if (s->rest.p[i] == '\n') {
			s->line++;
			buf_char(s->out, '\n');
		}
	}
	if (n == s->rest.n)
		return refuse(s, "the comment of line %u does not end", first);
	s->rest = str_skip(s->rest, n + 2);
	return true;
}

static bool refuse_dollar(struct scan *s)
{
	return refuse(s, "\"$\" is not allowed in values: nothing is expanded here, write the value itself");
}

/* Within quotes: the two escapes that have one meaning everywhere, and no newline. */
static bool take_quoted(struct scan *s)
{
	char quote = s->rest.p[0];
	size_t n = 1;
	for (; n < s->rest.n && s->rest.p[n] != quote; n++) {
		unsigned char c = (unsigned char)s->rest.p[n];
		if (c == '\n')
			break;
		if (c < ' ' || c == 0x7F)
			return refuse(s, "the byte 0x%02x is not allowed", c);
		if (c == '$')
			return refuse_dollar(s);
		if (c != '\\')
			continue;
		n++;
		if (n == s->rest.n || (s->rest.p[n] != '\\' && s->rest.p[n] != quote))
			return refuse(s, "behind \"\\\" only \"\\\" and the quotation mark are allowed");
	}
	if (n >= s->rest.n || s->rest.p[n] != quote)
		return refuse(s, "the text in quotes does not end on its line");
	s->word = str_slice(s->rest, 1, n);
	copy(s, n + 1);
	return true;
}

static bool is_word_byte(unsigned char c)
{
	return c > ' ' && c != 0x7F && !strchr("\"'={}()+,*|$#", c);
}

static bool take_word(struct scan *s)
{
	size_t n = 0;
	while (n < s->rest.n && is_word_byte((unsigned char)s->rest.p[n]))
		n++;
	unsigned char next = n < s->rest.n ? (unsigned char)s->rest.p[n] : ' ';
	if (next == '$')
		return refuse_dollar(s);
	if (n > 0 && next == '#')
		return refuse(s, "\"%.*s#\": a comment begins behind a space, a text with # stands in quotes",
		              STR_ARG(str_slice(s->rest, 0, n < SHOWN_MAX ? n : SHOWN_MAX)));
	if (next < ' ' || next == 0x7F) {
		if (next != '\n' && next != '\r' && next != '\t')
			return refuse(s, "the byte 0x%02x is not allowed", next);
	} else if (strchr("\"'+*|()", next)) {
		return refuse(s, "\"%c\" is not allowed here; a text that holds it stands in quotes", next);
	}
	s->word = str_slice(s->rest, 0, n);
	copy(s, n);
	return true;
}

static bool take_equals(struct scan *s)
{
	if (s->place == IN_SECTION && s->word.n) {
		uintptr_t before = (uintptr_t)map_put(&s->keys, s->word, (void *)(uintptr_t)s->line);
		if (before)
			return refuse(s, "%.*s was set in line %u already",
			              STR_ARG(str_slice(s->word, 0, SHOWN_MAX)), (unsigned)before);
	}
	s->is_value_next = true;
	copy(s, 1);
	return true;
}

static bool take_open(struct scan *s)
{
	if (s->place == OUTSIDE) {
		s->place = IN_SECTION;
		s->section_line = s->line;
		map_done(&s->keys);
	} else if (s->place == IN_SECTION && s->is_value_next) {
		s->place = IN_LIST;
		s->list_line = s->line;
	} else {
		return refuse(s, "\"{\" opens neither a section nor a list here");
	}
	s->is_value_next = false;
	copy(s, 1);
	return true;
}

static bool take_close(struct scan *s)
{
	if (s->place == OUTSIDE)
		return refuse(s, "\"}\" closes nothing");
	s->place--; /* list, section, outside */
	copy(s, 1);
	return true;
}

static bool step(struct scan *s)
{
	char c = s->rest.p[0];
	if (c == '#' || str_starts(s->rest, STR("//")) || str_starts(s->rest, STR("/*")))
		return skip_comment(s);
	switch (c) {
	case '\n':
		s->line++;
		copy(s, 1);
		return true;
	case '\r':
		buf_char(s->out, ' ');
		s->rest = str_skip(s->rest, 1);
		return true;
	case ' ':
	case '\t':
	case ',':
		copy(s, 1);
		return true;
	case '=':
		return take_equals(s);
	case '{':
		return take_open(s);
	case '}':
		return take_close(s);
	case '"':
	case '\'':
		s->is_value_next = false;
		return take_quoted(s);
	default:
		s->is_value_next = false;
		return take_word(s);
	}
}

static bool check_end(struct scan *s)
{
	if (s->place == IN_LIST)
		return refuse(s, "the list of line %u is not closed", s->list_line);
	if (s->place == IN_SECTION)
		return refuse(s, "the section of line %u is not closed", s->section_line);
	return true;
}

bool conf_scan(const char *name, struct str text, struct buf *out, struct err *err)
{
	struct scan s = {.name = name, .rest = text, .out = out, .err = err, .line = 1};
	bool is_good = true;
	map_init(&s.keys);
	if (str_starts(s.rest, STR("\xEF\xBB\xBF"))) /* the mark that some editors put in front */
		s.rest = str_skip(s.rest, 3);
	while (is_good && s.rest.n)
		is_good = step(&s);
	is_good = is_good && check_end(&s);
	map_done(&s.keys);
	return is_good;
}
