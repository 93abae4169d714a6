/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap for what outlives a session. Running out of memory aborts: everything that strangers can make
 * us keep is bounded elsewhere, so a failed allocation means a broken machine, and a half-done
 * change is worse than a restart from the spool.
 */
#pragma once

#include "base/str.h"

void *mem_alloc(size_t n); /* zeroed; free() gives it back */
void *mem_resize(void *p, size_t n);
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))
/* A copy on the heap with a NUL behind it. */
char *mem_cstr(struct str s);
