/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world that is made up: no threads, no sockets, and a clock that jumps.
 *
 * Whatever real concurrency leaves open (who runs first, when a completion arrives) is drawn from
 * the seed, so that one seed is one history. Time moves only when nobody can run and nothing is
 * outstanding, straight to the next timer.
 */
#include "rt/backend.h"

#include "base/mem.h"
#include "base/random.h"
#include "rt/net.h"
#include "rt/offload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t draw(struct runtime *rt)
{
	/* splitmix64 */
	uint64_t z = rt->seed += 0x9E3779B97F4A7C15;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return z ^ (z >> 31);
}

static bool back_open(struct runtime *rt, struct err *err)
{
	if (rt->fake_wall.us == 0)
		rt->fake_wall.us = (int64_t)1767225600 * USEC_S; /* 2026-01-01T00:00:00Z */
	/* Not 0, which many a table uses for "never". */
	rt->now = rt->fake_start = USEC_HOUR;
	random_seed(rt->seed);
	return true;
}

static void back_close(struct runtime *rt)
{
	fake_net_clear();
}

static struct wall back_wall(struct runtime *rt)
{
	return wall_add(rt->fake_wall, rt->now - rt->fake_start);
}

static void back_kick(struct runtime *rt)
{
	pthread_cond_signal(&rt->post_here);
}

static void back_order(struct runtime *rt)
{
	unsigned n = rt->n_run;
	if (n < 2)
		return;
	struct link **fibers = mem_alloc(n * sizeof(struct link *));
	for (unsigned i = 0; i < n; i++)
		fibers[i] = list_pop_front(&rt->run);
	for (unsigned i = n; i > 0; i--) {
		unsigned pick = (unsigned)(draw(rt) % i);
		list_push_back(&rt->run, fibers[pick]);
		fibers[pick] = fibers[i - 1];
	}
	free(fibers);
}

/* Completions overtake each other, and some let a turn of the fibers pass. */
static void run_posts(struct runtime *rt, bool is_busy)
{
	struct post *now = NULL;
	for (struct post *post = posts_take(rt), *next; post; post = next) {
		next = post->next;
		uint64_t luck = draw(rt);
		if (is_busy && (luck & 1)) {
			rt_post(post);
		} else if (!now || (luck & 2)) {
			post->next = now;
			now = post;
		} else {
			post->next = now->next;
			now->next = post;
		}
	}
	posts_run(now);
}

static void print_fiber(void *arg, const struct fiber_info *info)
{
	fprintf(stderr, "  %s: %s\n", info->name,
		info->wait    ? info->wait
		: info->label ? info->label
			      : "?");
}

static void back_poll(struct runtime *rt, bool is_busy, usec_t next_timer)
{
	if (posts_are_waiting(rt)) {
		run_posts(rt, is_busy);
		return;
	}
	if (is_busy)
		return;
	if (rt->outstanding > 0) {
		pthread_mutex_lock(&rt->post_lock);
		while (!rt->posts)
			pthread_cond_wait(&rt->post_here, &rt->post_lock);
		pthread_mutex_unlock(&rt->post_lock);
		return;
	}
	if (next_timer == INT64_MAX) {
		fprintf(stderr, "all fibers are parked and nothing can wake them:\n");
		fibers_each(print_fiber, NULL);
		assert(!"a scenario that waits for ever");
	}
	if (next_timer > rt->now)
		rt->now = next_timer;
}

/* On the loop thread's own stack: what is off-loaded may need more than a fiber has. */
struct inline_job {
	struct post post;
	struct offload *job;
};

static void run_inline(struct post *post)
{
	struct inline_job *in = container_of(post, struct inline_job, post);
	struct offload *job = in->job;
	free(in);
	job->fn(job->arg);
	rt_post(&job->done);
}

static void back_offload(struct runtime *rt, struct offload *job)
{
	struct inline_job *in = mem_new(struct inline_job);
	in->post.fn = run_inline;
	in->job = job;
	rt_post(&in->post);
}

static bool back_watch_add(struct runtime *rt, struct watch *w, int events, bool is_once,
			   struct err *err)
{
	return err_perm(err, CAUSE_LOCAL_ERROR, "there are no descriptors in the fake world");
}

static void back_watch_remove(struct runtime *rt, struct watch *w) {}

static bool back_wait_signal(struct runtime *rt, const int *signals, int n, int *got,
			     struct err *err)
{
	return err_perm(err, CAUSE_LOCAL_ERROR, "there are no signals in the fake world");
}

const struct backend backend_fake = {
	.open = back_open,
	.close = back_close,
	.poll = back_poll,
	.kick = back_kick,
	.order = back_order,
	.wall = back_wall,
	.watch_add = back_watch_add,
	.watch_remove = back_watch_remove,
	.wait_signal = back_wait_signal,
	.dial = fake_net_dial,
	.listen = fake_net_listen,
	.offload = back_offload,
};
