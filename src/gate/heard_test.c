/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of who heard a refusal. */
#include "gate/heard.h"

#include "base/test.h"

static struct ip ip(const char *text)
{
	struct ip out = {0};
	assert_true(ip_parse(str_from(text), &out));
	return out;
}

static void remembers_by_network_and_sender(void **state)
{
	struct heard *h = heard_new(64);
	bool is_refusal = false;
	heard_note(h, ip("192.0.2.1"), STR("a@b"), true, 1);
	assert_true(heard_find(h, ip("192.0.2.200"), STR("a@b"), 2, &is_refusal));
	assert_true(is_refusal);
	assert_false(heard_find(h, ip("192.0.3.1"), STR("a@b"), 2, &is_refusal));
	assert_false(heard_find(h, ip("192.0.2.1"), STR("c@b"), 2, &is_refusal));
	heard_note(h, ip("192.0.2.1"), STR("a@b"), false, 3);
	assert_true(heard_find(h, ip("192.0.2.1"), STR("a@b"), 4, &is_refusal));
	assert_false(is_refusal);
	assert_false(heard_find(h, ip("192.0.2.1"), STR("a@b"), 4 + USEC_DAY, &is_refusal));
	assert_true(heard_forget(h, ip("192.0.2.1"), STR("a@b"), 5));
	assert_false(heard_forget(h, ip("192.0.2.1"), STR("a@b"), 5));
	assert_false(heard_find(h, ip("192.0.2.1"), STR("a@b"), 5, &is_refusal));
	heard_free(h);
}

static void keeps_the_latest(void **state)
{
	struct heard *h = heard_new(1);
	char sender[16];
	int found = 0;
	bool is_refusal;
	for (int i = 0; i < 100; i++) {
		snprintf(sender, sizeof sender, "u%d@b", i);
		heard_note(h, ip("192.0.2.1"), str_from(sender), i % 2, i + 1);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(sender, sizeof sender, "u%d@b", i);
		if (!heard_find(h, ip("192.0.2.1"), str_from(sender), 200, &is_refusal))
			continue;
		found++;
		assert_true(i >= 96);
		assert_int_equal(is_refusal, i % 2);
	}
	assert_int_equal(found, 4);
	heard_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_by_network_and_sender),
		cmocka_unit_test(keeps_the_latest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
