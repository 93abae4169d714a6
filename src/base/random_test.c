/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repeatable when seeded, within its bounds, and not visibly biased. */
#include "base/random.h"

#include "base/test.h"

#include <pthread.h>

static void repeats(void **state)
{
	uint64_t first[8];
	random_seed(1);
	for (size_t i = 0; i < COUNT(first); i++)
		first[i] = random_u64();
	random_seed(2);
	assert_true(random_u64() != first[0]);
	random_seed(1);
	for (size_t i = 0; i < COUNT(first); i++)
		assert_true(random_u64() == first[i]);
}

static void below_is_even(void **state)
{
	unsigned counts[6] = {0};
	random_seed(3);
	for (int i = 0; i < 60000; i++) {
		uint64_t n = random_below(6);
		assert_true(n < 6);
		counts[n]++;
	}
	for (size_t i = 0; i < COUNT(counts); i++)
		assert_in_range(counts[i], 9600, 10400);
	assert_int_equal(random_below(1), 0);
	/* a range that 2^64 is no multiple of: a plain remainder would favour the low half */
	unsigned low = 0;
	for (int i = 0; i < 30000; i++)
		low += random_below(3ull << 62) < 1ull << 62;
	assert_in_range(low, 9500, 10500);
}

static void jitter_stays_within(void **state)
{
	bool is_lowest = false, is_highest = false;
	for (int i = 0; i < 20000; i++) {
		int64_t j = random_jitter(1000, 0.1);
		assert_true(j >= 900 && j <= 1100);
		is_lowest |= j < 910;
		is_highest |= j > 1090;
	}
	assert_true(is_lowest && is_highest);
	assert_int_equal(random_jitter(3, 0.1), 3);
	assert_int_equal(random_jitter(77, 0), 77);
	assert_true(random_jitter(INT64_MAX, 1) == INT64_MAX);
}

static void *draw(void *out)
{
	*(uint64_t *)out = random_u64();
	return NULL;
}

static void threads_differ(void **state)
{
	uint64_t a, b;
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, draw, &a), 0);
	pthread_join(t, NULL);
	assert_int_equal(pthread_create(&t, NULL, draw, &b), 0);
	pthread_join(t, NULL);
	assert_true(a != b);
}

static void secrets_fill_everything(void **state)
{
	unsigned char seen[512] = {0}, bytes[512];
	for (int round = 0; round < 16; round++) {
		random_secret(bytes, sizeof bytes);
		for (size_t i = 0; i < sizeof bytes; i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof seen; i++)
		assert_true(seen[i] != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats),        cmocka_unit_test(below_is_even),
		cmocka_unit_test(jitter_stays_within), cmocka_unit_test(threads_differ),
		cmocka_unit_test(secrets_fill_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
