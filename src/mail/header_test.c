/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers: where fields begin and end, what is taken out, what is put in. */
#include "mail/header.h"

#include "base/auto.h"
#include "base/test.h"

/* Each field as "name=value|" with line ends shown as ^, then where header and body end. */
static void scans(void **state)
{
	static const struct {
		const char *in, *fields;
		size_t header, body;
		bool has_body;
	} rows[] = {
		{"", "", 0, 0, false},
		{"\r\n", "", 0, 2, true},
		{"A: 1\r\nB:2\r\n\r\nbody", "A= 1|B=2|", 11, 13, true},
		{"A: 1\r\n 2\r\n\t3\r\nB:\r\n", "A= 1^ 2^\t3|B=|", 18, 18, false},
		{"A: 1", "A= 1|", 4, 4, false},
		{"A : 1\r\n\r\n", "A= 1|", 7, 9, true},
		{"A: 1\nB: 2\n\nx", "A= 1|B= 2|", 10, 11, true},
		{"A: 1\rB: 2\r\r\nx", "A= 1|B= 2|=|", 13, 13, false}, /* CR CR LF is one line end */
		{"A: 1\r\r\nB: 2\r\n\nx", "A= 1|B= 2|", 13, 14, true},
		{"From x\r\nA: 1\r\n\r\n", "=|A= 1|", 14, 16, true},
		{" A: 1\r\nB: 2\r\n\r\n", "=|B= 2|", 13, 15, true},
		{"A: 1\r\n \r\nB: 2\r\n\r\n", "A= 1^ |B= 2|", 15, 17, true},
		{"A B: 1\r\n: 2\r\nC\x01: 3\r\n\r\n", "=|=|=|", 20, 22, true},
		{"A: \nx: 1\r\n\r\n", "A= |x= 1|", 10, 12, true},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf got = {.max = 4096};
		struct header_scan s;
		struct header_field f;
		size_t end = 0;
		header_scan_init(&s, str_from(rows[i].in));
		while (header_scan_next(&s, &f)) {
			assert_row(f.offset == end, rows[i].in);
			end = f.offset + f.whole.n;
			buf_printf(&got, "%.*s=", STR_ARG(f.name));
			for (size_t k = 0; k < f.value.n; k++)
				if (f.value.p[k] == '\n')
					buf_char(&got, '^');
				else if (f.value.p[k] != '\r')
					buf_char(&got, f.value.p[k]);
			buf_char(&got, '|');
		}
		assert_str(buf_view(&got), rows[i].fields);
		assert_row(s.at == rows[i].header, rows[i].in);
		assert_row(s.body == rows[i].body, rows[i].in);
		assert_row(s.has_body == rows[i].has_body, rows[i].in);
	}
}

static void summarises(void **state)
{
	struct header_summary h;

	header_summarise(STR("Received: a\r\nreceived: b\r\n c\r\nFrom: x\r\nDate: y\r\nMessage-Id: z\r\n"
	                     "Auto-Submitted: auto-replied; x=1\r\nnonsense\r\n\r\nReceived: no\r\n"),
	                 &h);
	assert_int_equal(h.received, 2);
	assert_int_equal(h.fields, 7);
	assert_int_equal(h.nameless, 1);
	assert_int_equal(h.from, 1);
	assert_int_equal(h.date, 1);
	assert_int_equal(h.message_id, 1);
	assert_int_equal(h.longest_field, 35);
	assert_true(h.is_automatic);
	assert_true(h.has_body);
	assert_int_equal(h.header_bytes + 2, h.body_offset);
	header_summarise(STR("Auto-Submitted: no\r\n"), &h);
	assert_false(h.is_automatic);
}

static void unfolds_and_finds(void **state)
{
	auto_arena struct arena arena = {.max = 4096};
	struct str v;

	assert_str(header_unfold(&arena, STR(" a\r\n b\r\n\tc ")), "a b\tc");
	assert_str(header_unfold(&arena, STR("")), "");
	assert_true(header_find(STR("A: 1\r\nb: 2\r\nB: 3\r\n\r\nC: 4"), STR("B"), &v));
	assert_str(v, " 2");
	assert_false(header_find(STR("A: 1\r\n\r\nC: 4"), STR("C"), &v));
}

static void authserv_ids(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{" mx.example; spf=pass", "mx.example"}, {"MX.Example 1; none", "MX.Example"},
		{"\r\n\tmx.example;", "mx.example"}, {" (c (n\\)) x) mx.example;", "mx.example"},
		{" \"mx.ex\\ample\" ;", "mx.example"}, {" \"mx.\r\n example\";", "mx. example"},
		{" mx.example/1; x", "mx.example"}, {"mx.example(c); x", "mx.example"},
		{"", NULL}, {" ; x", NULL}, {" (open mx.example; x", NULL}, {" \"\"; x", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 4096};
		struct str id = STR_NONE;
		assert_row(header_authserv_id(&arena, str_from(rows[i].in), &id) == (rows[i].out != NULL),
		           rows[i].in);
		assert_str(id, rows[i].out);
	}
}

static void takes_out(void **state)
{
	static const struct str names[] = {{"X-Postern-Sender", 16}, {"Return-Path", 11}};
	static const struct {
		const char *in, *out;
		size_t dropped;
	} rows[] = {
		{"A: 1\r\n\r\nbody", "A: 1\r\n\r\nbody", 0},
		{"X-Postern-Sender: x\r\nA: 1\r\n\r\nb", "A: 1\r\n\r\nb", 1},
		{"A: 1\r\nx-postern-SENDER : x\r\n y\r\nB: 2\r\n\r\nb", "A: 1\r\nB: 2\r\n\r\nb", 1},
		{"A: 1\r\nReturn-Path: <>\r\n\r\nReturn-Path: <>\r\n", "A: 1\r\n\r\nReturn-Path: <>\r\n", 1},
		{"A: 1\nX-Postern-Sender: x\nB: 2\n\nb", "A: 1\nB: 2\n\nb", 1},
		{"A: 1\rX-Postern-Sender: x\rB: 2\r\n\r\nb", "A: 1\rB: 2\r\n\r\nb", 1},
		{"X-Postern-Sender: x\r\nReturn-Path: y\r\n", "", 2},
		{"Authentication-Results: gate.example; spf=pass\r\nA: 1\r\n\r\n", "A: 1\r\n\r\n", 1},
		{"authentication-results:\r\n (hi)\r\n \"GATE.example\" 1;\r\n spf=pass\r\nA: 1\r\n\r\n",
		 "A: 1\r\n\r\n", 1},
		{"Authentication-Results: (open gate.example; spf=pass\r\nA: 1\r\n\r\n", "A: 1\r\n\r\n", 1},
		{"Authentication-Results: other.example; x=gate.example\r\n\r\n",
		 "Authentication-Results: other.example; x=gate.example\r\n\r\n", 0},
		{"Authentication-Results: gate.example.evil; none\r\n\r\n",
		 "Authentication-Results: gate.example.evil; none\r\n\r\n", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf got = {.max = 4096};
		struct header_keep k;
		struct str slice;
		header_keep_init(&k, str_from(rows[i].in), names, COUNT(names), STR("gate.example"));
		while (header_keep_next(&k, &slice)) {
			assert_row(slice.n > 0, rows[i].in);
			buf_str(&got, slice);
		}
		assert_str(buf_view(&got), rows[i].out);
		assert_row(k.dropped == rows[i].dropped, rows[i].in);
	}
}

/* 20 MB of one kind of line end must not cost the square of it. */
static void is_linear(void **state)
{
	const char *const pieces[] = {"\r", "\n", "a\r", "a\n", "a: b\r\n", "a: b\r\n c", "a:\r\n ", ":"};
	size_t n = 4 * 1024 * 1024;
	auto_free char *text = malloc(n);

	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct header_summary h;
		for (size_t k = 0, l = strlen(pieces[i]); k < n; k++)
			text[k] = pieces[i][k % l];
		header_summarise((struct str){text, n}, &h);
		assert_true(h.body_offset <= n);
	}
}

static void received(void **state)
{
	struct received_args a = {
		.helo = STR("mx.sender.example"), .ptr = STR("mx.sender.example"), .host = STR("gate.example"),
		.is_esmtp = true, .is_tls = true, .tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384"),
		.ref = STR("2F3A"), .rcpt = STR("joe@here.example"), .now = {1795335330 * (int64_t)1000000},
	};
	auto_buf struct buf b = {.max = 4096};

	assert_true(ip_parse(STR("192.0.2.7"), &a.ip));
	header_received(&b, &a);
	assert_str(buf_view(&b), "Received: from mx.sender.example (mx.sender.example [192.0.2.7])\r\n"
	                         "\tby gate.example (Postern) with ESMTPS\r\n"
	                         "\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
	                         "\tid 2F3A\r\n"
	                         "\tfor <joe@here.example>;\r\n"
	                         "\tSun, 22 Nov 2026 08:15:30 +0000\r\n");
	buf_clear(&b);
	assert_true(ip_parse(STR("2001:db8::7"), &a.ip));
	a.helo = STR("(evil)\r\nX: 1");
	a.ptr = a.tls = STR_NONE;
	a.rcpt = STR("j\xC3\xB6@here.example"); /* not without SMTPUTF8 */
	a.is_esmtp = a.is_tls = false;
	header_received(&b, &a);
	assert_str(buf_view(&b), "Received: from ?evil???X:?1 ([IPv6:2001:db8::7])\r\n"
	                         "\tby gate.example (Postern) with SMTP\r\n"
	                         "\tid 2F3A;\r\n"
	                         "\tSun, 22 Nov 2026 08:15:30 +0000\r\n");
}

static void protocol_names(void **state)
{
	static const struct {
		struct received_args a;
		const char *want;
	} rows[] = {
		{{.is_esmtp = true}, "with ESMTP\r"},   {{.is_tls = true}, "with ESMTPS\r"},
		{{.is_auth = true}, "with ESMTPA\r"},   {{.is_tls = true, .is_auth = true}, "with ESMTPSA\r"},
		{{.is_lmtp = true}, "with LMTP\r"},     {{.is_utf8 = true, .is_tls = true}, "with UTF8SMTPS\r"},
		{{.is_utf8 = true, .is_lmtp = true}, "with UTF8LMTP\r"}, {{.is_auth = false}, "with SMTP\r"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf b = {.max = 4096};
		header_received(&b, &rows[i].a);
		assert_row(str_find(buf_view(&b), str_from(rows[i].want)) < b.n, rows[i].want);
	}
}

static void return_path(void **state)
{
	auto_buf struct buf b = {.max = 4096};

	header_return_path(&b, STR_NONE);
	header_return_path(&b, STR("a@b.example"));
	assert_str(buf_view(&b), "Return-Path: <>\r\nReturn-Path: <a@b.example>\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scans),     cmocka_unit_test(summarises), cmocka_unit_test(unfolds_and_finds),
		cmocka_unit_test(authserv_ids), cmocka_unit_test(takes_out), cmocka_unit_test(is_linear),
		cmocka_unit_test(received),  cmocka_unit_test(protocol_names), cmocka_unit_test(return_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
