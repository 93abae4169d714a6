/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths of MAIL and RCPT: RFC 5321 4.1.2, what stands between < and >. */
#pragma once

#include "smtp/command.h"

/* `s` begins with '<'; gives the length up to and with the closing '>', quoted strings looked through.
 * 0: there is none. */
size_t smtp_path_length(struct str s);
/* inner: without the angle brackets. */
bool smtp_path_parse(struct arena *arena, struct str inner, bool allow_utf8, bool allow_postmaster,
                     struct smtp_path *out, struct err *err);
