/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measuring two sides in turn, in processor time: what disturbs the machine disturbs both. */
#pragma once

#include <stddef.h>

#define ROUNDS 15

double rounds_cpu_s(void);                     /* of this process; other programs on the machine do not count */
double rounds_median(double values[ROUNDS]);   /* sorts them */
