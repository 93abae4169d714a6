/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that never returns NULL. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *not_null(void *p, size_t n)
{
	if (!p) {
		fprintf(stderr, "postern: out of memory (%zu bytes asked)\n", n);
		abort();
	}
	return p;
}

void *mem_alloc(size_t n)
{
	return not_null(calloc(1, n ? n : 1), n);
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
