/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern dmarc eval`: what the author's domain asks for, given what SPF and DKIM found. */
#include "auth/dmarc_report.h"
#include "base/auto.h"
#include "cmd/auth_tool.h"
#include "mail/address.h"

/* What is known when a question is answered. */
struct evaluated {
	struct dmarc_answer answer;
	struct dmarc_report *reports;
	size_t n_reports;
};
struct identifiers {
	struct str domain[DMARC_IDENTIFIERS_MAX];
	size_t n;
};

static bool identifier_add(struct identifiers *ids, struct arena *arena, struct str domain, struct err *err)
{
	size_t at = str_rfind_char(domain, '@'); /* an envelope sender will do as well */

	if (at < domain.n)
		domain = str_skip(domain, at + 1);
	if (domain.n == 0 || ids->n == DMARC_IDENTIFIERS_MAX)
		return true;
	if (!domain_to_ascii(arena, domain, &ids->domain[ids->n], err))
		return false;
	ids->n++;
	return true;
}

/* [{domain, result}]: those that passed. */
static bool identifiers_read(const json_t *line, const char *member, struct arena *arena, struct identifiers *out,
                             struct err *err)
{
	const json_t *list = json_object_get(line, member), *item;
	size_t i;

	if (list && !json_is_null(list) && !json_is_array(list))
		return err_perm(err, CAUSE_PROTOCOL, "%s: a list of {domain, result} is needed", member);
	json_array_foreach(list, i, item) {
		if (!json_is_object(item))
			return err_perm(err, CAUSE_PROTOCOL, "%s: a list of {domain, result} is needed", member);
		if (str_ieq(batch_text(item, "result"), STR("pass")) &&
		    !identifier_add(out, arena, batch_text(item, "domain"), err))
			return err_context(err, "%s", member);
	}
	return true;
}

/* "example.org,mail.example.org" of --spf and --dkim: domains that passed. */
static bool identifiers_split(const char *text, struct arena *arena, struct identifiers *out, struct err *err)
{
	struct str rest = str_from(text), domain;

	while (str_cut(&rest, ',', &domain))
		if (!identifier_add(out, arena, str_trim(domain), err))
			return false;
	return true;
}

/* An address, a domain alone, the value of a From field, or a list of addresses. */
static bool authors_read(const json_t *line, struct arena *arena, struct str text, struct dmarc_authors *out)
{
	const json_t *list = json_object_get(line, "from"), *item;
	auto_buf struct buf joined = {.max = 65536};
	struct err err;
	size_t i;

	json_array_foreach(list, i, item) {
		buf_str(&joined, joined.n > 0 ? STR(", ") : STR_NONE);
		buf_str(&joined, (struct str){json_string_value(item), json_string_length(item)});
	}
	if (joined.n > 0)
		text = arena_str(arena, buf_view(&joined));
	if (text.n > 0 && str_find_char(text, '@') == text.n && domain_to_ascii(arena, text, &out->domain[0], &err)) {
		out->n = 1;
		return true;
	}
	return dmarc_authors_parse(arena, text, out);
}

static int status_of(enum dmarc_result r)
{
	switch (r) {
	case DMARC_RESULT_PASS:
		return EXIT_FINE;
	case DMARC_RESULT_NONE:
		return EXIT_WARNING;
	case DMARC_RESULT_TEMPERROR:
		return EXIT_UNKNOWN;
	case DMARC_RESULT_FAIL:
	case DMARC_RESULT_PERMERROR:
		break;
	}
	return EXIT_FAULT;
}

static void text_member(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, ",\"%s\":", key);
	if (value.n > 0)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static const char *authorised_json(enum dmarc_report_state state)
{
	if (state == DMARC_REPORT_OWN || state == DMARC_REPORT_AUTHORISED)
		return "true";
	return state == DMARC_REPORT_UNKNOWN ? "null" : "false";
}

static void reports_json(const struct evaluated *e, struct buf *out)
{
	buf_str(out, STR(",\"reports\":["));
	for (size_t i = 0; i < e->n_reports; i++) {
		const struct dmarc_report *r = &e->reports[i];
		buf_printf(out, "%s{\"tag\":\"%s\"", i ? "," : "", r->tag);
		text_member(out, "uri", r->uri);
		text_member(out, "host", r->host);
		buf_printf(out, ",\"authorised\":%s", authorised_json(r->state));
		text_member(out, "asked", r->query);
		text_member(out, "instead", r->instead);
		text_member(out, "reason", str_from(r->why));
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

/* What the owner of the record should look at; NULL: not this. */
static const char *warning(const struct dmarc_answer *a, unsigned which)
{
	const struct { bool is_so; const char *text; } more[] = {
		{a->has_several, "a name has several DMARC records, which count as none; join them"},
		{a->has_near_miss, "a record is none, because it does not begin with v=DMARC1 in capitals and a semicolon"},
		{a->has_record && a->record.is_testing, "t=y: the policy is applied one step milder"},
	};

	if (which < DMARC_ODDITIES)
		return a->has_record && a->record.oddities & 1u << which ? dmarc_oddity_text(which) : NULL;
	which -= DMARC_ODDITIES;
	return more[which].is_so ? more[which].text : NULL;
}

#define WARNINGS (DMARC_ODDITIES + 3)

static void warnings_json(const struct dmarc_answer *a, struct buf *out)
{
	bool is_first = true;

	buf_str(out, STR(",\"warnings\":["));
	for (unsigned i = 0; i < WARNINGS; i++) {
		const char *text = warning(a, i);
		if (!text)
			continue;
		buf_str(out, is_first ? STR_NONE : STR(","));
		buf_json(out, str_from(text));
		is_first = false;
	}
	buf_char(out, ']');
}

static void print_json(const struct evaluated *e, struct buf *out)
{
	const struct dmarc_answer *a = &e->answer;
	bool has_policy = a->has_record && a->record.has_policy && a->policy_domain.n > 0;

	buf_printf(out, "\"result\":\"%s\"", dmarc_result_name(a->result));
	text_member(out, "policy", has_policy ? str_from(dmarc_policy_name(a->policy)) : STR_NONE);
	text_member(out, "disposition", str_from(dmarc_policy_name(a->disposition)));
	text_member(out, "policy_domain", a->policy_domain);
	text_member(out, "org_domain", a->org_domain);
	buf_printf(out, ",\"aligned_spf\":%s,\"aligned_dkim\":%s", a->aligned_spf ? "true" : "false",
	           a->aligned_dkim ? "true" : "false");
	text_member(out, "reason", str_from(a->reason));
	reports_json(e, out);
	warnings_json(a, out);
}

static void print_reports(const struct evaluated *e, struct buf *out)
{
	static const char *const marks[] = {[DMARC_REPORT_OWN] = "✓", [DMARC_REPORT_AUTHORISED] = "✓", [DMARC_REPORT_REFUSED] = "✖",
	                                    [DMARC_REPORT_UNKNOWN] = "?", [DMARC_REPORT_UNUSABLE] = "✖"};

	for (size_t i = 0; i < e->n_reports; i++) {
		const struct dmarc_report *r = &e->reports[i];
		buf_printf(out, "  %s %s ", marks[r->state], strcmp(r->tag, "rua") == 0 ? "daily reports to" : "reports of failures to");
		buf_escaped(out, r->instead.n > 0 ? r->instead : r->uri.n > 0 ? r->uri : STR("(unreadable)"));
		buf_printf(out, ": %s\n", r->why);
		if (r->state == DMARC_REPORT_REFUSED && r->query.n > 0)
			buf_printf(out, "      it would publish a TXT record \"v=DMARC1\" at %.*s\n", STR_ARG(r->query));
	}
}

static void print_people(const struct evaluated *e, struct buf *out)
{
	const struct dmarc_answer *a = &e->answer;

	buf_printf(out, "%s %s: ", auth_tool_mark(status_of(a->result)), dmarc_result_name(a->result));
	buf_escaped(out, a->from.n > 0 ? a->from : STR("(no author domain)"));
	buf_char(out, '\n');
	if (a->reason[0])
		buf_printf(out, "  because: %s\n", a->reason);
	if (a->policy_domain.n > 0)
		buf_printf(out, "  policy: %s, from _dmarc.%.*s%s\n", dmarc_policy_name(a->policy), STR_ARG(a->policy_domain),
		           a->record.is_testing ? " (testing, t=y)" : "");
	if (a->from.n > 0)
		buf_printf(out, "  organizational domain: %.*s\n", STR_ARG(a->org_domain));
	buf_printf(out, "  aligned: SPF %s, DKIM %s\n  the owner asks for: %s\n", a->aligned_spf ? "yes" : "no",
	           a->aligned_dkim ? "yes" : "no", dmarc_policy_name(a->disposition));
	print_reports(e, out);
	for (unsigned i = 0; i < WARNINGS; i++) {
		const char *text = warning(a, i);
		if (text)
			buf_printf(out, "  ? %s\n", text);
	}
}

WAITS static bool evaluate(struct auth_tool *t, const json_t *line, const struct dmarc_query *q, struct arena *arena,
                           struct evaluated *out, struct err *err)
{
	struct resolver *r;

	if (!asking_resolver(&t->asking, line, &r, err))
		return false;
	bool ok = dmarc_check(r, q, arena, &out->answer, err) &&
	          dmarc_report_list(r, q->psl, &out->answer, arena, &out->reports, &out->n_reports, err);
	asking_done(&t->asking, r);
	return ok;
}

/* Of a line: true for the system's list, or the path of one. */
static bool list_open(const struct auth_tool *t, const json_t *line, struct psl_list **out, struct err *err)
{
	const json_t *wish = json_object_get(line, "psl");
	const char *path = line ? json_string_value(wish) : t->asking.cmd->psl;

	*out = NULL;
	if (!path && !json_is_true(wish))
		return true;
	*out = psl_open(path && strcmp(path, "system") != 0 ? path : NULL, err);
	return *out != NULL;
}

WAITS static bool dmarc_answer(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out,
                               struct err *err)
{
	struct identifiers *spf = arena_new(arena, struct identifiers), *dkim = arena_new(arena, struct identifiers);
	const struct cmd *c = t->asking.cmd;
	struct dmarc_authors authors = {.n = 0};
	struct evaluated e = {.n_reports = 0};
	struct psl_list *list;

	struct str from = line ? batch_text(line, "from") : str_from(c->from ? c->from : c->words[0]);
	if (line && !json_object_get(line, "from"))
		return err_perm(err, CAUSE_PROTOCOL, "from: an address is needed");
	bool ok = line ? identifiers_read(line, "spf", arena, spf, err) && identifiers_read(line, "dkim", arena, dkim, err)
	               : identifiers_split(c->spf, arena, spf, err) && identifiers_split(c->dkim, arena, dkim, err);
	if (!ok || !list_open(t, line, &list, err))
		return false;
	struct dmarc_query q = {.authors = authors_read(line, arena, from, &authors) ? &authors : NULL,
	                        .spf = spf->domain, .n_spf = spf->n, .dkim = dkim->domain, .n_dkim = dkim->n, .psl = list};
	ok = evaluate(t, line, &q, arena, &e, err);
	psl_close(list);
	if (ok && t->for_people)
		print_people(&e, out);
	else if (ok)
		print_json(&e, out);
	t->status = ok ? status_of(e.answer.result) : EXIT_UNKNOWN;
	return ok;
}

int cmd_dmarc_eval(struct cmd *c)
{
	struct auth_tool t = {.answer = dmarc_answer};

	if (!c->as_batch && c->n + (c->from != NULL) != 1)
		return cmd_fail(EXIT_USAGE, "dmarc eval: give the From address, and the domains that passed with --spf and --dkim:\n"
		                            "  postern dmarc eval joe@mail.example.org --dkim example.org --spf bounce.example.net");
	return auth_tool_run(&t, c);
}
