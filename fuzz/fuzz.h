/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libFuzzer and replay.c call. The return value is 0; what must not happen is an assert. */
#pragma once

#include "base/auto.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional: called once before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static inline struct str fuzz_str(const uint8_t *data, size_t size)
{
	return (struct str){(const char *)data, size};
}
