/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass before libConfuse. It takes the comments out (libConfuse miscounts lines behind C comments and stumbles
 * over comments in lists) and refuses what libConfuse would let pass silently: `$`, sections that never end, keys set
 * twice, bytes that its scanner drops. Lines stay where they are.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends the text without comments to `out`; a failure says name:line. */
bool conf_scan(const char *name, struct str text, struct buf *out, struct err *err);
