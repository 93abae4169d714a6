/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nearest known word to a mistyped one, by edit distance; NULL when nothing is near enough to suggest. */
#pragma once

#include "base/str.h"

const char *conf_nearest(struct str word, const char *const *known, size_t n);
