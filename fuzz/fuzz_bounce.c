/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a returned mail: bounded, and every recipient has an address. */
#include "fuzz.h"
#include "mail/bounce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 8 << 20};
	struct bounce *b = arena_new(&arena, struct bounce);

	bounce_read(&arena, fuzz_str(data, size), b);
	assert(b->n <= BOUNCE_RCPTS);
	for (size_t i = 0; i < b->n; i++)
		assert(b->rcpts[i].address.n > 0);
	return 0;
}
