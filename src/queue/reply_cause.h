/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A first reading of what a next hop says: the enhanced code, then telling words, then code and stage. It names a
 * cause for schedule, log and trail; whether a reply is temporary its code alone decides.
 */
#pragma once

#include "base/cause_id.h"
#include "smtp/reply.h"

enum reply_stage { REPLY_AT_CONNECT, REPLY_AT_HELLO, REPLY_AT_MAIL, REPLY_AT_RCPT, REPLY_AT_DATA };
enum cause_id reply_cause(enum reply_stage stage, const struct reply *r);
