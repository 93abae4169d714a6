/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processor time and medians. */
#include "rounds.h"

#include <stdlib.h>
#include <time.h>

double rounds_cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double rounds_median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof *values, by_size);
	return values[ROUNDS / 2];
}
