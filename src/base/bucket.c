/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token bucket: the level is brought up to date at each look. */
#include "base/bucket.h"

#include <math.h>

/* Rounding must not leave a caller who has waited as told a hair short of a token. */
#define ALMOST 1e-6
/* "never" as a number that may still be added to a time */
#define FOREVER (36500 * USEC_DAY)

static double level(const struct bucket *b, struct bucket_rate rate, usec_t now)
{
	if (b->at == 0)
		return rate.burst;
	double passed = now > b->at ? (double)(now - b->at) : 0;
	return fmin(rate.burst, b->tokens + passed * rate.per_hour / (double)USEC_HOUR);
}

bool bucket_has(const struct bucket *b, struct bucket_rate rate, usec_t now)
{
	return level(b, rate, now) >= 1 - ALMOST;
}

bool bucket_take(struct bucket *b, struct bucket_rate rate, usec_t now)
{
	if (!bucket_has(b, rate, now))
		return false;
	b->tokens = fmax(0, level(b, rate, now) - 1);
	/* A clock that steps back must not refill twice; 0 would read as never used. */
	if (now > b->at)
		b->at = now;
	if (b->at == 0)
		b->at = 1;
	return true;
}

usec_t bucket_wait(const struct bucket *b, struct bucket_rate rate, usec_t now)
{
	if (bucket_has(b, rate, now))
		return 0;
	if (rate.per_hour <= 0 || rate.burst < 1 - ALMOST)
		return FOREVER;
	double wait = ceil((1 - level(b, rate, now)) * (double)USEC_HOUR / rate.per_hour);
	if (now < b->at)
		wait += (double)(b->at - now);
	return wait < (double)FOREVER ? (usec_t)wait : FOREVER;
}
