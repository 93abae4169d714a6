/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes by domain: exact names and "*.parent" in one map, "*" beside it. */
#include "policy/domains.h"

#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct domains {
	struct map by_name;              /* "example.org"; a wildcard as ".example.org" */
	const struct route_conf *others; /* "*"; NULL: none */
	char *first_local;
};

#define FIELD(member) offsetof(struct route_conf, member)
const struct conf_row route_conf_rows[] = {
	{"kind", CONF_CHOICE, FIELD(kind), "mx", 0, 0, "mx|smtp|lmtp|maildir",
	 "How mail for this domain goes on: by its MX, to one host by SMTP or LMTP, or into Maildirs."},
	{"next_hop", CONF_TEXT, FIELD(next_hop), "", 0, 0, NULL,
	 "Host for smtp and lmtp: host[:port], [address]:port or unix:/path."},
	{"maildir", CONF_TEXT, FIELD(maildir), "", 0, 0, NULL,
	 "Root directory for maildir; mail goes to ROOT/DOMAIN/LOCAL/Maildir."},
	{"recipients", CONF_CHOICE, FIELD(recipients), "call-ahead", 0, 0, "any|file|call-ahead",
	 "Which recipients exist: any, those in recipients_file, or those that the next hop takes."},
	{"recipients_file", CONF_TEXT, FIELD(recipients_file), "", 0, 0, NULL,
	 "One address, @domain or local part a line; read again when it changes."},
	{"local", CONF_BOOL, FIELD(is_local), "yes", 0, 0, NULL,
	 "Receive mail for this domain from everybody; route \"*\" is never local."},
	{"require_tls", CONF_BOOL, FIELD(require_tls), "no", 0, 0, NULL,
	 "Send to this next hop by TLS or not at all."},
	{"concurrency", CONF_INT, FIELD(concurrency), "20", 1, 10000, NULL,
	 "Sessions to this next hop at the same time."},
	CONF_ROWS_END,
};
const struct conf_section route_section = {
	"route", "A domain, and where its mail goes; \"*.example.org\" is what lies below, \"*\" everything else.",
	route_conf_rows, sizeof(struct route_conf), true,
};

static bool split_port(struct str text, struct str *host, struct str *port)
{
	if (str_starts(text, STR("["))) {
		size_t end = str_find_char(text, ']');
		if (end == text.n)
			return false;
		*host = str_slice(text, 1, end);
		*port = str_skip(text, end + 1);
		return port->n == 0 || str_starts(*port, STR(":"));
	}
	size_t colon = str_find_char(text, ':');
	*host = str_slice(text, 0, colon);
	*port = str_skip(text, colon);
	return true;
}

bool next_hop_parse(struct str text, enum route_kind kind, struct next_hop *out, struct err *err)
{
	struct next_hop hop = {0};
	struct str port;
	uint64_t number = kind == ROUTE_LMTP ? 24 : 25;
	if (str_starts(text, STR("unix:/"))) {
		out->path = str_skip(text, 5);
		out->host = STR_NONE;
		out->ip = (struct ip){0};
		out->port = 0;
		return true;
	}
	if (!split_port(text, &hop.host, &port) ||
	    (port.n && (!str_to_u64(str_skip(port, 1), UINT16_MAX, &number) || number == 0)))
		return err_perm(err, CAUSE_LOCAL_ERROR,
		                "next_hop \"%.*s\" is not host[:port], [address]:port or unix:/path", STR_ARG(text));
	hop.port = (uint16_t)number;
	if (!ip_parse(hop.host, &hop.ip)) {
		auto_arena struct arena arena = {.max = 4096};
		struct str ascii;
		if (!domain_to_ascii(&arena, hop.host, &ascii, err))
			return err_context(err, "next_hop \"%.*s\"", STR_ARG(text));
	}
	*out = hop;
	return true;
}

/* What would otherwise come to light with the first mail. */
static bool is_sane(const struct route_conf *r, struct err *err)
{
	struct next_hop hop = {0};
	bool has_host = r->kind == ROUTE_SMTP || r->kind == ROUTE_LMTP;
	if (has_host && !next_hop_parse(r->next_hop, r->kind, &hop, err))
		return false;
	if (r->kind == ROUTE_MAILDIR && !str_starts(r->maildir, STR("/")))
		return err_perm(err, CAUSE_LOCAL_ERROR, "kind maildir needs maildir, an absolute path");
	if (!r->is_local || str_eq(r->domain, STR("*")))
		return true;
	if (r->recipients == RECIPIENTS_FILE && r->recipients_file.n == 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "recipients = file needs recipients_file");
	if (r->recipients == RECIPIENTS_CALL_AHEAD && (!has_host || hop.path.n))
		return err_perm(err, CAUSE_LOCAL_ERROR,
		                "recipients = call-ahead needs kind smtp or lmtp with a host to ask; name a "
		                "recipients_file, or set recipients = any");
	return true;
}

static bool add_named(struct domains *d, const struct route_conf *r, struct err *err)
{
	auto_arena struct arena arena = {.max = 4096};
	bool is_wildcard = str_starts(r->domain, STR("*."));
	struct str ascii;
	if (!domain_to_ascii(&arena, str_skip(r->domain, is_wildcard ? 2 : 0), &ascii, err))
		return false;
	struct str key = is_wildcard ? arena_printf(&arena, ".%.*s", STR_ARG(ascii)) : ascii;
	if (map_get(&d->by_name, key))
		return err_perm(err, CAUSE_LOCAL_ERROR, "there are two routes of this name");
	map_put(&d->by_name, key, (void *)r);
	if (!d->first_local && r->is_local && !is_wildcard)
		d->first_local = mem_cstr(ascii);
	return true;
}

static bool add_route(struct domains *d, const struct route_conf *r, struct err *err)
{
	if (!is_sane(r, err))
		return false;
	if (!str_eq(r->domain, STR("*")))
		return add_named(d, r, err);
	if (d->others)
		return err_perm(err, CAUSE_LOCAL_ERROR, "there are two routes of this name");
	d->others = r;
	return true;
}

struct domains *domains_new(const struct route_conf *const *routes, size_t n, struct err *err)
{
	struct domains *d = mem_new(struct domains);
	map_init(&d->by_name);
	for (size_t i = 0; i < n; i++) {
		if (!add_route(d, routes[i], err)) {
			err_context(err, "route \"%.*s\"", STR_ARG(routes[i]->domain));
			domains_free(d);
			return NULL;
		}
	}
	return d;
}

void domains_free(struct domains *d)
{
	if (!d)
		return;
	map_done(&d->by_name);
	free(d->first_local);
	free(d);
}

/* The named route, exact or by the nearest "*.parent". */
static const struct route_conf *find_named(const struct domains *d, struct str domain)
{
	const struct route_conf *found = map_get(&d->by_name, domain);
	for (struct str rest = domain; !found; rest = str_skip(rest, 1)) {
		rest = str_skip(rest, str_find_char(rest, '.'));
		if (rest.n == 0)
			return NULL;
		found = map_get(&d->by_name, rest);
	}
	return found;
}

const struct route_conf *domains_route(const struct domains *d, struct str ascii_domain)
{
	const struct route_conf *named = find_named(d, ascii_domain);
	return named ? named : d->others;
}

bool domains_is_local(const struct domains *d, struct str ascii_domain)
{
	const struct route_conf *named = find_named(d, ascii_domain);
	return named && named->is_local;
}

struct str domains_first_local(const struct domains *d)
{
	return str_from(d->first_local);
}
