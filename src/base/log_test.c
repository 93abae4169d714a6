/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event, one line, whatever a peer put into a value. */
#include "base/log.h"

#include "base/auto.h"
#include "base/test.h"

static struct buf lines = {.max = 100000};
static enum log_level last_level;

static void keep(void *arg, enum log_level level, struct str line)
{
	assert_ptr_equal(arg, &lines);
	last_level = level;
	buf_clear(&lines);
	buf_str(&lines, line);
}

static struct wall noon(void)
{
	return (struct wall){1795348800000000};
}

#define TIME "2026-11-22T12:00:00.000Z"

static void lines_of_both_formats(void **state)
{
	static const struct {
		struct log_field field;
		const char *text, *json;
	} rows[] = {
		{{"n", {0}, -5, true}, " n=-5", ",\"n\":-5"},
		{{"id", {"abc", 3}}, " id=abc", ",\"id\":\"abc\""},
		{{"id", {"", 0}}, " id=\"\"", ",\"id\":\"\""},
		{{"r", {"a b", 3}}, " r=\"a b\"", ",\"r\":\"a b\""},
		{{"r", {"a=b", 3}}, " r=\"a=b\"", ",\"r\":\"a=b\""},
		{{"r", {"say \"x\"", 7}}, " r=\"say \\\"x\\\"\"", ",\"r\":\"say \\\"x\\\"\""},
		{{"r", {"\\", 1}}, " r=\\\\", ",\"r\":\"\\\\\""},
		{{"r", {"a\nb\x1b", 4}}, " r=a\\x0ab\\x1b", ",\"r\":\"a\\nb\\u001b\""},
	};
	log_clock(noon);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[200];
		log_open(LOG_TEXT, LOG_INFO_, keep, &lines);
		log_event(LOG_INFO_, "deliver", rows[i].field);
		snprintf(want, sizeof want, TIME " info deliver%s", rows[i].text);
		assert_str(buf_view(&lines), want);
		log_open(LOG_JSON, LOG_INFO_, keep, &lines);
		log_event(LOG_WARN_, "deliver", rows[i].field);
		snprintf(want, sizeof want,
		         "{\"time\":\"" TIME "\",\"level\":\"warn\",\"event\":\"deliver\"%s}", rows[i].json);
		assert_str(buf_view(&lines), want);
		assert_int_equal(last_level, LOG_WARN_);
	}
}

static void levels(void **state)
{
	log_open(LOG_TEXT, LOG_WARN_, keep, &lines);
	buf_clear(&lines);
	log_event(LOG_INFO_, "quiet");
	assert_int_equal(lines.n, 0);
	assert_false(log_is_on(LOG_INFO_));
	log_event(LOG_ERROR_, "loud", LOG_S("a", STR("b")), LOG_C("c", "d"), LOG_I("e", 1));
	assert_str(buf_view(&lines), TIME " error loud a=b c=d e=1");
}

static void long_values_are_cut(void **state)
{
	static char huge[5000];
	for (size_t i = 0; i + 2 < sizeof huge; i += 2)
		memcpy(huge + i, "\xC3\xBC", 3);
	struct str value = {huge + 1, sizeof huge - 3}; /* misaligned: the cut falls within a character */
	struct log_field fields[101] = {{0}};
	log_open(LOG_JSON, LOG_INFO_, keep, &lines);
	log_event(LOG_INFO_, "cut", LOG_S("v", value));
	assert_true(lines.n < 1200 && str_is_utf8(buf_view(&lines)));
	assert_true(str_ends(buf_view(&lines), STR("\xC3\xBC...\"}")));
	for (size_t i = 0; i < 100; i++)
		fields[i] = LOG_S("v", value);
	log_write(LOG_INFO_, "cut", fields);
	assert_in_range(lines.n, 32768, 32768 + 8192);
	assert_true(str_ends(buf_view(&lines), STR("...\"}")));
}

static int stop(void **state)
{
	buf_done(&lines);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_both_formats),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_values_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, stop);
}
