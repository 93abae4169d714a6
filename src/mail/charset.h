/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of other charsets as UTF-8, by the C library's iconv. Lenient: what cannot be read becomes U+FFFD, an unknown
 * charset leaves the text as it is. May read conversion tables from disk: for tools, not for the event loop.
 */
#pragma once

#include "base/arena.h"

/* charset: a name as in Content-Type, any case, or empty. UTF-8 and ASCII are returned as they are, save for the
 * shifts of ISO 2022 (ESC $ B …), which mail of Japan, Korea and China holds also where no charset is named. */
struct str charset_to_utf8(struct arena *arena, struct str charset, struct str text);
/* The value of charset= in a Content-Type field; empty: none. */
struct str charset_of(struct str content_type);
