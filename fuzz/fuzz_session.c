/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client's whole session, against a gate in memory: gate/session_fuzz.h says what must hold. */
#include "fuzz.h"

#include "gate/session_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_session(fuzz_str(data, size));
	return 0;
}
