/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /metrics on a loopback port, for a Prometheus on the same machine.
 *
 * libmicrohttpd reads the requests, driven by one fiber: no thread of its own, so that the numbers are read where they are
 * counted. Bounded: CONNECTIONS_MAX at once, 8 KiB of request each, 10 s of silence and 30 s in all, one request to a
 * connection. Nothing but GET and HEAD of /metrics is answered with 200.
 */
#pragma once

#include "base/buf.h"
#include "base/conf_row.h"
#include "rt/rt.h"

struct metrics_conf {
	struct conf_addr listen; /* family 0: none */
};
extern const struct conf_section metrics_section; /* "metrics" */
/* Loopback only: what is counted tells who writes to whom, and the port asks for no password. */
bool metrics_conf_check(const struct metrics_conf *conf, struct err *err);

struct metrics_http;
/* `print` appends the whole page. NULL in *out when the configuration has no port. */
bool metrics_http_open(const struct metrics_conf *conf, void (*print)(void *arg, struct buf *out), void *arg,
                       struct group *root, struct metrics_http **out, struct err *err);
/* Closes the port; its fiber ends by itself, or with the group. Accepts NULL. */
void metrics_http_close(struct metrics_http *m);
