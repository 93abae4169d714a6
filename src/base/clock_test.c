/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as text and back; the C library is the second opinion on the calendar. */
#include "base/clock.h"

#include "base/test.h"

#include <time.h>

static void formats(void **state)
{
	static const struct {
		int64_t us;
		const char *rfc3339, *rfc5322;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
		{-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
		{1795335330123456, "2026-11-22T08:15:30.123Z", "Sun, 22 Nov 2026 08:15:30 +0000"},
		{951782400000000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
		{4107542399999999, "2100-02-28T23:59:59.999Z", "Sun, 28 Feb 2100 23:59:59 +0000"},
		{4107542400000000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 +0000"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000"},
		{INT64_MIN, "0000-01-01T00:00:00.000Z", "Sat, 01 Jan 0000 00:00:00 +0000"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[WALL_FORMAT_MAX];
		assert_str(wall_rfc3339((struct wall){rows[i].us}, out), rows[i].rfc3339);
		assert_str(wall_rfc5322((struct wall){rows[i].us}, out), rows[i].rfc5322);
	}
}

static void agrees_with_the_library(void **state)
{
	for (int64_t day = -200000; day < 1000000; day += 97) {
		char ours[WALL_FORMAT_MAX], theirs[64];
		struct wall w = {day * USEC_DAY + 45296 * USEC_S}, back;
		time_t t = (time_t)(w.us / USEC_S);
		struct tm tm;
		if (w.us < 0)
			t = (time_t)(day * 86400 + 45296);
		strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&t, &tm));
		assert_str(wall_rfc3339(w, ours), theirs);
		assert_true(wall_parse_rfc3339(str_from(theirs), &back) && back.us == w.us);
	}
}

static void parses(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* 1: refused */
	} rows[] = {
		{"2026-11-22T08:15:30.123Z", 1795335330123000},
		{"2026-11-22t10:15:30.123456789+02:00", 1795335330123456},
		{"2026-11-22 03:15:30-05:00", 1795335330000000},
		{"1970-01-01T00:00:00Z", 0},
		{"1969-12-31T23:59:59.5Z", -500000},
		{"2016-12-31T23:59:60Z", 1483228800000000},
		{"2026-02-29T00:00:00Z", 1},
		{"2024-02-29T00:00:00Z", 1709164800000000},
		{"1900-02-29T00:00:00Z", 1},
		{"2026-04-31T00:00:00Z", 1},
		{"2026-13-01T00:00:00Z", 1},
		{"2026-00-01T00:00:00Z", 1},
		{"2026-11-22T24:00:00Z", 1},
		{"2026-11-22T08:60:00Z", 1},
		{"2026-11-22T08:15:61Z", 1},
		{"2026-11-22T08:15:30", 1},
		{"2026-11-22T08:15:30.Z", 1},
		{"2026-11-22T08:15:30+0200", 1},
		{"2026-11-22T08:15:30+24:00", 1},
		{"2026-11-22T08:15:30Z ", 1},
		{"26-11-22T08:15:30Z", 1},
		{"2026-1-22T08:15:30Z", 1},
		{"", 1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wall w = {1};
		bool ok = wall_parse_rfc3339(str_from(rows[i].text), &w);
		assert_row(ok == (rows[i].us != 1), rows[i].text);
		assert_row(w.us == rows[i].us, rows[i].text);
	}
}

static void durations(void **state)
{
	static const struct {
		usec_t d;
		const char *hms, *text;
	} rows[] = {
		{0, "00:00:00", "0 ms"},
		{1, "00:00:01", "0 ms"},
		{340 * USEC_MS, "00:00:01", "340 ms"},
		{2500, "00:00:01", "2.5 ms"},
		{999999, "00:00:01", "999 ms"},
		{USEC_S, "00:00:01", "1 s"},
		{3200 * USEC_MS, "00:00:04", "3.2 s"},
		{25 * USEC_S, "00:00:25", "25 s"},
		{59999 * USEC_MS, "00:01:00", "59.9 s"},
		{5 * USEC_MIN, "00:05:00", "5 min"},
		{5 * USEC_MIN + 20 * USEC_S, "00:05:20", "5 min 20 s"},
		{4 * USEC_HOUR + 10 * USEC_MIN, "04:10:00", "4 h 10 min"},
		{3 * USEC_DAY, "72:00:00", "3 d"},
		{5 * USEC_DAY + USEC_HOUR, "99:59:59", "5 d 1 h"},
		{INT64_MAX, "99:59:59", "106751991 d 4 h"},
		{INT64_MIN, "00:00:00", "-106751991 d 4 h"},
		{-1500 * USEC_MS, "00:00:00", "-1.5 s"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[32];
		assert_str(duration_hms(rows[i].d, out), rows[i].hms);
		assert_str(duration_text(rows[i].d, out), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(agrees_with_the_library),
		cmocka_unit_test(parses),
		cmocka_unit_test(durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
