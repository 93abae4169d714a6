/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sixty-four bytes at once, held against one by one; the bits also as machines without SSE2 make them. */
#include "base/lanes.h"
#include "base/test.h"

#include <stdlib.h>

static void test_bits(void **state)
{
	for (uint64_t bits = 0; bits < 1 << 16; bits++) {
		vector16 v = {0};
		for (int i = 0; i < 16; i++)
			v[i] = bits >> i & 1 ? 0xff : 0;
		assert_int_equal(vector16_bits(v), bits);
		assert_int_equal(vector16_bits_plain(v), bits);
	}
}

static void test_find_and_replace(void **state)
{
	static const char bytes[] = {' ', '\t', 'a', '\0', '\x7f', '\x80', '\x89', '\xff'};
	unsigned seed = 5;

	for (int round = 0; round < 2000; round++) {
		char text[LANES + 3], got[LANES + 3] = {0}, want[LANES + 3] = {0};
		size_t at = (size_t)round % 3; /* nothing need be aligned */
		char from = bytes[(unsigned)rand_r(&seed) % COUNT(bytes)], to = bytes[(unsigned)rand_r(&seed) % COUNT(bytes)];
		uint64_t found = 0;
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = bytes[(unsigned)rand_r(&seed) % COUNT(bytes)];
		for (size_t i = 0; i < LANES; i++) {
			found |= (uint64_t)(text[at + i] == from) << i;
			want[at + i] = text[at + i] == from ? to : text[at + i];
		}
		struct lanes x = lanes_load(text + at);
		lanes_store(got + at, lanes_replace(x, from, to));
		assert_true(lanes_find(x, from) == found);
		assert_memory_equal(got, want, sizeof got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_find_and_replace)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
