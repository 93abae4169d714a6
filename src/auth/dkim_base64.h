/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base64 as DKIM carries it (RFC 4648 4, RFC 6376 3.2): folding white space may stand anywhere and is no
 * part of the data, and padding may be left out; everything else that is not of the alphabet is an error. What is
 * written goes by base/hex.h.
 */
#pragma once

#include "base/arena.h"

/* False: not base64, or nothing in it. *out is in `arena`. */
bool dkim_base64_decode(struct arena *arena, struct str text, struct str *out);
