/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transport in memory: two ends, each with an inbox that the other fills. */
#pragma once

#include "rt/stream_inside.h"

/* As stream_pair, with the addresses that each end has. */
void pipe_pair(struct stream *out[2], struct ip ip[2], const uint16_t port[2]);
