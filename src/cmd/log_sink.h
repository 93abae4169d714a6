/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where log lines go: stderr (with syslog's level in front when the journal reads it), syslog, or a file. */
#pragma once

#include "base/err.h"
#include "base/log.h"

/* to: "stderr", "syslog" or the path of a file, which is appended to. */
bool log_sink_open(struct str to, enum log_format format, enum log_level least, struct err *err);
/* After logrotate moved the file. Keeps the old one, and says so in it, when the new one cannot be opened. */
void log_sink_reopen(void);
