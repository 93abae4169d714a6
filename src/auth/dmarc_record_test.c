/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMARC records, and who the author of a From field is. */
#include "auth/dmarc_record.h"
#include "base/auto.h"
#include "base/test.h"

static void test_records(void **state)
{
	static const struct { const char *text; bool is_record, has_policy; enum dmarc_policy p; } rows[] = {
		{"v=DMARC1; p=reject", true, true, DMARC_REJECT},
		{"v = DMARC1 ;p = Quarantine", true, true, DMARC_QUARANTINE},
		{"V=DMARC1;P=none;", true, true, DMARC_NONE},
		{"v=dmarc1; p=reject", false, false, 0},
		{"v=DMARC12; p=reject", false, false, 0},
		{"p=reject; v=DMARC1", false, false, 0},
		{"v=DMARC1", true, false, 0},
		{"v=DMARC1; p=all", true, false, 0},
		{"v=DMARC1; p=all; rua=mailto:a@example.org", true, true, DMARC_NONE},
		{"v=DMARC1; p=reject; np=all", true, false, 0},
		{"v=DMARC1; rua=nothing", true, false, 0},
		{"v=DMARC1; pct=50; junk; p=reject; p=none", true, true, DMARC_REJECT},
		{"", false, false, 0},
	};
	struct dmarc_record r;

	for (size_t i = 0; i < COUNT(rows); i++) {
		bool ok = dmarc_record_parse(str_from(rows[i].text), &r);
		assert_row(ok == rows[i].is_record, rows[i].text);
		assert_row(!ok || r.has_policy == rows[i].has_policy, rows[i].text);
		assert_row(!ok || !r.has_policy || r.p == rows[i].p, rows[i].text);
	}
	assert_true(dmarc_record_parse(STR("v=DMARC1; p=none; sp=reject; np=quarantine; psd=n; adkim=s; aspf=r; t=y"), &r));
	assert_true(r.has_sp && r.sp == DMARC_REJECT && r.has_np && r.np == DMARC_QUARANTINE && r.psd == DMARC_PSD_NO);
	assert_true(r.is_dkim_strict && !r.is_spf_strict && r.is_testing);
}

static void test_authors(void **state)
{
	static const struct { const char *from, *domains; } rows[] = { /* NULL: cannot be read; domains joined by ' ' */
		{"joe@example.org", "example.org"},
		{" Joe <joe@Example.ORG.>\r\n", "example.org"},
		{"\"a@b, c\" <joe@example.org>", "example.org"},
		{"(a@evil.example) joe@example.org (x, y)", "example.org"},
		{"a@example.org, b@example.net", "example.org example.net"},
		{"a@example.org, b@EXAMPLE.org", "example.org"},
		{"Friends: a@example.org, b@example.net;", "example.org example.net"},
		{"Nobody:;", ""},
		{"", ""},
		{"joe@b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
		{"\"a\\\"@b\"@example.org", "example.org"},
		{"joe", NULL},
		{"joe@", NULL},
		{"<>", NULL},
		{"a@example.org> x", NULL},
		{"<a@example.org", NULL},
		{"<a@example.org> <b@example.net>", NULL},
		{"<a@example.org> b@example.net", NULL},
		{"a@example.org(.example.com", NULL},
		{"\"a@example.org", NULL},
		{"Group: a@example.org", NULL},
		{"a@b@example..org", NULL},
		{"=?utf-8?q?a=40example.org?=", NULL},
	};
	auto_arena struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf got = {.max = 1024};
		struct dmarc_authors a = {.n = 0};
		bool ok = dmarc_authors_parse(&arena, str_from(rows[i].from), &a);
		for (size_t k = 0; k < a.n; k++) {
			buf_str(&got, k > 0 ? STR(" ") : STR_NONE);
			buf_str(&got, a.domain[k]);
		}
		assert_row(ok == (rows[i].domains != NULL), rows[i].from);
		assert_row(!ok || str_eq(buf_view(&got), str_from(rows[i].domains)), rows[i].from);
	}
	struct dmarc_authors a;
	assert_false(dmarc_authors_parse(&arena, STR("a@example.org\0.example.net"), &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_authors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
