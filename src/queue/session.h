/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an attempt asks of its session. */
#pragma once

#include "queue/inside.h"

/* Why none of a site's hosts would talk to us. */
struct refusal {
	struct reply reply;    /* code 0: nobody said anything */
	struct str host, dialogue;
	enum cause_id cause;
	unsigned asked, permanent;
	bool is_permanent;
};
/* True with x->is_open, or with *r filled from `arena`. False: cancelled, or the caller's deadline. */
WAITS bool queue_session_connect(struct session *x, struct arena *arena, struct refusal *r, struct err *err);
WAITS void queue_session_close(struct session *x);
/* This host broke a conversation off: others first, for a while. */
void queue_session_mark_bad(struct session *x);
