/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A header walked, filtered and returned in a report: no byte is lost, no claim of ours survives. */
#include "fuzz.h"
#include "mail/dsn.h"
#include "mail/header.h"

static void filter(struct str message, struct str authserv_id, struct buf *out)
{
	struct header_keep k;
	struct str slice;

	header_keep_init(&k, message, &(struct str){"X-Postern-Sender", 16}, authserv_id.n > 0, authserv_id);
	while (header_keep_next(&k, &slice))
		buf_str(out, slice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf all = {.max = 1 << 24}, once = {.max = 1 << 24}, report = {.max = 1 << 24};
	struct dsn_rcpt rcpt = {.address = fuzz_str(data, size), .diagnostic = fuzz_str(data, size)};
	struct dsn_args args = {.original = fuzz_str(data, size), .is_original_whole = true,
	                        .return_full = size & 1, .rcpts = &rcpt, .n_rcpts = 1};
	struct dsn_form form;
	struct str value;

	filter(fuzz_str(data, size), STR_NONE, &all);
	assert(str_eq(buf_view(&all), fuzz_str(data, size)));
	filter(fuzz_str(data, size), STR("me"), &once);
	assert(!header_find(buf_view(&once), STR("X-Postern-Sender"), &value));
	dsn_build(&args, &report, &form);
	assert(buf_ok(&report) && str_find_char(buf_view(&report), '\0') == report.n);
	return 0;
}
