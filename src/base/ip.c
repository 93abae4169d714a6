/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks; the special-purpose registries of RFC 6890 and its successors. */
#include "base/ip.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool is_mapped(const uint8_t b[16])
{
	static const uint8_t prefix[12] = {[10] = 0xFF, [11] = 0xFF};
	return memcmp(b, prefix, sizeof prefix) == 0;
}

static struct ip ip_from_4(const void *bytes)
{
	struct ip ip = {.family = 4};
	memcpy(ip.b, bytes, 4);
	return ip;
}

static struct ip ip_from_6(const void *bytes)
{
	struct ip ip = {.family = 6};
	memcpy(ip.b, bytes, 16);
	return is_mapped(ip.b) ? ip_from_4(ip.b + 12) : ip;
}

bool ip_parse(struct str s, struct ip *out)
{
	char text[IP_TEXT_MAX];
	uint8_t b[16];
	if (s.n == 0 || s.n >= sizeof text || str_find_char(s, '\0') < s.n)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, b) == 1)
		*out = ip_from_4(b);
	else if (inet_pton(AF_INET6, text, b) == 1)
		*out = ip_from_6(b);
	else
		return false;
	return true;
}

/* Several times for each message, and inet_ntop asks sprintf. */
static struct str ip4_text(const uint8_t b[4], char out[IP_TEXT_MAX])
{
	size_t n = 0;
	for (int i = 0; i < 4; i++) {
		if (b[i] >= 100)
			out[n++] = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			out[n++] = (char)('0' + b[i] / 10 % 10);
		out[n++] = (char)('0' + b[i] % 10);
		out[n++] = '.';
	}
	out[--n] = '\0';
	return (struct str){out, n};
}

struct str ip_text(struct ip ip, char out[IP_TEXT_MAX])
{
	if (ip.family == 4)
		return ip4_text(ip.b, out);
	out[0] = '\0';
	if (ip.family)
		inet_ntop(AF_INET6, ip.b, out, IP_TEXT_MAX);
	return str_from(out);
}

static size_t ip_size(struct ip ip)
{
	return ip.family == 4 ? 4 : ip.family == 6 ? 16 : 0;
}

bool ip_eq(struct ip a, struct ip b)
{
	return a.family == b.family && memcmp(a.b, b.b, ip_size(a)) == 0;
}

uint64_t ip_hash(struct ip ip)
{
	return str_hash((struct str){(const char *)ip.b, ip_size(ip)});
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port)
{
	in_port_t net_port;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		*out = ip_from_4(&in.sin_addr);
		net_port = in.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		*out = ip_from_6(&in6.sin6_addr);
		net_port = in6.sin6_port;
	} else {
		return false;
	}
	if (port)
		*port = ntohs(net_port);
	return true;
}

unsigned ip_to_sockaddr(struct ip ip, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (ip.family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip.b, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip.b, 16);
	return sizeof *in6;
}

static struct ip ip_mask(struct ip ip, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned left = bits > 8 * i ? bits - 8 * i : 0;
		if (left < 8)
			ip.b[i] &= (uint8_t)(0xFF00u >> left);
	}
	return ip;
}

bool ip_net_parse(struct str s, struct ip_net *out, struct err *err)
{
	struct ip_net net;
	char text[IP_TEXT_MAX + 4];
	size_t slash = str_find_char(s, '/');
	struct str host = str_slice(s, 0, slash);
	if (!ip_parse(host, &net.ip))
		return err_perm(err, CAUSE_LOCAL_ERROR, "\"%.*s\" is not an address or network",
		                STR_ARG(s));
	/* ::ffff:10.0.0.0/104 is written in the bits of IPv6 and means 10.0.0.0/8 */
	unsigned skipped = net.ip.family == 4 && str_find_char(host, ':') < host.n ? 96 : 0;
	unsigned whole = net.ip.family == 4 ? 32 : 128;
	uint64_t bits = skipped + whole;
	if (slash < s.n && (!str_to_u64(str_skip(s, slash + 1), skipped + whole, &bits) ||
	                    bits < skipped))
		return err_perm(err, CAUSE_LOCAL_ERROR,
		                "\"%.*s\": the prefix length is a number from %u to %u", STR_ARG(s),
		                skipped, skipped + whole);
	net.bits = (uint8_t)(bits - skipped);
	struct ip_net masked = {ip_mask(net.ip, net.bits), net.bits};
	if (!ip_eq(masked.ip, net.ip))
		return err_perm(err, CAUSE_LOCAL_ERROR,
		                "\"%.*s\" has host bits that are not zero; the network is %.*s",
		                STR_ARG(s), STR_ARG(ip_net_text(masked, text)));
	*out = net;
	return true;
}

bool ip_net_has(struct ip_net net, struct ip ip)
{
	return net.ip.family && net.ip.family == ip.family && ip_eq(ip_mask(ip, net.bits), net.ip);
}

struct ip_net ip_client_net(struct ip ip)
{
	uint8_t bits = ip.family == 4 ? 24 : 64;
	return (struct ip_net){ip_mask(ip, bits), bits};
}

struct str ip_net_text(struct ip_net net, char out[IP_TEXT_MAX + 4])
{
	size_t n = ip_text(net.ip, out).n;
	out[n++] = '/';
	if (net.bits >= 100)
		out[n++] = '1';
	if (net.bits >= 10)
		out[n++] = (char)('0' + net.bits / 10 % 10);
	out[n++] = (char)('0' + net.bits % 10);
	out[n] = '\0';
	return (struct str){out, n};
}

bool ip_set_add(struct ip_set *set, struct str net, struct err *err)
{
	struct ip_net parsed;
	if (!ip_net_parse(net, &parsed, err))
		return false;
	if ((set->n & (set->n - 1)) == 0) /* a power of two, or none: full */
		set->nets = mem_resize(set->nets, (set->n ? set->n * 2 : 1) * sizeof *set->nets);
	set->nets[set->n++] = parsed;
	return true;
}

bool ip_set_has(const struct ip_set *set, struct ip ip)
{
	for (size_t i = 0; i < set->n; i++)
		if (ip_net_has(set->nets[i], ip))
			return true;
	return false;
}

void ip_set_done(struct ip_set *set)
{
	free(set->nets);
	*set = (struct ip_set){0};
}

#define NET4(a, b_, c, d, bits_) {{4, {a, b_, c, d}}, bits_}
/* The first three groups say it all: none of these prefixes is longer than 48 bits. */
#define NET6(g1, g2, g3, bits_)                                                                    \
	{{6, {(g1) >> 8, (g1)&0xFF, (g2) >> 8, (g2)&0xFF, (g3) >> 8, (g3)&0xFF}}, bits_}

/* Of IPv6 only 2000::/3 is unicast that strangers can have (RFC 4291 2.4), so that loopback, fe80::/10,
 * fc00::/7, ff00::/8, 100::/64, 64:ff9b:1::/48 and 5f00::/16 need no row. */
static const struct ip_net special[] = {
	NET4(0, 0, 0, 0, 8),        /* this host, RFC 1122 */
	NET4(10, 0, 0, 0, 8),       /* private, RFC 1918 */
	NET4(100, 64, 0, 0, 10),    /* shared, RFC 6598 */
	NET4(127, 0, 0, 0, 8),      /* loopback, RFC 1122 */
	NET4(169, 254, 0, 0, 16),   /* link-local, RFC 3927 */
	NET4(172, 16, 0, 0, 12),    /* private, RFC 1918 */
	NET4(192, 0, 0, 0, 24),     /* protocol assignments, RFC 6890 */
	NET4(192, 0, 2, 0, 24),     /* documentation, RFC 5737 */
	NET4(192, 31, 196, 0, 24),  /* AS112, RFC 7535 */
	NET4(192, 52, 193, 0, 24),  /* AMT relays, RFC 7450 */
	NET4(192, 88, 99, 0, 24),   /* 6to4 relays, RFC 7526 */
	NET4(192, 168, 0, 0, 16),   /* private, RFC 1918 */
	NET4(192, 175, 48, 0, 24),  /* AS112, RFC 7534 */
	NET4(198, 18, 0, 0, 15),    /* benchmarks, RFC 2544 */
	NET4(198, 51, 100, 0, 24),  /* documentation, RFC 5737 */
	NET4(203, 0, 113, 0, 24),   /* documentation, RFC 5737 */
	NET4(224, 0, 0, 0, 4),      /* multicast, RFC 5771 */
	NET4(240, 0, 0, 0, 4),      /* reserved and broadcast, RFC 1112, RFC 919 */
	NET6(0x2001, 0, 0, 23),     /* protocol assignments: Teredo, benchmarks, ORCHID, RFC 2928 */
	NET6(0x2001, 0xdb8, 0, 32), /* documentation, RFC 3849 */
	NET6(0x2002, 0, 0, 16),     /* 6to4, RFC 3056: carries any IPv4 address, given up by RFC 7526 */
	NET6(0x2620, 0x4f, 0x8000, 48), /* AS112, RFC 7534 */
	NET6(0x3fff, 0, 0, 20),     /* documentation, RFC 9637 */
};
static const struct ip_net nat64 = NET6(0x64, 0xff9b, 0, 96);   /* RFC 6052 */
static const struct ip_net unicast6 = NET6(0x2000, 0, 0, 3);

bool ip_is_unusable_target(struct ip ip)
{
	if (ip.family == 0)
		return true;
	if (ip_net_has(nat64, ip))
		ip = ip_from_4(ip.b + 12);
	else if (ip.family == 6 && !ip_net_has(unicast6, ip))
		return true;
	for (size_t i = 0; i < sizeof special / sizeof *special; i++)
		if (ip_net_has(special[i], ip))
			return true;
	return false;
}

struct str ip_reverse_name(struct ip ip, char out[80])
{
	int n = 0;
	out[0] = '\0';
	if (ip.family == 4) {
		n = snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", ip.b[3], ip.b[2], ip.b[1], ip.b[0]);
	} else if (ip.family == 6) {
		for (int i = 15; i >= 0; i--)
			n += snprintf(out + n, (size_t)(80 - n), "%x.%x.", ip.b[i] & 15, ip.b[i] >> 4);
		n += snprintf(out + n, (size_t)(80 - n), "ip6.arpa");
	}
	return (struct str){out, (size_t)n};
}
