/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and networks by value. An IPv4-mapped IPv6 address is IPv4 from the moment it is parsed
 * or taken from a socket, so that one client is one client.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct sockaddr;
struct sockaddr_storage;

struct ip {
	uint8_t family; /* 0 none, 4 or 6 */
	uint8_t b[16];  /* network order; IPv4 in the first four */
};

struct ip_net {
	struct ip ip; /* host bits are zero */
	uint8_t bits;
};

/* A list of networks, first match wins nothing: membership only. Caller's storage, heap inside. */
struct ip_set {
	struct ip_net *nets;
	size_t n;
};

#define IP_TEXT_MAX 46

bool ip_parse(struct str s, struct ip *out);
struct str ip_text(struct ip ip, char out[IP_TEXT_MAX]);
bool ip_eq(struct ip a, struct ip b);
uint64_t ip_hash(struct ip ip);
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port);
/* Returns the length to hand to connect or bind. */
unsigned ip_to_sockaddr(struct ip ip, uint16_t port, struct sockaddr_storage *out);

/* "10.0.0.0/8", "::1" (whole address); host bits that are not zero are an error that says so. */
bool ip_net_parse(struct str s, struct ip_net *out, struct err *err);
bool ip_net_has(struct ip_net net, struct ip ip);
/* The network a client is counted by: /24 for IPv4, /64 for IPv6. */
struct ip_net ip_client_net(struct ip ip);
struct str ip_net_text(struct ip_net net, char out[IP_TEXT_MAX + 4]);

bool ip_set_add(struct ip_set *set, struct str net, struct err *err);
bool ip_set_has(const struct ip_set *set, struct ip ip);
void ip_set_done(struct ip_set *set);

/* Loopback, private, shared (RFC 6598), link-local, multicast, documentation, benchmark, reserved,
 * unspecified, unique-local, NAT64-embedded private and the like: nothing that mail of a stranger
 * may make us dial. Own addresses are the caller's to add. */
bool ip_is_unusable_target(struct ip ip);
/* Reverse name without trailing dot: 4.3.2.1.in-addr.arpa; out holds 73 bytes at least. */
struct str ip_reverse_name(struct ip ip, char out[80]);
