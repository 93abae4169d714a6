/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single-flight: works by address, flights by target, and the fiber of a flight. */
#include "verify/work.h"

#include "base/mem.h"
#include "verify/answer.h"
#include "verify/session.h"

#include <stdio.h>
#include <stdlib.h>

#define HOP_SHARDS 8 /* sessions side by side to one next hop of our own */

/* --- works --- */

static struct work *work_new(struct verify *v, struct str key, const struct address *a)
{
	struct work *w = mem_new(struct work);
	arena_init(&w->arena, 4096);
	w->v = v;
	w->key = arena_str(&w->arena, key);
	w->address = *a;
	w->address.local = arena_str(&w->arena, a->local);
	w->address.domain = arena_str(&w->arena, a->ascii_domain);
	w->address.ascii_domain = w->address.domain;
	w->ticket = ticket_new("verify");
	w->begun = rt_now();
	w->first = rt_wall();
	link_init(&w->in_flight);
	map_put(&v->works, w->key, w);
	return w;
}

void work_complete(struct work *w, const struct verify_answer *a, struct str head, struct str tail)
{
	struct verify *v = w->v;
	metric_inc(v->metrics.verdicts[a->verdict]);
	metric_observe(v->metrics.took, rt_now() - w->begun);
	if (a->verdict == VERIFY_SKIPPED)
		metric_inc(v->metrics.skips[a->skip]);
	link_remove(&w->in_flight);
	map_remove(&v->works, w->key);
	ticket_complete(w->ticket, answer_new(a, head, tail), answer_free);
	ticket_unref(w->ticket);
	arena_done(&w->arena);
	free(w);
}

size_t works_count(const struct verify *v)
{
	return v->works.n;
}

/* --- flights --- */

static void flight_free(struct flight *f)
{
	free(f->text);
	free(f);
}

static struct flight *flight_new(struct verify *v, struct str key, const struct verify_next_hop *hop)
{
	struct flight *f = mem_new(struct flight);
	size_t host_n = hop ? hop->host.n : 0;
	f->v = v;
	f->text = mem_alloc(key.n + host_n + 1);
	memcpy(f->text, key.p, key.n);
	f->key = (struct str){f->text, key.n};
	list_init(&f->waiting);
	if (hop) {
		f->is_hop = true;
		f->hop = *hop;
		if (host_n)
			memcpy(f->text + key.n, hop->host.p, host_n);
		f->hop.host = (struct str){f->text + key.n, host_n};
	}
	map_put(&v->flights, f->key, f);
	return f;
}

static void expire(struct flight *f, const struct verify_conf *conf)
{
	struct verify_answer a = {
		.verdict = VERIFY_TEMPORARY,
		.class = VERIFY_CLASS_NO_ANSWER,
		.cause = CAUSE_OVERLOAD,
		.retry_after = USEC_MIN,
	};
	list_each(l, &f->waiting) {
		struct work *w = container_of(l, struct work, in_flight);
		a.took = rt_now() - w->begun;
		a.checked = rt_wall();
		if (fiber_is_cancelled() || a.took >= conf->work)
			work_complete(w, &a, STR_NONE, STR_NONE);
	}
}

/* One session after the other while addresses wait. What waited as long as a whole work may take is not begun. */
static WAITS void flight_run(void *arg)
{
	struct flight *f = arg;
	fiber_name("verify");
	while (!list_is_empty(&f->waiting)) {
		const struct verify_conf *conf = f->v->conf;
		struct deadline d;
		expire(f, conf);
		if (list_is_empty(&f->waiting))
			break;
		deadline_push(&d, conf->work, "verification");
		probe_session_run(f, conf);
		deadline_pop(&d);
	}
	map_remove(&f->v->flights, f->key);
	flight_free(f);
}

/* Own next hops take several sessions side by side; strangers one for each domain. */
static struct str flight_key(struct arena *arena, const struct work *w, const struct verify_next_hop *hop)
{
	char ip[IP_TEXT_MAX];
	if (!hop)
		return w->address.ascii_domain;
	struct str at = hop->ip.family ? ip_text(hop->ip, ip) : hop->host;
	return arena_printf(arena, "→[%.*s]:%u#%u", STR_ARG(at), hop->port, (unsigned)(str_hash(w->key) % HOP_SHARDS));
}

static void work_begin(struct work *w, const struct verify_next_hop *hop)
{
	struct verify *v = w->v;
	struct str key = flight_key(&w->arena, w, hop);
	struct flight *f = map_get(&v->flights, key);
	struct err err;
	metric_inc(v->metrics.asked);
	if (f) {
		w->flight = f;
		list_push_back(&f->waiting, &w->in_flight);
		return;
	}
	f = flight_new(v, key, hop);
	w->flight = f;
	list_push_back(&f->waiting, &w->in_flight);
	if (group_go(&v->group, "verify", flight_run, f, &err))
		return;
	struct verify_answer a = {
		.verdict = VERIFY_TEMPORARY,
		.class = VERIFY_CLASS_NO_ANSWER,
		.cause = err.kind == ERR_CANCELLED ? CAUSE_MAINTENANCE : CAUSE_OVERLOAD,
		.retry_after = USEC_MIN,
	};
	work_complete(w, &a, STR_NONE, STR_NONE);
	map_remove(&v->flights, f->key);
	flight_free(f);
}

struct ticket *work_join(struct verify *v, struct str key, const struct address *a, const struct evidence *e,
                         const struct verify_next_hop *hop)
{
	struct work *w = map_get(&v->works, key);
	if (w) {
		metric_inc(v->metrics.joined);
		w->is_vouched |= e && evidence_is_vouched(e);
		w->is_background = false;
		return ticket_ref(w->ticket);
	}
	w = work_new(v, key, a);
	if (e) {
		w->client = e->client;
		w->is_vouched = evidence_is_vouched(e);
	}
	struct ticket *t = ticket_ref(w->ticket);
	work_begin(w, hop);
	return t;
}

void work_reprobe(struct verify *v, struct str key, struct wall first, unsigned attempts)
{
	size_t at = str_rfind_char(key, '@');
	struct address a = {.local = str_slice(key, 0, at), .ascii_domain = str_skip(key, at + 1)};
	struct verify_answer known;
	if (at == key.n || map_get(&v->works, key))
		return;
	if (!verify_lookup_at(v, key, rt_wall(), &known) || known.verdict != VERIFY_TEMPORARY)
		return; /* answered or flushed meanwhile */
	struct work *w = work_new(v, key, &a);
	w->is_background = true;
	w->is_vouched = true; /* a flood of forged senders must not keep our own question waiting */
	w->first = first;
	w->attempts = attempts;
	work_begin(w, NULL);
}
