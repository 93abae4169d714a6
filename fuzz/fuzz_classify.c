/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a reply: some cause, a bounded time, and never permanent where the code says temporary. */
#include "cause/classify.h"
#include "cause/come_back.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct classify_question q = {.text = fuzz_str(data, size), .now = {1795000000000000}, .stage = size % 7};
	struct classification c;

	cause_classify(rules_builtin(), &q, &c);
	assert(c.cause > CAUSE_NONE && c.cause < CAUSE_COUNT && c.confidence <= 100 && c.rule.n > 0);
	assert(c.code == 0 || (c.code >= 400 && c.code < 600 && c.is_temporary == (c.code < 500)));
	assert(c.retry_after_s == 0 || (c.retry_after_s >= COME_BACK_MIN_S && c.retry_after_s <= COME_BACK_MAX_S));
	return 0;
}
