/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the author is, and every way to look like somebody else. */
#include "auth/dmarc_from.h"
#include "base/auto.h"
#include "base/test.h"

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

static void test_headers(void **state)
{
	static const struct { const char *header, *domain; } rows[] = { /* NULL: cannot be read; "": nobody */
		{"From: a@example.org\r\n", "example.org"},
		{"Received: x\r\nFROM:\r\n\ta@example.org\r\n\r\nFrom: b@example.net\r\n", "example.org"},
		{"From : a@example.org\r\n", "example.org"},
		{"To: a@example.org\r\nSender: a@example.org\r\nResent-From: a@example.org\r\n", ""},
		{"X-From: b@example.net\r\nFrom: a@example.org\r\n", "example.org"},
		{"From x Mon Jan 1\r\nFrom: a@example.org\r\n", "example.org"}, /* the first line of an mbox */
		{"garbage\r\nFrom: a@example.org\r\n", "example.org"},
		{"From: a@example.org\r\nFrom: b@example.net\r\n", NULL},
		{"From: a@example.org\r\nfrom: a@example.org\r\n", NULL},
		{"From: a@example.org\r\nFrom : b@example.net\r\n", NULL},
		{"From: a@example.org\r\nFrom\r\n : b@example.net\r\n", NULL},
		{"From\r\n\t: b@example.net\r\nFrom: a@example.org\r\n", NULL},
		{" From: b@example.net\r\nFrom: a@example.org\r\n", NULL},
		{"\tF\r\n rom: b@example.net\r\nFrom: a@example.org\r\n", NULL},
		{"From\x01: b@example.net\r\nFrom: a@example.org\r\n", NULL},
		{"From\xc2\xa0: b@example.net\r\nFrom: a@example.org\r\n", NULL},
		{"\xef\xbb\xbf" "From: b@example.net\r\nFrom: a@example.org\r\n", NULL}, /* a byte order mark */
		{"From: a@example.org\rFrom: b@example.net\r\n", NULL},                    /* a bare CR ends a line */
		{"From: a@example.org\nFrom: b@example.net\r\n", NULL},
		{"Subject: x\r\r\nFrom: a@example.org\r\n", "example.org"},
	};
	auto_arena struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dmarc_authors a = {.n = 0};
		bool ok = dmarc_authors_of_header(&arena, str_from(rows[i].header), &a);
		assert_row(ok == (rows[i].domain != NULL), rows[i].header);
		assert_row(!ok || (a.n == 0 && !rows[i].domain[0]) || (a.n == 1 && str_eq(a.domain[0], str_from(rows[i].domain))),
		           rows[i].header);
	}
	struct dmarc_authors a;
	assert_false(dmarc_authors_of_header(&arena, STR("From\0: b@example.net\r\nFrom: a@example.org\r\n"), &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_authors), cmocka_unit_test(test_headers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
