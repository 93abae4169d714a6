/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recipients from a file: one address, @domain or local part a line, '#' begins a comment, case does not matter.
 *
 * Read in the pool and read again when its time, size or inode changed, looked at once a second at most. Trouble is
 * never absence: a file that is missing, unreadable, too long or without a single entry makes every look-up an error,
 * and a file that changed within the last second is not taken yet where an older reading is at hand, because somebody
 * may still be writing it.
 */
#pragma once

#include "mail/address.h"
#include "rt/rt.h"

struct recipient_file;
struct recipient_file *recipient_file_new(struct str path);
void recipient_file_free(struct recipient_file *f);
/* False: the file cannot tell (CAUSE_DIRECTORY), or the fiber was cancelled (ERR_CANCELLED). */
WAITS bool recipient_file_has(struct recipient_file *f, const struct address *a, bool *has, struct err *err);
