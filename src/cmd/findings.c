/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings: collected, then printed at once. */
#include "cmd/findings.h"

#include <stdio.h>

#include "cmd/cmd.h"

void findings_init(struct findings *f, bool as_json, bool has_colour)
{
	*f = (struct findings){.as_json = as_json, .has_colour = has_colour && !as_json};
	buf_init(&f->out, 4 << 20);
	if (as_json)
		buf_str(&f->out, STR("{\"checks\":["));
}

static void print_json(struct findings *f, enum finding_state state, const char *id, const char *fix, const char *text)
{
	static const char *const names[] = {"pass", "warn", "fail", "unknown", "na"};

	buf_printf(&f->out, "{\"id\":\"%s\",\"state\":\"%s\",\"text\":", id, names[state]);
	buf_json(&f->out, str_from(text));
	buf_str(&f->out, STR(",\"fix\":"));
	if (fix)
		buf_json(&f->out, str_from(fix));
	else
		buf_str(&f->out, STR("null"));
	buf_char(&f->out, '}');
}

static void print_text(struct findings *f, enum finding_state state, const char *id, const char *fix, const char *text)
{
	static const char *const marks[] = {"✓", "?", "✖", "?", "-"};
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[33m", ""};

	buf_printf(&f->out, "%s%s%s %-16s %s\n", f->has_colour ? colours[state] : "", marks[state], f->has_colour ? "\033[0m" : "",
	           id, text);
	if (fix)
		buf_printf(&f->out, "  %-16s → %s\n", "", fix);
}

void finding_add(struct findings *f, enum finding_state state, const char *id, const char *fix, const char *format, ...)
{
	char text[700];
	va_list args;
	unsigned before = 0;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (int i = 0; i <= FINDING_NA; i++)
		before += f->counts[i];
	f->counts[state]++;
	if (f->as_json && before > 0)
		buf_char(&f->out, ',');
	(f->as_json ? print_json : print_text)(f, state, id, fix, text);
}

int findings_finish(struct findings *f, int unknown)
{
	int status = f->counts[FINDING_FAULT]     ? EXIT_FAULT
	             : f->counts[FINDING_UNKNOWN] ? unknown
	             : f->counts[FINDING_WARN]    ? EXIT_WARNING
	                                          : EXIT_FINE;

	if (f->as_json)
		buf_printf(&f->out, "],\"status\":%d}\n", status);
	fwrite(f->out.p, 1, f->out.n, stdout);
	buf_done(&f->out);
	return status;
}
