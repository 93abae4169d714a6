/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memo of evidence: whom it is about, how long it holds, what goes first. */
#include "base/test.h"
#include "gate/evidence_memo.h"

#include <stdlib.h>

static uint64_t print_of(const char *client, const char *helo, const char *sender)
{
	struct ip ip = {0};
	assert_true(ip_parse(str_from(client), &ip));
	return evidence_memo_print(ip, str_from(helo), str_from(sender));
}

static void test_find(void **state)
{
	struct evidence_memo *t = evidence_memo_new(4);
	uint64_t print = print_of("192.0.2.1", "c", "a@b");
	assert_null(evidence_memo_find(t, print, 0));
	evidence_memo_put(t, &(struct memo){.print = print, .at = USEC_S, .spf = EVIDENCE_SPF_PASS, .is_own_mx = true});
	const struct memo *m = evidence_memo_find(t, print, 2 * USEC_S);
	assert_non_null(m);
	assert_true(m->spf == EVIDENCE_SPF_PASS && m->is_own_mx && !m->is_domain_certain);
	assert_null(evidence_memo_find(t, print_of("192.0.2.2", "c", "a@b"), USEC_S));
	assert_null(evidence_memo_find(t, print_of("192.0.2.1", "d", "a@b"), USEC_S));
	assert_null(evidence_memo_find(t, print_of("192.0.2.1", "c", "b@b"), USEC_S));
	assert_null(evidence_memo_find(t, print, USEC_S + USEC_MIN));
	evidence_memo_put(t, &(struct memo){.print = print, .at = 2 * USEC_S, .spf = EVIDENCE_SPF_FAIL});
	assert_int_equal(evidence_memo_find(t, print, 3 * USEC_S)->spf, EVIDENCE_SPF_FAIL);
	evidence_memo_clear(t);
	assert_null(evidence_memo_find(t, print, 3 * USEC_S));
	evidence_memo_free(t);
}

/* One row: the fifth takes the place of the oldest. */
static void test_oldest_goes(void **state)
{
	struct evidence_memo *t = evidence_memo_new(1);
	static const usec_t at[] = {5, 3, 4, 6, 7};
	for (uint64_t i = 0; i < COUNT(at); i++)
		evidence_memo_put(t, &(struct memo){.print = i + 1, .at = at[i] * USEC_S});
	for (uint64_t i = 0; i < COUNT(at); i++)
		assert_int_equal(evidence_memo_find(t, i + 1, 8 * USEC_S) != NULL, i != 1);
	evidence_memo_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_oldest_goes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
