/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session says. Every 4xx and 5xx goes through here: rendered from the table of causes, counted, and kept as the
 * transaction's last refusal for its trail. A 421 ends the session.
 */
#pragma once

#include "gate/session.h"

/* `args` may be NULL; our host, the sender and the reference of the transaction are filled in. */
WAITS void say(struct session *s, enum situation what, const struct say_args *args);
WAITS void say_detail(struct session *s, enum situation what, const char *detail);
WAITS void say_rcpt(struct session *s, enum situation what, struct str recipient);
/* What the grammar of MAIL and RCPT found wrong. */
WAITS void say_fault(struct session *s, const struct smtp_fault *fault);
/* 2xx and 3xx: whole lines with CRLF. */
WAITS void say_line(struct session *s, struct str line);
