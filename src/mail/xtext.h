/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xtext of RFC 3461 4: printable ASCII, the rest and '+' and '=' as +HH in upper-case hexadecimal. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Refuses what is not xtext, and NUL and anything below space once decoded. */
bool xtext_decode(struct arena *arena, struct str s, struct str *out);
void xtext_encode(struct buf *out, struct str s);
