/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much one client may ask of us: sessions at the same time, and new ones a minute.
 *
 * A client is an IPv4 address or an IPv6 /64. What is remembered is bounded: past `clients_max` the client that has no
 * session and came longest ago is forgotten; with a session open nobody is. Pure; the caller gives the time.
 */
#pragma once

#include "base/clock.h"
#include "base/ip.h"

struct client_limits;
struct client_limits_conf {
	int64_t sessions;            /* for each client; 0: no limit */
	int64_t connects_per_minute; /* for each client, as many at once; 0: no limit */
};
enum client_limit { CLIENT_WELCOME, CLIENT_HAS_TOO_MANY, CLIENT_IS_TOO_FAST };

struct client_limits *client_limits_new(size_t clients_max);
void client_limits_free(struct client_limits *l);
/* Counts a session in; each WELCOME is followed by one client_limits_leave. *wait for IS_TOO_FAST: how long until
 * the next one is let in. */
enum client_limit client_limits_enter(struct client_limits *l, const struct client_limits_conf *conf, struct ip ip,
                                      usec_t now, usec_t *wait);
void client_limits_leave(struct client_limits *l, struct ip ip);
size_t client_limits_count(const struct client_limits *l); /* clients remembered */
