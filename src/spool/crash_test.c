/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power cuts and kills at any moment: what was acknowledged is there, what was refused is not, and
 * no sync can be left out.
 *
 * A workload runs on the simulated disk (crash_history.h). After each change of the disk, and after
 * each answer, crash images are made and recovered (crash_checker.h), and compared with a model of
 * what the spool has promised until then (crash_model.h). The workload itself goes through power
 * cuts, kills and failing syncs. Seeded throughout.
 */
#include "base/log.h"
#include "spool/crash_history.h"

static uint64_t scaled(uint64_t n)
{
	const char *more = getenv("POSTERN_CRASH_IMAGES"); /* deep-check: that many times as much */
	return more ? n * strtoull(more, NULL, 10) : n;
}

static void nothing_acknowledged_is_lost(void **state)
{
	struct checker c = {0};
	for (uint64_t seed = 1; seed <= scaled(12); seed++) {
		run_history(&c, seed, 6, SYNC_SITES, NULL);
		if (c.violations)
			fail_msg("history %llu: %s", (unsigned long long)seed, c.first);
	}
	print_message("%llu crash images\n", (unsigned long long)c.images);
	assert_true(c.images >= 1000);
}

/* Each site left out by itself: some history turns red. Were a sync superfluous or untested, this
 * would say so. */
static void no_sync_can_be_left_out(void **state)
{
	for (int site = 0; site < SYNC_SITES; site++) {
		struct checker c = {0};
		uint64_t seed = 0;
		if (site == SYNC_DAMAGED_DIR)
			continue; /* needs damage: the next test */
		while (!c.violations && seed < 60)
			run_history(&c, ++seed, 3, (enum spool_sync)site, NULL);
		print_message("without the sync of %-20s image %5llu: %s\n",
			      spool_sync_name((enum spool_sync)site), (unsigned long long)c.images,
			      c.first);
		if (!c.violations)
			fail_msg("the sync of %s can be left out",
				 spool_sync_name((enum spool_sync)site));
	}
}

static void quiet(void *arg, enum log_level level, struct str line) {}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost),
		cmocka_unit_test(no_sync_can_be_left_out),
	};
	log_open(LOG_TEXT, LOG_INFO_, quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
