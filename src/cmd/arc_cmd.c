/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern arc verify` and `postern arc seal`. */
#include "auth/arc_seal.h"
#include "base/auto.h"
#include "cmd/auth_tool.h"
#include "mail/address.h"

static int status_of(const struct arc_check *c)
{
	if (c->cv == ARC_CV_FAIL)
		return c->is_temporary ? EXIT_UNKNOWN : EXIT_FAULT;
	return c->cv == ARC_CV_PASS ? EXIT_FINE : EXIT_WARNING;
}

static void print_people(const struct arc_check *c, struct buf *out)
{
	buf_printf(out, "%s %s: ", auth_tool_mark(status_of(c)), arc_cv_name(c->cv));
	if (c->sets == 0 && c->cv == ARC_CV_NONE) {
		buf_str(out, STR("the message has no ARC chain\n"));
		return;
	}
	buf_printf(out, "%u set%s", c->sets, c->sets == 1 ? "" : "s");
	if (c->domain.n > 0) {
		buf_str(out, STR(", sealed last by "));
		buf_escaped(out, c->domain);
	}
	buf_char(out, '\n');
	if (c->reason[0])
		buf_printf(out, "  because: %s\n", c->reason);
}

WAITS static bool check(struct auth_tool *t, const json_t *line, struct arc_check *c, struct dkim_bodies *bodies,
                        struct mail_input *m, struct err *err)
{
	struct resolver *r;

	if (!mail_input_body(m, bodies, err) || !asking_resolver(&t->asking, line, &r, err))
		return false;
	bool ok = arc_check_finish(c, bodies, r, t->keys, err);
	asking_done(&t->asking, r);
	return ok;
}

WAITS static bool verify_answer(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out,
                                struct err *err)
{
	struct dkim_options options = {0};
	struct mail_input m;

	if (!auth_tool_options(t, line, arena, &options, err) || !auth_tool_message(t, line, arena, &m, err))
		return false;
	struct dkim_bodies *bodies = dkim_bodies_new();
	struct arc_check *c = arc_check_new(arena, &options, mail_input_header(&m), bodies);
	bool ok = check(t, line, c, bodies, &m, err);
	if (ok && t->for_people) {
		print_people(c, out);
	} else if (ok) {
		buf_printf(out, "\"result\":\"%s\",\"reason\":", arc_cv_name(c->cv));
		if (c->reason[0])
			buf_json(out, str_from(c->reason));
		else
			buf_str(out, STR("null"));
	}
	t->status = status_of(c);
	arc_check_done(c);
	dkim_bodies_free(bodies);
	mail_input_close(&m);
	return ok;
}

/* The fields one by one: each begins at the start of a line that is no continuation. */
static void fields_json(struct str text, struct buf *out)
{
	struct header_scan scan;
	struct header_field f;
	bool is_first = true;

	header_scan_init(&scan, text);
	buf_str(out, STR("\"headers\":["));
	while (header_scan_next(&scan, &f)) {
		if (!is_first)
			buf_char(out, ',');
		buf_json(out, f.whole);
		is_first = false;
	}
	buf_char(out, ']');
}

WAITS static bool seal_message(struct auth_tool *t, const json_t *line, struct arena *arena, const struct arc_sealer *s,
                               struct mail_input *m, struct buf *fields, struct err *err)
{
	struct dkim_options options = {.now = s->now};
	struct dkim_bodies *bodies = dkim_bodies_new();
	struct arc_check *c = arc_check_new(arena, &options, mail_input_header(m), bodies);
	int body = arc_seal_want(s, bodies);
	bool is_sealed;
	bool ok = body >= 0 || err_perm(err, CAUSE_LOCAL_ERROR, "too many different body hashes");

	ok = ok && check(t, line, c, bodies, m, err);
	/* A chain that only the DNS keeps us from judging is not sealed as failed for ever. */
	if (ok && c->is_temporary)
		ok = err_temp(err, CAUSE_DNS_FAILURE, "the chain cannot be judged now: %s", c->reason);
	ok = ok && arc_seal(arena, s, c, bodies, body, fields, &is_sealed, err);
	t->status = ok && is_sealed ? EXIT_FINE : EXIT_WARNING;
	arc_check_done(c);
	dkim_bodies_free(bodies);
	return ok;
}

WAITS static bool seal_answer(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out,
                              struct err *err)
{
	auto_buf struct buf fields = {.max = 256 << 10};
	struct arc_sealer s = {.authserv_id = auth_tool_text(arena, line, "authserv_id", t->asking.cmd->authserv_id)};
	struct mail_input m;

	t->failed = EXIT_USAGE;
	if (!domain_is_valid(s.authserv_id))
		return err_perm(err, CAUSE_PROTOCOL, "authserv_id: our name in Authentication-Results is needed");
	if (!auth_tool_signer(t, line, arena, &s.signer, &s.now, err))
		return false;
	if (!auth_tool_message(t, line, arena, &m, err)) {
		dkim_private_key_free(s.signer.key);
		return false;
	}
	t->failed = 0;
	bool ok = seal_message(t, line, arena, &s, &m, &fields, err);
	if (ok && t->for_people && fields.n == 0)
		buf_str(out, STR("? not sealed: the chain had failed before, and nothing may be added to it\n"));
	else if (ok && t->for_people)
		buf_str(out, buf_view(&fields));
	else if (ok)
		fields_json(buf_view(&fields), out);
	dkim_private_key_free(s.signer.key);
	mail_input_close(&m);
	return ok;
}

int cmd_arc_verify(struct cmd *c)
{
	struct auth_tool t = {.answer = verify_answer};

	if (!c->as_batch && c->n != 1)
		return cmd_fail(EXIT_USAGE, "arc verify: give one message file (- is standard input), or --batch");
	return auth_tool_run(&t, c);
}

int cmd_arc_seal(struct cmd *c)
{
	struct auth_tool t = {.answer = seal_answer};

	if (!c->as_batch && (c->n != 1 || !c->domain || !c->selector || !c->key || !c->authserv_id))
		return cmd_fail(EXIT_USAGE, "arc seal: give --domain, --selector, --key, --authserv-id and one message file:\n"
		                            "  postern arc seal --domain example.org --selector s1 --key s1.pem --authserv-id mx.example.org mail.eml");
	return auth_tool_run(&t, c);
}
