/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xoshiro256** (Blackman, Vigna) for each thread, seeded from the kernel at first use. */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static _Thread_local struct {
	uint64_t s[4];
	bool is_seeded;
} state;

/* splitmix64: spreads one word over the state, which must not be all zero. */
void random_seed(uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9E3779B97F4A7C15;
		z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
		z = (z ^ z >> 27) * 0x94D049BB133111EB;
		state.s[i] = z ^ z >> 31;
	}
	state.is_seeded = true;
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

uint64_t random_u64(void)
{
	uint64_t *s = state.s;
	if (!state.is_seeded) {
		uint64_t seed;
		random_secret(&seed, sizeof seed);
		random_seed(seed);
	}
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t random_below(uint64_t n)
{
	assert(n > 0);
	/* values under 2^64 mod n would make the low results likelier; they are drawn again */
	uint64_t unfair = -n % n, x;
	do {
		x = random_u64();
	} while (x < unfair);
	return x % n;
}

int64_t random_jitter(int64_t value, double share)
{
	assert(share >= 0 && share <= 1);
	double width = fabs((double)value) * share;
	if (width < 1 || width > (double)(INT64_MAX / 4))
		return value;
	int64_t half = (int64_t)width, moved;
	int64_t by = (int64_t)random_below(2 * (uint64_t)half + 1) - half;
	return __builtin_add_overflow(value, by, &moved) ? value : moved;
}

void random_secret(void *out, size_t n)
{
	char *at = out;
	while (n) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno != EINTR) {
			perror("postern: no randomness from the kernel");
			abort();
		}
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}
