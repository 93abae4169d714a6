/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets lost between us and the gateway: by echo requests where the system lets us, else by the interface's counters. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/doctor.h"

#define ECHOES       20
#define ECHO_APART   (20 * USEC_MS)
#define ECHO_WITHIN  (500 * USEC_MS) /* after the last one */
#define RTF_UP_      0x1
#define RTF_GATEWAY_ 0x2
#define ARP_COMPLETE 0x2

struct gateway {
	char interface[32];
	struct in_addr ip;
};

/* "eth0 00000000 0102A8C0 0003 …": destination and gateway in hexadecimal, as they lie in memory. */
static bool gateway_find(struct str table, struct gateway *out)
{
	struct str line, word[4];

	while (str_cut(&table, '\n', &line)) {
		size_t n = 0;
		while (n < 4 && str_next_word(&line, &word[n]))
			n++;
		if (n < 4 || !str_eq(word[1], STR("00000000")))
			continue;
		unsigned long flags = strtoul(word[3].p, NULL, 16);
		if ((flags & (RTF_UP_ | RTF_GATEWAY_)) != (RTF_UP_ | RTF_GATEWAY_))
			continue;
		snprintf(out->interface, sizeof(out->interface), "%.*s", STR_ARG(word[0]));
		out->ip.s_addr = (in_addr_t)strtoul(word[2].p, NULL, 16);
		return true;
	}
	return false;
}

/* --- echo requests --- */

/* RFC 1071 */
static uint16_t checksum(const void *data, size_t n)
{
	const uint16_t *word = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < n / 2; i++)
		sum += word[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Linux' "ping socket" needs no privilege where ping_group_range allows it; root has the raw one. */
static int echo_socket(bool *is_raw)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	*is_raw = fd < 0;
	return fd >= 0 ? fd : socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
}

static bool echo_send(int fd, const struct gateway *g, uint16_t sequence)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = g->ip};
	struct icmphdr echo = {.type = ICMP_ECHO, .un.echo = {htons((uint16_t)getpid()), htons(sequence)}};

	echo.checksum = checksum(&echo, sizeof(echo));
	return sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)sizeof(echo);
}

/* Replies that are there, each sequence number once. The kernel writes its own identifier on a ping socket. */
static void echo_receive(int fd, bool is_raw, const struct gateway *g, uint32_t *seen)
{
	unsigned char packet[512];
	struct sockaddr_in from;
	socklen_t from_n = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_n)) > 0) {
		size_t head = is_raw ? (size_t)(packet[0] & 15) * 4 : 0;
		struct icmphdr reply;
		from_n = sizeof(from);
		if ((size_t)n < head + sizeof(reply) || from.sin_addr.s_addr != g->ip.s_addr)
			continue;
		memcpy(&reply, packet + head, sizeof(reply));
		if (reply.type != ICMP_ECHOREPLY || (is_raw && reply.un.echo.id != htons((uint16_t)getpid())))
			continue;
		uint16_t sequence = ntohs(reply.un.echo.sequence);
		if (sequence < ECHOES)
			*seen |= 1U << sequence;
	}
}

WAITS static unsigned echo_count(int fd, bool is_raw, const struct gateway *g, unsigned *sent)
{
	uint32_t seen = 0;
	struct err err;

	*sent = 0;
	for (uint16_t i = 0; i < ECHOES; i++) {
		*sent += echo_send(fd, g, i);
		rt_sleep(ECHO_APART, "gateway", &err);
		echo_receive(fd, is_raw, g, &seen);
	}
	for (usec_t waited = 0; waited < ECHO_WITHIN && (unsigned)__builtin_popcount(seen) < *sent; waited += ECHO_APART) {
		rt_sleep(ECHO_APART, "gateway", &err);
		echo_receive(fd, is_raw, g, &seen);
	}
	return (unsigned)__builtin_popcount(seen);
}

/* "192.168.2.1 0x1 0x2 …": a complete entry means that somebody is there, whether he answers echoes or not. */
static bool is_neighbour(const struct doctor *d, const struct gateway *g)
{
	struct str table, line, word[3];
	char ip[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &g->ip, ip, sizeof(ip));
	if (!doctor_read(d, "net/arp", &table))
		return false;
	while (str_cut(&table, '\n', &line)) {
		size_t n = 0;
		while (n < 3 && str_next_word(&line, &word[n]))
			n++;
		if (n == 3 && str_eq(word[0], str_from(ip)))
			return strtoul(word[2].p, NULL, 16) & ARP_COMPLETE;
	}
	return false;
}

static void judge_echoes(struct doctor *d, const struct gateway *g, unsigned sent, unsigned back)
{
	char ip[INET_ADDRSTRLEN];
	unsigned lost = sent - back;

	inet_ntop(AF_INET, &g->ip, ip, sizeof(ip));
	if (sent == 0)
		finding_add(&d->found, FINDING_FAULT, "gateway", "ip route; ip addr", "%s cannot be reached: %s", ip, strerror(errno));
	else if (back == 0 && is_neighbour(d, g))
		finding_add(&d->found, FINDING_NA, "gateway", NULL, "%s is there and does not answer echo requests", ip);
	else if (back == 0)
		finding_add(&d->found, FINDING_FAULT, "gateway", "look at the cable, the switch, the hypervisor's network", "%s does not answer", ip);
	else if (lost * 10 > sent)
		finding_add(&d->found, FINDING_FAULT, "gateway", "look at cable, duplex and load; every mail pays for it in time-outs",
		            "%s: %u of %u echoes lost", ip, lost, sent);
	else if (lost > 0)
		finding_add(&d->found, FINDING_WARN, "gateway", "ask again; one lost packet may be chance", "%s: %u of %u echoes lost", ip, lost, sent);
	else
		finding_add(&d->found, FINDING_PASS, "gateway", NULL, "%s: none of %u echoes lost", ip, sent);
}

/* --- counters --- */

/* "  eth0: bytes packets errs drop fifo frame compressed multicast | bytes packets errs drop …" */
static void judge_counters(struct doctor *d, const struct gateway *g)
{
	struct str table, line, word;
	uint64_t n[12] = {0};

	if (!doctor_read(d, "net/dev", &table))
		return;
	while (str_cut(&table, '\n', &line)) {
		size_t colon = str_find_char(line, ':');
		if (colon == line.n || !str_eq(str_trim(str_slice(line, 0, colon)), str_from(g->interface)))
			continue;
		line = str_skip(line, colon + 1);
		for (size_t i = 0; i < 12 && str_next_word(&line, &word); i++)
			str_to_u64(word, UINT64_MAX, &n[i]);
		uint64_t packets = n[1] + n[9], bad = n[2] + n[3] + n[10] + n[11];
		if (bad * 100 > packets)
			finding_add(&d->found, FINDING_WARN, "gateway", "ethtool -S tells which; look at cable, duplex and load",
			            "%s: %llu of %llu packets had errors or were dropped since the start", g->interface, (unsigned long long)bad,
			            (unsigned long long)packets);
		else
			finding_add(&d->found, FINDING_PASS, "gateway", NULL, "%s: %llu of %llu packets had errors or were dropped since the start",
			            g->interface, (unsigned long long)bad, (unsigned long long)packets);
		return;
	}
	finding_add(&d->found, FINDING_UNKNOWN, "gateway", NULL, "%s has no counters", g->interface);
}

WAITS void doctor_gateway(struct doctor *d)
{
	struct gateway g = {0};
	struct str table;
	bool is_raw;
	unsigned sent;

	if (!doctor_read(d, "net/route", &table) || !gateway_find(table, &g)) {
		finding_add(&d->found, FINDING_NA, "gateway", NULL, "there is no default route by IPv4");
		return;
	}
	auto_close int fd = echo_socket(&is_raw);
	if (fd < 0) {
		judge_counters(d, &g);
		return;
	}
	unsigned back = echo_count(fd, is_raw, &g, &sent);
	judge_echoes(d, &g, sent, back);
}
