/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collections of samples that stand outside the repository, in $POSTERN_SHARED/data: a second source of
 * rows for tests whose own rows stand in the code. */
#pragma once

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

/* False: not there. *out is initialised in both cases. */
static inline bool test_data_read(const char *path, struct buf *out)
{
	const char *root = getenv("POSTERN_SHARED");
	char name[4096];
	size_t n;

	buf_init(out, 4 * 1024 * 1024);
	snprintf(name, sizeof name, "%s/data/%s", root ? root : "../shared", path);
	FILE *f = fopen(name, "rb");
	if (!f)
		return false;
	do {
		n = fread(buf_reserve(out, 65536), 1, 65536, f);
		buf_added(out, n);
	} while (n > 0);
	fclose(f);
	return true;
}
