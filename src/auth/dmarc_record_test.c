/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMARC records, what is odd about them, and the places for reports. */
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

static void test_oddities(void **state)
{
	static const struct { const char *text; unsigned odd; } rows[] = {
		{"v=DMARC1; p=reject; sp=none; np=none; psd=u; t=n; adkim=r; aspf=s; fo=0:d:s; rua=mailto:a@b.example; ruf=mailto:a@b.example", 0},
		{"v=DMARC1; p=reject; pct=10", DMARC_ODD_REMOVED_TAG}, {"v=DMARC1; p=reject; rf=afrf; ri=1", DMARC_ODD_REMOVED_TAG},
		{"v=DMARC1; p=reject; pctt=10", DMARC_ODD_UNKNOWN_TAG}, {"v=DMARC1; rua=mailto:a@b.example", DMARC_ODD_NO_POLICY},
		{"v=DMARC1; p=rejekt", DMARC_ODD_POLICY}, {"v=DMARC1; p=reject; sp=", DMARC_ODD_POLICY},
		{"v=DMARC1; p=reject; adkim=x", DMARC_ODD_ALIGNMENT}, {"v=DMARC1; p=reject; aspf=relaxed", DMARC_ODD_ALIGNMENT},
		{"v=DMARC1; p=reject; t=yes", DMARC_ODD_FLAG}, {"v=DMARC1; p=reject; psd=no", DMARC_ODD_FLAG},
		{"v=DMARC1; p=reject; fo=2", DMARC_ODD_FLAG}, {"v=DMARC1; p=reject; p=none", DMARC_ODD_TWICE},
		{"v=DMARC1; p=reject; hello", DMARC_ODD_SYNTAX}, {"v=DMARC1; p=reject; ;", 0},
		{"v=DMARC1; p=reject; rua=a@b.example", DMARC_ODD_URI}, {"v=DMARC1; p=reject; ruf=mailto:a@b.example!10m", DMARC_ODD_SIZE},
	};
	struct dmarc_record r;

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_row(dmarc_record_parse(str_from(rows[i].text), &r), rows[i].text);
		assert_row(r.oddities == rows[i].odd, rows[i].text);
	}
	for (unsigned i = 0; i < DMARC_ODDITIES; i++)
		assert_non_null(dmarc_oddity_text(i));
	assert_true(dmarc_is_near_miss(STR("v=dmarc1; p=reject")) && dmarc_is_near_miss(STR("p=reject; v=DMARC1")));
	assert_false(dmarc_is_near_miss(STR("v=DMARC1; p=reject")) || dmarc_is_near_miss(STR("v=spf1 -all")));
}

static void test_uris(void **state)
{
	static const struct { const char *list, *uris; } rows[] = { /* "-" for what is no URI */
		{"mailto:a@b.example", "mailto:a@b.example"}, {"mailto:a@b.example!10m , https://b.example/x", "mailto:a@b.example https://b.example/x"},
		{"mailto:a@b.example!10x", "-"}, {"mailto:a!b@b.example", "-"}, {"mailto:a%21b@b.example", "mailto:a%21b@b.example"},
		{"mailto:a%2@b.example", "-"}, {"mailto:@b.example", "-"}, {"mailto:a@", "-"}, {"a@b.example", "-"}, {"1:x", "-"},
		{":x", "-"}, {"x:", "-"}, {"MAILTO:a@b.example!5", "MAILTO:a@b.example"}, {"mailto:a b@b.example", "-"},
		{"mailto:a@b.example,,x:y", "mailto:a@b.example - x:y"}, {"", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf got = {.max = 1024};
		struct str list = str_from(rows[i].list), uri;
		while (dmarc_uri_next(&list, &uri)) {
			buf_str(&got, got.n > 0 ? STR(" ") : STR_NONE);
			buf_str(&got, uri.n > 0 ? uri : STR("-"));
		}
		assert_row(str_eq(buf_view(&got), str_from(rows[i].uris)), rows[i].list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_oddities),
	                                   cmocka_unit_test(test_uris)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
