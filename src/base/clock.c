/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and durations as text. */
#include "base/clock.h"

#include <stdio.h>

#define DAYS_OF_400_YEARS 146097

/* The calendar is computed here: gmtime_r takes the lock of the time zone for every log line. */
struct date {
	int year, month, day, weekday; /* 1..12, 1..31, 0 = Sunday */
	int hour, minute, second, ms;
};

/* Days since 1970-01-01, counted in years that begin in March so that a leap day is the last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
	return era * DAYS_OF_400_YEARS + days - 719468;
}

static void set_day(struct date *d, int64_t days)
{
	d->weekday = (int)(((days + 4) % 7 + 7) % 7);
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_OF_400_YEARS - 1)) / DAYS_OF_400_YEARS;
	int64_t day = shifted - era * DAYS_OF_400_YEARS;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	int64_t month = (5 * day + 2) / 153;
	d->day = (int)(day - (153 * month + 2) / 5 + 1);
	d->month = (int)(month < 10 ? month + 3 : month - 9);
	d->year = (int)(year + era * 400 + (d->month <= 2));
}

/* Years outside 0..9999 have no form in either RFC and become the nearest that has one. */
static struct date date_of(struct wall w)
{
	struct date d = {0};
	int64_t us = w.us, first = days_of(0, 1, 1) * USEC_DAY, end = days_of(10000, 1, 1) * USEC_DAY;
	us = us < first ? first : us >= end ? end - 1 : us;
	int64_t days = us / USEC_DAY - (us % USEC_DAY < 0), of_day = us - days * USEC_DAY;
	set_day(&d, days);
	d.hour = (int)(of_day / USEC_HOUR);
	d.minute = (int)(of_day / USEC_MIN % 60);
	d.second = (int)(of_day / USEC_S % 60);
	d.ms = (int)(of_day / USEC_MS % 1000);
	return d;
}

static struct str as_str(const char *out, int n)
{
	return (struct str){out, (size_t)n};
}

struct str wall_rfc3339(struct wall w, char out[WALL_FORMAT_MAX])
{
	struct date d = date_of(w);
	return as_str(out, snprintf(out, WALL_FORMAT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	                            d.year, d.month, d.day, d.hour, d.minute, d.second, d.ms));
}

struct str wall_rfc5322(struct wall w, char out[WALL_FORMAT_MAX])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct date d = date_of(w);
	return as_str(out, snprintf(out, WALL_FORMAT_MAX, "%s, %02d %s %04d %02d:%02d:%02d +0000",
	                            days[d.weekday], d.day, months[d.month - 1], d.year, d.hour,
	                            d.minute, d.second));
}

static bool take_number(struct str *rest, size_t digits, uint64_t min, uint64_t max, int *out)
{
	uint64_t value;
	if (rest->n < digits || !str_to_u64(str_slice(*rest, 0, digits), max, &value) || value < min)
		return false;
	*out = (int)value;
	*rest = str_skip(*rest, digits);
	return true;
}

static bool take_one_of(struct str *rest, const char *allowed)
{
	if (rest->n == 0 || !rest->p[0] || !strchr(allowed, rest->p[0]))
		return false;
	*rest = str_skip(*rest, 1);
	return true;
}

/* ".5" to ".123456789": what is finer than a microsecond is dropped. */
static bool take_fraction(struct str *rest, int64_t *us)
{
	int64_t scale = USEC_S / 10;
	size_t digits = 0;
	if (!take_one_of(rest, "."))
		return true;
	for (; rest->n && rest->p[0] >= '0' && rest->p[0] <= '9'; digits++, scale /= 10) {
		*us += (rest->p[0] - '0') * scale;
		*rest = str_skip(*rest, 1);
	}
	return digits > 0;
}

static bool take_offset(struct str *rest, int64_t *us)
{
	int hour, minute;
	if (take_one_of(rest, "Zz"))
		return true;
	int sign = str_starts(*rest, STR("-")) ? 1 : -1;
	if (!take_one_of(rest, "+-") || !take_number(rest, 2, 0, 23, &hour) ||
	    !take_one_of(rest, ":") || !take_number(rest, 2, 0, 59, &minute))
		return false;
	*us += sign * (hour * USEC_HOUR + minute * USEC_MIN);
	return true;
}

static int month_days(int year, int month)
{
	static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && is_leap);
}

bool wall_parse_rfc3339(struct str s, struct wall *out)
{
	struct date d;
	int64_t us = 0;
	bool is_good = take_number(&s, 4, 0, 9999, &d.year) && take_one_of(&s, "-") &&
	               take_number(&s, 2, 1, 12, &d.month) && take_one_of(&s, "-") &&
	               take_number(&s, 2, 1, 31, &d.day) && take_one_of(&s, "Tt ") &&
	               take_number(&s, 2, 0, 23, &d.hour) && take_one_of(&s, ":") &&
	               take_number(&s, 2, 0, 59, &d.minute) && take_one_of(&s, ":") &&
	               take_number(&s, 2, 0, 60, &d.second) && /* 60: a leap second, RFC 3339 5.7 */
	               take_fraction(&s, &us) && take_offset(&s, &us) && s.n == 0;
	if (!is_good || d.day > month_days(d.year, d.month))
		return false;
	us += days_of(d.year, d.month, d.day) * USEC_DAY + d.hour * USEC_HOUR + d.minute * USEC_MIN +
	      d.second * USEC_S;
	*out = (struct wall){us};
	return true;
}

struct str duration_hms(usec_t d, char out[16])
{
	const int64_t most = 99 * 3600 + 59 * 60 + 59;
	int64_t s = d <= 0 ? 0 : d / USEC_S + (d % USEC_S != 0);
	if (s > most)
		s = most;
	return as_str(out, snprintf(out, 16, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60),
	                            (int)(s % 60)));
}

struct str duration_text(usec_t d, char out[32])
{
	static const struct {
		usec_t unit;
		const char *name, *smaller_name;
		usec_t smaller;
	} large[] = {
		{USEC_DAY, "d", "h", USEC_HOUR},
		{USEC_HOUR, "h", "min", USEC_MIN},
		{USEC_MIN, "min", "s", USEC_S},
	};
	const char *sign = d < 0 ? "-" : "";
	uint64_t us = d < 0 ? -(uint64_t)d : (uint64_t)d;
	for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
		uint64_t unit = (uint64_t)large[i].unit, smaller = us % unit / (uint64_t)large[i].smaller;
		if (us < unit)
			continue;
		int n = snprintf(out, 32, "%s%u %s", sign, (unsigned)(us / unit), large[i].name);
		if (smaller)
			n += snprintf(out + n, (size_t)(32 - n), " %u %s", (unsigned)smaller,
			              large[i].smaller_name);
		return as_str(out, n);
	}
	bool is_seconds = us >= USEC_S;
	unsigned tenths = (unsigned)(us / (is_seconds ? USEC_S / 10 : USEC_MS / 10));
	const char *unit = is_seconds ? "s" : "ms";
	/* one digit after the point, and only where it says something */
	if (tenths % 10 && (is_seconds || tenths < 100))
		return as_str(out, snprintf(out, 32, "%s%u.%u %s", sign, tenths / 10, tenths % 10, unit));
	return as_str(out, snprintf(out, 32, "%s%u %s", sign, tenths / 10, unit));
}
