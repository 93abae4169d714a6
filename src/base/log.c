/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds one line for one event and hands it to the sink. */
#include "base/log.h"

#include "base/auto.h"

#include <stdio.h>
#include <time.h>

#define VALUE_MAX  1024
#define FIELDS_MAX 32768                      /* no field begins past this */
#define LINE_USUAL 512
#define LINE_MAX_  (FIELDS_MAX + 8 * VALUE_MAX) /* worst case of the last field fits */

static void sink_stderr(void *arg, enum log_level level, struct str line);
static struct wall system_clock(void);

/* Set once before the first thread starts, hence without a lock. */
static struct {
	enum log_format format;
	enum log_level least;
	log_sink_fn *sink;
	void *arg;
	struct wall (*now)(void);
} target = {LOG_TEXT, LOG_WARN_, sink_stderr, NULL, system_clock};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void sink_stderr(void *arg, enum log_level level, struct str line)
{
	fprintf(stderr, "%.*s\n", STR_ARG(line));
}

static struct wall system_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){t.tv_sec * USEC_S + t.tv_nsec / 1000};
}

void log_open(enum log_format format, enum log_level least, log_sink_fn *sink, void *arg)
{
	target.format = format;
	target.least = least;
	target.sink = sink ? sink : sink_stderr;
	target.arg = arg;
}

void log_clock(struct wall (*now)(void))
{
	target.now = now ? now : system_clock;
}

bool log_is_on(enum log_level level)
{
	return level >= target.least;
}

static struct str cut_long(struct str s)
{
	size_t to = VALUE_MAX;
	if (s.n <= to)
		return s;
	while (to > VALUE_MAX - 4 && ((unsigned char)s.p[to] & 0xC0) == 0x80)
		to--; /* not within a character */
	return str_slice(s, 0, to);
}

/* Bare where the reader cannot mistake it, else in quotes with `"` escaped. */
static void add_text_value(struct buf *b, struct str s)
{
	bool needs_quotes = s.n == 0;
	for (size_t i = 0; i < s.n; i++)
		needs_quotes |= s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '=';
	if (!needs_quotes) {
		buf_escaped(b, s);
		return;
	}
	buf_char(b, '"');
	while (s.n) {
		size_t quote = str_find_char(s, '"');
		buf_escaped(b, str_slice(s, 0, quote));
		if (quote < s.n)
			buf_str(b, STR("\\\""));
		s = str_skip(s, quote + 1);
	}
	buf_char(b, '"');
}

static void add_field(struct buf *b, const struct log_field *f)
{
	struct str text = cut_long(f->text);
	bool is_cut = text.n < f->text.n;
	if (target.format == LOG_JSON) {
		buf_char(b, ',');
		buf_json(b, str_from(f->key));
		buf_char(b, ':');
	} else {
		buf_char(b, ' ');
		buf_str(b, str_from(f->key));
		buf_char(b, '=');
	}
	if (f->is_number)
		buf_int(b, f->number);
	else if (target.format == LOG_JSON)
		buf_json(b, text);
	else
		add_text_value(b, text);
	if (is_cut && target.format == LOG_JSON) {
		buf_truncate(b, b->n - 1);
		buf_str(b, STR("...\""));
	} else if (is_cut) {
		buf_str(b, STR("..."));
	}
}

void log_write(enum log_level level, const char *name, const struct log_field *fields)
{
	char time[WALL_FORMAT_MAX];
	auto_buf struct buf b = {.max = LINE_MAX_};
	if (!log_is_on(level))
		return;
	buf_reserve(&b, LINE_USUAL);
	struct str now = wall_rfc3339(target.now(), time);
	if (target.format == LOG_JSON)
		buf_printf(&b, "{\"time\":\"%.*s\",\"level\":\"%s\",\"event\":\"%s\"", STR_ARG(now),
		           level_names[level], name);
	else
		buf_printf(&b, "%.*s %s %s", STR_ARG(now), level_names[level], name);
	for (; fields && fields->key && b.n < FIELDS_MAX; fields++)
		add_field(&b, fields);
	if (target.format == LOG_JSON)
		buf_char(&b, '}');
	target.sink(target.arg, level, buf_view(&b));
}
