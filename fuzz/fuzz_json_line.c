/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What json_line_read reads, Jansson reads alike. */
#include "fuzz.h"

#include "cmd/json_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf scratch = {.max = 4096};
	json_error_t why;
	json_t *ours = json_line_read(fuzz_str(data, size), &scratch);

	if (ours) { /* as text, in which members keep their order */
		json_t *theirs = json_loadb((const char *)data, size, JSON_ALLOW_NUL, &why);
		auto_free char *a = json_dumps(ours, 0), *b = json_dumps(theirs, 0);
		assert(a && b && strcmp(a, b) == 0);
		json_decref(theirs);
	}
	json_decref(ours);
	return 0;
}
