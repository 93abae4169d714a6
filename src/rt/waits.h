/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WAITS marks each function that may park its fiber, in prototypes, in members of tables of functions
 * and in parameters that take such a function. tools/check-waits proves that callers say it too, and
 * that no marked function hides behind an unmarked pointer.
 *
 * STARTS_FIBER marks the bottom of a fiber: it calls what waits, but whoever enters it does not wait.
 */
#pragma once

#if defined(__clang__)
#define WAITS        __attribute__((annotate("waits")))
#define STARTS_FIBER __attribute__((annotate("starts fiber")))
#else
#define WAITS
#define STARTS_FIBER
#endif
