/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF: a record, then after a line end an explanation. What a term says of its place holds, and expansions stay bounded. */
#include "fuzz.h"

#include "auth/spf_macro.h"
#include "auth/spf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf out = {.max = SPF_EXPANSION_MAX};
	struct str text = fuzz_str(data, size), record = STR_NONE, rest = text;
	struct spf_macro_values values = {.local = text, .sender_domain = STR("e.example"), .domain = STR("e.example"),
	                                  .ip = {.family = size % 2 ? 4 : 6}};
	struct spf_macro_fault macro_fault;
	struct spf_fault fault;
	struct spf_term term;
	struct spf_record whole;
	bool has_fault = false;

	str_cut(&rest, '\n', &record);
	for (size_t at = 0; spf_term_next(record, &at, &term, &fault) || fault.n > 0;) {
		has_fault = has_fault || fault.n > 0;
		assert(at <= record.n && term.at + term.text.n <= record.n && (fault.n == 0 || fault.at <= record.n));
		if (fault.n == 0 && term.domain.n > 0)
			assert(spf_domain_expand(&values, term.domain, &arena).n <= 4096);
	}
	assert(!has_fault || !spf_record_check(record, &whole, &fault));
	if (spf_macro_string_check(rest, true, &macro_fault))
		spf_macro_expand(&values, rest, &out);
	assert(out.n <= SPF_EXPANSION_MAX);
	return 0;
}
