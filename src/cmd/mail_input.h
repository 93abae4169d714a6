/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The message that a verb looks at: a file, standard input, or the bytes of a batch line. The header is kept, the body
 * goes by in pieces, so that a message of any size costs the same memory.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "auth/dkim_canon.h"
#include "base/err.h"

struct mail_input {
	FILE *file;           /* NULL: all of it is in memory */
	struct buf header;    /* the header, and the first bytes of the body */
	struct str body_head; /* those bytes */
	struct arena *arena;
};
/* "message" (a path) or "message_b64" of a batch line. */
bool mail_input_line(struct mail_input *m, struct arena *arena, const json_t *line, struct err *err);
/* A path, or "-" for standard input. */
bool mail_input_open(struct mail_input *m, struct arena *arena, const char *path, struct err *err);
void mail_input_close(struct mail_input *m);
struct str mail_input_header(const struct mail_input *m);
/* Pushes the whole body and ends it. */
bool mail_input_body(struct mail_input *m, struct dkim_bodies *bodies, struct err *err);
