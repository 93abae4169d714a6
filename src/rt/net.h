/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connecting and listening, by real sockets (net_) and in memory (fake_net_); chosen by the
 * backend. */
#pragma once

#include "rt/stream.h"

WAITS struct stream *net_dial(const struct dial *dial, struct err *err);
struct listener *net_listen(const struct conf_addr *at, struct err *err);

WAITS struct stream *fake_net_dial(const struct dial *dial, struct err *err);
struct listener *fake_net_listen(const struct conf_addr *at, struct err *err);
void fake_net_clear(void); /* forgets faults; listeners are their owners' */

/* Fills err from errno: CAUSE_NETWORK, temporary, ERR_CLOSED where the peer ended it; "what:
 * connection refused". */
bool net_error(struct err *err, int number, const char *what);
