/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that are read, not counted: the queue's age, the mode, the certificate's end, the process itself. */
#pragma once

#include "base/buf.h"
#include "cmd/daemon.h"

/* At start, so that a fresh daemon prints every metric that there is. */
void daemon_metrics_open(struct daemon *d);
/* What a loaded configuration changes. */
void daemon_metrics_configured(struct daemon *d);
/* Reads what is to be read: before metrics are looked at. */
void daemon_metrics_read(const struct daemon *d);
/* The same, and prints all metrics. `arg`: the daemon. */
void daemon_metrics_print(void *arg, struct buf *out);
