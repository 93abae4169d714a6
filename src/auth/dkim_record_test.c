/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tag lists, signatures and key records: what is read, what is refused, and why. */
#include "auth/dkim_record.h"
#include "base/auto.h"
#include "base/test.h"

static void test_tags(void **state)
{
	static const struct { const char *text; int n; } rows[] = {
		{"a=1", 1}, {" a = 1 ; b=2; ", 2}, {"a=1;;b=2", -1}, {"a=1;a=2", -1}, {"a", -1}, {"=1", -1}, {"", -1}, {"a=", 1},
		{"1a=x", -1}, {"a_1=x", 1}, {"a=\r\n\tx\r\n y", 1}, {"a=\x01", -1}, {"A=1;a=1", 2}, {"a b=1", -1},
	};
	struct dkim_tags tags;
	const char *why;

	for (size_t i = 0; i < COUNT(rows); i++) {
		bool ok = dkim_tags_parse(str_from(rows[i].text), &tags, &why);
		assert_row(ok == (rows[i].n >= 0), rows[i].text);
		assert_row(!ok || tags.n == (size_t)rows[i].n, rows[i].text);
	}
	assert_true(dkim_tags_parse(STR("x=1; b= ab\r\n cd ;y=2"), &tags, &why));
	assert_str(dkim_tags_find(&tags, STR("b"))->value, "ab\r\n cd");
	assert_str(dkim_tags_find(&tags, STR("b"))->span, " ab\r\n cd ");
	assert_null(dkim_tags_find(&tags, STR("B")));
}

#define GOOD "v=1; a=rsa-sha256; d=Example.org; s=s1; h=To:From; bh=AAAA; b=AAAA"

static void test_signature(void **state)
{
	static const struct { const char *text, *why; } rows[] = {
		{GOOD, NULL},
		{GOOD "; i=joe@mail.example.org", NULL},
		{GOOD "; i=joe@example.net", "i= is not within d="},
		{GOOD "; i=joe", "i= is not within d="},
		{GOOD "; c=relaxed", NULL},
		{GOOD "; c=Relaxed", "c= names no known canonicalization"},
		{GOOD "; c=relaxed/nofws", "c= names no known canonicalization"},
		{GOOD "; l=12", NULL},
		{GOOD "; l=-1", "l= is no number"},
		{GOOD "; t=5; x=5", "x= is not later than t="},
		{GOOD "; t=5; x=6", NULL},
		{GOOD "; x=99999999999999999999", "x= is no number"},
		{GOOD "; q=dns/txt:other", NULL},
		{GOOD "; q=other", "q= does not offer dns/txt"},
		{GOOD "; v=1", "a tag stands twice"},
		{"a=rsa-sha256; d=example.org; s=s1; h=from; bh=AAAA; b=AAAA", "v= is not 1"},
		{"v=1; a=rsa-md5; d=example.org; s=s1; h=from; bh=AAAA; b=AAAA", "a= names no known algorithm"},
		{"v=1; a=rsa-sha256; d=exa mple; s=s1; h=from; bh=AAAA; b=AAAA", "d= is missing or no domain name"},
		{"v=1; a=rsa-sha256; d=example.org; h=from; bh=AAAA; b=AAAA", "s= is missing or no selector"},
		{"v=1; a=rsa-sha256; d=example.org; s=s1; h=to; bh=AAAA; b=AAAA", "From is not signed"},
		{"v=1; a=rsa-sha256; d=example.org; s=s1; bh=AAAA; b=AAAA", "h= is missing"},
		{"v=1; a=rsa-sha256; d=example.org; s=s1; h=from; bh=A*AA; b=AAAA", "bh= is missing or not base64"},
		{"v=1; a=rsa-sha256; d=example.org; s=s1; h=from; bh=AAAA; b=", "b= is missing or not base64"},
	};
	auto_arena struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dkim_signature s;
		const char *why = "";
		bool ok = dkim_signature_parse(&arena, DKIM_SIGNATURE, str_from(rows[i].text), &s, &why);
		assert_row(ok == !rows[i].why, rows[i].text);
		assert_row(ok || strcmp(why, rows[i].why) == 0, why);
		assert_row(!ok || str_eq(s.domain, STR("example.org")), rows[i].text);
	}
}

static void test_arc(void **state)
{
	static const struct { enum dkim_kind kind; const char *text; bool ok; } rows[] = {
		{ARC_SEAL, "i=1; a=rsa-sha256; cv=none; d=example.org; s=s; b=AAAA", true},
		{ARC_SEAL, "i=0; a=rsa-sha256; cv=none; d=example.org; s=s; b=AAAA", false},
		{ARC_SEAL, "i=51; a=rsa-sha256; cv=none; d=example.org; s=s; b=AAAA", false},
		{ARC_SEAL, "i=1; a=rsa-sha256; cv=maybe; d=example.org; s=s; b=AAAA", false},
		{ARC_SEAL, "i=1; a=rsa-sha256; cv=none; d=example.org; s=s; h=from; b=AAAA", false},
		{ARC_MESSAGE_SIGNATURE, "i=50; a=rsa-sha256; d=example.org; s=s; h=; bh=AAAA; b=AAAA", true},
		{ARC_MESSAGE_SIGNATURE, "i=1; a=rsa-sha256; d=example.org; s=s; h=arc-seal; bh=AAAA; b=AAAA", false},
	};
	auto_arena struct arena arena;
	struct str rest;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dkim_signature s;
		const char *why = "";
		assert_row(dkim_signature_parse(&arena, rows[i].kind, str_from(rows[i].text), &s, &why) == rows[i].ok, rows[i].text);
	}
	assert_int_equal(arc_results_instance(STR(" i = 7 ; mx.example; none"), &rest), 7);
	assert_str(rest, " mx.example; none");
	assert_int_equal(arc_results_instance(STR("mx.example; i=7; none"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("i=51; x"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("i=1"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("(c;) i (i=9;)\r\n = 2(x) ; mx.example; none"), &rest), 2);
	assert_str(rest, " mx.example; none");
	assert_int_equal(arc_results_instance(STR("i=1x; a"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("i=; a"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("I=1; a"), &rest), 0);
	assert_int_equal(arc_results_instance(STR("(i=1; a"), &rest), 0);
}

static void test_key(void **state)
{
	struct dkim_key key;
	const char *why;

	assert_true(dkim_key_parse(STR("v=DKIM1; k=rsa; t=y:s; h=sha256; s=email; p=AA AA; n=note"), &key, &why));
	assert_true(key.is_testing && key.is_same_domain && key.is_for_mail && key.allows_sha256 && !key.allows_sha1);
	assert_str(key.p, "AA AA");
	assert_true(dkim_key_parse(STR("p="), &key, &why) && key.p.n == 0 && key.allows_sha1);
	assert_true(dkim_key_parse(STR("p=A; s=tlsrpt"), &key, &why) && !key.is_for_mail);
	assert_true(dkim_key_parse(STR("p=A; k=ed25519"), &key, &why) && key.is_ed25519);
	assert_false(dkim_key_parse(STR("p=A; k=dsa"), &key, &why));
	assert_false(dkim_key_parse(STR("k=rsa"), &key, &why));
	assert_false(dkim_key_parse(STR("p=A; v=DKIM1"), &key, &why));
	assert_false(dkim_key_parse(STR("v=DKIM2; p=A"), &key, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tags), cmocka_unit_test(test_signature),
	                                   cmocka_unit_test(test_arc), cmocka_unit_test(test_key)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
