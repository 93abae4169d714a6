/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One session at a time for each MX address: who comes second waits for its turn. */
#pragma once

#include "base/map.h"
#include "rt/rt.h"

struct turns {
	struct map map;
};
void turns_init(struct turns *t);
void turns_done(struct turns *t); /* nobody holds or waits */
/* label is borrowed until the turn has come. */
WAITS bool turns_take(struct turns *t, struct str key, const char *label, struct err *err);
void turns_give(struct turns *t, struct str key);
