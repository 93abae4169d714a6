/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back end that answers from a script: asking walks the entries of a name, and nothing is waited for. */
#include "dns/script_read.h"

#include "base/mem.h"
#include "dns/resolver.h"

#include <stdlib.h>

#define CNAMES_MAX 8

struct scripted {
	struct script *script;
	struct resolver *resolver;
};

enum found { FOUND_RECORDS, FOUND_OUTCOME, FOUND_TIMEOUT, FOUND_NOTHING };

static struct str copy(struct dns_answer *a, struct str s)
{
	return arena_str(&a->arena, s);
}

static void add_copy(struct dns_answer *a, const struct script_entry *e)
{
	struct dns_record r = e->record;

	switch (a->type) {
	case DNS_A:
	case DNS_AAAA:
		break;
	case DNS_MX:
		r.mx.host = copy(a, r.mx.host);
		break;
	case DNS_TXT:
	case DNS_SPF:
		r.text = dns_answer_text(a, r.text);
		break;
	case DNS_PTR:
	case DNS_CNAME:
	case DNS_NS:
		r.name = copy(a, r.name);
		break;
	case DNS_TLSA:
		r.tlsa.data = copy(a, r.tlsa.data);
		break;
	case DNS_SOA:
		r.soa.mname = copy(a, r.soa.mname);
		r.soa.rname = copy(a, r.soa.rname);
		break;
	}
	dns_answer_add(a, &r);
}

/* All entries of one type: records are added, unless one of them is an outcome, which then counts. */
static enum found take_type(const struct script_entry *first, unsigned type, bool add, struct dns_answer *a,
                            const struct script_entry **hit)
{
	enum found result = FOUND_NOTHING;

	for (const struct script_entry *e = first; e; e = e->next) {
		if (e->type != type)
			continue;
		a->is_secure &= e->is_secure;
		dns_answer_lower_ttl(a, e->ttl);
		*hit = e;
		if (e->kind != ENTRY_RECORD)
			return e->kind == ENTRY_TIMEOUT ? FOUND_TIMEOUT : FOUND_OUTCOME;
		result = FOUND_RECORDS;
		if (add)
			add_copy(a, e);
	}
	return result;
}

/* A type that is missing is secure when all that the name has is. */
static void conclude_nodata(const struct script_entry *first, struct dns_answer *a)
{
	a->outcome = DNS_NODATA;
	for (const struct script_entry *e = first; e; e = e->next) {
		a->is_secure &= e->is_secure;
		dns_answer_lower_ttl(a, e->ttl);
	}
}

static void conclude_outcome(const struct script_entry *e, struct dns_answer *a)
{
	if (e->outcome == DNS_NXDOMAIN) {
		a->n = 0;
		a->outcome = DNS_NXDOMAIN;
		return;
	}
	dns_answer_fail(a, e->outcome, str_from(e->why));
}

/* One name on the way. *next: where a CNAME leads, else empty. False: a time-out. */
static bool answer_at(const struct script_entry *first, struct dns_answer *a, struct str *next)
{
	static const unsigned fallbacks[] = {SCRIPT_TYPE_ANY, DNS_CNAME};
	const struct script_entry *hit = NULL;
	enum found found = take_type(first, (unsigned)a->type, true, a, &hit);

	*next = STR_NONE;
	for (size_t i = 0; found == FOUND_NOTHING && i < 2; i++)
		found = take_type(first, fallbacks[i], false, a, &hit);
	switch (found) {
	case FOUND_TIMEOUT:
		return false;
	case FOUND_OUTCOME:
		conclude_outcome(hit, a);
		break;
	case FOUND_RECORDS:
		if (hit->type == (unsigned)a->type)
			a->outcome = DNS_FOUND;
		else
			*next = hit->target;
		break;
	case FOUND_NOTHING:
		conclude_nodata(first, a);
		break;
	}
	return true;
}

/* False: a time-out. */
static bool answer(void *self, struct dns_answer *a)
{
	const struct script *s = ((const struct scripted *)self)->script;
	struct str name = a->name, next;

	a->is_secure = true;
	for (int hops = 0; hops <= CNAMES_MAX; hops++) {
		const struct script_entries *all = map_get(&s->names, name);
		a->canonical = copy(a, name);
		if (!all) {
			a->outcome = DNS_NXDOMAIN;
			a->is_secure = false;
			dns_answer_lower_ttl(a, SCRIPT_TTL_DEFAULT);
			return true;
		}
		if (!answer_at(all->first, a, &next))
			return false;
		if (str_is_empty(next)) {
			dns_answer_sort(a);
			return true;
		}
		name = next;
	}
	dns_answer_fail(a, DNS_TEMPORARY, STR("CNAME chain too long"));
	return true;
}

WAITS static void time_out(void *arg)
{
	struct flight *f = arg;
	struct err err;

	if (rt_sleep_until(f->until, "dns: no answer", &err))
		flight_time_out(f);
	/* Cancelled: resolver_close lands it. */
}

static void ask(void *self, struct flight *f)
{
	struct scripted *s = self;
	struct err err;

	/* `answer` said so: a time-out. */
	/* On the fake clock waiting is free and shows who waits; on a real one nobody gains by it. */
	if (!rt_is_fake() || !group_go(resolver_group(s->resolver), "dns script", time_out, f, &err))
		flight_time_out(f);
}

static void close_script(void *self)
{
	struct scripted *s = self;

	script_free(s->script);
	free(s);
}

static struct resolver *open_script(const struct dns_conf *conf, struct script *script)
{
	static const struct resolver_backend backend = {.answer = answer, .ask = ask, .close = close_script};
	struct scripted *s;

	if (!script)
		return NULL;
	s = mem_new(struct scripted);
	s->script = script;
	s->resolver = resolver_new(conf, &backend, s);
	return s->resolver;
}

struct resolver *resolver_open_script(const struct dns_conf *conf, struct str json, struct err *err)
{
	return open_script(conf, script_read(json, err));
}

struct resolver *resolver_open_json(const struct dns_conf *conf, const struct json_t *list, struct err *err)
{
	return open_script(conf, script_read_json(list, err));
}
