/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern spf lint`: findings with a caret under the place, and the tree of look-ups. */
#include <stdio.h>

#include "auth/spf_lint.h"
#include "base/auto.h"
#include "cmd/asking.h"
#include "cmd/batch.h"

struct linter {
	struct asking asking;
	struct str domain, record;
	struct ip ip;  /* family 0: none */
	struct buf out;
	int status;
};

static void findings_json(const struct spf_lint *a, struct buf *out)
{
	buf_str(out, STR("\"findings\":["));
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct spf_finding *f = &a->findings[i];
		buf_printf(out, "%s{\"id\":\"%s\",\"severity\":\"%s\",\"text\":", i ? "," : "", f->id, spf_severity_name(f->severity));
		buf_json(out, f->text);
		if (f->at == SPF_NOWHERE)
			buf_str(out, STR(",\"at\":null}"));
		else
			buf_printf(out, ",\"at\":%zu,\"length\":%zu}", f->at, f->n);
	}
	buf_char(out, ']');
}

static void node_open(const struct spf_node *n, struct buf *out)
{
	buf_str(out, STR("{\"term\":"));
	buf_json(out, n->term);
	buf_str(out, STR(",\"domain\":"));
	buf_json(out, n->domain);
	buf_str(out, STR(",\"record\":"));
	if (n->record.n > 0)
		buf_json(out, n->record);
	else
		buf_str(out, STR("null"));
	buf_printf(out, ",\"lookups\":%u,\"void_lookups\":%u,\"note\":", n->lookups, n->void_lookups);
	if (n->note)
		buf_json(out, str_from(n->note));
	else
		buf_str(out, STR("null"));
	buf_str(out, STR(",\"children\":["));
}

/* Nodes stand parent first: a deeper one opens a list, a shallower one closes some. */
static void tree_json(const struct spf_lint *a, struct buf *out)
{
	unsigned open = 0;

	if (a->n_nodes == 0)
		buf_str(out, STR("null"));
	for (size_t i = 0; i < a->n_nodes; i++) {
		bool is_sibling = open > a->nodes[i].depth;
		while (open > a->nodes[i].depth) {
			buf_str(out, STR("]}"));
			open--;
		}
		if (is_sibling)
			buf_char(out, ',');
		node_open(&a->nodes[i], out);
		open++;
	}
	while (open-- > 0)
		buf_str(out, STR("]}"));
}

static void lint_members(const struct spf_lint *a, struct buf *out)
{
	findings_json(a, out);
	buf_printf(out, ",\"lookups\":%u,\"void_lookups\":%u,\"tree\":", a->lookups, a->void_lookups);
	tree_json(a, out);
	buf_str(out, STR(",\"record\":"));
	if (a->record.n > 0)
		buf_json(out, a->record);
	else
		buf_str(out, STR("null"));
	if (!a->client_result)
		return;
	buf_printf(out, ",\"client\":{\"result\":\"%s\",\"term\":", a->client_result);
	if (a->client_term.n > 0)
		buf_json(out, a->client_term);
	else
		buf_str(out, STR("null"));
	buf_char(out, '}');
}

/* --- asking --- */

struct question {
	struct str domain, record;
	struct ip ip;              /* family 0: no client is asked about */
	const json_t *servers;     /* of a batch line: {"192.0.2.53": answers, …}; NULL: the network, or none */
	bool wants_servers;
};
struct server_source {
	struct asking *asking;
	const json_t *servers;
	struct str domain;
};

/* A name server is asked without recursion by others in between, and need not show that it is believed. */
WAITS static bool server_open(void *arg, struct ip server, struct resolver **out, struct err *err)
{
	struct server_source *s = arg;
	struct dns_conf conf = s->asking->dns;
	char text[IP_TEXT_MAX];
	auto_buf struct buf silent = {.max = 1024};

	conf.resolver = ip_text(server, text);
	if (!s->servers) {
		conf.trust_anchor = STR("none");
		conf.timeout = conf.timeout > 3 * USEC_S ? 3 * USEC_S : conf.timeout;
		*out = resolver_open(&conf, err);
		return *out != NULL;
	}
	buf_str(&silent, STR("[["));
	buf_json(&silent, s->domain);
	buf_str(&silent, STR(",\"*\",\"TIMEOUT\"]]"));
	const json_t *answers = json_object_getn(s->servers, conf.resolver.p, conf.resolver.n);
	auto_free char *script = answers ? json_dumps(answers, JSON_COMPACT) : NULL;
	*out = resolver_open_script(&s->asking->dns, script ? str_from(script) : buf_view(&silent), err);
	return *out != NULL;
}

WAITS static void server_close(void *arg, struct resolver *r)
{
	resolver_close(r);
}

WAITS static bool lint_all(struct resolver *r, struct server_source *source, const struct question *q, struct arena *arena,
                           struct spf_lint *out, struct err *err)
{
	struct spf_lint_servers servers = {.open = server_open, .close = server_close, .arg = source};

	return spf_lint(r, q->domain, q->record, arena, out, err) &&
	       (q->ip.family == 0 || spf_lint_client(r, q->ip, arena, out, err)) &&
	       (!q->wants_servers || spf_lint_name_servers(r, &servers, arena, out, err));
}

WAITS static bool lint(struct asking *asking, const json_t *line, const struct question *q, struct arena *arena,
                       struct spf_lint *out, struct err *err)
{
	struct server_source source = {.asking = asking, .servers = q->servers, .domain = q->domain};
	struct resolver *r;

	if (!asking_resolver(asking, line, &r, err))
		return false;
	bool ok = lint_all(r, &source, q, arena, out, err);
	asking_done(asking, r);
	return ok;
}

WAITS static bool lint_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	struct linter *l = arg;
	auto_arena struct arena arena;
	struct spf_lint answer;
	struct question q = {.domain = batch_text(line, "domain"), .record = batch_text(line, "record")};
	struct str ip = batch_text(line, "ip");

	arena_init(&arena, 1 << 20);
	q.servers = json_object_get(line, "servers");
	q.wants_servers = json_is_object(q.servers) && q.record.n == 0;
	if (q.domain.n == 0 && q.record.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "domain or record: a string is needed");
	if (ip.n > 0 && (q.record.n > 0 || !ip_parse(ip, &q.ip)))
		return err_perm(err, CAUSE_PROTOCOL, "ip: an address is needed, and a domain whose published record is asked");
	if (!lint(&l->asking, line, &q, &arena, &answer, err))
		return false;
	lint_members(&answer, out);
	return true;
}

/* --- for people --- */

static enum spf_severity worst(const struct spf_lint *a)
{
	enum spf_severity worst = SPF_SEVERITY_INFO;

	for (size_t i = 0; i < a->n_findings; i++)
		worst = a->findings[i].severity > worst ? a->findings[i].severity : worst;
	return worst;
}

static int status_of(const struct spf_lint *a)
{
	enum spf_severity w = worst(a);

	if (w >= SPF_SEVERITY_ERROR)
		return EXIT_FAULT;
	if (a->is_unknown)
		return EXIT_UNKNOWN;
	return w == SPF_SEVERITY_WARNING ? EXIT_WARNING : EXIT_FINE;
}

/* The part of the record around the place, and a caret under it. */
static void caret_print(struct str record, const struct spf_finding *f, struct buf *out)
{
	size_t from = f->at > 50 ? f->at - 50 : 0, to = f->at + 60;

	if (f->at == SPF_NOWHERE || f->at >= record.n)
		return;
	struct str part = str_slice(record, from, to);
	buf_str(out, from ? STR("        …") : STR("        "));
	for (size_t i = 0; i < part.n; i++) /* one column for each byte, whatever it is */
		buf_char(out, part.p[i] >= 0x20 && part.p[i] < 0x7f ? part.p[i] : '?');
	buf_printf(out, "\n        %*s", (int)(f->at - from + (from ? 1 : 0)), "");
	for (size_t i = 0; i < (f->n ? f->n : 1) && f->at + i < from + part.n; i++)
		buf_char(out, '^');
	buf_char(out, '\n');
}

static void finding_print(const struct spf_lint *a, const struct spf_finding *f, struct buf *out)
{
	static const char *const marks[] = {"·", "?", "✖", "✖"};

	buf_printf(out, "  %s %s %-8s %.*s\n", marks[f->severity], f->id, spf_severity_name(f->severity), STR_ARG(f->text));
	caret_print(a->record, f, out);
}

static void node_print(const struct spf_node *n, struct buf *out)
{
	buf_printf(out, "  %*s%-*.*s %3u look-up%s", (int)(2 * n->depth), "", 46 - (int)(2 * n->depth), STR_ARG(n->term), n->lookups,
	           n->lookups == 1 ? "" : "s");
	if (n->void_lookups > 0)
		buf_printf(out, ", %u void", n->void_lookups);
	if (n->note)
		buf_printf(out, " (%s)", n->note);
	buf_char(out, '\n');
}

static void lint_print(const struct spf_lint *a, struct buf *out)
{
	static const char *const marks[] = {"✓", "?", "✖", "?"};
	static const char *const words[] = {"nothing is wrong", "works, with something to look at", "needs mending",
	                                    "could not be found out whole"};
	int status = status_of(a);

	buf_printf(out, "%s %.*s: %s\n", marks[status], STR_ARG(a->domain.n ? a->domain : STR("the record")), words[status]);
	if (a->record.n > 0) {
		buf_str(out, STR("  "));
		buf_escaped(out, a->record);
		buf_char(out, '\n');
	}
	for (int s = SPF_SEVERITY_CRITICAL; s >= SPF_SEVERITY_INFO; s--) {
		for (size_t i = 0; i < a->n_findings; i++) {
			if ((int)a->findings[i].severity == s)
				finding_print(a, &a->findings[i], out);
		}
	}
	if (a->n_nodes > 0)
		buf_printf(out, "  %u of 10 look-ups, %u of 2 void\n", a->lookups, a->void_lookups);
	for (size_t i = 0; a->n_nodes > 1 && i < a->n_nodes; i++)
		node_print(&a->nodes[i], out);
}

WAITS static void lint_one(struct linter *l)
{
	struct cmd *c = l->asking.cmd;
	struct question q = {.domain = l->domain, .record = l->record, .ip = l->ip};
	struct spf_lint answer;
	struct err err;

	/* Where another resolver asks for us, name servers are not ours to ask. */
	q.wants_servers = q.record.n == 0 && !c->dns_file && str_eq(l->asking.dns.resolver, STR("recursive"));
	if (!lint(&l->asking, NULL, &q, c->arena, &answer, &err)) {
		l->status = cmd_fail_err(EXIT_UNKNOWN, &err);
		return;
	}
	l->status = status_of(&answer);
	if (c->as_json) {
		buf_char(&l->out, '{');
		lint_members(&answer, &l->out);
		buf_str(&l->out, STR("}\n"));
	} else {
		lint_print(&answer, &l->out);
	}
}

WAITS static void lint_fiber(void *arg)
{
	struct linter *l = arg;

	if (l->asking.cmd->as_batch)
		l->status = batch_run(lint_line, l);
	else
		lint_one(l);
	asking_close(&l->asking);
}

int cmd_spf_lint(struct cmd *c)
{
	struct linter l = {.status = EXIT_INTERNAL, .record = str_from(c->record)};
	struct rt_options options = {0};
	struct err err;

	if (!c->as_batch && (c->n > 1 || (c->n == 0 && !c->record)))
		return cmd_fail(EXIT_USAGE, "spf lint: give a domain, or --record TEXT, or --batch");
	if (c->n == 1)
		l.domain = str_from(c->words[0]);
	size_t at = str_find_char(l.domain, '@');
	if (at < l.domain.n)
		return cmd_fail(EXIT_USAGE, "spf lint: %s is an address; the record is that of its domain: postern spf lint %s", c->words[0], c->words[0] + at + 1);
	if (str_find_char(l.domain, '/') < l.domain.n)
		return cmd_fail(EXIT_USAGE, "spf lint: '%s' is no domain; leave out what stands around its name", c->words[0]);
	if (c->ip && (c->n == 0 || c->record))
		return cmd_fail(EXIT_USAGE, "spf lint: --ip asks about a domain's published record");
	if (c->ip && !ip_parse(str_from(c->ip), &l.ip))
		return cmd_fail(EXIT_USAGE, "spf lint: --ip takes an IPv4 or IPv6 address");
	if (!asking_open(&l.asking, c, &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	buf_init(&l.out, 1 << 20);
	if (!rt_run(&options, lint_fiber, &l, &err))
		l.status = cmd_fail_err(EXIT_INTERNAL, &err);
	if (l.out.n > 0)
		fwrite(l.out.p, 1, l.out.n, stdout);
	buf_done(&l.out);
	return l.status;
}
