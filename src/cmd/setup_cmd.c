/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern setup postfix`: the lines that let Postfix ask the policy door; printed, put into main.cf, or taken out. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/auto.h"
#include "cmd/cmd.h"
#include "cmd/setup_postfix.h"

/* What each part of the restriction is for, in the order in which it stands there. */
static const struct {
	const char *part, *means;
} explained[] = {
	{"check_policy_service", "at RCPT Postfix asks Postern about the sender; what Postern answers is what the client hears"},
	{"timeout", "longer than policy_door.wait, within which Postern answers; only a daemon that hangs lets Postfix wait so long, twice"},
	{"default_action=DUNNO", "Postern stopped, hanging or broken: mail goes on as if it were not there; --on-failure defer holds it back instead"},
	{"default_action={DEFER", "Postern stopped, hanging or broken: what would have passed is answered 450 and comes again later; nothing is lost"},
	{MAIN_CF_CONTEXT, "the mark by which a second call, or --remove, knows its own line"},
};

static void explanations_print(const struct setup *s, struct buf *out, bool as_json)
{
	struct str text = s->list.restriction;
	bool is_first = true;

	for (size_t i = 0; i < sizeof(explained) / sizeof(*explained); i++) {
		if (str_find(text, str_from(explained[i].part)) == text.n)
			continue;
		struct str part = str_trim(str_slice(str_from(explained[i].part), 0, str_find_char(str_from(explained[i].part), '{')));
		if (as_json) {
			buf_str(out, is_first ? STR("{\"part\":") : STR(",{\"part\":"));
			buf_json(out, part);
			buf_str(out, STR(",\"means\":"));
			buf_json(out, str_from(explained[i].means));
			buf_char(out, '}');
		} else {
			buf_printf(out, "  %-23.*s %s\n", STR_ARG(part), explained[i].means);
		}
		is_first = false;
	}
}

static void notes_print(const struct setup *s, struct buf *out)
{
	struct str rest = buf_view(&s->notes), note;

	while (str_cut(&rest, '\n', &note)) {
		if (note.n > 0)
			buf_printf(out, "? %.*s\n", STR_ARG(note));
	}
}

static void lines_print(struct str lines, struct buf *out)
{
	struct str line;

	while (str_cut(&lines, '\n', &line))
		buf_printf(out, "  %.*s\n", STR_ARG(line));
}

static void text_print(const struct setup *s, bool is_removal, struct buf *out)
{
	struct str lines = main_cf_parameter(buf_view(&s->after), s->list.name);

	if (!s->is_changed) {
		buf_printf(out, "%s: %s.\n", s->main_cf, is_removal ? "nothing of ours is in it" : "Postfix asks Postern already");
	} else if (s->is_applied) {
		buf_printf(out, "✓ %s %s; as it was: %s\n", s->main_cf, is_removal ? "no longer names Postern" : "changed", s->backup);
		buf_str(out, STR("✓ postfix check finds nothing wrong with it\n"));
	} else {
		buf_printf(out, "In %s, %s:\n\n", s->main_cf, is_removal ? "this is what stays" : "this is what is needed");
	}
	if (s->is_changed && lines.n > 0)
		lines_print(lines, out);
	else if (s->is_changed)
		buf_printf(out, "  (%.*s is not set)\n", STR_ARG(s->list.name));
	if (!is_removal) {
		buf_str(out, STR("\nWhat it means:\n"));
		explanations_print(s, out, false);
	}
	if (s->notes.n > 0)
		buf_char(out, '\n');
	notes_print(s, out);
	if (s->is_applied)
		buf_str(out, STR("\nNext: postfix reload\n"));
	else if (s->is_changed)
		buf_printf(out, "\nNothing was written. `postern setup postfix%s --apply` does it, keeps a backup, and takes it back\n"
		           "when `postfix check` objects.\n", is_removal ? " --remove" : "");
}

static void json_member(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, ",\"%s\":", name);
	if (value.p)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static void json_print(const struct setup *s, struct buf *out)
{
	struct str lines = main_cf_parameter(buf_view(&s->after), s->list.name), rest = buf_view(&s->notes), note;
	bool is_first = true;

	buf_printf(out, "{\"changed\":%s,\"applied\":%s", s->is_changed ? "true" : "false", s->is_applied ? "true" : "false");
	json_member(out, "file", str_from(s->main_cf));
	json_member(out, "parameter", s->list.name);
	json_member(out, "lines", lines.n > 0 ? lines : STR_NONE);
	json_member(out, "restriction", s->list.restriction);
	json_member(out, "backup", s->is_applied ? str_from(s->backup) : STR_NONE);
	buf_str(out, STR(",\"explained\":["));
	explanations_print(s, out, true);
	buf_str(out, STR("],\"notes\":["));
	while (str_cut(&rest, '\n', &note)) {
		if (note.n == 0)
			continue;
		buf_str(out, is_first ? STR("") : STR(","));
		buf_json(out, note);
		is_first = false;
	}
	buf_str(out, STR("]}\n"));
}

static bool failure_parse(const char *text, bool *defers, struct err *err)
{
	*defers = text && strcmp(text, "defer") == 0;
	return !text || *defers || strcmp(text, "accept") == 0 ||
	       err_perm(err, CAUSE_LOCAL_ERROR, "--on-failure %s: accept or defer", text);
}

int cmd_setup_postfix(struct cmd *c)
{
	struct setup *s = arena_new(c->arena, struct setup);
	auto_buf struct buf out = {.max = 1 << 20};
	struct err err;
	int status = EXIT_USAGE;

	setup_init(s, c->arena);
	if (c->n > 0)
		status = cmd_fail(EXIT_USAGE, "setup postfix: '%s' is one word too many", c->words[0]);
	else if (!failure_parse(c->on_failure, &s->defers_on_failure, &err))
		status = cmd_fail_err(EXIT_USAGE, &err);
	else if (!setup_find_postfix(s, c->config_dir, &err))
		status = cmd_fail_err(EXIT_NO_INPUT, &err);
	else if (!(c->remove ? setup_removal(s, &err) : setup_addition(s, c->config, c->to, &err)) ||
	         (c->apply && s->is_changed && !setup_apply(s, &err)))
		status = cmd_fail_err(EXIT_FAULT, &err);
	else {
		status = s->notes.n > 0 ? EXIT_WARNING : EXIT_FINE;
		if (c->as_json)
			json_print(s, &out);
		else
			text_print(s, c->remove, &out);
		fwrite(out.p, 1, out.n, stdout);
	}
	setup_done(s);
	return status;
}
