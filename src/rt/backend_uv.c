/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real world: libuv for the loop, the one timer, wake-ups from threads, and signals.
 *
 * Descriptors stand in an epoll set of our own, edge-triggered, which libuv sees as one descriptor.
 * Against a uv_poll for each connection this saves the start and stop of each wait and the memory
 * of the handle, and a connection can be freed at once instead of in a close callback.
 */
#include "rt/backend.h"

#include "base/mem.h"
#include "rt/net.h"
#include "rt/offload.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { EVENTS_MAX = 512 };

struct uv_signal_seat {
	uv_signal_t handle;
	struct uv_signal_seat *next;
	struct uv_state *state;
	bool is_pending;
};

struct uv_state {
	struct runtime *rt;
	uv_loop_t loop;
	uv_timer_t timer;
	uv_async_t async;
	uv_poll_t poll;
	int epoll;
	usec_t armed;
	struct uv_signal_seat *signals;
	struct cond signal_here;
	bool has_loop, has_async, has_poll;
	struct epoll_event events[EVENTS_MAX];
};

static usec_t clock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (usec_t)t.tv_sec * USEC_S + t.tv_nsec / 1000;
}

/* --- what libuv calls --- */

static void on_timer(uv_timer_t *timer)
{
	struct uv_state *u = timer->data;
	u->armed = INT64_MAX;
	/* libuv before 1.45 runs timers ahead of the poll and would then sleep without one. */
	uv_stop(&u->loop);
}

static void on_async(uv_async_t *async)
{
	struct uv_state *u = async->data;
	posts_run(posts_take(u->rt));
}

/* No fiber runs between these events, so none of them can speak of a watch that is gone. */
static void on_poll(uv_poll_t *poll, int status, int ready)
{
	struct uv_state *u = poll->data;
	int n;
	do {
		n = epoll_wait(u->epoll, u->events, EVENTS_MAX, 0);
		for (int i = 0; i < n; i++) {
			uint32_t e = u->events[i].events;
			int events = (e & EPOLLIN ? IO_IN : 0) | (e & EPOLLOUT ? IO_OUT : 0);
			watch_ready(u->events[i].data.ptr, events,
				    e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
		}
	} while (n == EVENTS_MAX);
}

/* --- open and close --- */

static bool uv_failed(int rc, const char *what, struct err *err)
{
	return rc != 0 && !err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", what, uv_strerror(rc));
}

static bool back_open(struct runtime *rt, struct err *err)
{
	struct uv_state *u = rt->backend_state = mem_new(struct uv_state);
	u->rt = rt;
	u->armed = INT64_MAX;
	cond_init(&u->signal_here);
	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll < 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "epoll: %s", strerror(errno));
	if (uv_failed(uv_loop_init(&u->loop), "event loop", err))
		return false;
	u->has_loop = true;
	uv_timer_init(&u->loop, &u->timer);
	if (uv_failed(uv_async_init(&u->loop, &u->async, on_async), "event loop", err))
		return false;
	u->has_async = true;
	if (uv_failed(uv_poll_init(&u->loop, &u->poll, u->epoll), "event loop", err))
		return false;
	u->has_poll = true;
	u->timer.data = u->async.data = u->poll.data = u;
	rt->now = clock_now();
	return !uv_failed(uv_poll_start(&u->poll, UV_READABLE, on_poll), "event loop", err);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void back_close(struct runtime *rt)
{
	struct uv_state *u = rt->backend_state;
	if (u->has_loop) {
		uv_walk(&u->loop, close_handle, NULL);
		uv_run(&u->loop, UV_RUN_DEFAULT);
		int rc = uv_loop_close(&u->loop);
		assert(rc == 0);
		(void)rc;
	}
	while (u->signals) {
		struct uv_signal_seat *seat = u->signals;
		u->signals = seat->next;
		free(seat);
	}
	if (u->epoll >= 0)
		close(u->epoll);
	free(u);
}

/* --- the turn --- */

static void arm(struct uv_state *u, usec_t next)
{
	if (next == u->armed)
		return;
	u->armed = next;
	if (next == INT64_MAX) {
		uv_timer_stop(&u->timer);
		return;
	}
	usec_t left = next - clock_now();
	uv_update_time(&u->loop);
	/* Rounded up: a timer that comes early finds nothing due and would spin. */
	uv_timer_start(&u->timer, on_timer, left > 0 ? (uint64_t)left / 1000 + 1 : 0, 0);
}

static void back_poll(struct runtime *rt, bool is_busy, usec_t next_timer)
{
	struct uv_state *u = rt->backend_state;
	is_busy |= next_timer <= rt->now;
	if (!is_busy)
		arm(u, next_timer);
	uv_run(&u->loop, is_busy ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	rt->now = clock_now();
}

static void back_kick(struct runtime *rt)
{
	struct uv_state *u = rt->backend_state;
	uv_async_send(&u->async);
}

static void back_order(struct runtime *rt)
{
	/* first come, first served */
}

static struct wall back_wall(struct runtime *rt)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){(int64_t)t.tv_sec * USEC_S + t.tv_nsec / 1000};
}

/* --- descriptors --- */

static bool back_watch_add(struct runtime *rt, struct watch *w, int events, bool is_once,
			   struct err *err)
{
	struct uv_state *u = rt->backend_state;
	struct epoll_event e = {.data.ptr = w};
	e.events = (events & IO_IN ? EPOLLIN | EPOLLRDHUP : 0) | (events & IO_OUT ? EPOLLOUT : 0) |
		   (is_once ? EPOLLONESHOT : EPOLLET);
	if (epoll_ctl(u->epoll, EPOLL_CTL_ADD, w->fd, &e) == 0)
		return true;
	return err_temp(err, CAUSE_LOCAL_ERROR, "cannot watch a descriptor: %s", strerror(errno));
}

/* Closing the descriptor would do, unless a copy of it lives on in another process. */
static void back_watch_remove(struct runtime *rt, struct watch *w)
{
	struct uv_state *u = rt->backend_state;
	epoll_ctl(u->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

/* --- signals --- */

static void on_signal(uv_signal_t *handle, int number)
{
	struct uv_signal_seat *seat = handle->data;
	seat->is_pending = true;
	cond_broadcast(&seat->state->signal_here);
}

/* A seat stays to the end: between two waits a signal must neither be lost nor kill. */
static bool take_seat(struct uv_state *u, int number, struct err *err)
{
	for (const struct uv_signal_seat *seat = u->signals; seat; seat = seat->next)
		if (seat->handle.signum == number)
			return true;
	struct uv_signal_seat *seat = mem_new(struct uv_signal_seat);
	seat->state = u;
	uv_signal_init(&u->loop, &seat->handle);
	seat->handle.data = seat;
	seat->next = u->signals;
	u->signals = seat;
	return !uv_failed(uv_signal_start(&seat->handle, on_signal, number), "signal", err);
}

static bool take_pending(struct uv_state *u, const int *signals, int n, int *got)
{
	for (struct uv_signal_seat *seat = u->signals; seat; seat = seat->next)
		for (int i = 0; seat->is_pending && i < n; i++)
			if (seat->handle.signum == signals[i]) {
				seat->is_pending = false;
				*got = signals[i];
				return true;
			}
	return false;
}

WAITS static bool back_wait_signal(struct runtime *rt, const int *signals, int n, int *got,
				   struct err *err)
{
	struct uv_state *u = rt->backend_state;
	for (int i = 0; i < n; i++)
		if (!take_seat(u, signals[i], err))
			return false;
	while (!take_pending(u, signals, n, got))
		if (!cond_wait(&u->signal_here, "signal", err))
			return false;
	return true;
}

const struct backend backend_uv = {
	.open = back_open,
	.close = back_close,
	.poll = back_poll,
	.kick = back_kick,
	.order = back_order,
	.wall = back_wall,
	.watch_add = back_watch_add,
	.watch_remove = back_watch_remove,
	.wait_signal = back_wait_signal,
	.dial = net_dial,
	.listen = net_listen,
	.offload = offload_to_pool,
};
