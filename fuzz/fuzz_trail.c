/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stored trail; one that can be read is written back the same from then on. */
#include "fuzz.h"
#include "trail/trail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 1 << 24};
	auto_buf struct buf once = {.max = 1 << 24}, twice = {.max = 1 << 24}, print = {.max = 1 << 24};
	struct trail t;
	struct err err;

	if (!trail_decode(&arena, fuzz_str(data, size), &t, &err))
		return 0;
	trail_print(&t, size & 1, &print);
	trail_encode(&t, &once);
	assert(trail_decode(&arena, buf_view(&once), &t, &err));
	trail_encode(&t, &twice);
	assert(str_eq(buf_view(&once), buf_view(&twice)) && (size & 1 || !memchr(print.p, '\x1b', print.n)));
	return 0;
}
