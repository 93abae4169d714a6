/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cancellation in every kind of wait; groups, conditions, tickets; in both worlds. */
#include "rt/test_support.h"

#include <stdlib.h>
#include <unistd.h>

/* --- cancellation, in every kind of wait --- */

enum wait_kind { W_SLEEP, W_COND, W_GROUP, W_TICKET, W_YIELD, W_OFFLOAD, W_LAST };

struct waiter {
	enum wait_kind kind;
	struct cond cond;
	struct ticket *ticket;
	bool has_ended;
	int *drops;
};

static void sleep_for_ever(void *arg)
{
	struct err err;
	assert_false(rt_sleep(USEC_DAY, "for ever", &err));
}

static void take_a_while(void *arg)
{
	usleep(20000);
}

static void count_drop(void *arg)
{
	int **drops = arg;
	++**drops;
	free(arg);
}

static bool wait_somehow(struct waiter *w, struct err *err)
{
	struct group g;
	bool ok;
	int **drops;
	switch (w->kind) {
	case W_SLEEP:
		return rt_sleep(USEC_DAY, "sleep", err);
	case W_COND:
		return cond_wait(&w->cond, "cond", err);
	case W_TICKET:
		return ticket_wait(w->ticket, err);
	case W_YIELD:
		while ((ok = rt_sleep(USEC_MS, "tick", err)) && (ok = rt_yield(err)))
			;
		return ok;
	case W_GROUP:
		group_init(&g, "inner");
		assert_true(group_go(&g, "inner", sleep_for_ever, NULL, err));
		ok = group_wait(&g, err);
		group_done(&g);
		return ok;
	default:
		drops = malloc(sizeof(*drops));
		*drops = w->drops;
		ok = rt_offload("work", take_a_while, drops, count_drop, err);
		if (ok)
			free(drops);
		return ok;
	}
}

static void waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct err err;
	assert_false(wait_somehow(w, &err));
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_true(fiber_is_cancelled());
	/* Now and for ever after, at once. */
	usec_t now = rt_now();
	for (int kind = 0; kind < W_OFFLOAD; kind++) {
		if (kind == W_GROUP) /* its child takes a turn to end */
			continue;
		w->kind = kind;
		err.kind = ERR_FAILED;
		assert_false(wait_somehow(w, &err));
		assert_int_equal(err.kind, ERR_CANCELLED);
	}
	assert_int_equal(rt_now(), now);
	w->has_ended = true;
}

static void cancels_every_wait(void *arg)
{
	int drops = 0;
	struct waiter w[W_LAST] = {0};
	struct group g;
	struct err err;
	group_init(&g, "waiters");
	for (int kind = 0; kind < W_LAST; kind++) {
		w[kind].kind = kind;
		w[kind].drops = &drops;
		w[kind].ticket = ticket_new("ticket");
		cond_init(&w[kind].cond);
		if (kind == W_OFFLOAD && rt_is_fake())
			continue; /* in line: it is done before anybody can cancel it */
		assert_true(group_go(&g, "waiter", waiter_main, &w[kind], &err));
	}
	assert_true(rt_sleep(5 * USEC_MS, "let them park", &err));
	group_cancel(&g);
	assert_false(group_go(&g, "late", waiter_main, &w[0], &err));
	assert_int_equal(err.kind, ERR_CANCELLED);
	group_done(&g);
	for (int kind = 0; kind < W_LAST; kind++) {
		assert_true(w[kind].has_ended || (kind == W_OFFLOAD && rt_is_fake()));
		ticket_unref(w[kind].ticket);
	}
	for (int i = 0; i < 200 && drops == 0 && !rt_is_fake(); i++)
		assert_true(rt_sleep(5 * USEC_MS, "the pool lets go", &err));
	assert_int_equal(drops, rt_is_fake() ? 0 : 1);
}
BOTH(cancels_every_wait)

/* A waiter of a group that is late leaves; the child goes on, and group_done ends it. */
static void group_outlives_a_late_waiter(void *arg)
{
	struct group g;
	struct deadline d;
	struct err err;
	group_init(&g, "children");
	assert_true(group_go(&g, "child", sleep_for_ever, NULL, &err));
	deadline_push(&d, 5 * USEC_MS, "patience");
	assert_false(group_wait(&g, &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(g.n, 1);
	group_done(&g);
	assert_int_equal(g.n, 0);
	deadline_pop(&d);
}
BOTH(group_outlives_a_late_waiter)

/* --- conditions --- */

struct queue {
	struct cond cond;
	int n, taken, signals;
};

static void consume(void *arg)
{
	struct queue *q = arg;
	struct err err;
	for (;;) {
		while (q->n == 0)
			if (!cond_wait(&q->cond, "queue", &err))
				return;
		q->n--;
		q->taken++;
	}
}

static void conditions_wake(void *arg)
{
	struct queue q = {0};
	struct group g;
	struct err err;
	cond_init(&q.cond);
	group_init(&g, "consumers");
	for (int i = 0; i < 3; i++)
		assert_true(group_go(&g, "consumer", consume, &q, &err));
	for (int i = 0; i < 100; i++) {
		q.n++;
		if (i % 10 == 0)
			cond_broadcast(&q.cond);
		else
			cond_signal(&q.cond);
		assert_true(rt_yield(&err));
	}
	assert_true(rt_sleep(USEC_MS, "rest", &err));
	assert_int_equal(q.taken, 100);
	group_done(&g);
}
BOTH(conditions_wake)

static void take_one(void *arg)
{
	struct queue *q = arg;
	struct err err;
	q->signals += cond_wait(&q->cond, "one", &err);
}

/* Two wait, one is signalled and cancelled in the same turn: it still reports its signal. */
static void signal_before_cancel_is_seen(void *arg)
{
	struct queue q = {0};
	struct group a, b;
	struct err err;
	cond_init(&q.cond);
	group_init(&a, "a");
	group_init(&b, "b");
	assert_true(group_go(&a, "first", take_one, &q, &err));
	assert_true(rt_sleep(USEC_MS, "park", &err));
	assert_true(group_go(&b, "second", take_one, &q, &err));
	assert_true(rt_sleep(USEC_MS, "park", &err));
	cond_signal(&q.cond);
	group_cancel(&a);
	group_done(&a);
	assert_int_equal(q.signals, 1);
	cond_signal(&q.cond);
	assert_true(group_wait(&b, &err));
	assert_int_equal(q.signals, 2);
}
BOTH(signal_before_cancel_is_seen)

/* --- tickets --- */

struct work {
	struct ticket *ticket;
	usec_t takes;
};

static int freed;
static void free_counted(void *p)
{
	freed++;
	free(p);
}

static void work(void *arg)
{
	struct work *w = arg;
	struct err err;
	int *result = malloc(sizeof(*result));
	*result = 42;
	assert_true(rt_sleep(w->takes, "work", &err));
	ticket_complete(w->ticket, result, free_counted);
	ticket_unref(w->ticket);
}

static void tickets_survive_either_end(void *arg)
{
	struct group root;
	struct deadline d;
	struct err err;
	group_init(&root, "service");
	freed = 0;
	for (int i = 0; i < 2; i++) {
		/* i = 0: the worker is in time; 1: the asker leaves, the work goes on */
		struct ticket *t = ticket_new("answer");
		struct work w = {ticket_ref(t), i ? 30 * USEC_MS : USEC_MS};
		assert_true(group_go(&root, "worker", work, &w, &err));
		deadline_push(&d, i ? 5 * USEC_MS : USEC_MIN, "the asker's patience");
		bool ok = ticket_wait(t, &err);
		deadline_pop(&d);
		assert_int_equal(ok, i == 0);
		assert_int_equal(ticket_is_complete(t), i == 0);
		assert_true(i ? ticket_result(t) == NULL : *(int *)ticket_result(t) == 42);
		if (i)
			assert_string_equal(err.text, "timed out after 5 ms: the asker's patience");
		ticket_unref(t);
		assert_true(group_wait(&root, &err));
		assert_int_equal(freed, i + 1);
	}
	ticket_unref(NULL);
	group_done(&root);
}
BOTH(tickets_survive_either_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TESTS(cancels_every_wait),
		TWO_TESTS(group_outlives_a_late_waiter),
		TWO_TESTS(conditions_wake),
		TWO_TESTS(signal_before_cancel_is_seen),
		TWO_TESTS(tickets_survive_either_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
