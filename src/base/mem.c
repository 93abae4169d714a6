/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that never returns NULL. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define SMALL 1024

static void *not_null(void *p, size_t n)
{
	if (!p) {
		fprintf(stderr, "postern: out of memory (%zu bytes asked)\n", n);
		abort();
	}
	return p;
}

/* glibc's calloc passes its thread's cache of small blocks by, up to version 2.40; malloc does not. */
void *mem_alloc(size_t n)
{
	if (n > SMALL)
		return not_null(calloc(1, n), n);
	return memset(not_null(malloc(n ? n : 1), n), 0, n);
}

void *mem_resize(void *p, size_t n)
{
	return not_null(realloc(p, n ? n : 1), n);
}

char *mem_cstr(struct str s)
{
	char *copy = mem_alloc(s.n + 1);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}
