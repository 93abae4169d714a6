/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which hosts take mail for a domain, and at which of their addresses we may knock. */
#include "client/mx.h"

#include "base/err.h"

#include <assert.h>
#include <string.h>

/* One host while its addresses are looked up; the answers are released by mx_find's own scope. */
struct lookup {
	struct resolver *resolver;
	struct str name;
	uint16_t preference;
	bool wants_ipv6;
	const struct dns_answer *a, *aaaa;
	bool ok;
	struct err err;
};
struct search {
	struct resolver *resolver;
	const struct mx_conf *conf;
	struct arena *arena;
	struct lookup *lookups;
	size_t n;
	struct mx_list *out;
	bool has_ipv6_only;     /* addresses left out because we do not speak IPv6 */
	struct str trouble;     /* the first temporary look-up failure, in words */
};

bool mx_may_dial(const struct mx_conf *conf, struct ip ip)
{
	if (ip_set_has(&conf->own_addresses, ip))
		return false;
	return !ip_is_unusable_target(ip) || ip_set_has(&conf->dial_networks, ip);
}

static struct str without_dot(struct str name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static bool is_trouble(const struct dns_answer *a)
{
	return a && (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS);
}

static struct str trouble_text(struct arena *arena, const struct dns_answer *a)
{
	struct str why = a->why.n ? a->why : str_from(dns_outcome_name(a->outcome));
	return arena_printf(arena, "%s of %.*s: %.*s", dns_type_name(a->type), STR_ARG(a->name),
	                    STR_ARG(why));
}

/* AAAA is asked even where we do not speak IPv6 when there is no A: a domain that is reachable by IPv6 alone
 * exists, and must not be taken for one that does not. */
static WAITS void lookup_run(struct lookup *l)
{
	l->ok = dns_lookup(l->resolver, l->name, DNS_A, &l->a, &l->err);
	if (l->ok && (l->wants_ipv6 || l->a->outcome != DNS_FOUND))
		l->ok = dns_lookup(l->resolver, l->name, DNS_AAAA, &l->aaaa, &l->err);
}

static WAITS void lookup_fiber(void *arg)
{
	lookup_run(arg);
}

static bool lookup_from_cache(struct lookup *l)
{
	l->a = dns_lookup_cached(l->resolver, l->name, DNS_A);
	if (!l->a)
		return false;
	if (!l->wants_ipv6 && l->a->outcome == DNS_FOUND)
		return l->ok = true;
	l->aaaa = dns_lookup_cached(l->resolver, l->name, DNS_AAAA);
	if (l->aaaa)
		return l->ok = true;
	dns_answer_release(l->a);
	l->a = NULL;
	return false;
}

/* All hosts at once, so that one domain with five dead names costs one time-out and not five. What the cache
 * knows costs no fiber. */
static WAITS bool lookup_all(struct search *s, struct err *err)
{
	struct group group;
	group_init(&group, "mx");
	size_t missing = 0, last = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!lookup_from_cache(&s->lookups[i])) {
			missing++;
			last = i;
		}
	bool ok = true;
	if (missing == 1) {
		lookup_run(&s->lookups[last]);
	} else if (missing > 1) {
		for (size_t i = 0; ok && i < s->n; i++)
			if (!s->lookups[i].ok)
				ok = group_go(&group, "mx look-up", lookup_fiber, &s->lookups[i], err);
		ok = ok && group_wait(&group, err);
	}
	group_done(&group);
	for (size_t i = 0; ok && i < s->n; i++)
		if (!s->lookups[i].ok) {
			*err = s->lookups[i].err;
			ok = false;
		}
	return ok;
}

static void search_release(struct search *s)
{
	for (size_t i = 0; i < s->n; i++) {
		dns_answer_release(s->lookups[i].a);
		dns_answer_release(s->lookups[i].aaaa);
	}
}

/* 127.0.0.1 is every host's own: a stranger who writes it into the DNS does not make us his mail server. */
static bool is_ours(const struct mx_conf *conf, struct ip ip)
{
	return ip_set_has(&conf->own_addresses, ip) &&
	       (!ip_is_unusable_target(ip) || ip_set_has(&conf->dial_networks, ip));
}

static bool answer_has_own(const struct mx_conf *conf, const struct dns_answer *a)
{
	if (a && a->outcome == DNS_FOUND)
		for (size_t i = 0; i < a->n; i++)
			if (is_ours(conf, a->records[i].ip))
				return true;
	return false;
}

static bool is_own(const struct mx_conf *conf, const struct lookup *l)
{
	if (conf->own_host.n && str_ieq(without_dot(conf->own_host), l->name))
		return true;
	return answer_has_own(conf, l->a) || answer_has_own(conf, l->aaaa);
}

/* RFC 5321 5.1: a host that finds itself in the list leaves out itself and all that are not better, or
 * mail would go round in circles. */
static void drop_from_own(struct search *s, size_t *n)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!is_own(s->conf, &s->lookups[i]))
			continue;
		s->out->has_own = true;
		uint16_t limit = s->lookups[i].preference;
		size_t keep = 0;
		while (keep < s->n && s->lookups[keep].preference < limit)
			keep++;
		*n = keep;
		return;
	}
}

static void take_addresses(struct search *s, struct mx_host *host, const struct dns_answer *a)
{
	if (!a)
		return;
	if (is_trouble(a)) {
		host->is_unresolved = true;
		if (!s->trouble.n)
			s->trouble = trouble_text(s->arena, a);
		return;
	}
	if (a->outcome != DNS_FOUND)
		return;
	if (a->ttl < s->out->ttl)
		s->out->ttl = a->ttl;
	for (size_t i = 0; i < a->n; i++) {
		struct ip ip = a->records[i].ip;
		if (!mx_may_dial(s->conf, ip))
			s->out->unusable++;
		else if (ip.family == 6 && !s->conf->use_ipv6)
			s->has_ipv6_only = true;
		else if (host->n_ips < MX_IPS_MAX)
			host->ips[host->n_ips++] = ip;
	}
}

static void take_host(struct search *s, const struct lookup *l)
{
	struct mx_host host = {
		.name = arena_str(s->arena, l->name),
		.preference = l->preference,
		.ips = arena_alloc(s->arena, MX_IPS_MAX * sizeof(struct ip)),
	};
	take_addresses(s, &host, l->a);
	take_addresses(s, &host, l->aaaa);
	if (host.n_ips || host.is_unresolved)
		s->out->hosts[s->out->n++] = host;
}

static bool has_address(const struct mx_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->hosts[i].n_ips)
			return true;
	return false;
}

/* Absence is only claimed when every answer was certain. */
static void decide(struct search *s)
{
	struct mx_list *out = s->out;
	if (has_address(out)) {
		out->outcome = MX_FOUND;
	} else if (s->trouble.n) {
		out->outcome = MX_TEMPORARY;
		out->why = s->trouble;
	} else if (s->has_ipv6_only) {
		out->is_ipv6_only = true;
		out->outcome = MX_TEMPORARY;
		out->why = STR("reachable by IPv6 only, which is not in use here");
	} else if (out->has_own) {
		out->outcome = MX_UNUSABLE;
		out->why = STR("its best mail server is this host");
	} else if (out->is_implicit && !out->unusable) {
		out->outcome = MX_NO_DOMAIN;
	} else {
		out->outcome = MX_UNUSABLE;
		out->why = out->unusable ? STR("its mail servers are at addresses that are never dialled")
		                         : STR("its mail servers have no address");
	}
}

static WAITS bool resolve_hosts(struct search *s, struct err *err)
{
	s->out->hosts = arena_alloc(s->arena, s->n * sizeof(struct mx_host) + 1);
	if (!lookup_all(s, err)) {
		search_release(s);
		return false;
	}
	size_t n = s->n;
	drop_from_own(s, &n);
	for (size_t i = 0; i < n; i++)
		take_host(s, &s->lookups[i]);
	search_release(s);
	decide(s);
	return true;
}

static void search_add(struct search *s, struct str name, uint16_t preference)
{
	s->lookups[s->n++] = (struct lookup){
		.resolver = s->resolver,
		.name = arena_lower(s->arena, without_dot(name)),
		.preference = preference,
		.wants_ipv6 = s->conf->use_ipv6,
	};
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": its own host (RFC 5321 4.1.3). */
static bool find_literal(const struct mx_conf *conf, struct str domain, struct arena *arena, struct mx_list *out)
{
	if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	struct str inside = str_slice(domain, 1, domain.n - 1);
	if (str_istarts(inside, STR("IPv6:")))
		inside = str_skip(inside, 5);
	struct ip ip;
	if (!ip_parse(inside, &ip)) {
		out->outcome = MX_NO_DOMAIN;
		return true;
	}
	if (!mx_may_dial(conf, ip)) {
		out->has_own = is_ours(conf, ip);
		out->unusable = 1;
		out->outcome = MX_UNUSABLE;
		out->why = out->has_own ? STR("the address is this host's")
		                        : STR("the address is never dialled");
		return true;
	}
	out->hosts = arena_new(arena, struct mx_host);
	out->hosts[0] = (struct mx_host){.name = arena_str(arena, domain), .ips = arena_new(arena, struct ip), .n_ips = 1};
	out->hosts[0].ips[0] = ip;
	out->n = 1;
	out->ttl = 3600;
	out->outcome = MX_FOUND;
	return true;
}

/* RFC 7505 3: "." alone says that no mail is taken; beside other records it is a mistake and does not count. */
static void take_mx_records(struct search *s, const struct dns_answer *mx)
{
	s->out->ttl = mx->ttl;
	for (size_t i = 0; i < mx->n && s->n < MX_HOSTS_MAX; i++)
		if (without_dot(mx->records[i].mx.host).n > 0)
			search_add(s, mx->records[i].mx.host, mx->records[i].mx.preference);
	if (s->n == 0)
		s->out->outcome = MX_NULL;
}

bool mx_find(struct resolver *r, const struct mx_conf *conf, struct str domain, struct arena *arena,
             struct mx_list *out, struct err *err)
{
	struct mx_list list = {0};
	if (find_literal(conf, domain, arena, &list)) {
		*out = list;
		return true;
	}
	const struct dns_answer *mx;
	if (!dns_lookup(r, domain, DNS_MX, &mx, err))
		return false;
	struct search s = {.resolver = r, .conf = conf, .arena = arena, .out = &list};
	s.lookups = arena_alloc(arena, MX_HOSTS_MAX * sizeof(struct lookup));
	bool goes_on = false;
	list.ttl = mx->ttl;
	switch (mx->outcome) {
	case DNS_FOUND:
		take_mx_records(&s, mx);
		goes_on = s.n > 0;
		break;
	case DNS_NODATA: /* RFC 5321 5.1: the domain is its own, implicit MX */
		list.is_implicit = goes_on = true;
		list.ttl = UINT32_MAX;
		search_add(&s, domain, 0);
		break;
	case DNS_NXDOMAIN:
		list.outcome = MX_NO_DOMAIN;
		break;
	case DNS_TEMPORARY:
	case DNS_BOGUS:
		list.outcome = MX_TEMPORARY;
		list.why = trouble_text(arena, mx);
		break;
	}
	dns_answer_release(mx);
	if (goes_on && !resolve_hosts(&s, err))
		return false;
	if (list.ttl == UINT32_MAX)
		list.ttl = 0;
	*out = list;
	return true;
}
