/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of trails in SQLite, for `postern why` and `failures`; kept for `retention`, bounded in rows.
 * Writing is queued (bounded; beyond that trails are dropped and counted) and batched by the store's writer;
 * searching runs in the pool and waits. A trail is found by its reference, by an address that sent or received
 * (whole, or @domain), or by the client's IP; newest first.
 */
#pragma once

#include "store/table.h"
#include "trail/trail.h"

struct history;
struct history *history_open(struct store *s, usec_t retention, int64_t rows_max, struct err *err);
/* Replaces what was stored for the same reference, so that a message's trail can grow with its delivery; those
 * without reference stand beside each other. */
void history_put(struct history *h, const struct trail *t);
/* ADDRESS: whole, @domain, <> for the null sender; without an @ a reference or a domain. FAILURES: the name of a
 * cause, anything else for all. */
enum history_by { HISTORY_REF, HISTORY_ADDRESS, HISTORY_IP, HISTORY_FAILURES };
/* Encoded trails (JSON) in `arena`, newest first, at most `limit`. */
WAITS bool history_find(struct history *h, enum history_by by, struct str what, size_t limit, struct arena *arena,
                        struct str **found, size_t *n, struct err *err);
