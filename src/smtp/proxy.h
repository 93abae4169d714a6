/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt), as a push machine. It stands in
 * front of everything else on a connection from a listed peer; who is listed is the caller's matter, and
 * from any other peer these bytes are just nonsense before the banner.
 *
 * Strict: exactly one header, at most 107 bytes in version 1 and 16 + 65535 in version 2, of which at
 * most 52 are kept. Type-length-values behind the addresses are skipped. What carries no address of a
 * client that speaks TCP over IP is either LOCAL (LOCAL command, UNKNOWN, UNSPEC: the connection itself
 * is the client) or broken (Unix sockets, datagrams).
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"

struct proxy_source {
	bool is_local;          /* use the addresses of the connection itself; the rest is zero */
	struct ip client, here; /* who connected, and to which address of the proxy */
	uint16_t client_port, here_port;
};
struct proxy_reader {
	uint8_t kept[108];
	size_t n;               /* bytes of the header so far, kept or not */
	size_t whole;           /* version 2: length of the header, 0 while unknown */
};
enum proxy_step { PROXY_MORE, PROXY_DONE, PROXY_BROKEN };

void proxy_reader_init(struct proxy_reader *r);
/* *used: bytes of `in` that belong to the header; what follows on DONE is the client's. A wrong byte is
 * noticed at once, not when the header would be whole. */
enum proxy_step proxy_reader_feed(struct proxy_reader *r, struct str in, size_t *used,
                                  struct proxy_source *out, struct err *err);
