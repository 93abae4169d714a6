/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, networks, and what mail of a stranger may make us dial. */
#include "base/ip.h"

#include "base/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct ip ip_of(const char *text)
{
	struct ip ip;
	assert_row(ip_parse(str_from(text), &ip), text);
	return ip;
}

static void parses(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"::1", "::1"},
		{"2001:DB8:0:0::1", "2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::FFFF:c000:201", "192.0.2.1"},
		{"::192.0.2.1", "::192.0.2.1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"", NULL}, {"1.2.3", NULL}, {"1.2.3.4.5", NULL}, {"1.2.3.256", NULL},
		{"01.2.3.4", NULL}, {"1.2.3.4 ", NULL}, {"fe80::1%eth0", NULL}, {"[::1]", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL}, {":::", NULL},
		{"00000000000000000000000000000000000000000000000::1", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip ip = {.family = 9};
		char out[IP_TEXT_MAX];
		bool ok = ip_parse(str_from(rows[i].in), &ip);
		assert_row(ok == (rows[i].out != NULL), rows[i].in);
		if (ok)
			assert_str(ip_text(ip, out), rows[i].out);
		else
			assert_int_equal(ip.family, 9);
	}
	struct ip ip;
	assert_false(ip_parse(STR("1.2.3.4\0x"), &ip));
}

static void compares(void **state)
{
	assert_true(ip_eq(ip_of("::ffff:10.0.0.1"), ip_of("10.0.0.1")));
	assert_true(ip_hash(ip_of("::ffff:10.0.0.1")) == ip_hash(ip_of("10.0.0.1")));
	assert_false(ip_eq(ip_of("10.0.0.1"), ip_of("10.0.0.2")));
	assert_false(ip_eq(ip_of("1.2.3.4"), ip_of("102:304::")));
}

static void crosses_sockaddr(void **state)
{
	static const struct {
		const char *ip;
		int family;
		unsigned size;
	} rows[] = {{"192.0.2.1", AF_INET, sizeof(struct sockaddr_in)},
	            {"2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6)}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sockaddr_storage sa;
		struct ip ip;
		uint16_t port;
		assert_int_equal(ip_to_sockaddr(ip_of(rows[i].ip), 2525, &sa), rows[i].size);
		assert_int_equal(sa.ss_family, rows[i].family);
		assert_true(ip_from_sockaddr((struct sockaddr *)&sa, &ip, &port));
		assert_true(ip_eq(ip, ip_of(rows[i].ip)) && port == 2525);
	}
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xFF;
	mapped.sin6_addr.s6_addr[12] = 10;
	struct ip ip;
	assert_true(ip_from_sockaddr((struct sockaddr *)&mapped, &ip, NULL));
	assert_true(ip_eq(ip, ip_of("10.0.0.0")));
	struct sockaddr unix_socket = {.sa_family = AF_UNIX};
	assert_false(ip_from_sockaddr(&unix_socket, &ip, NULL));
}

static void networks(void **state)
{
	static const struct {
		const char *in, *out, *inside, *outside; /* out NULL: refused */
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
		{"127.0.0.1", "127.0.0.1/32", "127.0.0.1", "127.0.0.2"},
		{"0.0.0.0/0", "0.0.0.0/0", "255.1.1.1", "::1"},
		{"::/0", "::/0", "2001::", "0.0.0.0"},
		{"2001:db8:8000::/33", "2001:db8:8000::/33", "2001:db8:ffff::", "2001:db8:7fff::"},
		{"192.0.2.4/31", "192.0.2.4/31", "192.0.2.5", "192.0.2.6"},
		{"::1", "::1/128", "::1", "::2"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", "11.0.0.0"},
		{"::ffff:10.0.0.1", "10.0.0.1/32", "10.0.0.1", "10.0.0.2"},
		{"10.0.0.1/8", NULL, NULL, NULL}, {"10.0.0.0/33", NULL, NULL, NULL},
		{"10.0.0.0/", NULL, NULL, NULL}, {"10.0.0.0/-1", NULL, NULL, NULL},
		{"::/129", NULL, NULL, NULL}, {"::ffff:0.0.0.0/95", NULL, NULL, NULL},
		{"example.org", NULL, NULL, NULL}, {"", NULL, NULL, NULL}, {"/8", NULL, NULL, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err;
		struct ip_net net;
		char out[IP_TEXT_MAX + 4];
		bool ok = ip_net_parse(str_from(rows[i].in), &net, &err);
		assert_row(ok == (rows[i].out != NULL), rows[i].in);
		if (!ok)
			continue;
		assert_str(ip_net_text(net, out), rows[i].out);
		assert_row(ip_net_has(net, ip_of(rows[i].inside)), rows[i].in);
		assert_row(!ip_net_has(net, ip_of(rows[i].outside)), rows[i].in);
	}
	struct err err;
	struct ip_net net;
	assert_false(ip_net_parse(STR("10.1.2.3/8"), &net, &err));
	assert_non_null(strstr(err.text, "the network is 10.0.0.0/8"));
	char out[IP_TEXT_MAX + 4];
	assert_str(ip_net_text(ip_client_net(ip_of("192.0.2.77")), out), "192.0.2.0/24");
	assert_str(ip_net_text(ip_client_net(ip_of("2001:db8:1:2:3::4")), out), "2001:db8:1:2::/64");
	assert_false(ip_net_has((struct ip_net){0}, (struct ip){0}));
}

static void sets(void **state)
{
	struct ip_set set = {0};
	struct err err;
	assert_false(ip_set_has(&set, ip_of("10.0.0.1")));
	for (int i = 0; i < 100; i++) {
		char text[32];
		snprintf(text, sizeof text, "10.%d.0.0/16", i);
		assert_true(ip_set_add(&set, str_from(text), &err));
	}
	assert_false(ip_set_add(&set, STR("nonsense"), &err));
	assert_int_equal(set.n, 100);
	assert_true(ip_set_has(&set, ip_of("10.99.1.1")));
	assert_false(ip_set_has(&set, ip_of("10.100.1.1")));
	ip_set_done(&set);
	assert_null(set.nets);
}

static void usable_targets(void **state)
{
	static const char *const unusable[] = {
		"0.0.0.0", "0.255.255.255", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
		"127.9.1.1", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1",
		"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.255.255", "192.175.48.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.255", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::192.0.2.1", "::8.8.8.8",
		"::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::192.0.2.1",
		"64:ff9b:1::8.8.8.8", "64:ff9b:0:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1",
		"2001:20::1", "2001:1ff:ffff::1", "2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::1",
		"2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1", "4000::1", "5f00::1",
		"fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1",
	};
	static const char *const usable[] = {
		"1.0.0.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.1", "169.253.1.1", "172.15.255.255", "172.32.0.0",
		"192.0.1.1", "192.167.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:200::1", "2001:4860::1", "2001:db7:ffff::1",
		"2001:db9::1", "2003::1", "2620:4f:7fff::1", "2a00::1", "3ffe::1", "3fff:1000::1",
	};
	for (size_t i = 0; i < COUNT(unusable); i++)
		assert_row(ip_is_unusable_target(ip_of(unusable[i])), unusable[i]);
	for (size_t i = 0; i < COUNT(usable); i++)
		assert_row(!ip_is_unusable_target(ip_of(usable[i])), usable[i]);
	assert_true(ip_is_unusable_target((struct ip){0}));
}

static void reverse_names(void **state)
{
	char out[80];
	assert_str(ip_reverse_name(ip_of("1.2.3.4"), out), "4.3.2.1.in-addr.arpa");
	assert_str(ip_reverse_name(ip_of("2001:db8::567:89ab"), out),
	           "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

/* Every value of a byte, beside the system's own print. */
static void text_of_every_byte(void **state)
{
	for (int i = 0; i < 256; i++) {
		struct ip ip = {.family = 4, .b = {(uint8_t)i, 255, (uint8_t)(255 - i), (uint8_t)(i / 3)}};
		char out[IP_TEXT_MAX], expected[IP_TEXT_MAX];
		inet_ntop(AF_INET, ip.b, expected, sizeof expected);
		assert_string_equal(ip_text(ip, out).p, expected);
		assert_int_equal(ip_text(ip, out).n, strlen(expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_every_byte),
		cmocka_unit_test(parses),         cmocka_unit_test(compares),
		cmocka_unit_test(crosses_sockaddr), cmocka_unit_test(networks),
		cmocka_unit_test(sets),           cmocka_unit_test(usable_targets),
		cmocka_unit_test(reverse_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
