/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PROXY headers, each fed whole and split at every byte, with the client's first bytes behind. */
#include "smtp/proxy.h"

#include "base/auto.h"
#include "base/test.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET      "\xC0\x00\x02\x01\xC6\x33\x64\x01\x12\x67\x00\x19"
#define INET6                                                                                      \
	"\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"     \
	"\x12\x67\x00\x19"
#define MAPPED                                                                                     \
	"\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC6\x33\x64\x01"  \
	"\x12\x67\x00\x19"
#define ROW(bytes, want) {{bytes, sizeof(bytes) - 1}, want}

/* "client port here port", "local", or NULL for broken. */
static const struct row {
	struct str in;
	const char *want;
} rows[] = {
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 25\r\n", "192.0.2.1 4711 198.51.100.1 25"),
	ROW("PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", "2001:db8::1 4711 2001:db8::2 25"),
	ROW("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 0 65535\r\n", "192.0.2.1 0 198.51.100.1 65535"),
	ROW("PROXY UNKNOWN\r\n", "local"),
	ROW("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "local"),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 25 1\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 25 \r\n", NULL),
	ROW("PROXY TCP4  192.0.2.1 198.51.100.1 4711 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 04711 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 -1 25\r\n", NULL),
	ROW("PROXY TCP4 2001:db8::1 2001:db8::2 4711 25\r\n", NULL),
	ROW("PROXY TCP6 192.0.2.1 198.51.100.1 4711 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.256 198.51.100.1 4711 25\r\n", NULL),
	ROW("PROXY UDP4 192.0.2.1 198.51.100.1 4711 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 25\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 25\r\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1\0 198.51.100.1 4711 25\r\n", NULL),
	ROW("PROXY UNKNOWN \0\r\n", NULL), ROW("PROXY \r\n", NULL), ROW("PROXY\r\n", NULL), ROW("proxy TCP4", NULL), ROW("EHLO x\r\n", NULL),
	ROW("\x16\x03\x01", NULL),
	/* 107 bytes with CR LF are the longest, 108 are not taken */
	ROW("PROXY UNKNOWN 1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
	    "901\r\n", "local"),
	ROW("PROXY UNKNOWN 1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
	    "9012\r\n", NULL),
	ROW(SIGNATURE "\x21\x11\x00\x0C" INET, "192.0.2.1 4711 198.51.100.1 25"),
	ROW(SIGNATURE "\x21\x21\x00\x24" INET6, "2001:db8::1 4711 2001:db8::2 25"),
	ROW(SIGNATURE "\x21\x21\x00\x24" MAPPED, "192.0.2.1 4711 198.51.100.1 25"),
	ROW(SIGNATURE "\x21\x11\x00\x11" INET "\x01\x00\x02hi", "192.0.2.1 4711 198.51.100.1 25"),
	ROW(SIGNATURE "\x20\x00\x00\x00", "local"), ROW(SIGNATURE "\x20\x11\x00\x0C" INET, "local"),
	ROW(SIGNATURE "\x21\x00\x00\x00", "local"), ROW(SIGNATURE "\x21\x00\x00\x03xyz", "local"),
	ROW(SIGNATURE "\x21\x11\x00\x00", NULL), ROW(SIGNATURE "\x21\x11\x00\x0B" INET, NULL),
	ROW(SIGNATURE "\x21\x21\x00\x0C" INET, NULL), ROW(SIGNATURE "\x21\x31\x00\x00", NULL),
	ROW(SIGNATURE "\x21\x12\x00\x0C" INET, NULL), ROW(SIGNATURE "\x22\x11\x00\x0C" INET, NULL),
	ROW(SIGNATURE "\x11\x11\x00\x0C" INET, NULL), ROW(SIGNATURE "\x21\x41\x00\x0C" INET, NULL),
	ROW(SIGNATURE "\x21\x13\x00\x0C" INET, NULL), ROW(SIGNATURE "\x20\x13\x00\x00", NULL), ROW("\r\n\r\n\0\r\nQUIX\n", NULL), ROW("\r\n\r\n\r\n", NULL),
};

static void check(const struct row *row, struct str in, size_t cut)
{
	struct proxy_reader r;
	struct proxy_source s = {.client_port = 9};
	struct err err = {0};
	size_t first = 0, used = 0;
	char client[IP_TEXT_MAX], here[IP_TEXT_MAX];
	auto_buf struct buf got = {.max = 200};

	proxy_reader_init(&r);
	enum proxy_step step = proxy_reader_feed(&r, str_slice(in, 0, cut), &first, &s, &err);
	if (step == PROXY_MORE) {
		assert_int_equal(first, cut);
		step = proxy_reader_feed(&r, str_skip(in, cut), &used, &s, &err);
	}
	assert_int_equal(step, row->want ? PROXY_DONE : PROXY_BROKEN);
	if (!row->want) {
		assert_int_equal(s.client_port, 9);
		assert_true(err.text[0]);
		return;
	}
	assert_int_equal(first + used, row->in.n);
	if (s.is_local)
		buf_str(&got, STR("local"));
	else
		buf_printf(&got, "%.*s %u %.*s %u", STR_ARG(ip_text(s.client, client)), s.client_port,
		           STR_ARG(ip_text(s.here, here)), s.here_port);
	assert_str(buf_view(&got), row->want);
}

static void headers(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf in = {.max = 4096};
		buf_str(&in, rows[i].in);
		buf_str(&in, STR("EHLO x\r\n"));
		for (size_t cut = 0; cut <= in.n; cut++)
			check(&rows[i], buf_view(&in), cut);
	}
}

static void asks_for_more(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!rows[i].want)
			continue;
		for (size_t n = 0; n < rows[i].in.n; n++) {
			struct proxy_reader r;
			struct proxy_source s;
			struct err err;
			size_t used;
			proxy_reader_init(&r);
			assert_int_equal(proxy_reader_feed(&r, str_slice(rows[i].in, 0, n), &used, &s, &err),
			                 PROXY_MORE);
			assert_int_equal(used, n);
		}
	}
}

static void longest(void **state)
{
	static char header[16 + 65535 + 1];
	struct proxy_reader r;
	struct proxy_source s;
	struct err err;
	size_t used;

	memcpy(header, SIGNATURE "\x21\x11\xFF\xFF" INET, 28);
	proxy_reader_init(&r);
	assert_int_equal(proxy_reader_feed(&r, (struct str){header, sizeof header}, &used, &s, &err), PROXY_DONE);
	assert_int_equal(used, sizeof header - 1);
	assert_int_equal(s.client_port, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(asks_for_more),
	                                   cmocka_unit_test(longest)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
