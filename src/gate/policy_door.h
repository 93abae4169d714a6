/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy door: Postfix (smtpd, check_policy_service) asks whether a message may pass, and is answered with what sender
 * verification says, by the same rules as the SMTP door.
 *
 * One fiber for each connection, any number of requests on it, answered in order. Whatever is no request, and any trouble of
 * our own, closes the connection without an answer: Postfix then asks again or does what its configuration says
 * (smtpd_policy_service_default_action), which is the administrator's choice and not ours.
 */
#pragma once

#include "gate/gate_inside.h"
#include "gate/policy_messages.h"

struct policy_request;
struct policy_door {
	struct policy_messages messages;
	struct list connections;
	size_t n_connections, n_busy;  /* busy: with a request that is not answered yet */
	struct group running;
	usec_t complained;             /* last, about requests that are none */
};

void policy_door_init(struct gate *g);
/* A new connection of a listener: a fiber of its own, or closed when there are too many. */
void policy_door_admit(struct gate *g, struct stream *stream);
/* Nobody is busy any more, or time is up: ends all connections and stores the trails that are open. */
WAITS void policy_door_drain(struct gate *g);
void policy_door_done(struct gate *g);
void policy_door_each(struct gate *g, void (*fn)(void *arg, const char *name, const struct gate_session_info *info), void *arg);

/* policy_answer.c: the answer to one request, appended to `out` as it goes on the wire. False: there is none, close. */
WAITS bool policy_answer(struct gate *g, const struct policy_request *r, usec_t until, struct buf *out);
