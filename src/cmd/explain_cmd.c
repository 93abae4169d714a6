/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern explain`: what a reply, a log line or a returned mail means. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/batch.h"
#include "cmd/cmd.h"
#include "cmd/explain_print.h"
#include "mail/bounce.h"

#define MESSAGE_ARENA (8 << 20)

struct explaining {
	struct cmd *cmd;
	const struct rules *rules;
	struct rules *own;        /* with --rules, else NULL */
	struct wall now;
	enum cause_stage stage;
	enum cause_reader reader;
	struct buf out;
	int status;
};

static void classify_text(const struct explaining *x, struct str text, enum cause_stage stage, struct str mx, struct explanation *e)
{
	struct classify_question q = {.stage = stage, .mx = mx, .now = x->now};

	*e = (struct explanation){.reader = x->reader, .has_colour = x->cmd->has_colour};
	explain_input_read(text, &e->from);
	q.text = e->from.reply;
	cause_classify(x->rules, &q, &e->what);
}

/* The report's own words for a recipient; its status stands in where they carry no code. */
static void classify_rcpt(const struct explaining *x, const struct bounce *b, const struct bounce_rcpt *r, struct explanation *e)
{
	struct classify_question q = {.text = r->diagnostic, .mx = r->remote_mta, .now = x->now};
	size_t used;

	*e = (struct explanation){.reader = x->reader, .has_colour = x->cmd->has_colour};
	e->from = (struct explain_input){.reply = r->diagnostic, .host = r->remote_mta, .recipient = r->address,
	                                 .speaker = r->remote_mta.n ? SPEAKER_REMOTE : SPEAKER_UNKNOWN};
	cause_classify(x->rules, &q, &e->what);
	struct enhanced_code status;
	if (e->what.enhanced.class == 0 && enhanced_code_parse(r->status, &status, &used) && status.class >= 4) {
		bool says_little = status.subject == 0 && status.detail == 0;
		if (!says_little || e->what.code == 0) {
			q.enhanced = status;
			cause_classify(x->rules, &q, &e->what);
		}
	}
	if (b->kind == BOUNCE_DELAYED && str_istarts(r->action, STR("delayed")))
		e->what.is_temporary = true;
}

static bool reports_replies(const struct bounce *b)
{
	return b->kind == BOUNCE_FAILED || b->kind == BOUNCE_DELAYED;
}

static void text_or_null(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, ",\"%s\":", name);
	if (value.n)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static void rcpt_members(const struct explaining *x, const struct bounce *b, const struct bounce_rcpt *r, struct buf *out)
{
	struct explanation e;

	buf_str(out, STR("{\"address\":"));
	buf_json(out, r->address);
	text_or_null(out, "action", r->action);
	text_or_null(out, "status", r->status);
	if (!reports_replies(b)) {
		buf_str(out, STR(",\"code\":null"));
		text_or_null(out, "diagnostic", r->diagnostic);
		buf_str(out, STR(",\"cause\":null,\"temporary\":null"));
	} else {
		classify_rcpt(x, b, r, &e);
		if (e.what.code)
			buf_printf(out, ",\"code\":%d", e.what.code);
		else
			buf_str(out, STR(",\"code\":null"));
		text_or_null(out, "diagnostic", r->diagnostic);
		text_or_null(out, "cause", cause_name(e.what.cause));
		buf_printf(out, ",\"temporary\":%s", e.what.is_temporary ? "true" : "false");
	}
	text_or_null(out, "remote_mta", r->remote_mta);
	buf_char(out, '}');
}

static void bounce_members(const struct explaining *x, const struct bounce *b, struct buf *out)
{
	buf_str(out, STR("\"kind\":"));
	buf_json(out, bounce_kind_name(b->kind));
	buf_str(out, STR(",\"recipients\":["));
	for (size_t i = 0; i < b->n; i++) {
		if (i > 0)
			buf_char(out, ',');
		rcpt_members(x, b, &b->rcpts[i], out);
	}
	buf_char(out, ']');
}

static bool line_message(const json_t *line, struct arena *arena, struct str *out, struct err *err)
{
	struct str path = batch_text(line, "message"), b64 = batch_text(line, "message_b64");

	if (b64.n) {
		*out = bounce_base64(arena, str_slice(b64, 0, 2 * BOUNCE_MAX));
		return true;
	}
	if (path.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "text, message or message_b64: a string is needed");
	return explain_file_read(arena, arena_cstr(arena, path), out, err);
}

/* {text, stage?, mx?} or {message} */
static bool explain_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	const struct explaining *x = arg;
	struct str text = batch_text(line, "text"), stage_name = batch_text(line, "stage");
	enum cause_stage stage = CAUSE_AT_UNKNOWN;
	auto_arena struct arena arena;

	arena_init(&arena, MESSAGE_ARENA);
	if (json_is_string(json_object_get(line, "text"))) {
		struct explanation *e = arena_new(&arena, struct explanation);
		cause_stage_parse(stage_name, &stage);
		classify_text(x, text, stage, batch_text(line, "mx"), e);
		explain_members(e, out);
		return true;
	}
	struct str message;
	if (!line_message(line, &arena, &message, err))
		return false;
	struct bounce *b = arena_new(&arena, struct bounce);
	bounce_read(&arena, message, b);
	bounce_members(x, b, out);
	return true;
}

static int status_of(const struct classification *c)
{
	if (c->cause == CAUSE_UNKNOWN && c->confidence < 20)
		return EXIT_UNKNOWN;
	return c->is_temporary ? EXIT_WARNING : EXIT_FAULT;
}

static int show(struct explaining *x, struct explanation *e)
{
	struct cmd *c = x->cmd;

	if (c->as_json) {
		buf_char(&x->out, '{');
		explain_members(e, &x->out);
		buf_str(&x->out, STR("}\n"));
	} else if (c->wants_letter) {
		explain_letter(e, x->now, &x->out);
	} else if (c->wants_html) {
		explain_html(e, &x->out);
	} else {
		explain_screen(e, &x->out);
	}
	return status_of(&e->what);
}

static int show_message(struct explaining *x, struct str message)
{
	static const char *const kinds[] = {
		"This mail is no report that is known here.", "A report that mail could not be delivered.", "A report that mail is late; the server goes on trying.",
		"A complaint: a recipient marked the mail as spam. Take the address off your lists.", "An automatic answer of a person who is away; the mail arrived.",
		"A report that mail was delivered."};
	struct bounce *b = arena_new(x->cmd->arena, struct bounce);
	struct explanation *e = arena_new(x->cmd->arena, struct explanation);
	int status = EXIT_FINE;

	bounce_read(x->cmd->arena, message, b);
	if (x->cmd->as_json) {
		buf_char(&x->out, '{');
		bounce_members(x, b, &x->out);
		buf_str(&x->out, STR("}\n"));
		return b->kind == BOUNCE_FAILED ? EXIT_FAULT : b->kind == BOUNCE_NONE ? EXIT_UNKNOWN : EXIT_FINE;
	}
	if (!x->cmd->wants_letter && !x->cmd->wants_html)
		buf_printf(&x->out, "%s\n", kinds[b->kind]);
	for (size_t i = 0; i < b->n; i++) {
		if (!x->cmd->wants_letter && !x->cmd->wants_html)
			buf_printf(&x->out, "\n%.*s  %.*s\n    %.*s\n", STR_ARG(b->rcpts[i].address), STR_ARG(b->rcpts[i].action),
			           STR_ARG(b->rcpts[i].diagnostic));
		if (!reports_replies(b))
			continue;
		classify_rcpt(x, b, &b->rcpts[i], e);
		int one = show(x, e);
		status = one > status ? one : status;
	}
	return b->kind == BOUNCE_NONE ? EXIT_UNKNOWN : status;
}

static struct str joined_words(struct cmd *c)
{
	auto_buf struct buf b;

	buf_init(&b, 65536);
	for (int i = 0; i < c->n; i++)
		buf_printf(&b, "%s%s", i > 0 ? " " : "", c->words[i]);
	return arena_str(c->arena, buf_view(&b));
}

static int explain_one(struct explaining *x)
{
	struct cmd *c = x->cmd;
	struct explanation *e = arena_new(c->arena, struct explanation);
	struct str text;
	struct err err;

	if (c->file) {
		if (!explain_file_read(c->arena, c->file, &text, &err))
			return cmd_fail_err(EXIT_NO_INPUT, &err);
		if (explain_is_mail(text))
			return show_message(x, text);
	} else if (c->n > 0) {
		text = joined_words(c);
	} else {
		return cmd_fail(EXIT_USAGE, "explain: give a reply, -f FILE, --list, or --batch with JSON lines on standard input");
	}
	classify_text(x, text, x->stage, str_from(c->mx), e);
	return show(x, e);
}

static bool options_read(struct explaining *x, struct err *err)
{
	struct cmd *c = x->cmd;
	struct str own = STR_NONE;

	if (c->stage && !cause_stage_parse(str_from(c->stage), &x->stage))
		return err_perm(err, CAUSE_PROTOCOL, "--stage %s: connect, helo, mail, rcpt, data or end_of_data", c->stage);
	if (c->now && !wall_parse_rfc3339(str_from(c->now), &x->now))
		return err_perm(err, CAUSE_PROTOCOL, "--now %s: an RFC 3339 time is needed", c->now);
	if (c->reader && str_ieq(str_from(c->reader), STR("receiving")))
		x->reader = READER_RECEIVING;
	else if (c->reader && str_ieq(str_from(c->reader), STR("unknown")))
		x->reader = READER_UNKNOWN;
	else if (c->reader && !str_ieq(str_from(c->reader), STR("sending")))
		return err_perm(err, CAUSE_PROTOCOL, "--reader %s: sending, receiving or unknown", c->reader);
	if (!c->rules) {
		x->rules = rules_builtin();
		return true;
	}
	if (!explain_file_read(c->arena, c->rules, &own, err))
		return false;
	x->rules = x->own = rules_new(own, err);
	return x->own || err_context(err, "%s", c->rules);
}

WAITS static void explain_fiber(void *arg)
{
	struct explaining *x = arg;

	if (!x->cmd->now)
		x->now = rt_wall();
	x->status = x->cmd->as_batch ? batch_run(explain_line, x) : explain_one(x);
}

int cmd_explain(struct cmd *c)
{
	struct explaining x = {.cmd = c, .status = EXIT_INTERNAL};
	struct rt_options options = {0};
	struct err err;

	buf_init(&x.out, 16 << 20);
	if (!options_read(&x, &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	if (c->wants_list) {
		(c->as_json ? explain_list_json : explain_list)(&x.out);
		x.status = EXIT_FINE;
	} else if (!rt_run(&options, explain_fiber, &x, &err)) {
		x.status = cmd_fail_err(EXIT_INTERNAL, &err);
	}
	if (x.out.n > 0)
		fwrite(x.out.p, 1, x.out.n, stdout);
	buf_done(&x.out);
	rules_free(x.own);
	return x.status;
}
