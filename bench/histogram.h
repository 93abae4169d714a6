/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Latencies by value: 64 steps for each power of two of microseconds, so a percentile is right to 1.6 %. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_SIZE  (HISTOGRAM_STEPS * 40)

struct histogram {
	uint64_t count[HISTOGRAM_SIZE];
	uint64_t n, max_us;
};

void histogram_add(struct histogram *h, uint64_t us);
/* Upper end of the step that holds the given share (0.99); 0 without values. */
uint64_t histogram_at(const struct histogram *h, double share);
/* {"n":…,"p50":…,"p99":…,"max":…} in milliseconds */
void histogram_print(const struct histogram *h, FILE *out);
