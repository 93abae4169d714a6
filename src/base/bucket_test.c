/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bursts, refill, and that waiting as told is enough. */
#include "base/bucket.h"

#include "base/test.h"

static void bursts_then_refills(void **state)
{
	struct bucket b = {0};
	struct bucket_rate rate = {.per_hour = 60, .burst = 3};
	usec_t now = 1000 * USEC_S;
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, rate, now));
	assert_false(bucket_take(&b, rate, now));
	assert_int_equal(bucket_wait(&b, rate, now), USEC_MIN);
	assert_false(bucket_take(&b, rate, now + 59 * USEC_S));
	assert_true(bucket_take(&b, rate, now + USEC_MIN));
	assert_false(bucket_has(&b, rate, now + USEC_MIN));
	/* never more than the burst, however long it rests */
	now += USEC_DAY;
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, rate, now));
	assert_false(bucket_has(&b, rate, now));
}

static void waiting_as_told_is_enough(void **state)
{
	struct bucket b = {0};
	struct bucket_rate rate = {.per_hour = 7, .burst = 2};
	usec_t now = 0; /* also: a clock that begins at zero does not refill for ever */
	for (int i = 0; i < 10000; i++) {
		usec_t wait = bucket_wait(&b, rate, now);
		now += wait;
		assert_int_equal(bucket_wait(&b, rate, now), 0);
		assert_true(bucket_take(&b, rate, now));
	}
	double hours = (double)now / (double)USEC_HOUR;
	assert_true(hours * 7 > 9997.9 && hours * 7 < 9998.1);
}

static void edges(void **state)
{
	struct bucket b = {0};
	struct bucket_rate never = {.per_hour = 0, .burst = 1}, closed = {.per_hour = 5, .burst = 0};
	assert_true(bucket_take(&b, never, 5));
	assert_true(bucket_wait(&b, never, 5) > 1000 * USEC_DAY);
	assert_false(bucket_take(&b, closed, USEC_DAY));
	assert_true(bucket_wait(&b, closed, 5) > 1000 * USEC_DAY);

	struct bucket_rate hourly = {.per_hour = 1, .burst = 1};
	struct bucket c = {0};
	assert_true(bucket_take(&c, hourly, 10 * USEC_HOUR));
	assert_false(bucket_take(&c, hourly, 9 * USEC_HOUR)); /* a clock that steps back */
	assert_int_equal(bucket_wait(&c, hourly, 9 * USEC_HOUR), 2 * USEC_HOUR);
	assert_true(bucket_take(&c, hourly, 11 * USEC_HOUR));

	struct bucket_rate two = {.per_hour = 1, .burst = 2};
	struct bucket d = {0};
	assert_true(bucket_take(&d, two, 10 * USEC_HOUR) && bucket_take(&d, two, 9 * USEC_HOUR));
	assert_false(bucket_take(&d, two, 10 * USEC_HOUR)); /* the hour does not pass twice */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_then_refills),
		cmocka_unit_test(waiting_as_told_is_enough),
		cmocka_unit_test(edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
