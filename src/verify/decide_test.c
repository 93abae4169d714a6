/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each line of the table "what a verdict becomes", in both profiles, and the keys that override it. */
#include "verify/verify.h"

#include "base/test.h"

#include <stdlib.h>

static const struct wall now = {1000 * USEC_DAY};

struct row {
	const char *name;
	struct verify_answer a;
	bool is_vouched;
	enum verify_action careful, strict;
};

static const struct row rows[] = {
	{"exists", {.verdict = VERIFY_EXISTS}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"exists, refuses <>", {.verdict = VERIFY_EXISTS, .null_refused = true}, false, VERIFY_ACCEPT, VERIFY_REFUSE},
	{"absent", {.verdict = VERIFY_ABSENT}, true, VERIFY_REFUSE, VERIFY_REFUSE},
	{"no domain", {.verdict = VERIFY_ABSENT, .dns = VERIFY_DNS_NO_DOMAIN}, true, VERIFY_REFUSE, VERIFY_REFUSE},
	{"catch_all", {.verdict = VERIFY_CATCH_ALL}, false, VERIFY_ACCEPT, VERIFY_ACCEPT_TAG},
	{"blocked", {.verdict = VERIFY_BLOCKED, .class = VERIFY_CLASS_REFUSED_US}, false, VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	{"both senders refused", {.verdict = VERIFY_BLOCKED, .class = VERIFY_CLASS_REFUSED_NULL}, true, VERIFY_ACCEPT_TAG,
	 VERIFY_DEFER},
	{"unverifiable, vouched", {.verdict = VERIFY_UNVERIFIABLE}, true, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"unverifiable", {.verdict = VERIFY_UNVERIFIABLE}, false, VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	{"temporary", {.verdict = VERIFY_TEMPORARY}, true, VERIFY_DEFER, VERIFY_DEFER},
	{"running", {.verdict = VERIFY_TEMPORARY, .is_running = true}, true, VERIFY_DEFER, VERIFY_DEFER},
	{"temporary, 3:59 h", {.verdict = VERIFY_TEMPORARY, .first_failed = {1000 * USEC_DAY - 4 * USEC_HOUR + USEC_MIN}},
	 false, VERIFY_DEFER, VERIFY_DEFER},
	{"temporary, 4 h", {.verdict = VERIFY_TEMPORARY, .first_failed = {1000 * USEC_DAY - 4 * USEC_HOUR}}, false,
	 VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	{"our own budget has no patience",
	 {.verdict = VERIFY_TEMPORARY, .class = VERIFY_CLASS_BUSY, .first_failed = {1000 * USEC_DAY - 9 * USEC_HOUR}}, false,
	 VERIFY_DEFER, VERIFY_DEFER},
	{"skipped: budget", {.verdict = VERIFY_SKIPPED, .skip = SKIP_BUDGET}, true, VERIFY_ACCEPT_TAG, VERIFY_DEFER},
	{"skipped: null sender", {.verdict = VERIFY_SKIPPED, .skip = SKIP_NULL_SENDER}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: exempt", {.verdict = VERIFY_SKIPPED, .skip = SKIP_EXEMPT}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: own domain", {.verdict = VERIFY_SKIPPED, .skip = SKIP_OWN_DOMAIN}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: own network", {.verdict = VERIFY_SKIPPED, .skip = SKIP_LOCAL_NETWORK}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: login", {.verdict = VERIFY_SKIPPED, .skip = SKIP_AUTHENTICATED}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: off", {.verdict = VERIFY_SKIPPED, .skip = SKIP_OFF}, false, VERIFY_ACCEPT, VERIFY_ACCEPT},
	{"skipped: postmaster@", {.verdict = VERIFY_SKIPPED, .skip = SKIP_TRUSTED_RECIPIENT}, false, VERIFY_ACCEPT,
	 VERIFY_ACCEPT},
};

static void every_row_in_both_profiles(void **state)
{
	struct verify_conf conf = {.patience = 4 * USEC_HOUR};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct evidence e = {.spf = rows[i].is_vouched ? EVIDENCE_SPF_PASS : EVIDENCE_SPF_NONE};
		conf.profile = VERIFY_CAREFUL;
		assert_row(verify_decide(&conf, &rows[i].a, &e, now) == rows[i].careful, rows[i].name);
		conf.profile = VERIFY_STRICT;
		assert_row(verify_decide(&conf, &rows[i].a, &e, now) == rows[i].strict, rows[i].name);
	}
}

static void every_cell_can_be_overridden(void **state)
{
	static const enum verify_action want[] = {VERIFY_ACCEPT, VERIFY_ACCEPT_TAG, VERIFY_DEFER, VERIFY_REFUSE};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct evidence e = {.is_own_mx = rows[i].is_vouched};
		for (int o = OVERRIDE_ACCEPT; o <= OVERRIDE_REFUSE; o++) {
			struct verify_conf conf = {.patience = 4 * USEC_HOUR, .profile = o % 2};
			for (size_t r = 0; r < VERIFY_ROWS; r++)
				conf.on[r] = o;
			bool is_never = verify_row_of(&conf, &rows[i].a, &e, now) == VERIFY_ROW_NEVER;
			assert_row(verify_decide(&conf, &rows[i].a, &e, now) == (is_never ? VERIFY_ACCEPT : want[o - 1]),
			           rows[i].name);
		}
	}
}

static void patience_ends_a_451_that_an_override_made(void **state)
{
	struct verify_conf conf = {.patience = 4 * USEC_HOUR};
	struct verify_answer a = {.verdict = VERIFY_BLOCKED, .first_failed = wall_add(now, -5 * USEC_HOUR)};
	struct evidence e = {0};
	(void)state;
	conf.on[VERIFY_ROW_BLOCKED] = OVERRIDE_DEFER;
	assert_int_equal(verify_decide(&conf, &a, &e, now), VERIFY_ACCEPT_TAG);
	conf.profile = VERIFY_STRICT; /* until they give up */
	assert_int_equal(verify_decide(&conf, &a, &e, now), VERIFY_DEFER);
}

static void the_rows_of_the_file_fill_the_structure(void **state)
{
	struct verify_conf conf;
	struct err err;
	const struct conf_row *row = verify_conf_rows;
	(void)state;
	conf_rows_default(verify_conf_rows, &conf, sizeof(conf));
	assert_int_equal(conf.mode, VERIFY_MODE_ENFORCE);
	assert_int_equal(conf.profile, VERIFY_CAREFUL);
	assert_int_equal(conf.wait, 25 * USEC_S);
	assert_int_equal(conf.patience, 4 * USEC_HOUR);
	assert_int_equal(conf.never_ask.n, 3);
	assert_str(conf.never_ask.items[0], "yahoodns.net");
	assert_int_equal(conf.per_domain_hour * conf.vouched_factor, 200);
	while (strcmp(row->key, "on_catch_all") != 0)
		row++;
	assert_true(conf_row_set(row, &conf, STR("refuse"), &err));
	assert_int_equal(conf.on[VERIFY_ROW_CATCH_ALL], OVERRIDE_REFUSE);
	assert_false(conf_row_set(row, &conf, STR("drop"), &err));
	conf_rows_done(verify_conf_rows, &conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_in_both_profiles),
		cmocka_unit_test(every_cell_can_be_overridden),
		cmocka_unit_test(patience_ends_a_451_that_an_override_made),
		cmocka_unit_test(the_rows_of_the_file_fill_the_structure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
