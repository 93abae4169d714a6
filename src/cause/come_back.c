/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The announced time to come back, found by its unit and by what stands around it. */
#include "cause/come_back.h"

#include <time.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (unsigned char)c >= 0x80;
}

/* Seconds in the unit that `s` begins with; 0: no unit. */
static uint32_t unit_seconds(struct str s)
{
	static const struct {
		const char *word;
		uint32_t seconds;
	} units[] = {
		{"seconds", 1}, {"second", 1}, {"secs", 1}, {"sec", 1}, {"s", 1}, {"sekunden", 1}, {"secondes", 1},
		{"segundos", 1}, {"secondi", 1}, {"seconden", 1}, {"minutes", 60}, {"minute", 60}, {"mins", 60},
		{"min", 60}, {"m", 60}, {"minuten", 60}, {"minutos", 60}, {"minuti", 60}, {"minuto", 60}, {"hours", 3600},
		{"hour", 3600}, {"hrs", 3600}, {"hr", 3600}, {"h", 3600}, {"stunden", 3600}, {"stunde", 3600},
		{"heures", 3600}, {"heure", 3600}, {"horas", 3600}, {"hora", 3600}, {"ore", 3600}, {"uur", 3600},
		{"ora", 3600}, {"days", 86400}, {"day", 86400}, {"秒", 1}, {"分", 60}, {"時間", 3600},
	};
	if (s.n == 0 || is_digit(s.p[0]) || !is_word(s.p[0]))
		return 0;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (units[i].word[0] != ascii_lower(s.p[0]))
			continue;
		struct str word = str_from(units[i].word);
		if (str_istarts(s, word) && ((unsigned char)word.p[0] >= 0x80 || s.n == word.n || !is_word(s.p[word.n])))
			return units[i].seconds;
	}
	return 0;
}

static bool has_any(struct str s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ifind(s, str_from(words[i])) < s.n)
			return true;
	return false;
}

/* Whether the number at `at` is about coming back and not about what has passed. */
static bool is_about_coming_back(struct str text, size_t at, size_t end)
{
	static const char *const cues[] = {"try", "retry", "come back", "again", "list", "wait", "later", "back in", "defer",
	                                   "delay", "blocked for", "throttl", "erneut", "essaye", "reintent", "intente",
	                                   "riprov", "tente", "opnieuw", "unavailable for", "suspended for", "next",
	                                   "rejected for", "resend", "not before", "until", "warten", "patiente", "suppress"};
	static const char *const behind[] = {"retry", "try", "again", "later", "remain", "to go", "left", "before", "erneut", "後"};
	static const char *const past[] = {"last", "timed out", "timeout", "undelivered", "exceed", " per ", "older",
	                                   "deliver in", "more than", "during", "at most", "over the", "failed for", "retried for"};
	struct str before = str_slice(text, at > 70 ? at - 70 : 0, at);
	struct str near = str_slice(text, at > 26 ? at - 26 : 0, at);
	struct str after = str_slice(text, end, end + 50);
	static const char *const close_by[] = {"again", "back in", "retry", "wait", "not before"};

	if (has_any(str_slice(text, at > 14 ? at - 14 : 0, at), close_by, sizeof close_by / sizeof *close_by))
		return true;
	if (has_any(near, past, sizeof past / sizeof *past))
		return false;
	return has_any(before, cues, sizeof cues / sizeof *cues) || has_any(after, behind, sizeof behind / sizeof *behind);
}

/* HH:MM:SS or MM:SS at `at`; returns its end, 0 when there is none. */
static size_t clock_time(struct str s, size_t at, uint32_t *seconds)
{
	uint32_t part[3] = {0};
	size_t n = 0, i = at;

	while (n < 3) {
		size_t digits = 0;
		while (i < s.n && is_digit(s.p[i]) && digits < 3) {
			part[n] = part[n] * 10 + (uint32_t)(s.p[i] - '0');
			digits++;
			i++;
		}
		if (digits == 0 || (n > 0 && digits != 2) || (n > 0 && part[n] > 59))
			return 0;
		n++;
		if (i >= s.n || s.p[i] != ':' || n == 3)
			break;
		i++;
	}
	if (n < 2 || (i < s.n && (is_digit(s.p[i]) || s.p[i] == ':')))
		return 0;
	*seconds = n == 3 ? part[0] * 3600 + part[1] * 60 + part[2] : part[0] * 60 + part[1];
	return i;
}

/* "<number><blank>unit"; returns its end, 0 when there is none. */
static size_t counted(struct str s, size_t at, uint32_t *seconds)
{
	uint64_t n = 0;
	size_t i = at;

	while (i < s.n && is_digit(s.p[i]) && i < at + 7)
		n = n * 10 + (uint64_t)(s.p[i++] - '0');
	if (i >= s.n || is_digit(s.p[i]))
		return 0;
	if (s.p[i] == '.' && i + 1 < s.n && is_digit(s.p[i + 1]))
		return 0;
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '-' || s.p[i] == '(' || s.p[i] == '\n'))
		i++;
	uint32_t unit = unit_seconds(str_skip(s, i));
	if (unit == 0)
		return 0;
	uint64_t total = n * unit;
	*seconds = total > UINT32_MAX ? UINT32_MAX : (uint32_t)total;
	return i;
}

/* "Sun, 22 Nov 2026 08:15:30 +0000", the day name left out. */
static bool date_5322(struct str s, struct wall *out)
{
	char copy[48];
	struct tm tm = {0};

	if (s.n > sizeof copy - 1)
		s.n = sizeof copy - 1;
	/* Most numbers are no day of a month; strptime is slow to say so. */
	size_t month = 1 + (s.n > 1 && is_digit(s.p[1]));
	while (month < s.n && (s.p[month] == ' ' || (s.p[month] >= '\t' && s.p[month] <= '\r')))
		month++;
	if (month >= s.n || ascii_lower(s.p[month]) < 'a' || ascii_lower(s.p[month]) > 'z')
		return false;
	memcpy(copy, s.p, s.n);
	copy[s.n] = 0;
	char *end = strptime(copy, "%d %b %Y %H:%M:%S", &tm);
	if (!end)
		return false;
	int64_t t = timegm(&tm);
	while (*end == ' ')
		end++;
	if ((*end == '+' || *end == '-') && is_digit(end[1]) && is_digit(end[2]) && is_digit(end[3]) && is_digit(end[4])) {
		int zone = ((end[1] - '0') * 10 + end[2] - '0') * 3600 + ((end[3] - '0') * 10 + end[4] - '0') * 60;
		t -= *end == '+' ? zone : -zone;
	}
	out->us = t * USEC_S;
	return true;
}

static bool date_iso(struct str s, struct wall *out)
{
	char copy[32];
	size_t end = 0;

	if (s.n < 19 || s.p[4] != '-')
		return false;
	while (end < s.n && end < 30 && (is_digit(s.p[end]) || strchr("-:.T+Zz ", s.p[end])))
		end++;
	while (end > 0 && (s.p[end - 1] == '.' || s.p[end - 1] == ' '))
		end--;
	if (end < 19)
		return false;
	memcpy(copy, s.p, end);
	if (copy[10] == ' ')
		copy[10] = 'T';
	if (end == 19)
		copy[end++] = 'Z';
	return wall_parse_rfc3339((struct str){copy, end}, out);
}

static uint32_t clamp(int64_t seconds)
{
	if (seconds < COME_BACK_MIN_S)
		return COME_BACK_MIN_S;
	return seconds > COME_BACK_MAX_S ? COME_BACK_MAX_S : (uint32_t)seconds;
}

/* "an hour", "one minute" behind "in"; and the fields that APIs like to write. */
static uint32_t in_words(struct str text)
{
	static const struct {
		const char *words;
		uint32_t seconds;
	} rows[] = {{"in an hour", 3600}, {"in one hour", 3600}, {"after an hour", 3600}, {"in half an hour", 1800},
	            {"in a minute", 60}, {"in one minute", 60}, {"in five minutes", 300}, {"in ten minutes", 600},
	            {"after one hour", 3600}, {"after five minutes", 300}, {"in einer stunde", 3600}, {"dans une heure", 3600},
	            {"wait an hour", 3600}, {"in fifteen minutes", 900}, {"in thirty minutes", 1800}, {"in two hours", 7200}};
	bool has_unit = false; /* behind a blank in all rows; one pass, because most replies have none */

	for (size_t i = 0; i + 5 <= text.n && !has_unit; i++) {
		char c = text.p[i] == ' ' ? ascii_lower(text.p[i + 1]) : '\0';
		struct str word = str_slice(text, i + 1, i + 7);
		if (c == 'h')
			has_unit = str_istarts(word, STR("hour")) || str_istarts(word, STR("heure"));
		else if (c == 'm' || c == 's')
			has_unit = str_istarts(word, c == 'm' ? STR("minute") : STR("stunde"));
	}
	for (size_t i = 0; has_unit && i < sizeof rows / sizeof *rows; i++)
		if (str_ifind(text, str_from(rows[i].words)) < text.n)
			return rows[i].seconds;
	if (str_ifind(text, STR("retry")) == text.n)
		return 0;
	static const char *const fields[] = {"retry-after", "retry_after", "retryafter"};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		size_t at = str_ifind(text, str_from(fields[i]));
		if (at == text.n)
			continue;
		struct str rest = str_skip(text, at + strlen(fields[i]));
		while (rest.n && strchr(" :=\"'", rest.p[0]))
			rest = str_skip(rest, 1);
		uint64_t n = 0;
		size_t digits = 0;
		while (digits < rest.n && digits < 7 && is_digit(rest.p[digits]))
			n = n * 10 + (uint64_t)(rest.p[digits++] - '0');
		if (digits > 0 && (digits == rest.n || !is_word(rest.p[digits])))
			return (uint32_t)n;
	}
	return 0;
}

uint32_t come_back_seconds(struct str text, struct wall now)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_digit(text.p[i]) || (i > 0 && (is_word(text.p[i - 1]) || text.p[i - 1] == '.' || text.p[i - 1] == ':')))
			continue;
		struct wall then;
		uint32_t seconds;
		size_t end = 0;
		if (now.us > 0 && (date_iso(str_skip(text, i), &then) || date_5322(str_skip(text, i), &then))) {
			if (is_about_coming_back(text, i, i + 20) && wall_is_before(now, then))
				return clamp((wall_diff(then, now) + USEC_S - 1) / USEC_S);
			i += 18;
			continue;
		}
		if (!(end = clock_time(text, i, &seconds)))
			end = counted(text, i, &seconds);
		if (end && seconds > 0 && is_about_coming_back(text, i, end))
			return clamp(seconds);
		while (i + 1 < text.n && (is_digit(text.p[i + 1]) || text.p[i + 1] == '.' || text.p[i + 1] == ':'))
			i++;
	}
	uint32_t words = in_words(text);
	return words ? clamp(words) : 0;
}
