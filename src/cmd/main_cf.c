/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postfix' main.cf as text: logical lines, lists of restrictions, one of which is ours. */
#include "cmd/main_cf.h"

#define MARK   "# Sender verification by Postern; `postern setup postfix --remove` takes it out.\n"
#define INDENT "    "

/* A parameter in the text: from its name to the end of its last continuation line, without that line's end. */
struct place {
	size_t from, value, end;
	bool is_set;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_comment(struct str line)
{
	struct str text = str_trim(line);

	return text.n == 0 || text.p[0] == '#';
}

/* postconf(5): a line that begins with white space continues the one before; comments and empty lines between are
 * ignored; the last definition counts. */
static struct place place_find(struct str text, struct str name)
{
	struct place found = {0};
	bool is_inside = false;

	for (size_t at = 0, next; at < text.n; at = next) {
		struct str line = str_skip(text, at);
		line = str_slice(line, 0, str_find_char(line, '\n'));
		next = at + line.n + 1;
		if (is_comment(line))
			continue;
		if (!is_space(line.p[0])) {
			size_t equals = str_find_char(line, '=');
			is_inside = equals < line.n && str_eq(str_trim(str_slice(line, 0, equals)), name);
			if (is_inside)
				found = (struct place){at, at + equals + 1, 0, true};
		}
		if (is_inside)
			found.end = at + line.n;
	}
	return found;
}

struct str main_cf_parameter(struct str text, struct str name)
{
	struct place at = place_find(text, name);

	return at.is_set ? str_slice(text, at.from, at.end) : STR_NONE;
}

static bool is_between(char c)
{
	return is_space(c) || c == ',';
}

/* What stands between two words: blanks, commas, and comment lines with all they say. */
static struct str skip_between(struct str s)
{
	bool is_line_start = false;

	while (s.n > 0) {
		if (is_line_start && s.p[0] != '\n' && is_comment(str_slice(s, 0, str_find_char(s, '\n')))) {
			s = str_skip(s, str_find_char(s, '\n'));
		} else if (is_between(s.p[0])) {
			is_line_start = s.p[0] == '\n';
			s = str_skip(s, 1);
		} else {
			break;
		}
	}
	return s;
}

bool main_cf_word(struct str *rest, struct str *word)
{
	struct str s = skip_between(*rest);
	size_t n = 0, depth = 0;

	while (n < s.n && (depth > 0 || !is_between(s.p[n]))) {
		depth += s.p[n] == '{';
		depth -= s.p[n] == '}' && depth > 0;
		n++;
	}
	*word = str_slice(s, 0, n);
	*rest = str_skip(s, n);
	return n > 0;
}

static bool is_ours(struct str argument)
{
	struct str rest = str_trim(argument), word;

	if (rest.n < 2 || rest.p[0] != '{')
		return false;
	rest = str_slice(rest, 1, rest.n - 1);
	while (main_cf_word(&rest, &word)) {
		if (str_eq(word, STR(MAIN_CF_CONTEXT)))
			return true;
	}
	return false;
}

static bool is_final(struct str word)
{
	return str_eq(word, STR("permit")) || str_eq(word, STR("reject")) || str_eq(word, STR("defer"));
}

struct list_seen {
	struct str first, ours, last; /* slices of the text; ours: restriction and argument together */
	bool all_permits;             /* besides ours, only permit_… */
	bool is_ours_reached;
};

static struct list_seen list_look(struct str value)
{
	struct list_seen seen = {.all_permits = true};
	struct str rest = value, word, argument;
	bool has_ended = false;

	while (main_cf_word(&rest, &word)) {
		if (!seen.first.p)
			seen.first = word;
		struct str after = rest;
		if (str_eq(word, STR("check_policy_service")) && main_cf_word(&after, &argument) && is_ours(argument)) {
			seen.ours = (struct str){word.p, (size_t)(argument.p + argument.n - word.p)};
			seen.is_ours_reached = !has_ended;
			rest = after;
			continue;
		}
		seen.last = word;
		seen.all_permits = seen.all_permits && str_starts(word, STR("permit_"));
		has_ended = has_ended || is_final(word);
	}
	return seen;
}

bool main_cf_is_reached(struct str value)
{
	return list_look(value).is_ours_reached;
}

static void put(struct buf *out, const char *from, const char *to)
{
	if (to > from)
		buf_add(out, from, (size_t)(to - from));
}

static void parameter_append(struct str text, const struct main_cf_list *list, struct buf *out)
{
	buf_str(out, text);
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		buf_char(out, '\n');
	buf_str(out, STR("\n" MARK));
	buf_printf(out, "%.*s =", STR_ARG(list->name));
	if (list->permits.n > 0)
		buf_printf(out, " %.*s,", STR_ARG(list->permits));
	buf_printf(out, "\n" INDENT "%.*s\n", STR_ARG(list->restriction));
}

void main_cf_add(struct str text, const struct main_cf_list *list, struct buf *out)
{
	struct place at = place_find(text, list->name);

	if (!at.is_set) {
		parameter_append(text, list, out);
		return;
	}
	struct list_seen seen = list_look(str_slice(text, at.value, at.end));
	const char *end = text.p + text.n;
	if (seen.ours.p) { /* changed where it stands */
		put(out, text.p, seen.ours.p);
		buf_str(out, list->restriction);
		put(out, seen.ours.p + seen.ours.n, end);
	} else if (!seen.last.p) { /* set, to nothing */
		put(out, text.p, text.p + at.value);
		buf_printf(out, " %.*s%s%.*s", STR_ARG(list->permits), list->permits.n ? ", " : "",
		           STR_ARG(list->restriction));
		put(out, text.p + at.value, end);
	} else if (is_final(seen.last)) {
		put(out, text.p, seen.last.p);
		buf_printf(out, "%.*s, ", STR_ARG(list->restriction));
		put(out, seen.last.p, end);
	} else {
		put(out, text.p, seen.last.p + seen.last.n);
		buf_printf(out, ",\n" INDENT "%.*s", STR_ARG(list->restriction));
		put(out, seen.last.p + seen.last.n, end);
	}
}

/* A parameter that we set, with our mark above it: nothing of anybody else's is in it. */
static bool is_made_by_us(struct str text, const struct place *at, const struct list_seen *seen)
{
	return seen->all_permits && str_ends(str_slice(text, 0, at->from), STR("\n" MARK));
}

/* Where our words end together with a comma of their own, on the same line: a line may be left blank, never joined to
 * another, which could be a comment. */
static const char *end_with_comma(const char *to, const char *end)
{
	while (to < end && (*to == ',' || *to == ' ' || *to == '\t'))
		to++;
	return to;
}

/* The separator in front of our words goes with them, unless a comment line stands there. */
static const char *start_with_separator(struct str text, size_t least, const char *ours)
{
	const char *from = ours;

	while (from > text.p + least && is_between(from[-1]))
		from--;
	struct str before = str_slice(text, 0, (size_t)(from - text.p));
	size_t line = str_rfind_char(before, '\n');
	return is_comment(str_skip(before, line < before.n ? line + 1 : 0)) ? ours : from;
}

void main_cf_remove(struct str text, struct str name, struct buf *out)
{
	struct place at = place_find(text, name);
	struct list_seen seen = at.is_set ? list_look(str_slice(text, at.value, at.end)) : (struct list_seen){0};
	const char *end = text.p + text.n;

	if (!seen.ours.p) {
		buf_str(out, text);
		return;
	}
	const char *to = seen.ours.p + seen.ours.n;
	const char *from = start_with_separator(text, at.value, seen.ours.p);
	bool is_before_final = seen.last.p && seen.last.p > to && is_final(seen.last);
	if (is_made_by_us(text, &at, &seen)) {
		from = text.p + at.from - (sizeof("\n" MARK) - 1);
		to = text.p + at.end + (at.end < text.n);
	} else if (seen.first.p == seen.ours.p || from == seen.ours.p || is_before_final) {
		from = seen.last.p ? seen.ours.p : from;
		to = end_with_comma(to, end);
	}
	put(out, text.p, from);
	put(out, to, end);
}
