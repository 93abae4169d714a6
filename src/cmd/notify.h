/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager: state by sd_notify's datagrams, sockets by activation (sd_notify(3), sd_listen_fds(3)). */
#pragma once

#include <stddef.h>

#include "base/clock.h"

/* "READY=1", "STOPPING=1", "STATUS=…", "RELOADING=1"; does nothing where no manager listens. */
void notify_manager(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Descriptors that were handed over at start, close-on-exec and non-blocking; the environment is cleared. */
size_t notify_listen_fds(int *fds, size_t max);
/* How often the manager wants to hear "WATCHDOG=1" before it takes us for hanging, halved; 0: it does not. */
usec_t notify_watchdog(void);
