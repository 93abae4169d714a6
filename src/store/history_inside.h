/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others of this folder that read the history's tables need. */
#pragma once

#include "store/history.h"

struct db;
/* Counted: db_unref. */
struct db *history_db(struct history *h);
/* Everything put so far stands in the tables. What cannot be written just now is missing, and that is no failure. */
WAITS bool history_flush(struct history *h, struct err *err);
/* The words of messages that would have been refused, deferred, tagged, in the order of enum observed_kind. */
extern const char *const history_would_words[3];
