/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern dkim verify` and `postern dkim sign`. */
#include "base/auto.h"
#include "cmd/auth_tool.h"

static int status_of(enum dkim_verdict v)
{
	switch (v) {
	case DKIM_PASS:
		return EXIT_FINE;
	case DKIM_NONE:
		return EXIT_WARNING;
	case DKIM_TEMPERROR:
		return EXIT_UNKNOWN;
	case DKIM_FAIL:
	case DKIM_POLICY:
	case DKIM_PERMERROR:
		break;
	}
	return EXIT_FAULT;
}

static void member(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, ",\"%s\":", key);
	if (value.n > 0)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static void print_json(const struct dkim_check *c, struct buf *out)
{
	buf_printf(out, "\"result\":\"%s\",\"signatures\":[", dkim_verdict_name(c->verdict));
	for (size_t i = 0; i < c->n; i++) {
		const struct dkim_result *r = &c->results[i];
		buf_str(out, i > 0 ? STR(",{\"domain\":") : STR("{\"domain\":"));
		buf_json(out, r->domain);
		member(out, "selector", r->selector);
		member(out, "algorithm", r->algorithm);
		buf_printf(out, ",\"result\":\"%s\"", dkim_verdict_name(r->verdict));
		member(out, "reason", str_from(r->reason));
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void print_people(const struct dkim_check *c, struct buf *out)
{
	if (c->n == 0)
		buf_printf(out, "? %s: %s\n", dkim_verdict_name(c->verdict),
		           c->verdict == DKIM_NONE ? "the message has no DKIM signature" : c->reason);
	for (size_t i = 0; i < c->n; i++) {
		const struct dkim_result *r = &c->results[i];
		buf_printf(out, "%s %s: ", auth_tool_mark(status_of(r->verdict)), dkim_verdict_name(r->verdict));
		buf_escaped(out, r->domain.n > 0 ? r->domain : STR("(no domain)"));
		buf_str(out, STR(", selector "));
		buf_escaped(out, r->selector.n > 0 ? r->selector : STR("(none)"));
		buf_str(out, STR(", "));
		buf_escaped(out, r->algorithm.n > 0 ? r->algorithm : STR("(no algorithm)"));
		if (r->bits > 0)
			buf_printf(out, ", %u bits", r->bits);
		buf_printf(out, "%s\n", r->is_testing ? "; the domain is testing (t=y)" : "");
		if (r->reason[0])
			buf_printf(out, "  because: %s\n", r->reason);
	}
}

WAITS static bool message_check(struct auth_tool *t, const json_t *line, struct dkim_check *c, struct dkim_bodies *bodies,
                                struct mail_input *m, struct err *err)
{
	struct resolver *r;

	if (!mail_input_body(m, bodies, err) || !asking_resolver(&t->asking, line, &r, err))
		return false;
	bool ok = dkim_check_finish(c, bodies, r, t->keys, err);
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
	struct dkim_check *c = dkim_check_new(arena, &options, mail_input_header(&m), bodies);
	bool ok = message_check(t, line, c, bodies, &m, err);
	if (ok && t->for_people)
		print_people(c, out);
	else if (ok)
		print_json(c, out);
	t->status = status_of(c->verdict);
	dkim_check_done(c);
	dkim_bodies_free(bodies);
	mail_input_close(&m);
	return ok;
}

static bool sign_message(struct arena *arena, const struct dkim_signer *signer, struct wall now, struct mail_input *m,
                         struct dkim_bodies *bodies, struct buf *field, struct err *err)
{
	struct dkim_signing *s = dkim_sign_new(arena, signer, 1, now, mail_input_header(m), bodies, err);
	bool ok = s && mail_input_body(m, bodies, err) && dkim_sign_finish(s, bodies, field, err);

	dkim_sign_done(s);
	return ok;
}

WAITS static bool sign_answer(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out,
                              struct err *err)
{
	auto_buf struct buf field = {.max = 65536};
	struct dkim_signer signer;
	struct mail_input m;
	struct wall now;

	t->failed = EXIT_USAGE;
	if (!auth_tool_signer(t, line, arena, &signer, &now, err))
		return false;
	if (!auth_tool_message(t, line, arena, &m, err)) {
		dkim_private_key_free(signer.key);
		return false;
	}
	t->failed = EXIT_FAULT;
	struct dkim_bodies *bodies = dkim_bodies_new();
	bool ok = sign_message(arena, &signer, now, &m, bodies, &field, err);
	if (ok && t->for_people) {
		buf_str(out, buf_view(&field));
	} else if (ok) {
		buf_str(out, STR("\"header\":"));
		buf_json(out, buf_view(&field));
	}
	t->status = EXIT_FINE;
	dkim_private_key_free(signer.key);
	dkim_bodies_free(bodies);
	mail_input_close(&m);
	return ok;
}

int cmd_dkim_verify(struct cmd *c)
{
	struct auth_tool t = {.answer = verify_answer};

	if (!c->as_batch && c->n != 1)
		return cmd_fail(EXIT_USAGE, "dkim verify: give one message file (- is standard input), or --batch");
	return auth_tool_run(&t, c);
}

int cmd_dkim_sign(struct cmd *c)
{
	struct auth_tool t = {.answer = sign_answer};

	if (!c->as_batch && (c->n != 1 || !c->domain || !c->selector || !c->key))
		return cmd_fail(EXIT_USAGE, "dkim sign: give --domain, --selector, --key and one message file (- is standard input):\n"
		                            "  postern dkim sign --domain example.org --selector s1 --key s1.pem mail.eml");
	return auth_tool_run(&t, c);
}
