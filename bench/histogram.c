/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A histogram with steps that grow with the value. */
#include "bench/histogram.h"

static unsigned step_of(uint64_t us)
{
	if (us < HISTOGRAM_STEPS)
		return (unsigned)us;
	unsigned shift = 63 - (unsigned)__builtin_clzll(us) - 6; /* 2^6 == HISTOGRAM_STEPS */
	unsigned step = (shift + 1) * HISTOGRAM_STEPS + (unsigned)((us >> shift) - HISTOGRAM_STEPS);
	return step < HISTOGRAM_SIZE ? step : HISTOGRAM_SIZE - 1;
}

static uint64_t end_of(unsigned step)
{
	if (step < HISTOGRAM_STEPS)
		return step;
	unsigned shift = step / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(step % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	h->count[step_of(us)]++;
	h->n++;
	if (us > h->max_us)
		h->max_us = us;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)((double)h->n * share), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
		seen += h->count[i];
		if (seen > wanted)
			return end_of(i) < h->max_us ? end_of(i) : h->max_us;
	}
	return h->max_us;
}

void histogram_print(const struct histogram *h, FILE *out)
{
	fprintf(out, "{\"n\":%llu,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", (unsigned long long)h->n,
	        (double)histogram_at(h, 0.50) / 1e3, (double)histogram_at(h, 0.99) / 1e3, (double)h->max_us / 1e3);
}
