/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of own re-probes and the fiber that works it off. */
#include "verify/reprobe.h"

#include "base/log.h"
#include "base/mem.h"
#include "verify/service.h"
#include "verify/work.h"

#include <stdlib.h>

#define REPROBES_MAX 10000
/* Greylists let pass after five minutes as a rule, some after a quarter or half of an hour: with a first re-probe after
 * 5.5 minutes the others come at 15 and 30. In elevenths of the first. */
static const unsigned schedule[] = {11, 30, 60};
#define SCHEDULE_N (sizeof(schedule) / sizeof(*schedule))

struct entry {
	struct link link;
	usec_t due;
	struct wall first;
	unsigned attempts;
	size_t key_n;
	char key[];
};

void reprobes_init(struct reprobes *r)
{
	*r = (struct reprobes){0};
	list_init(&r->due);
	cond_init(&r->changed);
}

void reprobes_done(struct reprobes *r)
{
	struct link *l;
	while ((l = list_pop_front(&r->due)))
		free(container_of(l, struct entry, link));
	r->n = 0;
}

bool reprobe_due(usec_t retry, struct wall first, unsigned attempts, struct wall now, struct wall *due)
{
	if (attempts >= SCHEDULE_N)
		return false;
	struct wall at = wall_add(first, retry * schedule[attempts] / 11);
	usec_t least = retry * 4 / 11; /* two minutes of five and a half */
	if (wall_diff(at, now) < least)
		at = wall_add(now, least);
	*due = at;
	return true;
}

/* From behind: a new one is nearly always the last. */
static void insert(struct reprobes *r, struct entry *e)
{
	struct link *at = r->due.head.prev;
	while (at != &r->due.head && container_of(at, struct entry, link)->due > e->due)
		at = at->prev;
	e->link.prev = at;
	e->link.next = at->next;
	at->next->prev = &e->link;
	at->next = &e->link;
	r->n++;
}

static WAITS bool wait_for_first(struct reprobes *r, struct err *err)
{
	struct entry *e = container_of(list_first(&r->due), struct entry, link);
	usec_t left = e->due - rt_now();
	if (left <= 0)
		return true;
	struct deadline d;
	deadline_push(&d, left, "re-probe");
	bool ok = cond_wait(&r->changed, "next re-probe", err);
	deadline_pop(&d);
	return ok || err->kind == ERR_TIMEOUT;
}

static void start_due(struct verify *v)
{
	struct reprobes *r = &v->reprobes;
	while (!list_is_empty(&r->due)) {
		struct entry *e = container_of(list_first(&r->due), struct entry, link);
		if (e->due > rt_now())
			return;
		link_remove(&e->link);
		r->n--;
		metric_inc(v->metrics.reprobes);
		work_reprobe(v, (struct str){e->key, e->key_n}, e->first, e->attempts);
		free(e);
	}
}

static WAITS void reprobes_run(void *arg)
{
	struct verify *v = arg;
	struct err err;
	fiber_name("verify: re-probes");
	while (!list_is_empty(&v->reprobes.due) && wait_for_first(&v->reprobes, &err))
		start_due(v);
	v->reprobes.is_running = false;
}

static void ensure_running(struct verify *v)
{
	struct reprobes *r = &v->reprobes;
	struct err err;
	if (r->is_running) {
		cond_signal(&r->changed);
		return;
	}
	r->is_running = group_go(&v->group, "re-probes", reprobes_run, v, &err);
	if (!r->is_running && err.kind != ERR_CANCELLED)
		log_event(LOG_WARN_, "verify_reprobe_failed", LOG_C("why", err.text));
}

void reprobe_plan(struct verify *v, struct str key, const struct reprobe_plan *plan)
{
	struct reprobes *r = &v->reprobes;
	if (r->n >= REPROBES_MAX)
		return;
	struct entry *e = mem_alloc(sizeof(*e) + key.n);
	usec_t left = wall_diff(plan->due, rt_wall());
	e->due = rt_now() + (left > 0 ? left : 0);
	e->first = plan->first;
	e->attempts = plan->attempts;
	e->key_n = key.n;
	memcpy(e->key, key.p, key.n);
	insert(r, e);
	ensure_running(v);
}

static void resume_one(void *arg, struct str key, struct str value, struct wall expires)
{
	struct verify *v = arg;
	struct address_record r;
	struct wall due;
	(void)expires;
	if (!address_record_decode(value, &r) || r.verdict != VERIFY_TEMPORARY || r.class != VERIFY_CLASS_DEFERRED)
		return;
	if (reprobe_due(v->conf->greylist_retry, r.first, r.attempts, rt_wall(), &due))
		reprobe_plan(v, key, &(struct reprobe_plan){due, r.first, r.attempts + 1});
}

void reprobes_resume(struct verify *v)
{
	table_each(v->cache.addresses, STR_NONE, resume_one, v);
}
