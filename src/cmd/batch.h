/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON lines in, JSON lines out, in input order, flushed, up to 100 under way (CLI.md "--batch"). A bad line gives
 * {"id":…,"error":"…"} and the rest goes on. Lines are at most 16 MiB, nested at most 32 deep.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "rt/rt.h"

/* Reads standard input to its end. `line` appends the members of one answer (without braces and id); when it returns
 * false, `err` becomes the line's error. Returns the exit status: 0, or 1 when a line was bad. */
WAITS int batch_run(WAITS bool (*line)(void *arg, const json_t *line, struct buf *out, struct err *err), void *arg);

/* A member as text; STR_NONE when it is not there or no string. */
struct str batch_text(const json_t *line, const char *member);
/* Nested deeper than jansson, which recurses, should see: over 32. */
bool batch_is_too_deep(struct str text);
