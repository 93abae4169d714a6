/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8 in addresses and headers: what may stand there beyond being well-formed. */
#pragma once

#include "base/str.h"

/* All of it is UTF-8 (RFC 3629), and no character is a control: C0, DEL, C1, line separators, bidirectional
 * overrides. */
bool utf8_is_clean(struct str s);
bool str_is_ascii(struct str s);
