/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of the exceptions file. */
#include "policy/exception_line.h"

#include "base/auto.h"
#include "base/ip.h"

#define LINE_BYTES_MAX 2048

static const char *const kinds[] = {"sender", "domain", "client", "recipient"};
static const char *const actions[] = {"none", "never-ask", "accept", "refuse"};

const char *exception_action_name(enum exception_action a)
{
	return actions[a];
}

const char *exception_kind_name(enum exception_kind k)
{
	return kinds[k];
}

bool exception_action_parse(struct str s, enum exception_action *out)
{
	for (size_t i = EXCEPTION_NEVER_ASK; i <= EXCEPTION_REFUSE; i++) {
		if (str_ieq(s, str_from(actions[i]))) {
			*out = (enum exception_action)i;
			return true;
		}
	}
	return false;
}

bool exception_kind_parse(struct str s, enum exception_kind *out)
{
	for (size_t i = EXCEPTION_SENDER; i <= EXCEPTION_RECIPIENT; i++) {
		if (str_ieq(s, str_from(kinds[i]))) {
			*out = (enum exception_kind)i;
			return true;
		}
	}
	return false;
}

static bool take_quoted(struct str *rest, struct buf *word)
{
	for (size_t i = 1; i < rest->n; i++) {
		if (rest->p[i] == '"') {
			*rest = str_skip(*rest, i + 1);
			return true;
		}
		i += rest->p[i] == '\\' && i + 1 < rest->n;
		buf_char(word, rest->p[i]);
	}
	return false;
}

enum take { TAKE_END, TAKE_WORD, TAKE_BROKEN };

static enum take take_word(struct arena *arena, struct str *rest, struct str *word)
{
	auto_buf struct buf text = {.max = LINE_BYTES_MAX};
	*rest = str_trim(*rest);
	if (rest->n == 0 || rest->p[0] == '#')
		return TAKE_END;
	if (rest->p[0] == '"') {
		if (!take_quoted(rest, &text))
			return TAKE_BROKEN;
		*word = text.n ? arena_str(arena, buf_view(&text)) : STR("");
		return TAKE_WORD;
	}
	return str_next_word(rest, word) ? TAKE_WORD : TAKE_END;
}

static bool normalise_address(struct arena *arena, struct str what, struct str *out, struct err *err)
{
	struct address a;
	if (str_starts(what, STR("@"))) {
		struct str domain;
		if (!domain_to_ascii(arena, str_skip(what, 1), &domain, err))
			return false;
		*out = arena_printf(arena, "@%.*s", STR_ARG(domain));
		return true;
	}
	if (!address_parse(arena, what, true, &a, err))
		return false;
	struct str local = arena_lower(arena, a.local);
	*out = arena_printf(arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(a.ascii_domain));
	return true;
}

bool exception_what_normalise(struct arena *arena, enum exception_kind kind, struct str what, struct str *out,
                              struct err *err)
{
	struct ip_net net;
	switch (kind) {
	case EXCEPTION_SENDER:
	case EXCEPTION_RECIPIENT:
		return normalise_address(arena, what, out, err);
	case EXCEPTION_DOMAIN:
		return domain_to_ascii(arena, what, out, err);
	case EXCEPTION_CLIENT:
		if (!ip_net_parse(what, &net, err))
			return false;
		*out = arena_str(arena, what);
		return true;
	}
	return false;
}

static bool take_option(struct arena *arena, struct str *rest, struct str key, struct exception *e, struct err *err)
{
	struct str value;
	if (take_word(arena, rest, &value) != TAKE_WORD)
		return err_perm(err, CAUSE_LOCAL_ERROR, "\"%.*s\" lacks its value", STR_ARG(key));
	if (str_ieq(key, STR("until")) && wall_parse_rfc3339(value, &e->until))
		return true;
	if (str_ieq(key, STR("at")) && wall_parse_rfc3339(value, &e->at))
		return true;
	if (str_ieq(key, STR("by")))
		e->by = arena_str(arena, value);
	else if (str_ieq(key, STR("why")))
		e->why = arena_str(arena, value);
	else
		return err_perm(err, CAUSE_LOCAL_ERROR, "\"%.*s %.*s\" is none of until TIME, at TIME, by NAME, why TEXT",
		                STR_ARG(str_slice(key, 0, 40)), STR_ARG(str_slice(value, 0, 60)));
	return true;
}

static bool take_rule(struct arena *arena, struct str kind, struct str *rest, struct exception *e, struct err *err)
{
	struct str what, action, key;
	enum take more;
	if (!exception_kind_parse(kind, &e->kind))
		return err_perm(err, CAUSE_LOCAL_ERROR, "\"%.*s\" is none of sender, domain, client, recipient",
		                STR_ARG(str_slice(kind, 0, 40)));
	if (take_word(arena, rest, &what) != TAKE_WORD || take_word(arena, rest, &action) != TAKE_WORD)
		return err_perm(err, CAUSE_LOCAL_ERROR, "a line is: kind what action");
	if (!exception_action_parse(action, &e->action))
		return err_perm(err, CAUSE_LOCAL_ERROR, "\"%.*s\" is none of never-ask, accept, refuse",
		                STR_ARG(str_slice(action, 0, 40)));
	if (!exception_what_normalise(arena, e->kind, what, &e->what, err))
		return false;
	while ((more = take_word(arena, rest, &key)) == TAKE_WORD)
		if (!take_option(arena, rest, key, e, err))
			return false;
	return more == TAKE_END || err_perm(err, CAUSE_LOCAL_ERROR, "a quote is not closed");
}

enum exception_line exception_line_parse(struct arena *arena, struct str line, struct exception *out, struct err *err)
{
	struct exception e = {0};
	struct str kind;
	if (line.n > LINE_BYTES_MAX || str_find_char(line, '\0') < line.n) {
		err_perm(err, CAUSE_LOCAL_ERROR, "the line is too long or has a NUL");
		return EXCEPTION_LINE_BROKEN;
	}
	enum take first = take_word(arena, &line, &kind);
	if (first == TAKE_END)
		return EXCEPTION_LINE_EMPTY;
	if (first == TAKE_BROKEN)
		kind = STR("\"");
	if (!take_rule(arena, kind, &line, &e, err))
		return EXCEPTION_LINE_BROKEN;
	*out = e;
	return EXCEPTION_LINE_RULE;
}

static void write_word(struct buf *out, struct str word)
{
	buf_char(out, '"');
	for (size_t i = 0; i < word.n; i++) {
		bool is_special = word.p[i] == '"' || word.p[i] == '\\';
		if (is_special)
			buf_char(out, '\\');
		buf_char(out, word.p[i] >= 0 && word.p[i] < ' ' ? ' ' : word.p[i]);
	}
	buf_char(out, '"');
}

bool exception_line_write(const struct exception *e, struct buf *out, struct err *err)
{
	auto_buf struct buf line = {.max = LINE_BYTES_MAX};
	auto_arena struct arena arena = {.max = 65536};
	char when[WALL_FORMAT_MAX];
	struct exception again;
	buf_printf(&line, "%s ", exception_kind_name(e->kind));
	write_word(&line, e->what);
	buf_printf(&line, " %s", exception_action_name(e->action));
	if (e->until.us)
		buf_printf(&line, " until %.*s", STR_ARG(wall_rfc3339(e->until, when)));
	if (e->at.us)
		buf_printf(&line, " at %.*s", STR_ARG(wall_rfc3339(e->at, when)));
	if (e->by.n) {
		buf_str(&line, STR(" by "));
		write_word(&line, e->by);
	}
	if (e->why.n) {
		buf_str(&line, STR(" why "));
		write_word(&line, e->why);
	}
	if (!buf_ok(&line))
		return err_perm(err, CAUSE_LOCAL_ERROR, "the line would be too long");
	if (exception_line_parse(&arena, buf_view(&line), &again, err) != EXCEPTION_LINE_RULE)
		return false;
	buf_str(out, buf_view(&line));
	buf_char(out, '\n');
	return true;
}
