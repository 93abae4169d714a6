/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work for other threads, and the way back from them.
 * The pool is our own and not libuv's, which is shared with whatever else uses libuv and sized by
 * the environment.
 */
#include "rt/offload.h"

#include "base/mem.h"
#include "rt/backend.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { THREADS_DEFAULT = 4, THREADS_MAX = 64, NICE_BEHIND = 10 };

struct offload_pool {
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct offload *first, **end;
	bool is_closing, is_behind;
	int n;
	pthread_t threads[THREADS_MAX];
};

/* --- posts --- */

void rt_post(struct post *post)
{
	struct runtime *rt = the_rt;
	post->next = NULL;
	pthread_mutex_lock(&rt->post_lock);
	bool was_empty = !rt->posts;
	*rt->posts_end = post;
	rt->posts_end = &post->next;
	if (was_empty)
		rt->backend->kick(rt);
	pthread_mutex_unlock(&rt->post_lock);
}

void rt_at_turn_end(struct post *post)
{
	struct runtime *rt = the_rt;
	assert(rt);
	post->next = rt->turn_ends;
	rt->turn_ends = post;
}

void rt_turn_end_cancel(struct post *post)
{
	struct runtime *rt = the_rt;
	assert(rt);
	for (struct post **at = &rt->turn_ends; *at; at = &(*at)->next)
		if (*at == post) {
			*at = post->next;
			return;
		}
}

void rt_outstanding(int by)
{
	assert(the_rt);
	the_rt->outstanding += by;
	assert(the_rt->outstanding >= 0);
}

bool posts_are_waiting(struct runtime *rt)
{
	pthread_mutex_lock(&rt->post_lock);
	bool is_any = rt->posts != NULL;
	pthread_mutex_unlock(&rt->post_lock);
	return is_any;
}

struct post *posts_take(struct runtime *rt)
{
	pthread_mutex_lock(&rt->post_lock);
	struct post *first = rt->posts;
	rt->posts = NULL;
	rt->posts_end = &rt->posts;
	pthread_mutex_unlock(&rt->post_lock);
	return first;
}

void posts_run(struct post *first)
{
	while (first) {
		struct post *post = first;
		first = post->next; /* fn may free it */
		post->fn(post);
	}
}

/* --- the asker --- */

static void job_done(struct post *post)
{
	struct offload *job = container_of(post, struct offload, done);
	job->is_done = true;
	if (job->fiber) {
		fiber_wake(job->fiber, WAKE_READY);
		return;
	}
	if (job->drop)
		job->drop(job->arg);
	free(job);
}

WAITS static bool offload(const char *label, void (*fn)(void *arg), void *arg,
			  void (*drop)(void *arg), bool is_behind, struct err *err)
{
	struct runtime *rt = the_rt;
	if (!fiber_may_wait(err)) {
		if (drop)
			drop(arg);
		return false;
	}
	struct offload *job = mem_new(struct offload);
	*job = (struct offload){.done.fn = job_done,
				.fn = fn,
				.arg = arg,
				.drop = drop,
				.fiber = fiber_self(),
				.is_behind = is_behind};
	rt->backend->offload(rt, job);
	bool ok = fiber_park(NULL, INT64_MAX, NULL, label, err);
	job->fiber = NULL;
	if (ok || job->is_done) {
		/* Done just after the fiber was called off: nobody else will drop it. */
		if (!ok && drop)
			drop(arg);
		free(job);
	}
	return ok;
}

bool rt_offload(const char *label, void (*fn)(void *arg), void *arg, void (*drop)(void *arg),
		struct err *err)
{
	return offload(label, fn, arg, drop, false, err);
}

bool rt_offload_behind(const char *label, void (*fn)(void *arg), void *arg, void (*drop)(void *arg),
		       struct err *err)
{
	return offload(label, fn, arg, drop, true, err);
}

/* --- the pool --- */

static void *worker(void *arg)
{
	struct offload_pool *pool = arg;
	/* Of this thread alone, as Linux has it. Where it is not to be had, nothing is lost. */
	if (pool->is_behind && getpriority(PRIO_PROCESS, (id_t)gettid()) < NICE_BEHIND)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_BEHIND);
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct offload *job = pool->first;
		if (job) {
			pool->first = job->next;
			if (!pool->first)
				pool->end = &pool->first;
			pthread_mutex_unlock(&pool->lock);
			job->fn(job->arg);
			rt_post(&job->done);
			pthread_mutex_lock(&pool->lock);
		} else if (pool->is_closing) {
			break;
		} else {
			pthread_cond_wait(&pool->has_work, &pool->lock);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

void offload_to_pool(struct runtime *rt, struct offload *job)
{
	struct offload_pool *pool = job->is_behind ? rt->behind : rt->pool;
	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->end = job;
	pool->end = &job->next;
	pthread_cond_signal(&pool->has_work);
	pthread_mutex_unlock(&pool->lock);
}

/* Signals are the loop thread's: a worker must not be the one that is interrupted. */
static int start_thread(struct offload_pool *pool)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&pool->threads[pool->n], NULL, worker, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static struct offload_pool *pool_open(int threads, bool is_behind)
{
	struct offload_pool *pool = mem_new(struct offload_pool);
	pool->is_behind = is_behind;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->has_work, NULL);
	pool->end = &pool->first;
	for (; pool->n < threads && pool->n < THREADS_MAX; pool->n++)
		if (start_thread(pool) != 0)
			break;
	return pool;
}

bool offload_open(struct runtime *rt, int threads, struct err *err)
{
	if (rt->is_fake)
		return true;
	rt->pool = pool_open(threads > 0 ? threads : THREADS_DEFAULT, false);
	rt->behind = pool_open(1, true);
	return (rt->pool->n > 0 && rt->behind->n > 0) ||
	       err_temp(err, CAUSE_LOCAL_ERROR, "cannot start a thread");
}

static void pool_close(struct offload_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->is_closing = true;
	pthread_cond_broadcast(&pool->has_work);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->n; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->has_work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void offload_close(struct runtime *rt)
{
	pool_close(rt->pool);
	pool_close(rt->behind);
	rt->pool = rt->behind = NULL;
}
