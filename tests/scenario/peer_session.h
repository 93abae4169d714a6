/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One session of a scripted peer. */
#pragma once

#include "peer.h"

struct rule {
	struct str key;
	unsigned times;     /* how often it still holds */
	usec_t after;       /* before answering */
	usec_t greylist;    /* holds for a sender and recipient this long after they came first */
	bool drops, is_silent, is_tls;
	struct str reply;
};

/* Answers until the client goes; closes the stream. */
WAITS void peer_session_run(struct arena *memory, struct peer *p, struct stream *s);
/* peer.c: kept for expectations. */
void peer_take_mail(struct mail *m);
