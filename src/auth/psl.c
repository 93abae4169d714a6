/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public suffix list by libpsl. */
#include "auth/psl.h"

#include <libpsl.h>
#include <stdlib.h>

#include "base/mem.h"

#define NAME_MAX_ 1024

struct psl_list {
	psl_ctx_t *context;
};

struct psl_list *psl_open(const char *path, struct err *err)
{
	psl_ctx_t *context = path ? psl_load_file(path) : psl_latest(NULL);

	if (!context) {
		err_perm(err, CAUSE_LOCAL_ERROR, "%s: cannot be read as a public suffix list", path ? path : "the system's list");
		return NULL;
	}
	struct psl_list *l = mem_new(struct psl_list);
	l->context = context;
	return l;
}

void psl_close(struct psl_list *l)
{
	if (l)
		psl_free(l->context);
	free(l);
}

struct str psl_registrable(const struct psl_list *l, struct arena *arena, struct str domain)
{
	if (domain.n == 0 || domain.n > NAME_MAX_ || domain.p[0] == '.' || memchr(domain.p, '\0', domain.n))
		return STR_NONE;
	return str_from(psl_registrable_domain(l->context, arena_cstr(arena, arena_lower(arena, domain))));
}
