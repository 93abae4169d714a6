/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One session of a flight: find the hosts, decide whether they may be asked, connect to the first that
 * answers, ask about as many waiting addresses as are polite, remember what was learned.
 * Every work that it takes up is completed; others stay waiting for the next session.
 */
#pragma once

#include "verify/work.h"

#define SESSION_RCPTS     5   /* recipients in one session with a stranger */
#define SESSION_RCPTS_HOP 100 /* with our own next hop */

WAITS void probe_session_run(struct flight *f, const struct verify_conf *conf);
