/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy records, From fields, and the results written of them: no line of ours can be forged. */
#include "auth/auth_results.h"
#include "fuzz.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = fuzz_str(data, size);
	auto_arena struct arena arena;
	auto_buf struct buf out = {.max = 1 << 20}, twice = {.max = 1 << 20};
	struct dmarc_authors authors = {.n = 0};
	struct dmarc_record record = {.p = DMARC_NONE};
	struct dmarc_answer answer = {.result = DMARC_RESULT_PASS, .from = input, .reason = ""};
	struct dkim_result signature = {.verdict = DKIM_FAIL, .reason = "x", .domain = input, .b = input};
	struct dkim_check dkim = {.results = &signature, .n = 1};
	struct auth_results results = {.authserv_id = STR("mx.example"), .dkim = &dkim, .dmarc = &answer};
	struct header_scan scan;
	struct header_field f;
	struct str list = input, uri;

	arena_init(&arena, 16 << 20);
	if (dmarc_record_parse(input, &record))
		assert(record.p <= DMARC_REJECT && record.sp <= DMARC_REJECT && record.np <= DMARC_REJECT);
	if (dmarc_authors_parse(&arena, input, &authors))
		for (size_t i = 0; i < authors.n; i++)
			assert(domain_is_valid(authors.domain[i]));
	buf_str(&twice, STR("From: a@b.example\r\n"));
	buf_str(&twice, input);
	header_scan_init(&scan, input);
	if (dmarc_authors_of_header(&arena, input, &authors) && authors.n > 0 && header_scan_next(&scan, &f) && f.name.n > 0)
		assert(!dmarc_authors_of_header(&arena, buf_view(&twice), &authors)); /* one more author is one too many */
	while (dmarc_uri_next(&list, &uri))
		assert(uri.n == 0 || str_find_char(uri, ':') < uri.n);
	auth_results_write(&results, &out);
	header_scan_init(&scan, buf_view(&out));
	assert(header_scan_next(&scan, &f) && f.whole.n == out.n && !header_scan_next(&scan, &f));
	assert(header_claims_authserv_id(f.value, results.authserv_id));
	return 0;
}
