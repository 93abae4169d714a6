/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a scenario, and the small notations that its statements share. */
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/conf_row.h"
#include "base/map.h"
#include "base/mem.h"

#define FILE_MAX (1 << 20)

static const char *file_name = "scenario";
static void (*print_more)(void);
static struct map names;

void fail_at(unsigned line, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s:%u: ", file_name, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (print_more)
		print_more();
	fflush(stderr);
	_exit(1);
}

void script_on_failure(void (*print)(void))
{
	print_more = print;
}

/* --- reading --- */

static struct str read_file(struct arena *arena, const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = arena_alloc(arena, FILE_MAX + 1);
	size_t n = f ? fread(text, 1, FILE_MAX, f) : 0;

	if (!f || ferror(f) || !feof(f)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	fclose(f);
	return (struct str){text, n};
}

static bool is_indented(struct str line)
{
	return line.n > 0 && (line.p[0] == '\t' || line.p[0] == ' ');
}

static struct str without_indentation(struct str line)
{
	while (is_indented(line))
		line = str_skip(line, 1);
	return line;
}

/* Blank lines belong to a body when it goes on behind them. */
static void add_to_body(struct statement *st, struct str line, unsigned number, unsigned *blanks)
{
	for (; *blanks > 0; (*blanks)--)
		st->body[st->n_body++] = (struct line){number - *blanks, STR_NONE};
	st->body[st->n_body++] = (struct line){number, without_indentation(line)};
}

static size_t count_lines(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

void script_load(struct scenario *s, const char *path)
{
	struct str rest, line;
	unsigned number = 0, blanks = 0;

	arena_init(&s->arena, 16 << 20);
	file_name = path;
	rest = read_file(&s->arena, path);
	size_t room = count_lines(rest);
	struct line *lines = arena_alloc(&s->arena, room * sizeof(*lines));
	s->statements = arena_alloc(&s->arena, room * sizeof(*s->statements));
	while (str_cut(&rest, '\n', &line)) {
		struct str trimmed = str_trim(line);
		number++;
		if (trimmed.n == 0) {
			blanks++;
			continue;
		}
		if (trimmed.p[0] == '#')
			continue;
		if (!is_indented(line)) {
			lines = s->n ? s->statements[s->n - 1].body + s->statements[s->n - 1].n_body : lines;
			s->statements[s->n++] = (struct statement){number, trimmed, lines, 0};
		} else if (s->n == 0) {
			fail_at(number, "a body without a statement");
		} else {
			add_to_body(&s->statements[s->n - 1], line, number, &blanks);
		}
		blanks = 0;
	}
}

void script_done(struct scenario *s)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&names, &at, &key, &value))
		free(value);
	map_done(&names);
	arena_done(&s->arena);
}

/* --- notations --- */

bool glob_matches(struct str glob, struct str text)
{
	size_t star = str_find_char(glob, '*');
	struct str part;

	if (star == glob.n)
		return str_eq(glob, text);
	if (!str_starts(text, str_slice(glob, 0, star)))
		return false;
	text = str_skip(text, star);
	glob = str_skip(glob, star + 1);
	while ((star = str_find_char(glob, '*')) < glob.n) {
		part = str_slice(glob, 0, star);
		size_t at = str_find(text, part);
		if (part.n > 0 && at == text.n)
			return false;
		text = str_skip(text, at + part.n);
		glob = str_skip(glob, star + 1);
	}
	return str_ends(text, glob);
}

static double to_number(unsigned line, struct str text)
{
	char copy[40], *end;
	double n;

	snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
	n = strtod(copy, &end);
	if (end == copy || *end)
		fail_at(line, "\"%s\" is not a number", copy);
	return n;
}

bool number_matches(unsigned line, struct str wanted, double got)
{
	size_t dots = str_find(wanted, STR(".."));

	if (str_starts(wanted, STR(">=")))
		return got >= to_number(line, str_skip(wanted, 2));
	if (str_starts(wanted, STR("<=")))
		return got <= to_number(line, str_skip(wanted, 2));
	if (dots < wanted.n)
		return got >= to_number(line, str_slice(wanted, 0, dots)) && got <= to_number(line, str_skip(wanted, dots + 2));
	return got == to_number(line, wanted);
}

usec_t script_duration(unsigned line, struct str text)
{
	usec_t d;

	if (!conf_parse_duration(text, &d))
		fail_at(line, "\"%.*s\" is not a duration", STR_ARG(text));
	return d;
}

uint64_t script_number(unsigned line, struct str text)
{
	uint64_t n;

	if (!str_to_u64(text, 1000000, &n))
		fail_at(line, "\"%.*s\" is not a number", STR_ARG(text));
	return n;
}

struct str script_word(unsigned line, struct str *rest, const char *what)
{
	struct str word;

	if (!str_next_word(rest, &word))
		fail_at(line, "%s is missing", what);
	return word;
}

bool script_skip(struct str *rest, const char *word)
{
	struct str after = *rest, next;

	if (!str_next_word(&after, &next) || !str_eq(next, str_from(word)))
		return false;
	*rest = after;
	return true;
}

/* --- names --- */

void script_set(struct str name, struct str value)
{
	free(map_put(&names, name, mem_cstr(value)));
}

struct str script_expand(struct arena *arena, struct str text)
{
	size_t open = str_find_char(text, '{'), close;

	while (open < text.n) {
		close = open + str_find_char(str_skip(text, open), '}');
		const char *value = map_get(&names, str_slice(text, open + 1, close));
		if (value) {
			text = arena_printf(arena, "%.*s%s%.*s", STR_ARG(str_slice(text, 0, open)), value,
			                    STR_ARG(str_skip(text, close + 1)));
			open += strlen(value);
		} else {
			open++;
		}
		open += str_find_char(str_skip(text, open), '{');
	}
	return text;
}
