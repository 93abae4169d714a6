/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A path; an address that is taken must come back the same from its own text. */
#include "fuzz.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct smtp_path path;
	struct address again;
	struct err err;

	assert(smtp_path_length(fuzz_str(data, size)) <= size);
	address_pattern(&arena, fuzz_str(data, size));
	if (!smtp_path_parse(&arena, fuzz_str(data, size), true, false, &path, &err) || path.is_null)
		return 0;
	struct str key = address_key(&arena, &path.address), text = address_text(&arena, &path.address);
	assert(text.n > ADDRESS_MAX || address_parse(&arena, text, path.address.needs_smtputf8, &again, &err));
	assert(text.n > ADDRESS_MAX || str_eq(key, address_key(&arena, &again)));
	return 0;
}
