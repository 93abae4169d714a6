/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the daemon's socket is, for the verbs that may ask it. */
#pragma once

#include "cmd/cmd.h"

/* False: the configuration cannot be read. */
bool cmd_daemon_path(struct cmd *c, char *out, size_t n, struct err *err);
