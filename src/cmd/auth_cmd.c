/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern auth`: SPF, DKIM, DMARC, ARC and the reverse name of one message, as a gate would see it. */
#include "auth/auth_results.h"
#include "base/auto.h"
#include "cmd/auth_tool.h"
#include "mail/address.h"

/* Who brought the message, and what was found. */
struct inspection {
	struct spf_query query;
	struct str ptr;       /* "ptr" of the line: the reverse name, known already */
	bool has_ip, has_ptr, has_authors;
	struct auth_results results;
	struct spf_answer spf;
	struct dmarc_authors authors;
	struct dmarc_answer dmarc;
	struct dkim_check *dkim;
	struct arc_check *arc;
};

/* A reverse name that the caller knows is confirmed like any other: it must lead back (RFC 8601 3). */
WAITS static bool confirm_name(struct inspection *in, struct resolver *r, struct err *err)
{
	struct auth_results *results = &in->results;
	const struct dns_answer *answer;

	results->iprev = DNS_NXDOMAIN;
	results->iprev_name = in->ptr;
	if (in->ptr.n == 0)
		return true;
	if (!dns_lookup(r, in->ptr, in->query.ip.family == 6 ? DNS_AAAA : DNS_A, &answer, err))
		return false;
	results->iprev = answer->outcome == DNS_FOUND ? DNS_NODATA : answer->outcome;
	for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n; i++)
		if (ip_eq(answer->records[i].ip, in->query.ip))
			results->iprev = DNS_FOUND;
	dns_answer_release(answer);
	return true;
}

WAITS static bool check_client(struct inspection *in, struct resolver *r, struct arena *arena, struct err *err)
{
	struct auth_results *results = &in->results;
	struct str name = STR_NONE;

	if (!in->has_ip)
		return true;
	if (in->query.helo.n > 0 || in->query.from.n > 0) {
		if (!spf_check(r, &in->query, arena, &in->spf, err))
			return false;
		results->spf = &in->spf;
		results->spf_query = &in->query;
	}
	results->has_iprev = true;
	results->ip = in->query.ip;
	if (in->has_ptr)
		return confirm_name(in, r, err);
	if (!dns_iprev(r, in->query.ip, arena, &results->iprev, &name, err))
		return false;
	results->iprev_name = name;
	return true;
}

WAITS static bool check_policy(struct inspection *in, struct resolver *r, struct arena *arena, struct err *err)
{
	struct str *genuine = arena_alloc(arena, (in->dkim->n + 1) * sizeof(*genuine));
	struct dmarc_query q = {.authors = in->has_authors ? &in->authors : NULL, .dkim = genuine};
	struct str spf_domain;
	struct err ignored;

	for (size_t i = 0; i < in->dkim->n; i++)
		if (in->dkim->results[i].verdict == DKIM_PASS)
			genuine[q.n_dkim++] = in->dkim->results[i].domain;
	/* RFC 9989 4.4.2: of SPF the envelope sender counts; with a null one the HELO name stands in for it */
	if (in->results.spf && in->spf.result == SPF_PASS && domain_to_ascii(arena, in->spf.domain, &spf_domain, &ignored)) {
		q.spf = &spf_domain;
		q.n_spf = 1;
	}
	in->results.dmarc = &in->dmarc;
	return dmarc_check(r, &q, arena, &in->dmarc, err);
}

WAITS static bool inspect(struct auth_tool *t, const json_t *line, struct inspection *in, struct dkim_bodies *bodies,
                          struct mail_input *m, struct arena *arena, struct err *err)
{
	struct resolver *r;

	if (!mail_input_body(m, bodies, err) || !asking_resolver(&t->asking, line, &r, err))
		return false;
	bool ok = check_client(in, r, arena, err) && dkim_check_finish(in->dkim, bodies, r, t->keys, err) &&
	          arc_check_finish(in->arc, bodies, r, t->keys, err) && check_policy(in, r, arena, err);
	asking_done(&t->asking, r);
	return ok;
}

static const char *spf_text(const struct inspection *in)
{
	return in->results.spf ? spf_result_name(in->spf.result) : "none";
}

static void print_json(const struct inspection *in, struct buf *out)
{
	auto_buf struct buf field = {.max = 65536};

	auth_results_write(&in->results, &field);
	buf_printf(out, "\"spf\":\"%s\",\"dkim\":\"%s\",\"dmarc\":\"%s\",\"arc\":\"%s\",\"iprev\":\"%s\",\"header\":", spf_text(in),
	           dkim_verdict_name(in->dkim->verdict), dmarc_result_name(in->dmarc.result), arc_cv_name(in->arc->cv),
	           in->results.has_iprev ? auth_iprev_name(in->results.iprev) : "none");
	buf_json(out, buf_view(&field));
}

static void print_line(struct buf *out, const char *what, const char *result, bool is_bad, struct str about)
{
	bool is_good = strcmp(result, "pass") == 0;

	buf_printf(out, "%s %-6s %-10s", is_good ? "✓" : is_bad ? "✖" : "?", what, result);
	buf_escaped(out, about);
	buf_char(out, '\n');
}

static void print_people(const struct inspection *in, struct buf *out)
{
	const struct dmarc_answer *d = &in->dmarc;

	print_line(out, "spf", spf_text(in), in->spf.result == SPF_FAIL || in->spf.result == SPF_PERMERROR,
	           in->results.spf ? in->spf.domain : STR("(give --ip and --from or --helo to check)"));
	if (in->dkim->n == 0)
		print_line(out, "dkim", dkim_verdict_name(in->dkim->verdict), in->dkim->reason[0], str_from(in->dkim->reason));
	for (size_t i = 0; i < in->dkim->n; i++) {
		const struct dkim_result *k = &in->dkim->results[i];
		print_line(out, "dkim", dkim_verdict_name(k->verdict), k->verdict != DKIM_TEMPERROR, k->domain);
		if (k->reason[0])
			buf_printf(out, "  because: %s\n", k->reason);
	}
	print_line(out, "dmarc", dmarc_result_name(d->result), d->result == DMARC_RESULT_FAIL || d->result == DMARC_RESULT_PERMERROR,
	           d->from);
	if (d->reason[0])
		buf_printf(out, "  because: %s\n", d->reason);
	if (d->result == DMARC_RESULT_FAIL)
		buf_printf(out, "  the owner asks for: %s\n", dmarc_policy_name(d->disposition));
	print_line(out, "arc", arc_cv_name(in->arc->cv), in->arc->cv == ARC_CV_FAIL, in->arc->domain);
	if (in->results.has_iprev)
		print_line(out, "iprev", auth_iprev_name(in->results.iprev), in->results.iprev != DNS_TEMPORARY,
		           in->results.iprev_name);
	buf_char(out, '\n');
	auth_results_write(&in->results, out);
}

static int status_of(const struct inspection *in)
{
	switch (in->dmarc.result) {
	case DMARC_RESULT_PASS:
		return EXIT_FINE;
	case DMARC_RESULT_TEMPERROR:
		return EXIT_UNKNOWN;
	case DMARC_RESULT_FAIL:
	case DMARC_RESULT_PERMERROR:
		return EXIT_FAULT;
	case DMARC_RESULT_NONE:
		break;
	}
	return EXIT_WARNING;
}

static bool read_client(struct auth_tool *t, const json_t *line, struct arena *arena, struct inspection *in,
                        struct err *err)
{
	const struct cmd *c = t->asking.cmd;
	struct str ip = auth_tool_text(arena, line, "ip", c->ip);
	struct str ours = auth_tool_text(arena, line, "authserv_id", c->authserv_id);
	struct str from = auth_tool_text(arena, line, "from", c->from);

	if (ip.n > 0 && !ip_parse(ip, &in->query.ip))
		return err_perm(err, CAUSE_PROTOCOL, "ip: an IPv4 or IPv6 address is needed");
	in->has_ip = ip.n > 0;
	in->query.helo = auth_tool_text(arena, line, "helo", c->helo);
	in->query.from = str_eq(from, STR("<>")) ? STR_NONE : from;
	in->query.now = t->now;
	in->has_ptr = json_is_string(json_object_get(line, "ptr"));
	in->ptr = batch_text(line, "ptr");
	in->results.authserv_id = ours.n > 0 ? ours : STR("localhost");
	if (!domain_is_valid(arena_lower(arena, in->results.authserv_id)))
		return err_perm(err, CAUSE_PROTOCOL, "authserv_id: a host name is needed");
	in->query.receiver = in->results.authserv_id;
	return true;
}

WAITS static bool auth_answer(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out,
                              struct err *err)
{
	struct inspection *in = arena_new(arena, struct inspection);
	struct dkim_options options = {0};
	struct mail_input m;

	t->failed = EXIT_USAGE;
	if (!read_client(t, line, arena, in, err) || !auth_tool_options(t, line, arena, &options, err) ||
	    !auth_tool_message(t, line, arena, &m, err))
		return false;
	struct dkim_bodies *bodies = dkim_bodies_new();
	in->dkim = dkim_check_new(arena, &options, mail_input_header(&m), bodies);
	in->arc = arc_check_new(arena, &options, mail_input_header(&m), bodies);
	in->results.dkim = in->dkim;
	in->results.arc = in->arc;
	in->has_authors = dmarc_authors_of_header(arena, mail_input_header(&m), &in->authors);
	bool ok = inspect(t, line, in, bodies, &m, arena, err);
	if (ok && t->for_people)
		print_people(in, out);
	else if (ok)
		print_json(in, out);
	t->status = ok ? status_of(in) : EXIT_UNKNOWN;
	dkim_check_done(in->dkim);
	arc_check_done(in->arc);
	dkim_bodies_free(bodies);
	mail_input_close(&m);
	return ok;
}

int cmd_auth(struct cmd *c)
{
	struct auth_tool t = {.answer = auth_answer};

	if (!c->as_batch && c->n != 1)
		return cmd_fail(EXIT_USAGE, "auth: give one message file (- is standard input), and who brought it:\n"
		                            "  postern auth mail.eml --ip 192.0.2.25 --helo mail.example.org --from joe@example.org");
	return auth_tool_run(&t, c);
}
