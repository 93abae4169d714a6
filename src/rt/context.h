/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bare machine of fibers: a place to stand (a stack) and a way to step from one to the other.
 *
 * Two implementations of the same three functions: Boost.Context's assembly (5 ns a switch) and, by
 * the build option `ucontext`, the C library's swapcontext (200 ns: two system calls for the signal
 * mask), which runs wherever POSIX does. The sanitizers are told of each switch in here, and
 * nowhere else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#if defined(POSTERN_UCONTEXT)
#include <ucontext.h>
#endif

/* gcc says it by a macro, clang by a feature. */
#if defined(__has_feature)
#define CONTEXT_HAS(feature) __has_feature(feature)
#else
#define CONTEXT_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || CONTEXT_HAS(address_sanitizer)
#define CONTEXT_ASAN 1
#else
#define CONTEXT_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || CONTEXT_HAS(thread_sanitizer)
#define CONTEXT_TSAN 1
#else
#define CONTEXT_TSAN 0
#endif

struct context {
	void *sp; /* while not running: nothing below is in use */
	void (*entry)(void *arg);
	void *arg;
	const void *low; /* the stack; of a thread's own stack known after the first switch away */
	size_t size;
	void *fake_stack; /* ASan's */
	void *tsan;	  /* TSan's */
	bool is_ending;
#if defined(POSTERN_UCONTEXT)
	ucontext_t uc;
#endif
};

/* For the context that runs already: what a thread came with. */
void context_init(struct context *c);
/* The first switch to *c calls entry(arg) on the stack [low, low + size). entry must not return: it
 * sets is_ending and switches away for good. */
void context_make(struct context *c, void *low, size_t size, void (*entry)(void *arg), void *arg);
/* Leaves the running context, which becomes *from, and goes on in *to. */
void context_switch(struct context *from, struct context *to);
/* After the last switch away from it. */
void context_done(struct context *c);
