/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transport over a descriptor. */
#pragma once

#include "rt/stream_inside.h"

#include <sys/socket.h>

/* Takes fd. On failure fd is closed. peer may be NULL: asked from the kernel. */
struct stream *stream_fd_new(int fd, const struct sockaddr *peer, struct err *err);
