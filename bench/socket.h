/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of the benches share: addresses, the limit of descriptors, the clock. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* "127.0.0.1:2525" */
bool socket_parse(const char *text, struct sockaddr_in *out);
/* As many descriptors as we may have. */
void socket_raise_limit(void);
uint64_t now_ns(void); /* monotonic */
/* Ends the program with a message on standard error. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
