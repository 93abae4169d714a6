/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for jitter and ids. Seeded from the kernel; `random_seed` makes a run repeatable
 * (fake backend, tests). Not for secrets: those come from `random_secret`, straight from the kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_seed(uint64_t seed);
uint64_t random_u64(void);
uint64_t random_below(uint64_t n); /* uniform in [0, n), n > 0 */
/* value ± share, e.g. random_jitter(3600, 0.1) in [3240, 3960] */
int64_t random_jitter(int64_t value, double share);
void random_secret(void *out, size_t n);
