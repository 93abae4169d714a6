/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attempt's part of the message's trail. */
#pragma once

#include "queue/inside.h"

/* "mx1.example: 451 4.7.1 Greylisted", on one line. */
struct str story_reply(struct arena *arena, const struct outcome *o);
WAITS void story_tell(struct attempt *a);
