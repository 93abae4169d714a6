/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting, quantiles, and the text that a scraper reads. */
#include "base/metric.h"

#include "base/auto.h"
#include "base/test.h"

#include <math.h>

static const double bounds[] = {0.1, 1, 10, 0};

static void prints(void **state)
{
	struct metric *absent = metric_counter("postern_probes_total", "verdict", "absent", "Probes");
	struct metric *load = metric_gauge("postern_load", NULL, NULL, "A \\ and a\nline");
	struct metric *exists = metric_counter("postern_probes_total", "verdict", "a\"b\\", "Probes");
	struct metric *held = metric_histogram("postern_held_seconds", "Held", bounds);
	auto_buf struct buf b = {.max = 4096};
	assert_ptr_equal(metric_counter("postern_probes_total", "verdict", "absent", "Probes"), absent);
	assert_ptr_equal(metric_histogram("postern_held_seconds", "Held", bounds), held);
	metric_inc(absent);
	metric_add(absent, 2);
	metric_add_atomic(exists, 5);
	metric_set(load, 7);
	metric_add(load, -7.25);
	metric_observe(held, 100 * USEC_MS);
	metric_observe(held, 101 * USEC_MS);
	metric_observe(held, 99 * USEC_S);
	metric_observe(held, -1);
	metrics_print(&b);
	assert_str(buf_view(&b),
	           "# HELP postern_probes_total Probes\n"
	           "# TYPE postern_probes_total counter\n"
	           "postern_probes_total{verdict=\"absent\"} 3\n"
	           "postern_probes_total{verdict=\"a\\\"b\\\\\"} 5\n"
	           "# HELP postern_load A \\\\ and a\\nline\n"
	           "# TYPE postern_load gauge\n"
	           "postern_load -0.25\n"
	           "# HELP postern_held_seconds Held\n"
	           "# TYPE postern_held_seconds histogram\n"
	           "postern_held_seconds_bucket{le=\"0.1\"} 2\n"
	           "postern_held_seconds_bucket{le=\"1\"} 3\n"
	           "postern_held_seconds_bucket{le=\"10\"} 3\n"
	           "postern_held_seconds_bucket{le=\"+Inf\"} 4\n"
	           "postern_held_seconds_sum 99.201\n"
	           "postern_held_seconds_count 4\n");
	assert_true(metric_value(held) == 4 && metric_value(exists) == 5);
	metrics_reset();
	assert_true(metric_value(held) == 0 && metric_value(exists) == 0 && metric_value(load) == 0);
	assert_true(metric_quantile(held, 0.5) == 0);
}

static void quantiles(void **state)
{
	struct metric *m = metric_histogram("postern_q_seconds", "Q", bounds);
	for (int i = 0; i < 50; i++)
		metric_observe(m, 50 * USEC_MS);
	for (int i = 0; i < 50; i++)
		metric_observe(m, 5 * USEC_S);
	assert_true(fabs(metric_quantile(m, 0.25) - 0.05) < 1e-9);
	assert_true(fabs(metric_quantile(m, 0.5) - 0.1) < 1e-9);
	assert_true(fabs(metric_quantile(m, 0.75) - 5.5) < 1e-9);
	assert_true(fabs(metric_quantile(m, 1) - 10) < 1e-9);
	for (int i = 0; i < 900; i++)
		metric_observe(m, USEC_HOUR);
	assert_true(metric_quantile(m, 0.99) == 10);
}

static void count_one(void *arg, const char *name, const char *label, const char *value,
                      const struct metric *m)
{
	int *n = arg;
	assert_non_null(name);
	assert_true(!label == !value && m);
	++*n;
}

static void walks(void **state)
{
	int before = 0, after = 0;
	metrics_each(count_one, &before);
	metric_histogram("postern_default_seconds", "D", NULL);
	metrics_each(count_one, &after);
	assert_int_equal(after, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(walks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
