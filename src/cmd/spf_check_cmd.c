/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern spf check`: may this address send for this domain, and by which term of the record? */
#include <stdio.h>

#include "auth/spf_check.h"
#include "base/auto.h"
#include "cmd/asking.h"
#include "cmd/batch.h"

struct checking {
	struct asking asking;
	struct spf_query query;
	struct buf out;
	int status;
};

#define MEMBER(name) STR(",\"" name "\":")

static void text_or_null(struct buf *out, struct str member, struct str value)
{
	buf_str(out, member);
	if (value.n > 0)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static void answer_members(const struct spf_answer *a, struct buf *out)
{
	buf_str(out, STR("\"result\":\""));
	buf_str(out, str_from(spf_result_name(a->result)));
	buf_char(out, '"');
	text_or_null(out, MEMBER("mechanism"), a->mechanism);
	text_or_null(out, MEMBER("explanation"), a->explanation);
	text_or_null(out, MEMBER("problem"), a->problem);
	buf_str(out, MEMBER("lookups"));
	buf_int(out, a->lookups);
	buf_str(out, MEMBER("void_lookups"));
	buf_int(out, a->void_lookups);
	buf_str(out, MEMBER("trace"));
	json_lines(out, a->trace);
}

WAITS static bool check(struct asking *asking, const json_t *line, const struct spf_query *q, struct arena *arena,
                        struct spf_answer *out, struct err *err)
{
	struct resolver *r;

	if (!asking_resolver(asking, line, &r, err))
		return false;
	bool ok = spf_check(r, q, arena, out, err);
	asking_done(asking, r);
	return ok;
}

WAITS static bool check_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	struct checking *c = arg;
	auto_arena struct arena arena;
	struct spf_query q = c->query;
	struct spf_answer answer;

	arena_init(&arena, 1 << 20);
	if (!ip_parse(batch_text(line, "ip"), &q.ip))
		return err_perm(err, CAUSE_PROTOCOL, "ip: an IPv4 or IPv6 address is needed");
	q.helo = batch_text(line, "helo");
	q.from = batch_text(line, "from");
	if (q.helo.n == 0 && q.from.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "from: an address is needed, or \"\" and a helo");
	if (!check(&c->asking, line, &q, &arena, &answer, err))
		return false;
	answer_members(&answer, out);
	return true;
}

static int status_of(enum spf_result r)
{
	switch (r) {
	case SPF_PASS:
		return EXIT_FINE;
	case SPF_NONE:
	case SPF_NEUTRAL:
	case SPF_SOFTFAIL:
		return EXIT_WARNING;
	case SPF_FAIL:
	case SPF_PERMERROR:
		return EXIT_FAULT;
	case SPF_TEMPERROR:
		break;
	}
	return EXIT_UNKNOWN;
}

static const char *means(enum spf_result r)
{
	switch (r) {
	case SPF_PASS:      return "may send for";
	case SPF_FAIL:      return "may not send for";
	case SPF_SOFTFAIL:  return "should probably not send for";
	case SPF_NEUTRAL:   return "is neither allowed nor forbidden to send for";
	case SPF_NONE:      return "cannot be judged: there is no SPF record at";
	case SPF_TEMPERROR: return "cannot be judged just now: the DNS does not answer for";
	case SPF_PERMERROR: return "cannot be judged: the SPF record cannot be used at";
	}
	return "";
}

static void print_people(const struct spf_query *q, const struct spf_answer *a, struct buf *out)
{
	static const char *const marks[] = {"✓", "?", "✖", "?"};
	char ip[IP_TEXT_MAX];
	struct str rest = a->trace, line;

	buf_printf(out, "%s %s: %.*s %s ", marks[status_of(a->result)], spf_result_name(a->result), STR_ARG(ip_text(q->ip, ip)),
	           means(a->result));
	buf_escaped(out, a->domain);
	buf_str(out, a->is_helo ? STR(" (the HELO name, as the sender is empty)\n") : STR("\n"));
	if (a->problem.n > 0) {
		buf_str(out, STR("  because: "));
		buf_escaped(out, a->problem);
		buf_char(out, '\n');
	} else if (a->mechanism.n > 0) {
		buf_str(out, STR("  because of: "));
		buf_escaped(out, a->mechanism);
		buf_char(out, '\n');
	}
	if (a->explanation.n > 0) {
		buf_str(out, STR("  the domain says: "));
		buf_escaped(out, a->explanation);
		buf_char(out, '\n');
	}
	buf_printf(out, "  %u of 10 look-ups, %u of 2 void\n", a->lookups, a->void_lookups);
	while (str_cut(&rest, '\n', &line))
		buf_printf(out, "    %.*s\n", STR_ARG(line));
}

WAITS static void check_one(struct checking *c)
{
	struct cmd *cmd = c->asking.cmd;
	struct spf_answer answer;
	struct err err;

	if (!check(&c->asking, NULL, &c->query, cmd->arena, &answer, &err)) {
		c->status = cmd_fail_err(EXIT_UNKNOWN, &err);
		return;
	}
	c->status = status_of(answer.result);
	if (cmd->as_json) {
		buf_char(&c->out, '{');
		answer_members(&answer, &c->out);
		buf_str(&c->out, STR("}\n"));
	} else {
		print_people(&c->query, &answer, &c->out);
	}
}

WAITS static void check_fiber(void *arg)
{
	struct checking *c = arg;

	if (!asking_now(c->asking.cmd, &c->query.now))
		c->status = cmd_fail(EXIT_USAGE, "--now %s: a time such as 2026-11-22T08:15:30Z", c->asking.cmd->now);
	else if (c->asking.cmd->as_batch)
		c->status = batch_run(check_line, c);
	else
		check_one(c);
	asking_close(&c->asking);
}

/* "IP SENDER [HELO]" as words, or as options. */
static bool read_words(struct cmd *c, struct spf_query *q)
{
	const char *ip = c->ip, *from = c->from, *helo = c->helo;
	int at = 0;

	if (!ip && at < c->n)
		ip = c->words[at++];
	if (!from && at < c->n)
		from = c->words[at++];
	if (!helo && at < c->n)
		helo = c->words[at++];
	q->from = str_from(from);
	if (str_eq(q->from, STR("<>")))
		q->from = STR_NONE;
	q->helo = str_from(helo);
	return at == c->n && ip && ip_parse(str_from(ip), &q->ip) && (q->from.n > 0 || q->helo.n > 0);
}

int cmd_spf_check(struct cmd *c)
{
	struct checking checking = {.status = EXIT_INTERNAL, .query = {.wants_trace = true}};
	struct rt_options options = {0};
	struct err err;

	const char *client = c->ip ? c->ip : c->n > 0 ? c->words[0] : NULL;
	if (!c->as_batch && client && !ip_parse(str_from(client), &checking.query.ip))
		return cmd_fail(EXIT_USAGE, "spf check: '%s' is no IP address; first the client's address, then the sender:\n"
		                            "  postern spf check 192.0.2.25 joe@example.org mail.example.org", client);
	if (!c->as_batch && !read_words(c, &checking.query))
		return cmd_fail(EXIT_USAGE, "spf check: give the client's address and the sender (<> needs a HELO name), or --batch:\n"
		                            "  postern spf check 192.0.2.25 joe@example.org mail.example.org");
	if (!asking_open(&checking.asking, c, &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	buf_init(&checking.out, 1 << 20);
	if (!rt_run(&options, check_fiber, &checking, &err))
		checking.status = cmd_fail_err(EXIT_INTERNAL, &err);
	if (checking.out.n > 0)
		fwrite(checking.out.p, 1, checking.out.n, stdout);
	buf_done(&checking.out);
	return checking.status;
}
