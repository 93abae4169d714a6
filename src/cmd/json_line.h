/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON text to Jansson's values in one pass over memory, about four times as fast as Jansson's loader, which takes each byte
 * through a function.
 *
 * Only what is ordinary is read here: an object or a list, strings, whole numbers of up to 18 digits, true, false, null,
 * nested at most JSON_LINE_DEPTH_MAX deep. What is rare (a fraction, a pair of surrogates, an escape in a key) or wrong gives
 * NULL, and the caller asks Jansson, which reads it or says what is wrong. What is read here, json_loadb reads alike.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"

#define JSON_LINE_DEPTH_MAX 32

/* `scratch` holds an escaped string while it is read; its bound bounds such strings. The caller frees what is returned. */
json_t *json_line_read(struct str text, struct buf *scratch);
