/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery into a Maildir: tmp/, fsync, link into new/, fsync of the directory; the name carries the spool id so
 * that a second delivery of the same message to the same recipient after a crash is recognised. */
#pragma once

#include "client/deliver.h"

/* root/<domain>/<local>/Maildir, made when absent (0700); address parts are made safe as file names (no '/', no
 * leading '.', others percent-encoded). Runs in the off-load pool. Failures: CAUSE_STORAGE temporary. */
WAITS bool maildir_deliver(struct str root, struct str recipient, struct str unique, struct deliver_job *job, struct err *err);
