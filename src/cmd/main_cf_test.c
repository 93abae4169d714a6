/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes into main.cf comes out again, and nothing else changes. */
#include "cmd/main_cf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NAME "smtpd_recipient_restrictions"
#define OURS "check_policy_service { inet:127.0.0.1:10040, timeout=15s, policy_context=postern }"
#define MARK "# Sender verification by Postern; `postern setup postfix --remove` takes it out.\n"

static const struct main_cf_list list = {
	{NAME, sizeof(NAME) - 1}, {OURS, sizeof(OURS) - 1}, {"permit_mynetworks", 17}};

static const struct {
	const char *before, *after;
} additions[] = {
	{"a = b\n", "a = b\n\n" MARK NAME " = permit_mynetworks,\n    " OURS "\n"},
	{"# " NAME " = permit\n", "# " NAME " = permit\n\n" MARK NAME " = permit_mynetworks,\n    " OURS "\n"},
	{NAME " = reject_a\n", NAME " = reject_a,\n    " OURS "\n"},
	{NAME "=reject_a, reject_b\nc = d\n", NAME "=reject_a, reject_b,\n    " OURS "\nc = d\n"},
	{NAME " =\n  reject_a,\n# why\n\treject_b\n\n# next\nc = d\n",
	 NAME " =\n  reject_a,\n# why\n\treject_b,\n    " OURS "\n\n# next\nc = d\n"},
	{NAME " = reject_a, permit\n", NAME " = reject_a, " OURS ", permit\n"},
	{NAME " =\n  reject_a\n  # the rest\n  permit\n", NAME " =\n  reject_a\n  # the rest\n  " OURS ", permit\n"},
	{NAME " = check_policy_service { inet:[::1]:7, timeout=3s }\n",
	 NAME " = check_policy_service { inet:[::1]:7, timeout=3s },\n    " OURS "\n"},
	/* the last definition is the one that counts */
	{NAME " = reject_a\n" NAME " = reject_b\n", NAME " = reject_a\n" NAME " = reject_b,\n    " OURS "\n"},
	{NAME " = reject_a", NAME " = reject_a,\n    " OURS},
};

static const char *added(const char *text, struct buf *out)
{
	buf_clear(out);
	main_cf_add(str_from(text), &list, out);
	buf_char(out, '\0');
	assert_true(buf_ok(out));
	return out->p;
}

static const char *removed(const char *text, struct buf *out)
{
	buf_clear(out);
	main_cf_remove(str_from(text), list.name, out);
	buf_char(out, '\0');
	return out->p;
}

static void adds_once_and_takes_out_what_it_added(void **state)
{
	for (size_t i = 0; i < sizeof(additions) / sizeof(*additions); i++) {
		struct buf once, again;
		buf_init(&once, 65536);
		buf_init(&again, 65536);
		assert_string_equal(added(additions[i].before, &once), additions[i].after);
		assert_string_equal(added(once.p, &again), additions[i].after);
		assert_string_equal(removed(additions[i].after, &once), additions[i].before);
		assert_string_equal(removed(additions[i].before, &once), additions[i].before);
		buf_done(&once);
		buf_done(&again);
	}
}

static void changes_ours_in_place(void **state)
{
	struct buf out;

	buf_init(&out, 65536);
	assert_string_equal(added(NAME " = a, check_policy_service {unix:private/p, policy_context=postern}, b\n", &out),
	                    NAME " = a, " OURS ", b\n");
	buf_done(&out);
}

/* Edited by hand since: what is left is still what Postfix would read without ours. */
static void takes_out_of_edited_lists(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		{NAME " = " OURS ", reject_b\n", NAME " = reject_b\n"},
		{NAME " = a, " OURS ", b\n", NAME " = a, b\n"},
		{NAME " = a " OURS " b\n", NAME " = a b\n"},
		{NAME " = a,\n  # why\n  " OURS "\n  b\n", NAME " = a,\n  # why\n  \n  b\n"},
		{NAME " = a,\n  # why\n  " OURS ",\n  b\n", NAME " = a,\n  # why\n  \n  b\n"},
		{NAME " = " OURS ",\n  # why\n  b\n", NAME " = \n  # why\n  b\n"},
		{NAME " = " OURS "\n", NAME " =\n"},
		{NAME " = a, " OURS ",\n  permit\n", NAME " = a, \n  permit\n"},
		{"\n" MARK NAME " = permit_mynetworks,\n    " OURS ",\n    reject_mine\n",
		 "\n" MARK NAME " = permit_mynetworks,\n    reject_mine\n"},
	};
	struct buf out;

	buf_init(&out, 65536);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(removed(rows[i].before, &out), rows[i].after);
	buf_done(&out);
}

static void knows_what_is_never_reached(void **state)
{
	assert_true(main_cf_is_reached(STR("reject_a, " OURS)));
	assert_true(main_cf_is_reached(STR("permit_mynetworks " OURS " permit")));
	assert_false(main_cf_is_reached(STR("permit " OURS)));
	assert_false(main_cf_is_reached(STR("reject_a, reject, " OURS)));
	assert_false(main_cf_is_reached(STR("check_policy_service { inet:127.0.0.1:1, policy_context=other }")));
	assert_false(main_cf_is_reached(STR("")));
}

static void finds_the_parameter_as_written(void **state)
{
	assert_true(str_eq(main_cf_parameter(STR("x = 1\n" NAME " = a\n # c\n b\n # d\ny = 2\n"), STR(NAME)),
	                   STR(NAME " = a\n # c\n b")));
	assert_int_equal(main_cf_parameter(STR("#" NAME " = a\n"), STR(NAME)).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_once_and_takes_out_what_it_added),
		cmocka_unit_test(changes_ours_in_place),
		cmocka_unit_test(takes_out_of_edited_lists),
		cmocka_unit_test(knows_what_is_never_reached),
		cmocka_unit_test(finds_the_parameter_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
