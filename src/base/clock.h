/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two kinds of time that do not mix: `usec_t` is monotonic microseconds for deadlines and
 * durations, `struct wall` is microseconds since 1970 UTC and the only one that is stored.
 * Who asks the time asks rt/ (`rt_now`, `rt_wall`), so that tests can move it.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

typedef int64_t usec_t;

struct wall {
	int64_t us;
};

#define USEC_MS   ((usec_t)1000)
#define USEC_S    ((usec_t)1000000)
#define USEC_MIN  (60 * USEC_S)
#define USEC_HOUR (60 * USEC_MIN)
#define USEC_DAY  (24 * USEC_HOUR)

#define WALL_FORMAT_MAX 40

static inline struct wall wall_add(struct wall w, usec_t d)
{
	return (struct wall){w.us + d};
}
static inline usec_t wall_diff(struct wall later, struct wall earlier)
{
	return later.us - earlier.us;
}
static inline bool wall_is_before(struct wall a, struct wall b)
{
	return a.us < b.us;
}

/* RFC 3339 in UTC with milliseconds: 2026-11-22T08:15:30.123Z */
struct str wall_rfc3339(struct wall w, char out[WALL_FORMAT_MAX]);
/* RFC 5322 3.3, in UTC: Sun, 22 Nov 2026 08:15:30 +0000 */
struct str wall_rfc5322(struct wall w, char out[WALL_FORMAT_MAX]);
bool wall_parse_rfc3339(struct str s, struct wall *out);
/* HH:MM:SS, rounded up to whole seconds, at most 99:59:59 */
struct str duration_hms(usec_t d, char out[16]);
/* For people: "340 ms", "3.2 s", "5 min", "4 h 10 min", "3 d" */
struct str duration_text(usec_t d, char out[32]);
