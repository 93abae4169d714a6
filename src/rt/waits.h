/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WAITS marks each function that may park its fiber, in prototypes and in members of tables of
 * functions. tools/check-waits proves that callers say it too.
 */
#pragma once

#if defined(__clang__)
#define WAITS __attribute__((annotate("waits")))
#else
#define WAITS
#endif
