/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other threads, foreign descriptors and signals. */
#include "rt/test_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

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

static void note_nice(void *arg)
{
	*(int *)arg = getpriority(PRIO_PROCESS, (id_t)gettid());
}

/* What nobody waits for leaves the processor to the loop and the pool; these keep what they have.
 */
static void offloads_behind(void *arg)
{
	struct err err;
	int mine = getpriority(PRIO_PROCESS, 0), *theirs = calloc(1, sizeof(int));
	assert_true(rt_offload_behind("nice", note_nice, theirs, free, &err));
	assert_int_equal(*theirs, rt_is_fake() ? mine : mine > 9 ? mine : 10);
	assert_true(rt_offload("nice", note_nice, theirs, free, &err));
	assert_int_equal(*theirs, mine);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), mine);
	free(theirs);
}
BOTH(offloads_behind)

/* Late: detached, and the pool lets go of the argument, though rt_run has nothing left to wait for.
 */
static void take_a_while(void *arg)
{
	usleep(20000);
}

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

/* --- the end of a turn --- */

struct ending {
	struct post post, taken_back;
	int ran, others_before;
	const int *others;
};

static void turn_ended(struct post *post)
{
	struct ending *e = container_of(post, struct ending, post);
	e->ran++;
	e->others_before = *e->others;
}

static void never(struct post *post)
{
	fail();
}

static void count_one(void *arg)
{
	++*(int *)arg;
}

/* Behind every fiber of the turn, whatever order the seed gives them, and before the next. */
static void ends_turns(void *arg)
{
	int others = 0;
	struct ending e = {.post.fn = turn_ended, .taken_back.fn = never, .others = &others};
	struct group g;
	struct err err;

	group_init(&g, "others");
	for (int i = 0; i < 10; i++)
		assert_true(group_go(&g, "other", count_one, &others, &err));
	assert_true(rt_yield(&err)); /* now all run in one turn with us */
	rt_at_turn_end(&e.taken_back);
	rt_at_turn_end(&e.post);
	rt_turn_end_cancel(&e.taken_back);
	rt_turn_end_cancel(&e.taken_back);
	assert_int_equal(e.ran, 0);
	assert_true(rt_yield(&err));
	assert_int_equal(e.ran, 1);
	assert_int_equal(e.others_before, 10);
	assert_true(rt_yield(&err));
	assert_int_equal(e.ran, 1);
	rt_at_turn_end(&e.post);
	assert_true(rt_yield(&err));
	assert_int_equal(e.ran, 2);
	group_done(&g);
}
BOTH(ends_turns)

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TESTS(offloads),
		TWO_TESTS(offloads_behind),
		cmocka_unit_test(late_offload_is_dropped),
		TWO_TESTS(posts_from_threads),
		cmocka_unit_test(foreign_descriptors),
		cmocka_unit_test(signals),
		TWO_TESTS(ends_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
