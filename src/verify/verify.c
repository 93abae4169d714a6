/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service as others see it: start, finish, look up, open, close. */
#include "verify/service.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "verify/answer.h"
#include "verify/plan.h"
#include "verify/work.h"

#include <stdio.h>
#include <stdlib.h>

#define WORKS_MAX     5000           /* addresses under way at once */
#define RUNNING_RETRY USEC_MIN
#define FOR_EVER      (36500 * USEC_DAY)

/* --- asking --- */

bool verify_lookup_at(struct verify *v, struct str key, struct wall now, struct verify_answer *out)
{
	struct address_record r;
	struct domain_record d;
	bool has_address = cache_address(&v->cache, key, &r);
	if (has_address && r.verdict != VERIFY_TEMPORARY) {
		answer_of_record(&r, now, out);
		return true;
	}
	size_t at = str_rfind_char(key, '@');
	if (at < key.n) {
		cache_domain(&v->cache, str_skip(key, at + 1), now, &d);
		if (answer_of_domain(&d, now, out))
			return true;
	}
	if (has_address)
		answer_of_record(&r, now, out);
	return has_address;
}

bool verify_lookup(struct verify *v, struct str address_key, struct verify_answer *out)
{
	if (!verify_lookup_at(v, address_key, rt_wall(), out))
		return false;
	metric_inc(v->metrics.cached);
	return true;
}

static bool lookup_pattern(struct verify *v, struct str key, struct verify_answer *out)
{
	struct wall checked;
	if (!patterns_trust(&v->patterns, key, &checked))
		return false;
	*out = (struct verify_answer){.verdict = VERIFY_EXISTS, .is_cached = true, .checked = checked};
	answer_set_said(out, STR("other addresses of this pattern were found to exist"));
	metric_inc(v->metrics.cached);
	return true;
}

static struct ticket *skipped(struct verify *v, enum verify_skip skip)
{
	struct verify_answer a = {.verdict = VERIFY_SKIPPED, .skip = skip, .checked = rt_wall()};
	metric_inc(v->metrics.skips[skip]);
	return answer_ticket(&a);
}

/* Not even begun: this client, or the whole machine, asks too much. */
static struct ticket *over_budget(struct verify *v)
{
	struct verify_answer a = {.verdict = VERIFY_SKIPPED, .skip = SKIP_BUDGET, .class = VERIFY_CLASS_BUSY,
	                          .cause = CAUSE_RATE_LIMIT, .retry_after = USEC_MIN, .checked = rt_wall()};
	metric_inc(v->metrics.skips[SKIP_BUDGET]);
	if (v->conf->budget_defers) {
		a.verdict = VERIFY_TEMPORARY;
		a.skip = SKIP_NONE;
	}
	answer_set_said(&a, STR("our budget for this client is used up"));
	return answer_ticket(&a);
}

struct ticket *verify_start(struct verify *v, const struct address *sender, const struct evidence *e)
{
	auto_arena struct arena arena;
	struct verify_answer a;
	arena_init(&arena, 4096);
	enum verify_skip skip = plan_skip(v, sender, e);
	if (skip != SKIP_NONE)
		return skipped(v, skip);
	struct str key = address_key(&arena, sender);
	if (verify_lookup(v, key, &a) || lookup_pattern(v, key, &a))
		return answer_ticket(&a);
	bool is_new = !map_get(&v->works, key);
	if (is_new && (works_count(v) >= WORKS_MAX || !budget_client_has(&v->budget, v->conf, e->client, rt_wall())))
		return over_budget(v);
	return work_join(v, key, sender, e, NULL);
}

/* --- answering --- */

static struct verify_answer still_running(usec_t waited)
{
	return (struct verify_answer){
		.verdict = VERIFY_TEMPORARY,
		.class = VERIFY_CLASS_NO_ANSWER,
		.cause = CAUSE_SENDER_VERIFY,
		.is_running = true,
		.took = waited,
		.retry_after = RUNNING_RETRY,
		.checked = rt_wall(),
	};
}

bool verify_wait(struct ticket *t, usec_t within, struct verify_answer *out, struct err *err)
{
	usec_t begun = rt_now();
	bool ok = ticket_is_complete(t);
	if (!ok) {
		struct deadline d;
		deadline_push(&d, within, "verification");
		ok = ticket_wait(t, err);
		deadline_pop(&d);
		if (!ok && err->kind != ERR_TIMEOUT)
			return false;
	}
	if (ok)
		*out = *(const struct verify_answer *)ticket_result(t);
	else
		*out = still_running(rt_now() - begun);
	return true;
}

/* The row of failures is kept by what the client is going to hear: a 451 begins or goes on, anything else ends it. */
static void keep_failures(struct verify *v, const struct address *sender, const struct evidence *e, struct verify_answer *a)
{
	auto_arena struct arena arena;
	struct wall now = rt_wall();
	arena_init(&arena, 4096);
	if (a->verdict == VERIFY_SKIPPED)
		return;
	struct str key = address_key(&arena, sender);
	a->first_failed = (struct wall){0};
	if (verify_decide(v->conf, a, e, now) != VERIFY_DEFER) {
		cache_failures_over(&v->cache, key, e->client);
		return;
	}
	if (a->class != VERIFY_CLASS_BUSY)
		a->first_failed = cache_failed(&v->cache, key, e->client, v->conf->patience, now);
}

bool verify_finish(struct verify *v, struct ticket *t, const struct address *sender, const struct evidence *e,
                   usec_t wait_here, struct verify_answer *out, struct err *err)
{
	if (!verify_wait(t, wait_here, out, err))
		return false;
	keep_failures(v, sender, e, out);
	return true;
}

bool verify_address(struct verify *v, const struct address *a, const struct evidence *e, struct verify_answer *out,
                    struct err *err)
{
	struct ticket *t = verify_start(v, a, e);
	bool ok = verify_wait(t, v->conf->work + USEC_S, out, err);
	ticket_unref(v->shown);
	v->shown = t;
	return ok;
}

enum verify_action verify_act(struct verify *v, const struct verify_answer *a, const struct evidence *e)
{
	enum verify_action action = verify_decide(v->conf, a, e, rt_wall());
	if (v->mode == VERIFY_MODE_OFF || v->mode == VERIFY_MODE_OBSERVE)
		action = VERIFY_ACCEPT;
	else if (v->mode == VERIFY_MODE_TAG && action != VERIFY_ACCEPT)
		action = VERIFY_ACCEPT_TAG;
	metric_inc(v->metrics.actions[action]);
	return action;
}

void verify_learn_exists(struct verify *v, struct str key)
{
	struct wall now = rt_wall();
	struct address_record old;
	if (cache_address(&v->cache, key, &old) && old.verdict == VERIFY_EXISTS &&
	    wall_diff(now, old.checked) < v->conf->ttl_exists / 2)
		return; /* known, and good for long: no need to write it again */
	struct address_record r = {.verdict = VERIFY_EXISTS, .checked = now, .said = STR("accepted mail from us")};
	cache_put_address(&v->cache, key, &r, v->conf->ttl_exists, now);
}

/* --- the free certainty of DNS --- */

struct mx_conf verify_mx_conf(const struct verify *v, const struct verify_conf *conf)
{
	return (struct mx_conf){
		.port = (uint16_t)conf->port,
		.dial_networks = conf->dial_networks,
		.own_addresses = v->deps.own_addresses,
		.use_ipv6 = conf->use_ipv6,
		.own_host = v->deps.host,
	};
}

bool verify_domain(struct verify *v, const struct address *sender, enum verify_dns *out, struct str *why,
                   struct arena *arena, struct err *err)
{
	static const enum verify_dns meanings[] = {
		[MX_FOUND] = VERIFY_DNS_OK,
		[MX_NULL] = VERIFY_DNS_NULL_MX,
		[MX_NO_DOMAIN] = VERIFY_DNS_NO_DOMAIN,
		[MX_UNUSABLE] = VERIFY_DNS_UNUSABLE,
		[MX_TEMPORARY] = VERIFY_DNS_TEMPORARY,
	};
	struct mx_conf conf = verify_mx_conf(v, v->conf);
	struct mx_list mx;
	if (!mx_find(v->deps.resolver, &conf, sender->ascii_domain, arena, &mx, err))
		return false;
	*out = mx.has_own || mx.is_ipv6_only ? VERIFY_DNS_OK : meanings[mx.outcome];
	*why = mx.why;
	return true;
}

bool verify_is_own_mx(struct verify *v, struct str ascii_domain, struct ip client, bool *is, struct err *err)
{
	auto_arena struct arena arena;
	struct mx_conf conf = verify_mx_conf(v, v->conf);
	struct mx_list mx;
	arena_init(&arena, 65536);
	conf.use_ipv6 = conf.use_ipv6 || client.family == 6;
	if (!mx_find(v->deps.resolver, &conf, ascii_domain, &arena, &mx, err))
		return false;
	bool found = false;
	for (size_t i = 0; mx.outcome == MX_FOUND && i < mx.n; i++)
		for (size_t j = 0; j < mx.hosts[i].n_ips; j++)
			found |= ip_eq(mx.hosts[i].ips[j], client);
	*is = found;
	return true;
}

/* --- the service --- */

struct str verify_secret(const struct verify *v)
{
	if (v->conf->secret.n)
		return v->conf->secret;
	return (struct str){(const char *)v->secret, SECRET_N};
}

static bool load_secret(struct verify *v, struct err *err)
{
	struct table *t = store_table(v->deps.store, "verify_secret", 1, err);
	struct str value;
	if (!t)
		return false;
	if (table_get(t, STR("secret"), &value, NULL) && value.n == SECRET_N) {
		memcpy(v->secret, value.p, SECRET_N);
		return true;
	}
	random_secret(v->secret, SECRET_N);
	table_put(t, STR("secret"), (struct str){(const char *)v->secret, SECRET_N}, wall_add(rt_wall(), FOR_EVER));
	return true;
}

static void set_probe_sender(struct verify *v)
{
	struct str s = v->conf->probe_sender;
	if (s.n)
		snprintf(v->probe_sender, sizeof(v->probe_sender), "%.*s", STR_ARG(s));
	else
		snprintf(v->probe_sender, sizeof(v->probe_sender), "postern-probe@%.*s", STR_ARG(v->deps.host));
}

static bool open_memory(struct verify *v, struct err *err)
{
	return cache_open(&v->cache, v->deps.store, v->conf, err) && budget_open(&v->budget, v->deps.store, err) &&
	       breaker_open(&v->breaker, v->deps.store, err) &&
	       patterns_open(&v->patterns, v->deps.store, (size_t)v->conf->cache_domains, err) && load_secret(v, err);
}

static void service_free(struct verify *v)
{
	ticket_unref(v->shown);
	reprobes_done(&v->reprobes);
	turns_done(&v->turns);
	map_done(&v->works);
	map_done(&v->flights);
	free(v);
}

bool verify_open(const struct verify_conf *conf, const struct verify_deps *deps, struct verify **out, struct err *err)
{
	struct verify *v = mem_new(struct verify);
	v->conf = conf;
	v->deps = *deps;
	v->mode = (enum verify_mode)conf->mode;
	group_init(&v->group, "verification");
	map_init(&v->works);
	map_init(&v->flights);
	turns_init(&v->turns);
	reprobes_init(&v->reprobes);
	verify_metrics_open(&v->metrics);
	set_probe_sender(v);
	if (!open_memory(v, err)) {
		service_free(v);
		return false;
	}
	reprobes_resume(v);
	*out = v;
	return true;
}

void verify_close(struct verify *v)
{
	if (!v)
		return;
	group_done(&v->group); /* each flight completes the works it holds */
	service_free(v);
}

void verify_reconfigure(struct verify *v, const struct verify_conf *conf)
{
	if (conf->mode != v->conf->mode) /* else what was switched at run time stays */
		v->mode = (enum verify_mode)conf->mode;
	v->conf = conf;
	set_probe_sender(v);
}

void verify_set_mode(struct verify *v, enum verify_mode mode)
{
	v->mode = mode;
}

enum verify_mode verify_mode(const struct verify *v)
{
	return v->mode;
}
