/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON from outside, bounded before it is parsed: Jansson takes about 80 bytes of stack for each level,
 * and fibers have little. Depth is checked by looking at brackets outside strings, in one pass.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>

#define JSON_DEPTH_MAX 32

bool json_depth_is_sane(struct str text);
/* NULL: not JSON, deeper than JSON_DEPTH_MAX, or longer than max_bytes. The caller decrefs. */
json_t *json_read(struct str text, size_t max_bytes, struct err *err);
/* Members of an object, lenient: what is missing or of another type is empty, 0, NULL. Texts are
 * borrowed from the object. */
struct str json_member_text(const json_t *object, const char *key);
int64_t json_member_int(const json_t *object, const char *key);
