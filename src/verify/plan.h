/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Before any question: who is never verified at all, in the order in which it is said. */
#pragma once

#include "verify/service.h"

/* SKIP_NONE: the sender is verified. */
enum verify_skip plan_skip(struct verify *v, const struct address *sender, const struct evidence *e);
