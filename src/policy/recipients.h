/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a recipient exist here? Three-valued, so that trouble is never read as absence.
 * Source: a file (one address, @domain or local part a line; re-read when it changes; unreadable is an error),
 * call-ahead to the domain's next hop, or `any`. postmaster always exists.
 */
#pragma once

#include "policy/domains.h"
#include "verify/verify.h"

enum recipient_result { RECIPIENT_FOUND, RECIPIENT_ABSENT, RECIPIENT_ERROR };

struct recipients;
/* `resolver` finds the address of a next hop that is named; verify and resolver may be NULL where no route calls
 * ahead. Nothing is read yet: a file that is missing now is an error of each look-up until it is there. */
struct recipients *recipients_open(const struct domains *domains, struct verify *verify,
                                   struct resolver *resolver, struct err *err);
void recipients_close(struct recipients *r);
/* `a`: an address of a local domain. For ERROR *cause is CAUSE_DIRECTORY (file) or CAUSE_RCPT_VERIFY (call-ahead) and *why says what happened.
 * False only for cancellation. */
WAITS bool recipients_check(struct recipients *r, const struct address *a, struct arena *arena,
                            enum recipient_result *out, enum cause_id *cause, struct str *why, struct err *err);
