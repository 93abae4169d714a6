/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern cache show|flush`: what is remembered about an address, a domain, a mail server or an operator. */
#include "verify/answer.h"
#include "verify/service.h"

#include <stdio.h>

#define ADDRESSES_MAX 200 /* listed for one domain; the rest is counted */

struct print {
	struct verify *v;
	struct buf *out;
	struct str domain;
	struct wall now;
	bool as_json;
	size_t n, shown;
	bool is_first;
};

/* --- pieces --- */

static void json_key(struct print *p, const char *key)
{
	buf_printf(p->out, "%s\"%s\":", p->is_first ? "" : ",", key);
	p->is_first = false;
}

static void json_text(struct print *p, const char *key, struct str value)
{
	json_key(p, key);
	buf_json(p->out, value);
}

static void json_bool(struct print *p, const char *key, bool value)
{
	json_key(p, key);
	buf_str(p->out, value ? STR("true") : STR("false"));
}

static void json_wall(struct print *p, const char *key, struct wall w)
{
	char text[WALL_FORMAT_MAX];
	if (w.us)
		json_text(p, key, wall_rfc3339(w, text));
}

static struct str ago(const struct print *p, struct wall w, char out[32])
{
	return duration_text(wall_diff(p->now, w), out);
}

static struct str left(const struct print *p, struct wall w, char out[32])
{
	return duration_text(wall_diff(w, p->now), out);
}

static void text_reply(struct print *p, int code, struct str host, struct str said)
{
	(void)code;
	if (host.n || said.n) {
		buf_str(p->out, STR("    "));
		buf_escaped(p->out, host);
		buf_str(p->out, host.n && said.n ? STR(": ") : STR_NONE);
		buf_str(p->out, said); /* escaped when it was recorded */
		buf_char(p->out, '\n');
	}
}

/* --- one address --- */

static void address_json(struct print *p, struct str key, const struct address_record *r, struct wall expires)
{
	buf_str(p->out, STR("{"));
	p->is_first = true;
	json_text(p, "address", key);
	json_text(p, "verdict", str_from(verify_verdict_name(r->verdict)));
	if (r->verdict == VERIFY_TEMPORARY)
		json_text(p, "class", str_from(verify_class_name(r->class)));
	json_key(p, "code");
	buf_printf(p->out, "%d", r->code);
	json_bool(p, "null_refused", r->null_refused);
	json_bool(p, "control_refused", r->control_refused);
	json_text(p, "host", r->host);
	json_text(p, "said", r->said);
	json_wall(p, "checked", r->checked);
	json_wall(p, "expires", expires);
	if (r->verdict == VERIFY_TEMPORARY)
		json_wall(p, "retry_at", r->retry_at);
	buf_char(p->out, '}');
	p->is_first = false;
}

static void address_text_line(struct print *p, struct str key, const struct address_record *r, struct wall expires)
{
	char since[32], until[32];
	buf_escaped(p->out, key);
	buf_printf(p->out, "  %s%s, checked %.*s ago, kept for %.*s\n", verify_verdict_name(r->verdict),
	           r->null_refused ? " (refuses <>)" : "", STR_ARG(ago(p, r->checked, since)), STR_ARG(left(p, expires, until)));
	text_reply(p, r->code, r->host, r->said);
}

static void print_address(struct print *p, struct str key, const struct address_record *r, struct wall expires)
{
	if (p->as_json)
		address_json(p, key, r, expires);
	else
		address_text_line(p, key, r, expires);
}

static bool is_at(struct str key, struct str domain)
{
	size_t at = str_rfind_char(key, '@');
	return at < key.n && str_eq(str_skip(key, at + 1), domain);
}

static void each_address(void *arg, struct str key, struct str value, struct wall expires)
{
	struct print *p = arg;
	struct address_record r;
	if (!is_at(key, p->domain) || !address_record_decode(value, &r))
		return;
	if (++p->n > ADDRESSES_MAX)
		return;
	if (p->as_json && p->shown)
		buf_char(p->out, ',');
	p->shown++;
	print_address(p, key, &r, expires);
}

/* --- one domain --- */

static const char *kind_name(enum domain_kind kind)
{
	static const char *const names[] = {"unknown", "tells", "catch_all", "unverifiable"};
	return names[kind];
}

static void domain_json(struct print *p, struct str domain, const struct domain_record *d)
{
	buf_str(p->out, STR("{"));
	p->is_first = true;
	json_text(p, "domain", domain);
	json_text(p, "kind", str_from(kind_name(d->kind)));
	json_wall(p, "kind_since", d->kind_at);
	json_wall(p, "kind_until", d->kind_until);
	json_wall(p, "null_refused_until", d->null_refused_until);
	json_wall(p, "postmaster_ok", d->postmaster_at);
	json_wall(p, "blocked_until", d->blocked_until);
	json_text(p, "host", d->host);
	json_text(p, "said", d->said);
	buf_char(p->out, '}');
}

static void domain_text(struct print *p, struct str domain, const struct domain_record *d)
{
	static const char *const words[] = {
		"not known yet whether it takes everything", "refuses unknown addresses", "takes every address", "does not tell"};
	char text[32];
	buf_escaped(p->out, domain);
	buf_printf(p->out, "  %s", words[d->kind]);
	if (d->kind != DOMAIN_NEW)
		buf_printf(p->out, ", kept for %.*s", STR_ARG(left(p, d->kind_until, text)));
	buf_char(p->out, '\n');
	if (d->blocked_until.us)
		buf_printf(p->out, "    refuses us; left alone for %.*s\n", STR_ARG(left(p, d->blocked_until, text)));
	if (d->null_refused_until.us)
		buf_printf(p->out, "    refuses <>; shown the probe sender for %.*s\n",
		           STR_ARG(left(p, d->null_refused_until, text)));
	if (d->postmaster_at.us)
		buf_printf(p->out, "    took mail for postmaster %.*s ago\n", STR_ARG(ago(p, d->postmaster_at, text)));
	text_reply(p, d->code, d->host, d->said);
}

static bool is_known(const struct domain_record *d)
{
	return d->kind != DOMAIN_NEW || d->null_refused_until.us || d->postmaster_at.us || d->blocked_until.us;
}

static void print_domain(struct print *p, struct str domain)
{
	struct domain_record d;
	cache_domain(&p->v->cache, domain, p->now, &d);
	if (p->as_json)
		domain_json(p, domain, &d);
	else if (is_known(&d))
		domain_text(p, domain, &d);
}

/* --- hosts and operators --- */

static void print_host(struct print *p, struct str ip)
{
	struct host_record r;
	char text[32];
	cache_host(&p->v->cache, ip, p->now, &r);
	if (p->as_json) {
		buf_char(p->out, '{');
		p->is_first = true;
		json_text(p, "host", ip);
		json_wall(p, "down_until", r.down_until);
		json_wall(p, "blocked_until", r.blocked_until);
		json_text(p, "said", r.said);
		buf_char(p->out, '}');
		return;
	}
	if (!r.down_until.us && !r.blocked_until.us) {
		buf_printf(p->out, "%.*s: nothing remembered\n", STR_ARG(ip));
		return;
	}
	struct wall until = r.blocked_until.us ? r.blocked_until : r.down_until;
	buf_printf(p->out, "%.*s  %s; left alone for %.*s\n", STR_ARG(ip), r.blocked_until.us ? "refuses us" : "no answer",
	           STR_ARG(left(p, until, text)));
	text_reply(p, r.code, STR_NONE, r.said);
}

static void print_breaker(struct print *p, struct str name)
{
	struct breaker_look look;
	char text[32];
	breaker_peek(&p->v->breaker, name, p->now, &look);
	bool is_open = look.state != BREAKER_CLOSED;
	if (p->as_json) {
		json_key(p, "breaker");
		buf_char(p->out, '{');
		p->is_first = true;
		json_text(p, "state", is_open ? STR("open") : STR("closed"));
		if (is_open) {
			json_text(p, "why", str_from(breaker_why_name(look.why)));
			json_wall(p, "until", look.until);
			json_text(p, "said", str_from(look.said));
		}
		buf_char(p->out, '}');
		p->is_first = false;
		return;
	}
	if (is_open)
		buf_printf(p->out, "%.*s  not asked as an operator of mail servers (%s) for %.*s\n    %s\n", STR_ARG(name),
		           breaker_why_name(look.why), STR_ARG(left(p, look.until, text)), look.said);
}

/* --- the verbs --- */

static void show_address(struct print *p, struct str key)
{
	struct address_record r;
	struct wall expires = {0}, checked;
	struct str value;
	bool has = table_get(p->v->cache.addresses, key, &value, &expires) && address_record_decode(value, &r);
	struct str domain = str_skip(key, str_rfind_char(key, '@') + 1);
	if (p->as_json)
		buf_str(p->out, STR("{\"record\":"));
	if (has)
		print_address(p, key, &r, expires);
	else if (p->as_json)
		buf_str(p->out, STR("null"));
	else if (patterns_trust(&p->v->patterns, key, &checked))
		buf_printf(p->out, "%.*s  exists by its pattern\n", STR_ARG(key));
	else
		buf_printf(p->out, "%.*s: nothing remembered\n", STR_ARG(key));
	if (p->as_json)
		buf_str(p->out, STR(",\"domain\":"));
	print_domain(p, domain);
	if (p->as_json)
		buf_str(p->out, STR("}\n"));
}

static void show_domain(struct print *p, struct str domain)
{
	struct domain_record d;
	cache_domain(&p->v->cache, domain, p->now, &d);
	p->domain = domain;
	if (p->as_json)
		buf_str(p->out, STR("{\"domain\":"));
	print_domain(p, domain);
	p->is_first = false;
	print_breaker(p, domain);
	if (p->as_json)
		buf_str(p->out, STR(",\"addresses\":["));
	table_each(p->v->cache.addresses, STR_NONE, each_address, p);
	if (p->as_json)
		buf_printf(p->out, "],\"count\":%zu}\n", p->n);
	else if (p->n > p->shown)
		buf_printf(p->out, "and %zu more addresses\n", p->n - p->shown);
	else if (p->n == 0 && !is_known(&d))
		buf_printf(p->out, "%.*s: nothing remembered\n", STR_ARG(domain));
}

static void show_sizes(struct print *p)
{
	const struct cache *c = &p->v->cache;
	size_t a = table_count(c->addresses), d = table_count(c->domains), h = table_count(c->hosts),
	       f = table_count(c->failures);
	buf_printf(p->out,
	           p->as_json ? "{\"addresses\":%zu,\"domains\":%zu,\"hosts\":%zu,\"failures\":%zu}\n"
	                      : "%zu addresses, %zu domains, %zu mail servers, %zu senders waiting\n",
	           a, d, h, f);
}

void verify_cache_show(struct verify *v, struct str what, bool as_json, struct buf *out)
{
	struct print p = {.v = v, .out = out, .now = rt_wall(), .as_json = as_json, .is_first = true};
	struct ip ip;
	if (what.n == 0) {
		show_sizes(&p);
	} else if (str_rfind_char(what, '@') < what.n) {
		show_address(&p, what);
	} else if (ip_parse(what, &ip)) {
		print_host(&p, what);
		if (as_json)
			buf_char(out, '\n');
	} else {
		show_domain(&p, what);
	}
}

struct flush {
	struct verify *v;
	struct str what; /* "@domain", or " local@domain" behind a call-ahead's target */
	size_t n;
};

static void flush_one(void *arg, struct str key, struct str value, struct wall expires)
{
	struct flush *f = arg;
	(void)value;
	(void)expires;
	if (!str_ends(key, f->what))
		return;
	table_remove(f->v->cache.addresses, key);
	f->n++;
}

static bool drop(struct table *t, struct str key)
{
	bool was = table_get(t, key, NULL, NULL);
	table_remove(t, key);
	return was;
}

/* The address as a sender, and as a recipient at each next hop. */
static size_t flush_address(struct verify *v, struct str key)
{
	char text[ADDRESS_MAX + 8];
	size_t n = drop(v->cache.addresses, key);
	int used = snprintf(text, sizeof(text), " %.*s", STR_ARG(str_slice(key, 0, ADDRESS_MAX)));
	struct flush f = {v, {text, (size_t)used}, 0};
	table_each(v->cache.addresses, STR("→"), flush_one, &f);
	return n + f.n;
}

static size_t flush_domain(struct verify *v, struct str domain)
{
	char text[ADDRESS_DOMAIN_MAX + 8];
	int used = snprintf(text, sizeof(text), "@%.*s", STR_ARG(str_slice(domain, 0, ADDRESS_DOMAIN_MAX)));
	struct flush f = {v, {text, (size_t)used}, 0};
	table_each(v->cache.addresses, STR_NONE, flush_one, &f);
	return f.n + drop(v->cache.domains, domain) + patterns_forget(&v->patterns, domain) +
	       breaker_reset(&v->breaker, domain);
}

size_t verify_cache_flush(struct verify *v, struct str what)
{
	struct ip ip;
	if (str_rfind_char(what, '@') < what.n)
		return flush_address(v, what);
	if (ip_parse(what, &ip))
		return drop(v->cache.hosts, what);
	return flush_domain(v, what);
}
