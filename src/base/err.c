/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling and prefixing a failure. */
#include "base/err.h"

#include "base/str.h"

#include <assert.h>
#include <stdio.h>

/* Longer than the text it fills, so that a cut happens in one place, at the end of a character. */
#define RAW_MAX 512

/* Texts quote what peers said: controls must not reach a terminal or forge a log line. */
static void set_text(struct err *err, struct str raw)
{
	size_t n = 0;
	while (raw.n) {
		size_t step = str_utf8_next(raw);
		unsigned char first = (unsigned char)raw.p[0];
		bool is_control = first < 0x20 || first == 0x7F ||
		                  (step == 2 && first == 0xC2 && (unsigned char)raw.p[1] < 0xA0);
		if (n + (step ? step : 1) >= sizeof err->text)
			break;
		if (step == 0) {
			err->text[n++] = '?';
			step = 1;
		} else if (!is_control) {
			memcpy(err->text + n, raw.p, step);
			n += step;
		}
		raw = str_skip(raw, step);
	}
	err->text[n] = '\0';
}

static struct str printed(char raw[RAW_MAX], int n)
{
	assert(n >= 0);
	if (n < RAW_MAX)
		return (struct str){raw, (size_t)n};
	/* the last character may be half; it lies beyond what set_text keeps */
	return (struct str){raw, RAW_MAX - 1};
}

__attribute__((format(printf, 5, 0))) static bool
set(struct err *err, enum err_kind kind, bool is_temporary, enum cause_id cause,
    const char *format, va_list args)
{
	char raw[RAW_MAX];
	/* an argument may be the old text of this very err: print before anything is changed */
	int n = vsnprintf(raw, sizeof raw, format, args);
	err->kind = kind;
	err->is_temporary = is_temporary;
	err->cause = cause;
	set_text(err, printed(raw, n));
	return false;
}

bool err_temp(struct err *err, enum cause_id cause, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set(err, ERR_FAILED, true, cause, format, args);
	va_end(args);
	return false;
}

bool err_perm(struct err *err, enum cause_id cause, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set(err, ERR_FAILED, false, cause, format, args);
	va_end(args);
	return false;
}

bool err_kind(struct err *err, enum err_kind kind, enum cause_id cause, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set(err, kind, true, cause, format, args);
	va_end(args);
	return false;
}

bool err_context(struct err *err, const char *format, ...)
{
	char raw[RAW_MAX + sizeof err->text + 2];
	va_list args;
	va_start(args, format);
	struct str context = printed(raw, vsnprintf(raw, RAW_MAX, format, args));
	va_end(args);
	int n = snprintf(raw + context.n, sizeof raw - context.n, ": %s", err->text);
	set_text(err, (struct str){raw, context.n + (size_t)n});
	return false;
}
