/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clean-up at the end of a scope, because in a fiber any wait may return early.
 * `auto_free char *p = …;`  `auto_buf struct buf b;`  `auto_arena struct arena a;`  `auto_close int fd = …;`
 * Initialise at the declaration; a module with a destructor of its own declares its own auto_ word
 * with AUTO_DEFINE beside it.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_call(void *p)
{
	free(*(void **)p);
}
static inline void auto_close_call(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_free  __attribute__((cleanup(auto_free_call)))
#define auto_close __attribute__((cleanup(auto_close_call)))
#define auto_buf   __attribute__((cleanup(buf_done)))
#define auto_arena __attribute__((cleanup(arena_done)))

/* AUTO_DEFINE(stream, struct stream *, stream_close) gives auto_stream for `struct stream *` variables. */
#define AUTO_DEFINE(word, type, destroy)                                                           \
	static inline void auto_##word##_call(type *p)                                             \
	{                                                                                          \
		destroy(*p);                                                                       \
	}                                                                                          \
	typedef int auto_##word##_is_defined
#define AUTO(word) __attribute__((cleanup(auto_##word##_call)))
