/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what somebody hands to explain: a log line, a notification of a sending service, text of any charset. */
#include "cmd/explain_notice.h"
#include "cmd/explain_print.h"
#include "fuzz.h"
#include "mail/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 8 << 20};
	auto_buf struct buf out = {.max = 1 << 20};
	struct bounce *b = arena_new(&arena, struct bounce);
	struct str text = fuzz_str(data, size);
	struct explain_input in;

	explain_input_read(text, &in);
	explain_own_ip(in.reply);
	if (explain_notice_read(&arena, text, b))
		assert(b->kind != BOUNCE_NONE && b->n <= BOUNCE_RCPTS);
	explain_printable(charset_to_utf8(&arena, STR_NONE, in.reply), &out);
	assert(!buf_ok(&out) || str_is_utf8(buf_view(&out)));
	for (size_t i = 0; i < out.n; i++)
		assert(out.p[i] == '\n' || (unsigned char)out.p[i] >= ' ');
	return 0;
}
