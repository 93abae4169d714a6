/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies: reading a server's, writing ours. */
#include "smtp/reply.h"

#include "mail/utf8.h"

#include <assert.h>
#include <stdio.h>

#define KEPT_LINES 100
#define KEPT_BYTES 8192
#define LINES_MAX  1000
#define LINE_MAX   510 /* RFC 5321 4.5.3.1.5: 512 with CR LF */

void reply_reader_init(struct reply_reader *r)
{
	*r = (struct reply_reader){0};
	buf_init(&r->text, KEPT_BYTES);
}

void reply_reader_done(struct reply_reader *r)
{
	buf_done(&r->text);
}

static int parse_code(struct str line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5')
		return 0;
	for (size_t i = 1; i < 3; i++)
		if (line.p[i] < '0' || line.p[i] > '9')
			return 0;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

/* RFC 2034 4: the class agrees with the code's first digit, on each line the same. */
static struct str strip_enhanced(struct reply_reader *r, struct str text)
{
	struct enhanced_code c;
	size_t used;

	if (!enhanced_code_parse(text, &c, &used) || c.class != r->code / 100)
		return text;
	if (r->enhanced.class == 0 && r->lines == 0)
		r->enhanced = c;
	if (c.class != r->enhanced.class || c.subject != r->enhanced.subject || c.detail != r->enhanced.detail)
		return text;
	text = str_skip(text, used);
	return str_skip(text, text.n > 0);
}

static void keep_text(struct reply_reader *r, struct str text)
{
	size_t room = KEPT_BYTES - r->text.n;

	if (r->lines >= KEPT_LINES || room == 0) {
		r->is_cut = true;
		return;
	}
	if (r->lines > 0) {
		buf_char(&r->text, '\n');
		room--;
	}
	r->is_cut = r->is_cut || text.n > room;
	buf_str(&r->text, str_slice(text, 0, room));
}

static enum reply_step broken(struct reply_reader *r, struct str line, const char *what, struct err *err)
{
	r->lines = 0;
	err_temp(err, CAUSE_PROTOCOL, "%s: '%.*s'", what, (int)(line.n < 100 ? line.n : 100),
	         line.p ? line.p : "");
	return REPLY_BROKEN;
}

enum reply_step reply_reader_line(struct reply_reader *r, struct str line, struct reply *out, struct err *err)
{
	int code = parse_code(line);
	char separator = line.n > 3 ? line.p[3] : ' ';

	if (code == 0 || (separator != ' ' && separator != '-'))
		return broken(r, line, "not an SMTP reply", err);
	if (r->lines == 0) {
		buf_clear(&r->text);
		r->code = code;
		r->enhanced = (struct enhanced_code){0};
		r->is_cut = false;
	} else if (code != r->code) {
		return broken(r, line, "reply code changed within a reply", err);
	}
	if (r->lines == LINES_MAX)
		return broken(r, line, "endless reply", err);
	keep_text(r, strip_enhanced(r, str_skip(line, 4)));
	r->lines++;
	if (separator == '-')
		return REPLY_MORE;
	r->lines = 0;
	*out = (struct reply){r->code, r->enhanced, buf_view(&r->text), r->is_cut};
	return REPLY_WHOLE;
}

/* 1 to 3 digits (RFC 3463 2) at *at. */
static bool parse_number(struct str s, size_t *at, uint16_t *out)
{
	unsigned v = 0;
	size_t n = 0;

	for (; n < 3 && *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; n++, ++*at)
		v = v * 10 + (unsigned)(s.p[*at] - '0');
	*out = (uint16_t)v;
	return n > 0;
}

static bool parse_dot(struct str s, size_t *at)
{
	return *at < s.n && s.p[(*at)++] == '.';
}

bool enhanced_code_parse(struct str s, struct enhanced_code *out, size_t *used)
{
	struct enhanced_code c = {0};
	size_t at = 1;

	if (s.n < 5 || !(s.p[0] == '2' || s.p[0] == '4' || s.p[0] == '5'))
		return false;
	c.class = (uint8_t)(s.p[0] - '0');
	if (!parse_dot(s, &at) || !parse_number(s, &at, &c.subject) || !parse_dot(s, &at) ||
	    !parse_number(s, &at, &c.detail))
		return false;
	if (at < s.n && s.p[at] != ' ' && s.p[at] != '\t')
		return false;
	*out = c;
	*used = at;
	return true;
}

static size_t number_put(uint16_t number, char *out)
{
	char backwards[5];
	size_t n = 0;

	do
		backwards[n++] = (char)('0' + number % 10);
	while (number /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = backwards[n - 1 - i];
	return n;
}

/* 255.65535.65535 fits. By hand: once for each reply that is explained, and sprintf is slow. */
struct str enhanced_code_text(struct enhanced_code c, char out[16])
{
	size_t n = number_put(c.class, out);

	out[n++] = '.';
	n += number_put(c.subject, out + n);
	out[n++] = '.';
	n += number_put(c.detail, out + n);
	out[n] = '\0';
	return (struct str){out, n};
}

/* Escaped as buf_escaped does, but '\' stays single where no escape was needed: our texts quote local
 * parts, and those should read as they are written. */
static void add_clean(struct buf *out, struct str line, bool allow_utf8)
{
	if (allow_utf8 && utf8_is_clean(line)) {
		buf_str(out, line);
		return;
	}
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];
		if (c >= ' ' && c < 127)
			buf_char(out, (char)c);
		else
			buf_printf(out, "\\x%02x", c);
	}
}

/* How much of `text` fits in one line: up to a blank if there is one, never within a character. */
static size_t fitting(struct str text, size_t room)
{
	if (text.n <= room)
		return text.n;
	size_t space = str_rfind_char(str_slice(text, 0, room), ' ');
	if (space > room / 2 && space < room)
		return space + 1;
	size_t n = room;
	while (n > room - 4 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

struct writer {
	struct buf *out;
	char prefix[24]; /* "5.1.1 ", or empty */
	int code;
	size_t room;
};

static void write_line(const struct writer *w, struct str text, bool is_last)
{
	text = text.n > 0 && text.p[text.n - 1] == ' ' ? str_slice(text, 0, text.n - 1) : text;
	buf_printf(w->out, "%03d%c%s%.*s\r\n", w->code, is_last ? ' ' : '-', w->prefix, STR_ARG(text));
}

static void write_wrapped(const struct writer *w, struct str text, bool is_last)
{
	size_t n = fitting(text, w->room);

	for (; n < text.n; n = fitting(text, w->room)) {
		write_line(w, str_slice(text, 0, n), false);
		text = str_skip(text, n);
	}
	write_line(w, text, is_last);
}

void reply_write(struct buf *out, int code, struct enhanced_code enhanced, struct str text, bool allow_utf8)
{
	struct writer w = {.out = out, .code = code};
	struct str line;
	char number[16];
	struct buf clean;

	assert(code >= 200 && code < 600);
	if (enhanced.class)
		snprintf(w.prefix, sizeof w.prefix, "%.*s ", STR_ARG(enhanced_code_text(enhanced, number)));
	w.room = LINE_MAX - 4 - strlen(w.prefix);
	buf_init(&clean, 4 * text.n + 1);
	bool is_first = true;
	for (size_t n; is_first || text.n > 0; text = str_skip(text, n + 1)) {
		n = str_find_char(text, '\n');
		line = str_slice(text, 0, n);
		is_first = false;
		buf_clear(&clean);
		add_clean(&clean, line, allow_utf8);
		write_wrapped(&w, buf_view(&clean), n + 1 >= text.n);
	}
	buf_done(&clean);
}
