/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each cause means in words for people, and what to do about it, in order. docs/reading-a-451.md is made from it.
 */
#pragma once

#include "base/cause_id.h"
#include "base/str.h"

#define ADVICE_STEPS 4

struct advice {
	const char *means;                 /* one or two sentences, the reader being the side that was answered */
	const char *steps[ADVICE_STEPS];   /* what to check or do now, in order; NULL behind the last */
	const char *sources;
	const char *reviewed;              /* YYYY-MM-DD */
};
const struct advice *cause_advice(enum cause_id id);
