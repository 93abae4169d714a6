/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is suggested, and when silence is better. */
#include "conf/nearest.h"

#include "base/test.h"

static void suggests(void **state)
{
	static const char *const known[] = {"wait", "mode", "max_sessions", "helo", "verify", "queue"};
	static const struct {
		const char *word, *nearest;
	} rows[] = {
		{"wiat", "wait"}, {"WAIT", "wait"}, {"wai", "wait"}, {"waitt", "wait"}, {"mod", "mode"},
		{"max_sesions", "max_sessions"}, {"max-sessions", "max_sessions"}, {"verfiy", "verify"},
		{"hello", "helo"}, {"quueue", "queue"}, {"zzzz", NULL}, {"w", NULL}, {"", NULL},
		{"completely_else", NULL}, {"ab", NULL},
		{"waitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwaitwait", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *got = conf_nearest(str_from(rows[i].word), known, COUNT(known));
		if (!got || !rows[i].nearest)
			assert_row(got == rows[i].nearest, rows[i].word);
		else
			assert_string_equal(got, rows[i].nearest);
	}
	assert_null(conf_nearest(STR("wait"), NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(suggests)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
