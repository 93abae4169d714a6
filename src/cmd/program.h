/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another program run to its end by a verb of the command line (never by the daemon): what it said, how it ended. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/* Found in PATH, then in /usr/sbin, which is in nobody's PATH but root's. Standard output is appended to `said`, standard
 * error to `complained`, which may be the same (each cut at its maximum); *status is its exit status, 128 + n when signal n
 * ended it. Killed after `within`. */
bool program_run(const char *const argv[], usec_t within, struct buf *said, struct buf *complained, int *status, struct err *err);
