/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages under way at the policy door: bounded, stored when they are quiet, forgotten when they are old. */
#include "gate/policy_messages.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define MESSAGES_MAX     20000
#define OPEN_MAX         2000             /* with their trails */
#define STORE_AFTER      USEC_S
#define SETTLE_AFTER     USEC_MIN
#define MESSAGE_LIFE     (10 * USEC_MIN)  /* Postfix waits five minutes for each piece of a message */
#define CASE_MEMORY      (256 << 10)
#define RECIPIENTS_BYTES 4096

const char *policy_action_name(enum policy_action a)
{
	static const char *const names[] = {"dunno", "prepend", "defer_if_permit", "refuse"};
	return names[a];
}

/* --- the case of an open message --- */

static void open_message(struct policy_messages *t, struct policy_message *m)
{
	struct policy_case *k = mem_new(struct policy_case);
	spool_id_text(spool_next_id(t->gate->now->deps.spool), m->ref);
	m->is_decided = m->is_refused_whole = false;
	m->verdict = VERDICT_ACCEPT;
	arena_init(&k->arena, CASE_MEMORY);
	k->set = settings_ref(t->gate->now);
	trail_init(&k->trail, &k->arena, rt_wall());
	k->trail.ref = str_from(m->ref);
	m->open_case = k;
	list_push_back(&t->open, &m->open);
	t->n_open++;
}

static void close_case(struct policy_messages *t, struct policy_message *m)
{
	struct policy_case *k = m->open_case;
	sender_check_done(&k->check);
	settings_unref(k->set);
	arena_done(&k->arena);
	free(k);
	m->open_case = NULL;
	link_remove(&m->open);
	t->n_open--;
}

/* The trail as the SMTP door keeps it: the verdict on the message, what was said, who sent it to whom. */
static void store(struct policy_message *m)
{
	struct policy_case *k = m->open_case;
	struct history *history = k->set->deps.history;
	if (k->is_stored || !k->has_begun)
		return;
	k->trail.sender = k->check.text;
	k->trail.recipients = k->recipients;
	k->trail.verdict = m->verdict;
	k->trail.reply = m->text ? str_from(m->text) : str_from(policy_action_name(POLICY_DUNNO));
	if (history)
		history_put(history, &k->trail);
	k->is_stored = true;
}

static void settle(struct policy_messages *t, struct policy_message *m)
{
	store(m);
	metric_inc(t->gate->metrics.policy_messages[m->verdict]);
	close_case(t, m);
}

/* --- the keeper --- */

static void store_quiet(struct policy_messages *t)
{
	list_each(it, &t->open) {
		struct policy_message *m = container_of(it, struct policy_message, open);
		if (m->users == 0 && m->used + STORE_AFTER <= rt_now())
			store(m);
	}
}

/* The longest unused stand first: after the first that is neither quiet nor too many there is none. */
static void settle_quiet(struct policy_messages *t)
{
	list_each(it, &t->open) {
		struct policy_message *m = container_of(it, struct policy_message, open);
		if (m->used + SETTLE_AFTER > rt_now() && t->n_open < OPEN_MAX)
			return;
		if (m->users == 0)
			settle(t, m);
	}
}

static void forget(struct policy_messages *t, struct policy_message *m)
{
	if (m->open_case)
		settle(t, m);
	map_remove(&t->by_key, m->key);
	link_remove(&m->link);
	t->n--;
	free(m->text);
	free(m);
}

/* One step for each new message: the table stays within its bound without ever being walked. */
static void forget_old(struct policy_messages *t)
{
	for (int i = 0; i < 2 && !list_is_empty(&t->all); i++) {
		struct policy_message *m = container_of(list_first(&t->all), struct policy_message, link);
		if (m->users > 0 || (t->n <= MESSAGES_MAX && m->used + MESSAGE_LIFE > rt_now()))
			return;
		forget(t, m);
	}
}

WAITS static void keep(void *arg)
{
	struct policy_messages *t = arg;
	struct err err;
	while (!list_is_empty(&t->open) && rt_sleep(STORE_AFTER, "trails to store", &err)) {
		store_quiet(t);
		settle_quiet(t);
	}
	t->is_keeping = false;
}

/* --- taking and giving back --- */

static struct policy_message *message_new(struct policy_messages *t, struct str key)
{
	struct policy_message *m = mem_alloc(sizeof *m + key.n);
	memcpy(m->key_bytes, key.p, key.n);
	m->key = (struct str){m->key_bytes, key.n};
	cond_init(&m->answered);
	link_init(&m->open);
	map_put(&t->by_key, m->key, m);
	list_push_back(&t->all, &m->link);
	t->n++;
	return m;
}

struct policy_message *policy_message_take(struct policy_messages *t, struct str key, bool has_recipient)
{
	struct policy_message *m = map_get(&t->by_key, key);
	struct err err;
	if (!m) {
		forget_old(t);
		m = message_new(t, key);
	}
	/* Recipients without end: what they took goes, and the next ones get a trail of their own. */
	if (m->open_case && m->users == 0 && arena_is_full(&m->open_case->arena))
		settle(t, m);
	m->users++;
	if (!m->open_case && (has_recipient || !m->is_decided)) {
		if (t->n_open >= OPEN_MAX)
			settle_quiet(t);
		open_message(t, m);
	}
	if (!t->is_keeping && !list_is_empty(&t->open))
		t->is_keeping = group_go(&t->keeper, "policy trails", keep, t, &err);
	return m;
}

void policy_message_release(struct policy_messages *t, struct policy_message *m)
{
	assert(m->users > 0);
	m->users--;
	m->used = rt_now();
	link_remove(&m->link);
	list_push_back(&t->all, &m->link);
	if (!m->open_case)
		return;
	link_remove(&m->open);
	list_push_back(&t->open, &m->open);
}

void policy_message_decide(struct policy_message *m, enum policy_action action, enum verdict verdict, struct str text)
{
	free(m->text);
	m->text = text.n ? mem_cstr(text) : NULL;
	m->action = action;
	m->verdict = verdict;
	m->is_decided = true;
	m->open_case->is_stored = false;
}

void policy_message_add_recipient(struct policy_message *m, struct str text)
{
	struct policy_case *k = m->open_case;
	struct str *all = &k->recipients;
	size_t n = all->n + 1 + text.n;
	k->is_stored = false;
	if (n > RECIPIENTS_BYTES)
		return;
	if (n > k->recipients_room) {
		char *more = arena_alloc(&k->arena, k->recipients_room = 2 * n);
		if (all->n)
			memcpy(more, all->p, all->n);
		all->p = more;
	}
	char *end = (char *)all->p + all->n;
	if (all->n)
		*end++ = ' ';
	memcpy(end, text.p, text.n);
	all->n = (size_t)(end - all->p) + text.n;
}

/* --- the whole --- */

void policy_messages_init(struct policy_messages *t, struct gate *g)
{
	*t = (struct policy_messages){.gate = g};
	map_init(&t->by_key);
	list_init(&t->all);
	list_init(&t->open);
	group_init(&t->keeper, "policy trails");
}

void policy_messages_done(struct policy_messages *t)
{
	group_done(&t->keeper);
	group_init(&t->keeper, "policy trails"); /* tests go on after a drain */
	t->is_keeping = false;
	list_each(it, &t->all) {
		struct policy_message *m = container_of(it, struct policy_message, link);
		assert(m->users == 0);
		forget(t, m);
	}
	map_done(&t->by_key);
	map_init(&t->by_key);
}
