/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a next hop says, read by cause/classify.h, and by code and stage where its words say nothing. It names a cause for
 * schedule, log and trail; whether a reply is temporary its code alone decides.
 */
#pragma once

#include "base/cause_id.h"
#include "base/clock.h"
#include "smtp/reply.h"

enum reply_stage { REPLY_AT_CONNECT, REPLY_AT_HELLO, REPLY_AT_MAIL, REPLY_AT_RCPT, REPLY_AT_DATA };
enum cause_id reply_cause(enum reply_stage stage, const struct reply *r);
/* How long it asks us to stay away, between one minute and twelve hours; 0: it does not say. */
usec_t reply_come_back(const struct reply *r, struct wall now);
