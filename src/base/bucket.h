/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token bucket by value: `burst` tokens at most, refilled evenly at `per_hour`. Pure; the caller
 * gives the time. A bucket that was never used is all zero and counts as full.
 */
#pragma once

#include "base/clock.h"

struct bucket {
	double tokens;
	usec_t at; /* when tokens was true; 0: never used, hence full */
};
struct bucket_rate {
	double per_hour;
	double burst;
};

bool bucket_take(struct bucket *b, struct bucket_rate rate, usec_t now);
bool bucket_has(const struct bucket *b, struct bucket_rate rate, usec_t now);
/* How long until one token is there; 0 if there is one. */
usec_t bucket_wait(const struct bucket *b, struct bucket_rate rate, usec_t now);
