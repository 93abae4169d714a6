/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fibers, time, deadlines, groups, conditions, tickets, off-loading; in both worlds. */
#include "rt/runtime.h"
#include "rt/test_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- time --- */

static void sleeps_in_order(void *arg)
{
	struct err err;
	usec_t before = rt_now();
	assert_true(rt_sleep(20 * USEC_MS, "nap", &err));
	assert_true(rt_now() - before >= 20 * USEC_MS);
	assert_near(rt_now() - before, 20 * USEC_MS, 200 * USEC_MS);
	assert_true(rt_sleep_until(before, "past", &err));
	assert_true(rt_yield(&err));
}
BOTH(sleeps_in_order)

static void five_days(void *arg)
{
	struct err err;
	struct wall before = rt_wall();
	usec_t now = rt_now();
	for (int i = 0; i < 5 * 24; i++)
		assert_true(rt_sleep(USEC_HOUR, "hour", &err));
	assert_int_equal(rt_now() - now, 5 * USEC_DAY);
	assert_int_equal(wall_diff(rt_wall(), before), 5 * USEC_DAY);
}

static void fake_time_passes_five_days(void **state)
{
	run_in(true, 1, five_days, NULL);
}

/* --- many, and their order --- */

struct many {
	int done;
	int order[64];
};

struct runner {
	struct many *many;
	int number;
};

static void run_one(void *arg)
{
	struct runner *r = arg;
	struct err err;
	assert_true(rt_yield(&err));
	assert_true(rt_sleep((r->number % 7) * USEC_MS, "one of many", &err));
	if (r->many->done < 64)
		r->many->order[r->many->done] = r->number;
	r->many->done++;
}

static void thousands(void *arg)
{
	enum { N = 5000 };
	struct many many = {0};
	struct runner *runners = calloc(N, sizeof(*runners));
	struct group g;
	struct err err;
	group_init(&g, "thousands");
	for (int i = 0; i < N; i++) {
		runners[i] = (struct runner){&many, i};
		assert_true(group_go(&g, "one", run_one, &runners[i], &err));
	}
	struct rt_stats stats;
	rt_stats(&stats);
	assert_int_equal(stats.fibers, N + 1);
	assert_true(group_wait(&g, &err));
	assert_int_equal(many.done, N);
	group_done(&g);
	rt_stats(&stats);
	assert_int_equal(stats.fibers, 1);
	assert_true(stats.stack_high_water >= 4096);
	assert_true(stats.switches >= 4 * N);
	free(runners);
}
static void thousands_real(void **state)
{
	run_in(false, 0, thousands, NULL);
}
static void thousands_fake(void **state)
{
	run_in(true, 3, thousands, NULL);
}

static void fifty(void *arg)
{
	struct many *many = arg;
	struct runner runners[50];
	struct group g;
	struct err err;
	group_init(&g, "fifty");
	for (int i = 0; i < 50; i++) {
		runners[i] = (struct runner){many, i};
		assert_true(group_go(&g, "one", run_one, &runners[i], &err));
	}
	assert_true(group_wait(&g, &err));
	group_done(&g);
}

static void seeded_order_repeats(void **state)
{
	struct many a = {0}, b = {0}, c = {0};
	run_in(true, 7, fifty, &a);
	run_in(true, 7, fifty, &b);
	run_in(true, 8, fifty, &c);
	assert_memory_equal(a.order, b.order, sizeof(a.order));
	assert_memory_not_equal(a.order, c.order, sizeof(a.order));
}

/* --- deadlines --- */

static void deadlines_nest(void *arg)
{
	struct deadline outer, inner;
	struct err err;
	usec_t start = rt_now();
	assert_int_equal(deadline_left(), INT64_MAX);
	deadline_push(&outer, 30 * USEC_MS, "the session");
	deadline_push(&inner, USEC_HOUR, "the command");
	assert_int_equal(deadline_left(), 30 * USEC_MS);
	assert_false(rt_sleep(USEC_MIN, "long", &err)); /* the outer is earlier */
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(err.cause, CAUSE_NETWORK);
	assert_true(err.is_temporary);
	assert_string_equal(err.text, "timed out after 30 ms: the session");
	assert_near(rt_now() - start, 30 * USEC_MS, 200 * USEC_MS);
	assert_false(rt_yield(&err)); /* and stays so */
	deadline_pop(&inner);
	deadline_pop(&outer);
	assert_true(rt_yield(&err));
	deadline_push(&outer, USEC_HOUR, "the session");
	deadline_push(&inner, 10 * USEC_MS, "the command");
	assert_false(rt_sleep(USEC_MIN, "long", &err));
	assert_string_equal(err.text, "timed out after 10 ms: the command");
	deadline_pop(&inner);
	assert_true(rt_sleep(USEC_MS, "short", &err));
	deadline_pop(&outer);
}
BOTH(deadlines_nest)

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

/* --- other threads --- */

struct job {
	int in, out;
	pthread_t thread;
};

static void square(void *arg)
{
	struct job *j = arg;
	j->out = j->in * j->in;
	j->thread = pthread_self();
}

static void offloads(void *arg)
{
	struct err err;
	for (int i = 0; i < 100; i++) {
		struct job *j = calloc(1, sizeof(*j));
		j->in = i;
		assert_true(rt_offload("square", square, j, free, &err));
		assert_int_equal(j->out, i * i);
		assert_true(rt_is_fake() == (bool)pthread_equal(j->thread, pthread_self()));
		free(j);
	}
}
BOTH(offloads)

/* Late: detached, and the pool lets go of the argument, though rt_run has nothing left to wait for. */
static int late_drops;
static void count_late(void *arg)
{
	late_drops++;
	free(arg);
}
static void give_up(void *arg)
{
	struct deadline d;
	struct err err;
	deadline_push(&d, USEC_MS, "patience");
	assert_false(rt_offload("slow", take_a_while, malloc(1), count_late, &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_false(rt_offload("slow", take_a_while, malloc(1), count_late, &err));
	deadline_pop(&d);
}
static void late_offload_is_dropped(void **state)
{
	late_drops = 0;
	run_in(false, 0, give_up, NULL);
	assert_int_equal(late_drops, 2);
}

struct poster {
	struct post post;
	struct cond *cond;
	int *count;
};

static void posted(struct post *post)
{
	struct poster *p = container_of(post, struct poster, post);
	++*p->count;
	cond_broadcast(p->cond);
	rt_outstanding(-1);
}

static void *poster_thread(void *arg)
{
	struct poster *posters = arg;
	for (int i = 0; i < 1000; i++) {
		if (i % 100 == 0)
			usleep(1000);
		rt_post(&posters[i].post);
	}
	return NULL;
}

static void posts_from_threads(void *arg)
{
	enum { THREADS = 3 };
	struct cond cond;
	struct err err;
	int count = 0;
	pthread_t threads[THREADS];
	struct poster *posters = calloc(THREADS * 1000, sizeof(*posters));
	usec_t before = rt_now();
	cond_init(&cond);
	for (int i = 0; i < THREADS * 1000; i++)
		posters[i] = (struct poster){.post.fn = posted, .cond = &cond, .count = &count};
	rt_outstanding(THREADS * 1000);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, poster_thread, posters + i * 1000);
	struct deadline d;
	deadline_push(&d, USEC_HOUR, "posts"); /* fake time must not jump here */
	while (count < THREADS * 1000)
		assert_true(cond_wait(&cond, "posts", &err));
	deadline_pop(&d);
	assert_true(rt_now() - before < USEC_MIN);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	free(posters);
}
BOTH(posts_from_threads)

/* --- descriptors and signals --- */

static void write_later(void *arg)
{
	struct err err;
	int *fd = arg;
	assert_true(rt_sleep(5 * USEC_MS, "later", &err));
	assert_int_equal(write(fd[1], "x", 1), 1);
}

static void waits_for_fd(void *arg)
{
	int fd[2];
	struct group g;
	struct deadline d;
	struct err err;
	assert_int_equal(pipe(fd), 0);
	group_init(&g, "writer");
	assert_true(rt_wait_fd(fd[1], 2, "writable", &err));
	assert_true(group_go(&g, "writer", write_later, fd, &err));
	assert_true(rt_wait_fd(fd[0], 1, "readable", &err));
	assert_true(rt_wait_fd(fd[0], 1, "still readable", &err));
	char c;
	assert_int_equal(read(fd[0], &c, 1), 1);
	deadline_push(&d, 5 * USEC_MS, "nothing comes");
	assert_false(rt_wait_fd(fd[0], 1, "silent", &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	deadline_pop(&d);
	group_done(&g);
	close(fd[0]);
	close(fd[1]);
}
static void foreign_descriptors(void **state)
{
	run_in(false, 0, waits_for_fd, NULL);
}

static void raise_twice(void *arg)
{
	struct err err;
	assert_true(rt_sleep(5 * USEC_MS, "later", &err));
	kill(getpid(), SIGUSR1);
	assert_true(rt_sleep(5 * USEC_MS, "later", &err));
	kill(getpid(), SIGUSR2);
}
static void waits_for_signal(void *arg)
{
	const int both[] = {SIGUSR1, SIGUSR2};
	int got = 0;
	struct group g;
	struct err err;
	group_init(&g, "raiser");
	assert_true(group_go(&g, "raiser", raise_twice, NULL, &err));
	assert_true(rt_wait_signal(both, 2, &got, &err));
	assert_int_equal(got, SIGUSR1);
	assert_true(group_wait(&g, &err)); /* SIGUSR2 comes while nobody waits for it */
	assert_true(rt_wait_signal(both, 2, &got, &err));
	assert_int_equal(got, SIGUSR2);
	group_done(&g);
}
static void signals(void **state)
{
	run_in(false, 0, waits_for_signal, NULL);
}

/* --- memory --- */

static size_t resident_pages(const struct stack *stack)
{
	unsigned char pages[64];
	size_t n = 0;
	assert_true(stack->size / 4096 <= sizeof(pages));
	assert_int_equal(mincore(stack->low, stack->size, pages), 0);
	for (size_t i = 0; i < stack->size / 4096; i++)
		n += pages[i] & 1;
	return n;
}

static int use_stack(void)
{
	volatile char much[40000];
	for (size_t i = 0; i < sizeof(much); i += 512)
		much[i] = (char)i;
	return much[1024];
}

static void deep_then_idle(void *arg)
{
	struct fiber **self = arg;
	struct err err;
	volatile int mark = 4711;
	use_stack();
	*self = fiber_self();
	assert_true(rt_sleep(1700 * USEC_MS, "idle", &err));
	assert_int_equal(mark, 4711);
}

static void idle_stacks_are_trimmed(void *arg)
{
	struct fiber *idle;
	struct group g;
	struct err err;
	struct rt_stats stats;
	group_init(&g, "idle");
	assert_true(group_go(&g, "idle", deep_then_idle, &idle, &err));
	assert_true(rt_sleep(500 * USEC_MS, "before", &err));
	size_t before = resident_pages(&idle->stack);
	assert_true(before >= 10);
	assert_true(rt_sleep(900 * USEC_MS, "after", &err));
	assert_true(resident_pages(&idle->stack) <= before - 9);
	rt_stats(&stats);
	assert_true(stats.stack_high_water >= 40000);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
static void idle_stacks_are_trimmed_real(void **state)
{
	run_in(false, 0, idle_stacks_are_trimmed, NULL);
}

/* --- fairness --- */

static void hog(void *arg)
{
	bool *stop = arg;
	struct err err;
	while (!*stop)
		assert_true(rt_yield(&err));
}

static void yielding_starves_nobody(void *arg)
{
	bool stop = false;
	struct group g;
	struct err err;
	struct deadline d;
	group_init(&g, "hogs");
	for (int i = 0; i < 3; i++)
		assert_true(group_go(&g, "hog", hog, &stop, &err));
	assert_true(rt_sleep(5 * USEC_MS, "a timer", &err));
	deadline_push(&d, INT64_MAX, "never");
	assert_true(deadline_left() == INT64_MAX);
	deadline_pop(&d);
	stop = true;
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
static void yielding_starves_nobody_real(void **state)
{
	run_in(false, 0, yielding_starves_nobody, NULL);
}

/* --- what people see --- */

static void note(void *arg, const struct fiber_info *info)
{
	char *out = arg;
	sprintf(out + strlen(out), "%s|%s|%s\n", info->name, info->label ? info->label : "-",
	        info->wait ? info->wait : "-");
}
static void named(void *arg)
{
	struct err err;
	fiber_name("smtp 192.0.2.1");
	fiber_label("RCPT");
	assert_false(rt_sleep(USEC_DAY, "verify: RCPT at mx1.example", &err));
}
static void fibers_are_listed(void *arg)
{
	char out[256] = "";
	struct group g;
	struct err err;
	group_init(&g, "g");
	assert_true(group_go(&g, "session", named, NULL, &err));
	assert_true(rt_sleep(USEC_MS, "x", &err));
	fibers_each(note, out);
	assert_string_equal(out, "main|-|-\nsmtp 192.0.2.1|RCPT|verify: RCPT at mx1.example\n");
	group_done(&g);
}
BOTH(fibers_are_listed)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TWO_TESTS(sleeps_in_order),
	        cmocka_unit_test(fake_time_passes_five_days),
	        cmocka_unit_test(thousands_real),
	        cmocka_unit_test(thousands_fake),
	        cmocka_unit_test(seeded_order_repeats),
	        TWO_TESTS(deadlines_nest),
	        TWO_TESTS(cancels_every_wait),
	        TWO_TESTS(group_outlives_a_late_waiter),
	        TWO_TESTS(conditions_wake),
	        TWO_TESTS(signal_before_cancel_is_seen),
	        TWO_TESTS(tickets_survive_either_end),
	        TWO_TESTS(offloads),
	        cmocka_unit_test(late_offload_is_dropped),
	        TWO_TESTS(posts_from_threads),
	        cmocka_unit_test(foreign_descriptors),
	        cmocka_unit_test(signals),
	        cmocka_unit_test(idle_stacks_are_trimmed_real),
	        cmocka_unit_test(yielding_starves_nobody_real),
	        TWO_TESTS(fibers_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
