/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's Unix socket: one question, one answer, for the command line.
 *
 * The question is one line of JSON, {"words":["queue","list"],"json":true}; the answer is one line
 * {"status":0,"bytes":123} and then that many bytes, text or one JSON document. The socket is mode 0660 in a
 * directory of the daemon's; who may open it may ask everything. Questions are at most 32 KiB, answers 64 MiB.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "rt/rt.h"

struct control_request {
	struct str *words;
	size_t n;
	bool as_json;
	struct arena *arena; /* lives until the answer has gone out */
};
struct control_verb {
	const char *name;    /* "queue list": the longest that matches wins; the words behind it are arguments */
	/* Returns the exit status of CLI.md and appends the answer. */
	WAITS int (*answer)(void *arg, const struct control_request *request, struct buf *out);
};

struct control;
/* verbs: ended by a row without name; lives as long as the socket. */
bool control_open(const char *path, const struct control_verb *verbs, void *arg, struct group *root,
                  struct control **out, struct err *err);
void control_close(struct control *c); /* removes the socket */

/* The asking side. False: no daemon answers there (CAUSE_NETWORK). */
WAITS bool control_ask(const char *path, const struct str *words, size_t n, bool as_json, struct buf *out, int *status,
                       struct err *err);
