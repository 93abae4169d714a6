/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a listener: a real socket, or an address of the fake network. */
#pragma once

#include "rt/stream.h"
#include "rt/watch.h"

struct listener {
	struct watch watch; /* fd -1: fake */
	struct ip ip;
	uint16_t port;
	char *path;	    /* Unix socket made by us, removed when it is closed */
	unsigned accepting; /* fibers inside listener_accept */
	bool is_closed;
	usec_t complained;	     /* about descriptors, last */
	struct link link;	     /* fake: all listeners */
	struct stream *backlog[128]; /* fake */
	unsigned n_backlog;
};
