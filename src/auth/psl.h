/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public suffix list, for DMARC as it was before RFC 9989 and only when somebody asks for that. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct psl_list;
/* `path`: a list in the format of publicsuffix.org; NULL: the one of the system. */
struct psl_list *psl_open(const char *path, struct err *err);
void psl_close(struct psl_list *l); /* accepts NULL */
/* The registrable domain, in the form `domain` has (A-labels or UTF-8); STR_NONE: domain is a public suffix or no name. */
struct str psl_registrable(const struct psl_list *l, struct arena *arena, struct str domain);
