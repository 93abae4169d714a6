/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listeners of the gate, one fiber each that accepts. */
#pragma once

#include "gate/gate_inside.h"

/* Makes the listeners of both doors what g->now says: those that stay are not touched. On false nothing has changed. */
bool doors_open(struct gate *g, const int *fds, size_t n_fds, struct err *err);
/* Nothing is accepted any more; the sockets stay open when keep_listeners, with their backlog. */
WAITS void doors_stop(struct gate *g, bool keep_listeners);
void doors_close(struct gate *g);
