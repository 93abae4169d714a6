/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hexadecimal and base64 (RFC 4648) to and from bytes; decoding is strict. */
#pragma once

#include "base/buf.h"

void hex_encode(struct buf *out, struct str bytes); /* lower case */
bool hex_decode(struct buf *out, struct str text);  /* false: odd length or a foreign byte; out as before */
void base64_encode(struct buf *out, struct str bytes);
bool base64_decode(struct buf *out, struct str text);
