/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A failure: we could not find out, or could not do it. Verdicts are results, not failures.
 *
 * A function that can fail returns `bool` and takes `struct err *` last, never NULL; its outputs
 * are untouched when it returns false. `return err_temp(err, CAUSE_NETWORK, "no answer from %s", h);`
 * sets and returns false in one line. Context is put in front on the way up with `err_context`;
 * only the outermost layer logs.
 */
#pragma once

#include "base/cause_id.h"

#include <stdarg.h>
#include <stdbool.h>

enum err_kind {
	ERR_FAILED,    /* the thing itself went wrong */
	ERR_TIMEOUT,   /* a deadline of an enclosing scope passed */
	ERR_CANCELLED, /* the fiber's group was cancelled: unwind */
	ERR_CLOSED,    /* the peer ended the connection */
};

struct err {
	enum cause_id cause;
	enum err_kind kind;
	bool is_temporary;
	char text[236]; /* one sentence a person can read; cut, never overflown */
};

bool err_temp(struct err *err, enum cause_id cause, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
bool err_perm(struct err *err, enum cause_id cause, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* As err_temp, with the kind given: what waits return. */
bool err_kind(struct err *err, enum err_kind kind, enum cause_id cause, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* "what: " before the text; returns false so that it can end a function. */
bool err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
