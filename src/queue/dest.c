/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a recipient domain to its site: by route, or by the MX records. */
#include "queue/inside.h"

#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKUPS_MAX   64
#define LOOKUP_WAIT   (60 * USEC_S)
#define KNOWN_LEAST   (30 * USEC_S)
#define KNOWN_MOST    USEC_HOUR
#define KNOWN_ROUTE   USEC_DAY
#define VERDICT_KNOWN (5 * USEC_S) /* a sentence on a domain is passed for the jobs at hand */
#define LINGER        (5 * USEC_MIN)

/* --- destinations --- */

struct dest *dest_get(struct queue *q, struct str domain)
{
	struct dest *d = map_get(&q->dests, domain);
	if (!d) {
		d = mem_new(struct dest);
		d->domain = mem_cstr(domain);
		d->queue = q;
		list_init(&d->pending);
		link_init(&d->turn);
		map_put(&q->dests, domain, d);
	}
	d->jobs++;
	return d;
}

/* It stays for a while: the next mail for the domain is likely. The sweep takes it away. */
void dest_unref(struct dest *d)
{
	assert(d->jobs > 0);
	d->jobs--;
}

static void leave_site(struct dest *d)
{
	if (d->site)
		d->site->dests--;
	d->site = NULL;
}

static void dest_free(struct dest *d)
{
	leave_site(d);
	link_remove(&d->turn);
	map_remove(&d->queue->dests, str_from(d->domain));
	free(d->domain);
	free(d);
}

void dest_sweep(struct queue *q)
{
	size_t at = 0;
	struct str key;
	void *value;
	while (map_next(&q->dests, &at, &key, &value)) {
		struct dest *d = value;
		if (d->jobs == 0 && !d->is_looked_up && rt_now() > d->expires + LINGER)
			dest_free(d);
	}
	at = 0;
	while (map_next(&q->sites, &at, &key, &value))
		if (site_is_idle(value))
			site_free(value);
}

void dest_free_all(struct queue *q)
{
	size_t at = 0;
	struct str key;
	void *value;
	while (map_next(&q->dests, &at, &key, &value))
		dest_free(value);
	at = 0;
	while (map_next(&q->sites, &at, &key, &value))
		site_free(value);
}

/* --- what the look-up ends in --- */

static void release_pending(struct dest *d)
{
	struct list pending;
	list_init(&pending);
	for (struct link *l; (l = list_pop_front(&d->pending));)
		list_push_back(&pending, l);
	for (struct link *l; (l = list_pop_front(&pending));) {
		struct job *job = container_of(l, struct job, link);
		job->state = JOB_RESTING;
		site_add(d->site, job);
	}
}

/* Jobs that wait at the former site stay there. */
static void lead_to(struct dest *d, struct site *s, usec_t known)
{
	if (d->site != s) {
		leave_site(d);
		s->dests++;
		d->site = s;
	}
	d->expires = rt_now() + known;
	d->generation = d->queue->generation;
}

static void lead_nowhere(struct dest *d, int code, unsigned subject, unsigned detail, enum cause_id cause, struct str text)
{
	auto_arena struct arena arena = {.max = 4096};
	struct str key = arena_printf(&arena, "nowhere:%s", d->domain);
	struct site *s = site_get(d->queue, key, SITE_NOWHERE);
	free(s->verdict_text);
	s->verdict_text = mem_cstr(text);
	s->verdict = (struct reply){
		.code = code,
		.enhanced = {(uint8_t)(code / 100), (uint16_t)subject, (uint16_t)detail},
		.text = str_from(s->verdict_text),
	};
	s->verdict_cause = cause;
	s->limit = 4;
	site_set_hosts(s, NULL, 0, str_from(d->domain));
	lead_to(d, s, VERDICT_KNOWN);
}

/* --- routes with a next hop --- */

struct hop {
	enum route_kind kind;
	char *text;            /* the route's words, copied: what the rest points into */
	struct next_hop parsed;
	bool require_tls;
	int64_t limit;
};

static struct site *hop_site(struct queue *q, const struct hop *hop)
{
	auto_arena struct arena arena = {.max = 4096};
	bool is_lmtp = hop->kind == ROUTE_LMTP;
	struct str key = arena_printf(&arena, "%s%s%s:%u", is_lmtp ? "lmtp:" : "smtp:", hop->require_tls ? "!" : "",
	                              hop->text, hop->parsed.port);
	struct site *s = site_get(q, key, is_lmtp ? SITE_LMTP : SITE_SMTP);
	s->port = hop->parsed.port;
	s->require_tls = hop->require_tls;
	s->limit = hop->limit;
	return s;
}

/* RFC 5321 6.3, RFC 3463 X.4.6: a next hop that is this very door. */
static bool is_ourselves(struct queue *q, const struct hop *hop, struct ip ip)
{
	return hop->kind == ROUTE_SMTP && hop->parsed.port == q->settings->conf.port &&
	       ip_set_has(&q->deps.own_addresses, ip);
}

static void loops(struct dest *d)
{
	lead_nowhere(d, 554, 4, 6, CAUSE_LOOP, STR("mail for this domain would come back to this host"));
}

static void lead_to_hop(struct dest *d, const struct hop *hop, struct mx_host *host, usec_t known)
{
	if (host->n_ips && is_ourselves(d->queue, hop, host->ips[0])) {
		loops(d);
		return;
	}
	struct site *s = hop_site(d->queue, hop);
	site_set_hosts(s, host, 1, str_from(hop->text));
	lead_to(d, s, known);
}

/* A socket or an address needs no look-up. */
static bool lead_to_literal(struct dest *d, const struct hop *hop)
{
	struct ip ip = hop->parsed.ip;
	struct mx_host host = {.name = hop->parsed.host, .ips = &ip, .n_ips = 1};
	if (hop->parsed.path.n)
		host.name = str_from(hop->text);
	else if (ip.family == 0 && str_ieq(hop->parsed.host, STR("localhost")))
		ip = (struct ip){.family = 4, .b = {127, 0, 0, 1}};
	else if (ip.family == 0)
		return false;
	lead_to_hop(d, hop, &host, KNOWN_ROUTE);
	return true;
}

static usec_t known_for(uint32_t ttl)
{
	usec_t known = (usec_t)ttl * USEC_S;
	return known < KNOWN_LEAST ? KNOWN_LEAST : known > KNOWN_MOST ? KNOWN_MOST : known;
}

static void take_ips(struct mx_host *host, const struct dns_answer *a, uint32_t *ttl)
{
	if (a->outcome == DNS_FOUND)
		for (size_t i = 0; i < a->n && host->n_ips < MX_IPS_MAX; i++)
			host->ips[host->n_ips++] = a->records[i].ip;
	else if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS)
		host->is_unresolved = true;
	if (a->outcome == DNS_FOUND && a->ttl < *ttl)
		*ttl = a->ttl;
}

/* The administrator's name: any address it has is meant. */
static WAITS bool look_up_hop(struct dest *d, const struct hop *hop, struct err *err)
{
	struct ip ips[MX_IPS_MAX];
	struct mx_host host = {.name = hop->parsed.host, .ips = ips};
	uint32_t ttl = UINT32_MAX;
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	for (size_t i = 0; i < 2; i++) {
		const struct dns_answer *a;
		if (!dns_lookup(d->queue->deps.resolver, hop->parsed.host, types[i], &a, err))
			return false;
		take_ips(&host, a, &ttl);
		dns_answer_release(a);
	}
	if (host.n_ips)
		lead_to_hop(d, hop, &host, known_for(ttl));
	else /* its own configuration is wrong or its DNS is: either way the mail waits until somebody has mended it */
		lead_nowhere(d, 451, 4, 4, CAUSE_RCPT_DNS,
		             host.is_unresolved ? STR("the next hop of this domain cannot be looked up now")
		                                : STR("the next hop of this domain has no address"));
	return true;
}

/* --- MX --- */

static int compare_names(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The same set of hosts is the same site, in whatever order they came. */
static struct str mx_key(struct arena *arena, const struct mx_list *list, bool require_tls)
{
	struct str *names = arena_alloc(arena, list->n * sizeof(*names));
	struct buf key;
	buf_init(&key, 8192);
	for (size_t i = 0; i < list->n; i++)
		names[i] = list->hosts[i].name;
	qsort(names, list->n, sizeof(*names), compare_names);
	buf_str(&key, require_tls ? STR("mx:!") : STR("mx:"));
	for (size_t i = 0; i < list->n; i++)
		buf_printf(&key, " %.*s", STR_ARG(names[i]));
	struct str copy = arena_str(arena, buf_view(&key));
	buf_done(&key);
	return copy;
}

static void lead_to_mx(struct dest *d, const struct mx_list *list, bool require_tls, const struct settings *settings,
                       struct arena *arena)
{
	struct site *s = site_get(d->queue, mx_key(arena, list, require_tls), SITE_SMTP);
	struct str name = list->hosts[0].name;
	if (list->n > 1)
		name = arena_printf(arena, "%.*s and %zu more", STR_ARG(name), list->n - 1);
	s->port = (uint16_t)settings->conf.port;
	s->require_tls = require_tls;
	s->limit = settings->conf.per_site;
	site_set_hosts(s, list->hosts, list->n, name);
	lead_to(d, s, known_for(list->ttl));
}

static void take_mx(struct dest *d, const struct mx_list *list, bool require_tls, const struct settings *settings,
                    struct arena *arena)
{
	switch (list->outcome) {
	case MX_FOUND:
		lead_to_mx(d, list, require_tls, settings, arena);
		break;
	case MX_NULL: /* RFC 7505 4.2 */
		lead_nowhere(d, 556, 1, 10, CAUSE_NO_DOMAIN, STR("the domain accepts no mail (null MX)"));
		break;
	case MX_NO_DOMAIN:
		lead_nowhere(d, 550, 1, 2, CAUSE_NO_DOMAIN, STR("the domain does not exist or has no mail server"));
		break;
	case MX_UNUSABLE:
		if (list->has_own)
			loops(d);
		else
			lead_nowhere(d, 550, 4, 4, CAUSE_NO_DOMAIN, list->why);
		break;
	case MX_TEMPORARY:
		lead_nowhere(d, 451, 4, 3, CAUSE_RCPT_DNS, list->why);
		break;
	}
}

static WAITS bool look_up_mx(struct dest *d, bool require_tls, struct settings *settings, struct err *err)
{
	struct queue *q = d->queue;
	auto_arena struct arena arena;
	struct mx_list list;
	struct mx_conf conf = {
		.port = (uint16_t)settings->conf.port,
		.dial_networks = settings->conf.dial_networks,
		.own_addresses = q->deps.own_addresses,
		.use_ipv6 = settings->conf.use_ipv6,
		.own_host = q->deps.host,
	};
	arena_init(&arena, 262144);
	if (!mx_find(q->deps.resolver, &conf, str_from(d->domain), &arena, &list, err))
		return false;
	take_mx(d, &list, require_tls, settings, &arena);
	return true;
}

/* --- the way of a job --- */

static bool copy_hop(const struct route_conf *route, struct hop *hop)
{
	struct err err;
	*hop = (struct hop){.kind = (enum route_kind)route->kind, .text = mem_cstr(route->next_hop),
		.require_tls = route->require_tls, .limit = route->concurrency};
	if (next_hop_parse(str_from(hop->text), hop->kind, &hop->parsed, &err))
		return true;
	free(hop->text);
	return false;
}

static void lead_to_maildir(struct dest *d, const struct route_conf *route)
{
	auto_arena struct arena arena = {.max = 8192};
	struct str key = arena_printf(&arena, "maildir:%.*s", STR_ARG(route->maildir));
	struct site *s = site_get(d->queue, key, SITE_MAILDIR);
	s->limit = route->concurrency;
	s->maildir = str_skip(str_from(s->key), 8);
	if (!s->name)
		site_set_hosts(s, NULL, 0, route->maildir);
	lead_to(d, s, KNOWN_ROUTE);
}

/* What the configuration alone decides; no wait. */
static bool lead_by_route(struct dest *d, const struct route_conf *route)
{
	struct hop hop;
	if (d->domain[0] == '\0') {
		lead_nowhere(d, 553, 1, 3, CAUSE_PROTOCOL, STR("not an address that mail can be sent to"));
		return true;
	}
	if (!route || route->kind == ROUTE_MX)
		return false;
	if (route->kind == ROUTE_MAILDIR) {
		lead_to_maildir(d, route);
		return true;
	}
	if (!copy_hop(route, &hop)) {
		lead_nowhere(d, 451, 3, 5, CAUSE_LOCAL_ERROR, STR("the route of this domain is configured wrongly"));
		return true;
	}
	bool ok = lead_to_literal(d, &hop);
	free(hop.text);
	return ok;
}

static WAITS bool look_up(struct dest *d, struct settings *settings, struct err *err)
{
	const struct route_conf *route = domains_route(settings->domains, str_from(d->domain));
	struct hop hop;
	if (!route || route->kind == ROUTE_MX)
		return look_up_mx(d, route && route->require_tls, settings, err);
	if (!copy_hop(route, &hop)) /* changed since lead_by_route looked */
		return err_temp(err, CAUSE_LOCAL_ERROR, "no usable route");
	bool ok = look_up_hop(d, &hop, err);
	free(hop.text);
	return ok;
}

static void next_look_up(struct queue *q);

void dest_look_up(void *arg)
{
	struct dest *d = arg;
	struct queue *q = d->queue;
	struct settings *settings = queue_settings_ref(q->settings);
	struct deadline deadline;
	struct err err;
	fiber_name("queue: route");
	deadline_push(&deadline, LOOKUP_WAIT, "look-up of a recipient domain");
	bool ok = look_up(d, settings, &err);
	deadline_pop(&deadline);
	queue_settings_unref(settings);
	d->is_looked_up = false;
	q->lookups--;
	if (!ok && err.kind != ERR_CANCELLED) {
		lead_nowhere(d, 451, 4, 3, CAUSE_RCPT_DNS, STR("the recipient domain cannot be looked up now"));
		ok = true;
	}
	if (ok) {
		release_pending(d);
		next_look_up(q);
	}
	cond_broadcast(&q->settled);
}

static void start_look_up(struct dest *d)
{
	struct queue *q = d->queue;
	struct err err;
	q->lookups++;
	if (group_go(q->deps.root, "queue look-up", dest_look_up, d, &err))
		return;
	q->lookups--;
	d->is_looked_up = false;
	if (err.kind == ERR_CANCELLED)
		return; /* the process ends; the spool remembers */
	lead_nowhere(d, 451, 3, 2, CAUSE_OVERLOAD, STR("no memory for a look-up just now"));
	release_pending(d);
}

static void next_look_up(struct queue *q)
{
	while (q->lookups < LOOKUPS_MAX && !q->is_draining) {
		struct link *l = list_pop_front(&q->lookups_waiting);
		if (!l)
			return;
		start_look_up(container_of(l, struct dest, turn));
	}
}

static bool knows_its_site(const struct dest *d)
{
	return d->site && d->generation == d->queue->generation && d->expires > rt_now();
}

void job_ready(struct job *job)
{
	struct dest *d = job->dest;
	struct queue *q = d->queue;
	if (job->message->is_on_hold || job->message->is_removed || q->is_draining)
		return;
	if (!knows_its_site(d) && !d->is_looked_up) {
		const struct route_conf *route = domains_route(q->settings->domains, str_from(d->domain));
		if (!lead_by_route(d, route)) {
			d->is_looked_up = true;
			list_push_back(&q->lookups_waiting, &d->turn);
		}
	}
	if (!d->is_looked_up) {
		site_add(d->site, job);
		return;
	}
	job->state = JOB_PENDING;
	list_push_back(&d->pending, &job->link);
	next_look_up(q);
}
