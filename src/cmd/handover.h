/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restart without a lost session: the new process asks the old one for its listening sockets (SCM_RIGHTS), the old one
 * stops accepting, finishes what is open and ends; connections that come meanwhile wait in the kernel's backlog.
 */
#pragma once

#include "cmd/daemon.h"

/* The old one's side: a socket beside the control socket, for the same user only. */
bool handover_open(struct daemon *d, struct err *err);
void handover_close(struct daemon *d);

/* The new one's side, before its runtime starts: takes the sockets, then waits until the old process has released
 * the spool and ended, at most `within`. *n is 0 when no daemon was running. */
bool handover_take(const struct daemon_conf *conf, usec_t within, int *fds, size_t max, size_t *n, struct err *err);
