/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of `postern setup`: read whole, backed up, replaced in one step; and whether the door is open. */
#pragma once

#include "cmd/setup_postfix.h"

bool setup_read(const char *path, struct buf *out, struct err *err);
/* s->before into main.cf.postern-TIME beside main.cf; never over a file that is there. */
bool setup_backup(struct setup *s, struct err *err);
/* A new file with owner and mode of the old one, synced, then renamed over it. */
bool setup_write(const char *path, struct str text, struct err *err);
/* A note when nobody answers at "inet:HOST:PORT" or "unix:/PATH". */
void setup_door_note(struct setup *s, struct str door);
