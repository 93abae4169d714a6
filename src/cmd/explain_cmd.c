/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern explain`: what a reply, a log line or a returned mail means. */
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/batch.h"
#include "cmd/daemon_conf.h"
#include "cmd/explain_notice.h"
#include "cmd/explain_print.h"
#include "mail/charset.h"

#define MESSAGE_ARENA (8 << 20)

struct explaining {
	struct cmd *cmd;
	const struct rules *rules;
	struct rules *own;        /* with --rules, else NULL */
	struct conf *conf;        /* with --check or --letter, else NULL */
	struct wall now;
	enum cause_stage stage;
	enum cause_reader reader;
	struct buf out;
	int status;
};

/* "250 ok": somebody asks whether that is good. */
static void take_success(struct explanation *e)
{
	struct str s = e->from.reply;
	bool is_code = s.n >= 3 && s.p[0] == '2' && s.p[1] >= '0' && s.p[1] <= '5' && s.p[2] >= '0' && s.p[2] <= '9' &&
	               (s.n == 3 || s.p[3] == ' ' || s.p[3] == '-');

	if (e->what.code != 0 || e->what.cause != CAUSE_UNKNOWN || (!is_code && e->what.enhanced.class != 2))
		return;
	e->what.cause = CAUSE_NONE;
	e->what.is_temporary = false;
	e->what.owner = OWNER_NOBODY;
	e->what.confidence = 95;
}

/* "connect to mx.example.org[192.0.2.1]:25: Connection timed out": nobody said that; the sending server found it. */
static void take_own_finding(struct explanation *e)
{
	static const char *const starts[] = {"connect to ", "lost connection with ", "conversation with "};
	struct explain_input *in = &e->from;

	if (in->speaker == SPEAKER_UNKNOWN && e->what.code == 0 && e->what.enhanced.class == 0 &&
	    (e->what.cause == CAUSE_NETWORK || e->what.cause == CAUSE_EXPIRED))
		in->speaker = SPEAKER_OWN;
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		if (!str_istarts(in->reply, str_from(starts[i])))
			continue;
		struct str host = str_skip(in->reply, strlen(starts[i]));
		size_t end = 0;
		while (end < host.n && !strchr("[]: ", host.p[end]))
			end++;
		in->speaker = SPEAKER_OWN;
		if (in->host.n == 0)
			in->host = str_slice(host, 0, end);
	}
}

static void ask_cause(const struct explaining *x, struct classify_question *q, struct explanation *e)
{
	/* The line says what kind of refusal it was, the reply has no code that would. */
	bool says_kind = e->from.is_permanent || e->from.is_temporary;

	q->text = e->from.reply;
	q->now = x->now;
	if (q->stage == CAUSE_AT_UNKNOWN)
		q->stage = e->from.stage;
	cause_classify(x->rules, q, &e->what);
	if (says_kind && e->what.code == 0 && e->what.enhanced.class == 0) {
		q->enhanced.class = e->from.is_permanent ? 5 : 4;
		cause_classify(x->rules, q, &e->what);
		e->what.enhanced = (struct enhanced_code){0};
	}
	take_success(e);
	take_own_finding(e);
	if (e->what.ip.n > 0)
		e->what.ip = e->from.speaker == SPEAKER_OWN ? STR_NONE : explain_own_ip(e->from.reply);
}

static struct explanation explanation_begin(const struct explaining *x)
{
	return (struct explanation){.reader = x->reader, .has_colour = x->cmd->has_colour, .now = x->now};
}

static void classify_text(const struct explaining *x, struct arena *arena, struct str text, enum cause_stage stage, struct str mx,
                          struct explanation *e)
{
	struct classify_question q = {.stage = stage, .mx = mx};

	*e = explanation_begin(x);
	explain_input_read(charset_to_utf8(arena, STR_NONE, text), &e->from);
	ask_cause(x, &q, e);
}

/* The report's own words for a recipient; its status stands in where they carry no code. */
static void classify_rcpt(const struct explaining *x, const struct bounce *b, const struct bounce_rcpt *r, struct explanation *e)
{
	struct classify_question q = {.mx = r->remote_mta};
	size_t used;

	*e = explanation_begin(x);
	e->from = (struct explain_input){.reply = r->diagnostic, .host = r->remote_mta, .recipient = r->address,
	                                 .speaker = r->remote_mta.n ? SPEAKER_REMOTE : SPEAKER_UNKNOWN};
	ask_cause(x, &q, e);
	struct enhanced_code status;
	if (e->what.enhanced.class == 0 && enhanced_code_parse(r->status, &status, &used) && status.class >= 4) {
		bool says_little = status.subject == 0 && status.detail == 0;
		if (!says_little || e->what.code == 0) {
			q.enhanced = status;
			ask_cause(x, &q, e);
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

/* A notification that came by mail stands in a part of its own. */
static bool mailed_notice_read(struct arena *arena, struct str message, struct bounce *out)
{
	struct bounce_parts *parts = arena_new(arena, struct bounce_parts);

	bounce_parts_read(arena, message, parts);
	for (size_t i = 0; i < parts->n; i++) {
		struct str body = str_trim(parts->part[i].body);
		if (body.n > 0 && (body.p[0] == '{' || body.p[0] == '[') && explain_notice_read(arena, body, out))
			return true;
	}
	return false;
}

/* A mail, or the JSON that a sending service posts in its place, bare or mailed. */
static void report_read(struct arena *arena, struct str message, struct bounce *out)
{
	bool is_mail = explain_is_mail(message);

	if (is_mail ? mailed_notice_read(arena, message, out) : explain_notice_read(arena, message, out))
		return;
	bounce_read(arena, message, out);
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
		if (stage_name.n > 0)
			cause_stage_parse(stage_name, &stage);
		classify_text(x, &arena, text, stage, batch_text(line, "mx"), e);
		explain_members(e, out);
		return true;
	}
	struct str message;
	if (!line_message(line, &arena, &message, err))
		return false;
	struct bounce *b = arena_new(&arena, struct bounce);
	report_read(&arena, message, b);
	bounce_members(x, b, out);
	return true;
}

static int status_of(const struct classification *c)
{
	if (c->cause == CAUSE_NONE)
		return EXIT_FINE;
	if (c->cause == CAUSE_UNKNOWN && c->confidence < 20)
		return EXIT_UNKNOWN;
	return c->is_temporary ? EXIT_WARNING : EXIT_FAULT;
}

/* Facts for letters and checks, and the checks themselves. False: they could not be set up at all. */
WAITS static bool look_closer(struct explaining *x, struct str mail, struct explanation *e, struct err *err)
{
	struct explain_checks *checks;

	if (!x->conf)
		return true;
	explain_facts_read(x->cmd, x->conf, &e->from, &e->what, mail, &e->facts);
	if (!x->cmd->wants_check)
		return true;
	checks = arena_new(x->cmd->arena, struct explain_checks);
	if (!explain_checks_run(x->cmd, x->conf, e->what.cause, &e->facts, checks, err))
		return false;
	e->checks = checks;
	return true;
}

static int show(struct explaining *x, const struct explanation *e)
{
	struct cmd *c = x->cmd;
	const char *why;

	if (c->as_json) {
		buf_char(&x->out, '{');
		explain_members(e, &x->out);
		buf_str(&x->out, STR("}\n"));
	} else if (c->wants_letter) {
		if (!explain_letter_helps(e, &why))
			fprintf(stderr, "postern: a letter seldom helps here: %s\n", why);
		for (size_t i = 0; e->checks && i < e->checks->n; i++)
			if (e->checks->check[i].state == STATE_FAIL)
				fprintf(stderr, "postern: mend this before you write: %.*s\n", STR_ARG(e->checks->check[i].text));
		explain_letter(e, &x->out);
	} else if (c->wants_html) {
		explain_page_article(e, &x->out);
	} else {
		explain_screen(e, &x->out);
	}
	return status_of(&e->what);
}

static void report_rcpt_print(const struct bounce_rcpt *r, struct buf *out)
{
	buf_char(out, '\n');
	explain_printable(r->address, out);
	buf_str(out, STR("  "));
	explain_printable(r->action, out);
	if (r->diagnostic.n > 0)
		buf_str(out, STR("\n    "));
	explain_printable(r->diagnostic, out);
	buf_char(out, '\n');
}

/* Several recipients with the same answer of the same server are one explanation, and one letter. */
static bool was_said_before(const struct bounce *b, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(b->rcpts[k].diagnostic, b->rcpts[i].diagnostic) && str_eq(b->rcpts[k].remote_mta, b->rcpts[i].remote_mta))
			return true;
	return false;
}

WAITS static int show_rcpts(struct explaining *x, const struct bounce *b, struct str mail)
{
	struct explanation *e = arena_new(x->cmd->arena, struct explanation);
	bool is_screen = !x->cmd->wants_letter && !x->cmd->wants_html;
	int status = EXIT_FINE, shown = 0;
	struct err err;

	for (size_t i = 0; i < b->n; i++) {
		if (is_screen)
			report_rcpt_print(&b->rcpts[i], &x->out);
		if (!reports_replies(b) || was_said_before(b, i))
			continue;
		classify_rcpt(x, b, &b->rcpts[i], e);
		if (!look_closer(x, mail, e, &err))
			return cmd_fail_err(EXIT_UNKNOWN, &err);
		if (x->cmd->wants_letter && shown++ > 0)
			buf_str(&x->out, STR("\n---------------------------------------------------------------- 8< ----\n\n"));
		int one = show(x, e);
		status = one > status ? one : status;
	}
	return status;
}

static int report_status(const struct bounce *b)
{
	return b->kind == BOUNCE_FAILED ? EXIT_FAULT : b->kind == BOUNCE_NONE ? EXIT_UNKNOWN : EXIT_FINE;
}

WAITS static int show_report(struct explaining *x, const struct bounce *b, struct str mail)
{
	static const char *const kinds[] = {
		"This mail is no report that is known here. To have a reply explained that stands in it, give that line alone.",
		"A report that mail could not be delivered.", "A report that mail is late; the server goes on trying.",
		"A complaint: a recipient marked the mail as spam. Take the address off your lists.",
		"An automatic answer of a person who is away; the mail arrived.", "A report that mail was delivered."};

	if (x->cmd->as_json) {
		buf_char(&x->out, '{');
		bounce_members(x, b, &x->out);
		buf_str(&x->out, STR("}\n"));
		return report_status(b);
	}
	if (x->cmd->wants_letter && !reports_replies(b))
		return cmd_fail(EXIT_UNKNOWN, "explain: %s There is nothing to write to a postmaster about.", kinds[b->kind]);
	if (x->cmd->wants_html) {
		explain_page_open(str_from(kinds[b->kind]), &x->out);
		buf_printf(&x->out, "<p>%s</p>\n", kinds[b->kind]);
	} else if (!x->cmd->wants_letter) {
		buf_printf(&x->out, "%s\n", kinds[b->kind]);
	}
	int status = show_rcpts(x, b, mail);
	if (x->cmd->wants_html)
		explain_page_close(&x->out);
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

WAITS static int show_text(struct explaining *x, struct str text)
{
	struct explanation *e = arena_new(x->cmd->arena, struct explanation);
	struct err err;

	classify_text(x, x->cmd->arena, text, x->stage, str_from(x->cmd->mx), e);
	if (!look_closer(x, STR_NONE, e, &err))
		return cmd_fail_err(EXIT_UNKNOWN, &err);
	if (x->cmd->wants_html)
		explain_page_open(cause_name(e->what.cause), &x->out);
	int status = show(x, e);
	if (x->cmd->wants_html)
		explain_page_close(&x->out);
	return status;
}

WAITS static int explain_one(struct explaining *x)
{
	struct cmd *c = x->cmd;
	struct bounce *report = arena_new(c->arena, struct bounce);
	struct str text;
	struct err err;

	if (c->file && c->n > 0)
		return cmd_fail(EXIT_USAGE, "explain: give either -f FILE or the text, not both");
	if (c->file) {
		if (!explain_file_read(c->arena, c->file, &text, &err))
			return cmd_fail_err(EXIT_NO_INPUT, &err);
	} else if (c->n > 0) {
		text = joined_words(c);
	} else {
		return cmd_fail(EXIT_USAGE, "explain: give the reply in quotes, -f FILE, --list, or --batch with JSON lines on standard input");
	}
	if (str_trim(text).n == 0)
		return cmd_fail(c->file ? EXIT_NO_INPUT : EXIT_USAGE, "explain: %s is empty; paste a reply such as '451 4.7.1 Try again later'",
		                !c->file ? "the text" : strcmp(c->file, "-") == 0 ? "standard input" : c->file);
	if (c->file && explain_is_mail(text)) {
		report_read(c->arena, text, report);
		return show_report(x, report, text);
	}
	if (explain_notice_read(c->arena, text, report))
		return show_report(x, report, STR_NONE);
	if (c->n == 1 && access(c->words[0], R_OK) == 0)
		return cmd_fail(EXIT_USAGE, "explain: %s is a file; to have it read, say: postern explain -f %s", c->words[0], c->words[0]);
	return show_text(x, text);
}

static bool options_read(struct explaining *x, struct err *err)
{
	struct cmd *c = x->cmd;
	struct str own = STR_NONE;
	struct ip ip;

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
	if (c->wants_check && c->as_batch)
		return err_perm(err, CAUSE_PROTOCOL, "--check asks the network about one reply; leave out --batch");
	if (c->wants_letter && c->wants_html)
		return err_perm(err, CAUSE_PROTOCOL, "--letter and --html: one of them");
	if (c->ip && !ip_parse(str_from(c->ip), &ip))
		return err_perm(err, CAUSE_PROTOCOL, "--ip %s: an IPv4 or IPv6 address is needed", c->ip);
	if ((c->wants_check || c->wants_letter) && !(x->conf = daemon_conf_load(c->config, err)))
		return false;
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
	if (!options_read(&x, &err)) {
		conf_unref(x.conf);
		return cmd_fail_err(EXIT_USAGE, &err);
	}
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
	conf_unref(x.conf);
	return x.status;
}
