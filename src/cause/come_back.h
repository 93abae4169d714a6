/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time to come back that a reply announces: "in 00:05:00", "05:00", "300 seconds", "300s", "5 min", "1 hour",
 * ISO and RFC 5322 dates, in the languages that mail servers speak. Vague words ("a few minutes") announce nothing.
 */
#pragma once

#include "base/clock.h"

#define COME_BACK_MIN_S 60
#define COME_BACK_MAX_S (12 * 3600)

/* Seconds from now, between the bounds above; 0: none announced. Dates need `now`; with {0} they announce nothing. */
uint32_t come_back_seconds(struct str text, struct wall now);
