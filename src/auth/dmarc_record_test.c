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
		{"a@example.com@example.org", NULL},
		{"a@example (c) . (d)\r\n org", "example.org"},
		{"a@exam(c)ple.org", NULL},
		{"a@exam\rple.org", NULL},
		{"a@exam ple.org", NULL},
		{"a@example.org.evil.example", "example.org.evil.example"},
		{"a@example.org..", NULL},
		{"a@.example.org", NULL},
		{"a@[192.0.2.1]", NULL},
		{"a@\"example.org\"", NULL},
		{"<@evil.example:a@example.org>", NULL},
		{"a@example.org: b@evil.example;", NULL},
		{"a%example.org@evil.example", "evil.example"},
		{"a@example.org,", "example.org"},
		{"a@example%2eorg", NULL},
		{"a@\xef\xbd\x85xample.org", "example.org"}, /* a full-width letter: UTS 46 maps it, as a reader's eye does */
		{"a@example\xe3\x80\x82org", "example.org"},  /* an ideographic full stop */
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_oddities),
	                                   cmocka_unit_test(test_uris), cmocka_unit_test(test_authors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
