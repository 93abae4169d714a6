/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a DNS packet becomes: honest ones field by field, hostile ones refused or bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "dns/answer.h"
#include "dns/message.h"
#include "dns/name.h"

/* --- a packet writer --- */

static struct buf packet;

static void u8(unsigned v)
{
	buf_char(&packet, (char)v);
}
static void u16(unsigned v)
{
	u8(v >> 8);
	u8(v & 0xff);
}
static void u32(uint32_t v)
{
	u16(v >> 16);
	u16(v & 0xffff);
}
static void put_name(const char *text)
{
	struct str rest = str_from(text), label;

	while (str_cut(&rest, '.', &label)) {
		u8((unsigned)label.n);
		buf_str(&packet, label);
	}
	u8(0);
}
/* Flags 0x8180: an answer, recursion desired and available. */
static void header(unsigned rcode, unsigned answers, unsigned authorities)
{
	buf_clear(&packet);
	u16(1);
	u16(0x8180 | rcode);
	u16(1);
	u16(answers);
	u16(authorities);
	u16(0);
	put_name("Example.test");
	u16(DNS_A);
	u16(1);
}
static void rr(const char *owner, unsigned type, uint32_t ttl, unsigned length)
{
	put_name(owner);
	u16(type);
	u16(1);
	u32(ttl);
	u16(length);
}
static void rr_a(const char *owner, uint32_t ttl, uint32_t ip)
{
	rr(owner, DNS_A, ttl, 4);
	u32(ip);
}
static void rr_name(const char *owner, unsigned type, uint32_t ttl, const char *name)
{
	rr(owner, type, ttl, (unsigned)strlen(name) + 2);
	put_name(name);
}
static void rr_mx(unsigned preference, const char *host)
{
	unsigned length = host[0] ? (unsigned)strlen(host) + 2 : 1;

	rr("example.test", DNS_MX, 300, 2 + length);
	u16(preference);
	put_name(host);
}
static void rr_soa(uint32_t ttl, uint32_t minimum)
{
	rr("test", DNS_SOA, ttl, 8 + 8 + 20);
	put_name("ns.tes");
	put_name("hm.tes");
	for (uint32_t i = 1; i <= 4; i++)
		u32(i);
	u32(minimum);
}

static struct dns_answer *answer;
static struct err failure;

static bool read_bytes(struct str bytes, enum dns_type type)
{
	/* Exactly as long as the packet, so that the sanitizer sees one byte too far. */
	char *exact = malloc(bytes.n ? bytes.n : 1);
	bool is_read;

	memcpy(exact, bytes.p ? bytes.p : "", bytes.n);
	dns_answer_release(answer);
	answer = dns_answer_new(STR("example.test"), type);
	is_read = dns_message_read((struct str){exact, bytes.n}, STR("example.test"), type, answer, &failure);
	free(exact);
	return is_read;
}
static bool read_packet(enum dns_type type)
{
	assert_true(buf_ok(&packet));
	return read_bytes(buf_view(&packet), type);
}
static void assert_str(struct str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p ? got.p : "", want, got.n);
}
static int set_up(void **state)
{
	buf_init(&packet, 65535);
	return 0;
}
static int tear_down(void **state)
{
	buf_done(&packet);
	dns_answer_release(answer);
	answer = NULL;
	return 0;
}

/* --- honest packets --- */

static void test_addresses(void **state)
{
	char text[IP_TEXT_MAX];

	header(0, 3, 0);
	rr_a("EXAMPLE.test", 300, 0xc0000201);
	rr_a("other.test", 1, 0xc0000203); /* somebody else's: ignored, its TTL too */
	rr_a("example.test", 200, 0xc0000202);
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->outcome, DNS_FOUND);
	assert_int_equal(answer->n, 2);
	assert_int_equal(answer->ttl, 200);
	assert_false(answer->is_cut);
	assert_str(answer->canonical, "example.test");
	assert_str(ip_text(answer->records[1].ip, text), "192.0.2.2");

	header(0, 2, 0);
	rr("example.test", DNS_AAAA, 60, 16);
	buf_add(&packet, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	rr("example.test", DNS_AAAA, 60, 16);
	buf_add(&packet, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_true(read_packet(DNS_AAAA));
	assert_int_equal(answer->n, 2);
	assert_str(ip_text(answer->records[0].ip, text), "2001:db8::1");
	assert_str(ip_text(answer->records[1].ip, text), "192.0.2.1");
}

static void test_mx_is_sorted_and_null_mx_is_empty(void **state)
{
	unsigned first_of_equals = 0;

	for (int round = 0; round < 64; round++) {
		header(0, 4, 0);
		rr_mx(20, "c.example.test");
		rr_mx(10, "b.example.test");
		rr_mx(5, "a.EXAMPLE.test");
		rr_mx(10, "d.example.test");
		assert_true(read_packet(DNS_MX));
		assert_int_equal(answer->n, 4);
		assert_str(answer->records[0].mx.host, "a.example.test");
		assert_int_equal(answer->records[1].mx.preference, 10);
		assert_int_equal(answer->records[2].mx.preference, 10);
		assert_str(answer->records[3].mx.host, "c.example.test");
		first_of_equals += answer->records[1].mx.host.p[0] == 'b';
	}
	/* Both orders happen: fails by chance once in 2^63 runs. */
	assert_in_range(first_of_equals, 1, 63);

	header(0, 1, 0);
	rr_mx(0, "");
	assert_true(read_packet(DNS_MX));
	assert_int_equal(answer->outcome, DNS_FOUND);
	assert_int_equal(answer->records[0].mx.host.n, 0);
}

static void test_cname_chain_in_any_order(void **state)
{
	header(0, 3, 0);
	rr_a("end.test", 100, 0xc0000201);
	rr_name("mid.test", DNS_CNAME, 50, "end.test");
	rr_name("example.test", DNS_CNAME, 70, "mid.test");
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->outcome, DNS_FOUND);
	assert_int_equal(answer->n, 1);
	assert_int_equal(answer->ttl, 50);
	assert_str(answer->canonical, "end.test");
	assert_true(read_packet(DNS_CNAME));
	assert_str(answer->records[0].name, "mid.test");

	header(3, 1, 1); /* RFC 2308 2.1: the rcode speaks of the end of the chain */
	rr_name("example.test", DNS_CNAME, 70, "gone.test");
	rr_soa(3600, 40);
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->outcome, DNS_NXDOMAIN);
	assert_int_equal(answer->ttl, 40);
}

static void test_absence_and_rcodes(void **state)
{
	static const struct {
		unsigned rcode;
		enum dns_outcome outcome;
		const char *why;
	} cases[] = {
		{0, DNS_NODATA, ""},          {1, DNS_TEMPORARY, "FORMERR"}, {2, DNS_TEMPORARY, "SERVFAIL"},
		{3, DNS_NXDOMAIN, ""},        {5, DNS_TEMPORARY, "REFUSED"}, {9, DNS_TEMPORARY, "RCODE 9"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		header(cases[i].rcode, 0, 1);
		rr_soa(30, 900);
		assert_true(read_packet(DNS_MX));
		assert_int_equal(answer->outcome, cases[i].outcome);
		assert_str(answer->why, cases[i].why);
		if (cases[i].outcome != DNS_TEMPORARY)
			assert_int_equal(answer->ttl, 30);
	}
	header(3, 0, 0);
	assert_true(read_packet(DNS_MX));
	assert_int_equal(answer->ttl, 0);
}

static void test_txt_tlsa_soa_ptr(void **state)
{
	header(0, 1, 0);
	rr("example.test", DNS_TXT, 60, 1 + 6 + 1 + 0 + 1 + 3);
	buf_str(&packet, STR("\x06v=spf1\x00\x03-al"));
	assert_true(read_packet(DNS_TXT));
	assert_int_equal(answer->n, 1);
	assert_str(answer->records[0].text, "v=spf1-al");

	header(0, 1, 0);
	rr("example.test", DNS_TLSA, 60, 5);
	buf_str(&packet, STR("\x03\x01\x02\xab\xcd"));
	assert_true(read_packet(DNS_TLSA));
	assert_int_equal(answer->records[0].tlsa.usage, 3);
	assert_str(answer->records[0].tlsa.data, "\xab\xcd");

	header(0, 1, 0);
	rr("example.test", DNS_SOA, 60, 8 + 8 + 20);
	put_name("ns.tes");
	put_name("hm.tes");
	for (uint32_t i = 1; i <= 5; i++)
		u32(i);
	assert_true(read_packet(DNS_SOA));
	assert_str(answer->records[0].soa.rname, "hm.tes");
	assert_int_equal(answer->records[0].soa.minimum, 5);

	/* A PTR name cannot forge a header line. */
	header(0, 1, 0);
	rr("example.test", DNS_PTR, 60, 1 + 6 + 1 + 4 + 1);
	buf_str(&packet, STR("\x06\r\nX: )\x04"
	                     "a.\\B\0"));
	assert_true(read_packet(DNS_PTR));
	assert_str(answer->records[0].name, "\\013\\010x\\058\\032\\041.a\\046\\092b");
}

/* --- hostile packets --- */

static void test_compression(void **state)
{
	static const struct {
		const char *what;
		struct str name; /* rdata of a PTR, at offset 42 of the packet */
		const char *want; /* NULL: refused */
	} cases[] = {
		{"to the question", STR("\x01x\xc0\x0c"), "x.example.test"},
		{"to itself", STR("\xc0\x2a"), NULL},
		{"to its own first label", STR("\x01x\xc0\x2a"), NULL},
		{"forwards", STR("\xc0\x30"), NULL},
		{"beyond the packet", STR("\xff\xff"), NULL},
		{"into the header", STR("\xc0\x02"), NULL},
		{"half a pointer", STR("\x01x\xc0"), NULL},
		{"reserved label type 0x40", STR("\x41x\0"), NULL},
		{"reserved label type 0x80", STR("\x81x\0"), NULL},
		{"label beyond the record", STR("\x3fx\0"), NULL},
		{"bytes behind the name", STR("\x01x\0y"), NULL},
		{"nothing", STR(""), NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		header(0, 1, 0);
		u16(0xc00c);
		u16(DNS_PTR);
		u16(1);
		u32(60);
		u16((unsigned)cases[i].name.n);
		assert_int_equal(packet.n, 42);
		buf_str(&packet, cases[i].name);
		bool is_read = read_packet(DNS_PTR);
		if (is_read != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].what, is_read ? "read" : "refused");
		if (cases[i].want)
			assert_str(answer->records[0].name, cases[i].want);
		else
			assert_int_equal(answer->outcome, DNS_TEMPORARY);
	}
}

/* A whole name stands where the owner's pointer leads, but behind it: RFC 1035 4.1.4 says "prior". */
static void test_owner_by_pointer(void **state)
{
	for (int is_forwards = 0; is_forwards <= 1; is_forwards++) {
		header(0, 2, 0);
		unsigned name = (unsigned)packet.n + (is_forwards ? 16 : 0) + 12;
		for (int i = 0; i < 2; i++) {
			bool is_a = i == (is_forwards ? 0 : 1);
			u16(is_a ? 0xc000 | name : 0xc00c);
			u16(is_a ? DNS_A : DNS_TXT);
			u16(1);
			u32(60);
			u16(is_a ? 4 : 14);
			if (is_a)
				u32(0xc0000201);
			else
				put_name("example.test");
		}
		assert_int_equal(read_packet(DNS_A), !is_forwards);
		assert_int_equal(answer->n, !is_forwards);
	}
}

/* A staircase of pointers, each to the one before: legal in direction, bounded in number. */
static void test_pointer_staircase(void **state)
{
	for (unsigned steps = 30; steps < 36; steps++) {
		header(0, 2, 0);
		rr("other.test", DNS_TXT, 60, 2 * steps);
		size_t at = packet.n;
		u16(0xc00c);
		for (unsigned i = 1; i < steps; i++)
			u16(0xc000 | (unsigned)(at + 2 * (i - 1)));
		rr("example.test", DNS_PTR, 60, 2);
		u16(0xc000 | (unsigned)(at + 2 * (steps - 1)));
		assert_int_equal(read_packet(DNS_PTR), steps + 1 <= 32);
	}
}

static void test_names_that_are_too_long(void **state)
{
	/* 63-byte labels: 255 bytes are a name, 256 are none. */
	for (unsigned last = 61; last <= 62; last++) {
		header(0, 1, 0);
		rr("example.test", DNS_PTR, 60, 3 * 64 + 1 + last + 1);
		for (int label = 0; label < 3; label++) {
			u8(63);
			for (int i = 0; i < 63; i++)
				u8('a');
		}
		u8(last);
		for (unsigned i = 0; i < last; i++)
			u8('b');
		u8(0);
		assert_int_equal(read_packet(DNS_PTR), last == 61);
	}
	assert_int_equal(answer->outcome, DNS_TEMPORARY);

	/* A name that is legal but has no printable form of 253 bytes is left out: not absence, doubt. */
	header(0, 1, 0);
	rr("example.test", DNS_PTR, 60, 2 * 64 + 1);
	for (int label = 0; label < 2; label++) {
		u8(63);
		for (int i = 0; i < 63; i++)
			u8(0xff);
	}
	u8(0);
	assert_true(read_packet(DNS_PTR));
	assert_int_equal(answer->outcome, DNS_TEMPORARY);
	assert_int_equal(answer->n, 0);
	assert_true(answer->is_cut);
}

static void test_lying_lengths(void **state)
{
	static const struct {
		enum dns_type type;
		unsigned length; /* what the record says */
		struct str rdata;
	} cases[] = {
		{DNS_A, 4, STR("\x01\x02\x03")},          {DNS_A, 3, STR("\x01\x02\x03")},
		{DNS_A, 5, STR("\x01\x02\x03\x04\x05")},  {DNS_A, 65535, STR("\x01\x02\x03\x04")},
		{DNS_AAAA, 4, STR("\x01\x02\x03\x04")},   {DNS_MX, 1, STR("\x01")},
		{DNS_MX, 2, STR("\0\x0a")},               {DNS_MX, 4, STR("\0\x0a\x05m")},
		{DNS_TXT, 4, STR("\x04" "abc")},          {DNS_TXT, 2, STR("\xff\xff")},
		{DNS_TLSA, 2, STR("\x03\x01")},           {DNS_SOA, 4, STR("\0\0\0\0")},
		{DNS_CNAME, 3, STR("\x01" "a\x01")},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		header(0, 1, 0);
		rr("example.test", cases[i].type, 60, cases[i].length);
		buf_str(&packet, cases[i].rdata);
		if (read_packet(cases[i].type))
			fail_msg("case %zu was read", i);
	}
	header(0, 65535, 0); /* counts lie */
	rr_a("example.test", 60, 0xc0000201);
	assert_false(read_packet(DNS_A));
	header(3, 0, 1);
	rr("test", DNS_SOA, 60, 4);
	u32(0);
	assert_false(read_packet(DNS_A));
}

static void test_not_an_answer(void **state)
{
	header(0, 0, 0);
	packet.p[2] = 1; /* a question */
	assert_false(read_packet(DNS_A));
	assert_false(read_bytes(STR(""), DNS_A));
	assert_false(read_bytes(STR("\0\0\x81\x80\0\0\0\0\0\0"), DNS_A));
	assert_true(failure.is_temporary);
	assert_int_equal(failure.cause, CAUSE_DNS_FAILURE);
}

static void test_truncated_at_every_length(void **state)
{
	char whole[2048];
	size_t n;

	header(0, 3, 1);
	rr_name("example.test", DNS_CNAME, 60, "a.test");
	rr("a.test", DNS_MX, 60, 2 + 4);
	u16(10);
	u8(1);
	u8('m');
	u16(0xc00c);
	rr("a.test", DNS_TXT, 60, 4);
	buf_str(&packet, STR("\x03xyz"));
	size_t needed = packet.n; /* of a positive answer the authority section is not read */
	rr_soa(60, 60);
	n = packet.n;
	memcpy(whole, packet.p, n);
	for (size_t cut = 0; cut <= n; cut++)
		for (int type = 0; type < 64; type++)
			if (read_bytes((struct str){whole, cut}, (enum dns_type)type) && cut < needed)
				fail_msg("read with %zu of %zu bytes", cut, n);
	assert_true(read_bytes((struct str){whole, n}, DNS_MX));
	assert_str(answer->records[0].mx.host, "m.example.test");
}

static void test_cname_loops_end(void **state)
{
	header(0, 2, 0);
	rr_name("example.test", DNS_CNAME, 60, "b.test");
	rr_name("b.test", DNS_CNAME, 60, "example.test");
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->outcome, DNS_TEMPORARY);
	assert_str(answer->why, "CNAME chain too long");

	for (unsigned hops = 7; hops <= 9; hops++) {
		char from[16] = "example.test", to[16];
		header(0, hops + 1, 0);
		for (unsigned i = 0; i < hops; i++) {
			snprintf(to, sizeof(to), "n%u.test", i);
			rr_name(from, DNS_CNAME, 60, to);
			memcpy(from, to, sizeof(from));
		}
		rr_a(from, 60, 0xc0000201);
		assert_true(read_packet(DNS_A));
		assert_int_equal(answer->outcome, hops <= 8 ? DNS_FOUND : DNS_TEMPORARY);
	}
}

static void test_thousands_of_records_are_bounded(void **state)
{
	unsigned n = 0;

	header(0, 5000, 0);
	for (; n < 5000 && packet.n + 16 <= packet.max; n++) {
		u16(0xc00c);
		u16(DNS_A);
		u16(1);
		u32(60);
		u16(4);
		u32(n);
		if (n == 4000)
			break;
	}
	packet.p[6] = (char)((n + 1) >> 8);
	packet.p[7] = (char)((n + 1) & 0xff);
	assert_int_equal(n, 4000);
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->n, DNS_RECORDS_MAX);
	assert_true(answer->is_cut);

	/* Of MX records the best stay, wherever they stand. */
	header(0, 300, 0);
	for (unsigned i = 0; i < 300; i++)
		rr_mx(1000 - i, "m.test");
	assert_true(read_packet(DNS_MX));
	assert_int_equal(answer->n, DNS_RECORDS_MAX);
	assert_int_equal(answer->records[0].mx.preference, 701);
	assert_int_equal(answer->records[99].mx.preference, 800);
}

static void test_huge_txt_is_cut(void **state)
{
	unsigned strings = 250;

	header(0, 1, 0);
	rr("example.test", DNS_TXT, 60, strings * 256);
	for (unsigned i = 0; i < strings; i++) {
		u8(255);
		for (int j = 0; j < 255; j++)
			u8('x');
	}
	assert_true(read_packet(DNS_TXT));
	assert_int_equal(answer->records[0].text.n, DNS_TEXT_MAX);
	assert_true(answer->is_cut);
	assert_in_range(answer->arena.used, DNS_TEXT_MAX, 2 * DNS_TEXT_MAX);
}

static void test_ttl_with_the_highest_bit(void **state)
{
	header(0, 1, 0);
	rr_a("example.test", 0x80000001, 0xc0000201);
	assert_true(read_packet(DNS_A));
	assert_int_equal(answer->ttl, 0); /* RFC 2181 8 */
}

static void test_names_from_text(void **state)
{
	static const struct {
		struct str text;
		bool is_name;
	} cases[] = {
		{STR("example.test"), true},
		{STR("Example.Test."), true},
		{STR("_dmarc.a+b=c.test"), true},
		{STR("."), true},
		{STR(""), false},
		{STR(".."), false},
		{STR(".a"), false},
		{STR("a..b"), false},
		{STR("a.."), false},
		{STR("a b.test"), true},
		{STR("a\\046b.test"), false},
		{STR("a\0b.test"), false},
		{STR("\xc3\xa9.test"), false},
		{STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x"), true},
		{STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x"), false},
	};
	struct dns_name name;
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (dns_name_parse(cases[i].text, &name) != cases[i].is_name)
			fail_msg("%.*s", STR_ARG(cases[i].text));
	for (size_t n = 252; n <= 256; n++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = i % 2 ? '.' : 'a';
		/* 253 bytes of text are 255 on the wire, and a trailing dot costs nothing. */
		assert_int_equal(dns_name_parse((struct str){text, n}, &name), n <= 254);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mx_is_sorted_and_null_mx_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cname_chain_in_any_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absence_and_rcodes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_txt_tlsa_soa_ptr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compression, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owner_by_pointer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pointer_staircase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_that_are_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lying_lengths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated_at_every_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cname_loops_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_thousands_of_records_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_huge_txt_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ttl_with_the_highest_bit, set_up, tear_down),
		cmocka_unit_test(test_names_from_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
