/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tour: sends the stories' mails through the gate and tells each one, with dialogue, time and verdict. */
#pragma once

#include "lab/world.h"

/* Prints to standard output as it goes. Returns how many stories did not end as they should. */
WAITS int lab_tour(struct lab_world *w, const char *samples, bool has_colour);
