/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host cannot take, found out before it is asked: size (RFC 1870 6.1), 8-bit bodies (RFC 6152 3),
 * internationalised mail (RFC 6531 3.5). Answers are made here, in the words of the RFCs.
 */
#pragma once

#include "client/deliver.h"

/* Answers recipients that this host cannot serve; those left unanswered may be asked for. Writes the form of each
 * address that this host understands to `sender` and `rcpts` (n of them; U-label domains become A-labels where
 * SMTPUTF8 is not offered). False: the message could not be read. */
WAITS bool deliver_check(struct smtp_client *c, struct deliver_job *job, struct str *sender, struct str *rcpts,
                         struct err *err);
void deliver_answer_all(struct deliver_job *job, const struct reply *r, bool is_data_stage);
