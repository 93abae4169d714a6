/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be so. Where something has happened since the last expectation, the world first has two seconds to settle.
 * NUMBER is 3, >=3, <=3 or 2..4.
 *
 *	expect spool NUMBER                  messages in the spool
 *	expect queue NUMBER                  messages in the queue; likewise kept, failed, on_hold, accepted
 *	expect disk untouched                nothing was written since `mark disk`
 *	expect delivered ADDRESS NUMBER      times that a peer has taken a message for it
 *	expect message ADDRESS has GLOB      a line of the last one; `lacks`: none
 *	expect sessions PEER NUMBER          connections to the peer so far
 *	expect heard PEER NUMBER GLOB        commands that it has heard
 *	expect dialogue PEER                 its last session's commands are just those below
 *	expect metric NAME{VALUE} NUMBER
 *	expect [no] log GLOB                 a line of the log
 *	expect took NUMBER                   seconds from the last final dot to its reply
 *	expect clients NUMBER                sessions open at the gate
 *	ask VERB … [=> STATUS]               `postern VERB …`; below: < GLOB some line, !< GLOB no line
 */
#pragma once

#include "rt/waits.h"
#include "script.h"

void expect_happened(void); /* by every other statement */
void mark_statement(const struct statement *st, struct str rest);
WAITS void expect_statement(const struct statement *st, struct str rest);
WAITS void ask_statement(const struct statement *st, struct str rest);
