/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our header fields, and which of those that come in are forged. */
#include "gate/tags.h"

#include "base/auto.h"
#include "base/test.h"

static void finds_forged_fields(void **state)
{
	static const struct {
		const char *head, *kept;
		size_t received;
		bool is_whole;
	} rows[] = {
		{"", "", 0, false},
		{"\r\nX-Postern-Sender: x\r\n", "\r\nX-Postern-Sender: x\r\n", 0, true},
		{"A: b\r\n\r\n", "A: b\r\n\r\n", 0, true},
		{"X-Postern-Sender: x\r\n folded\r\n\tagain\r\nA: b\r\n\r\n", "A: b\r\n\r\n", 0, true},
		{"x-postern-SENDER : x\r\nA: b\r\n\r\n", "A: b\r\n\r\n", 0, true},
		{"A: b\nX-Postern-Sender: x\nC: d\n\n", "A: b\nC: d\n\n", 0, true},
		{"A: b\rX-Postern-Sender: x\rC: d\r\r", "A: b\rC: d\r\r", 0, false},
		{"A: b\r\nno field\r\nX-Postern-Sender: x\r\nC: d\r\n\r\n", "A: b\r\nno field\r\nC: d\r\n\r\n", 0, true},
		{"Authentication-Results: mx.here.example; a=b\r\nC: d\r\n\r\n", "C: d\r\n\r\n", 0, true},
		{"Authentication-Results:\r\n (c (d)) \"MX.here.EXAMPLE\" 1; a=b\r\nC: d\r\n\r\n", "C: d\r\n\r\n", 0, true},
		{"Authentication-Results: mx.here.example.com; a=b\r\n\r\n", "Authentication-Results: mx.here.example.com; a=b\r\n\r\n", 0,
		 true},
		{"Return-Path: <x>\r\nX-Postern-Sender: 1\r\nX-Postern-Sender: 2\r\n\r\n", "\r\n", 0, true},
		{"Received: a\r\nRECEIVED: b\r\nReceived-SPF: c\r\n\r\nReceived: d\r\n",
		 "Received: a\r\nRECEIVED: b\r\nReceived-SPF: c\r\n\r\nReceived: d\r\n", 2, true},
		{"X-Postern-Sender: unended", "", 0, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 1 << 16};
		auto_buf struct buf kept = {.max = 1 << 16};
		struct header_check check;
		uint64_t at = 0;
		struct str head = str_from(rows[i].head);
		header_check(&arena, head, STR("mx.here.example"), &check);
		for (size_t r = 0; r < check.n_forged; r++) {
			assert_true(check.forged[r].from >= at && check.forged[r].to > check.forged[r].from);
			buf_str(&kept, str_slice(head, at, check.forged[r].from));
			at = check.forged[r].to;
		}
		buf_str(&kept, str_skip(head, at));
		assert_str(buf_view(&kept), rows[i].kept);
		assert_row(check.received == rows[i].received && check.is_whole == rows[i].is_whole, rows[i].head);
	}
}

static void joins_neighbours(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf head = {.max = 1 << 20};
	struct header_check check;
	for (int i = 0; i < 1000; i++)
		buf_str(&head, STR("Authentication-Results: mx.here.example; none\r\n"));
	buf_str(&head, STR("\r\n"));
	header_check(&arena, buf_view(&head), STR("mx.here.example"), &check);
	assert_int_equal(check.n_forged, 1);
	assert_int_equal(check.forged[0].to, head.n - 2);
}

static void writes_fields(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 16};
	struct address plain, odd;
	struct err err;
	assert_true(address_parse(&arena, STR("bounce+x=y@Good.example"), false, &plain, &err));
	assert_true(address_parse(&arena, STR("\"a (b)\"@good.example"), false, &odd, &err));
	struct verify_answer a = {.verdict = VERIFY_EXISTS};
	struct tag_args args = {.answer = &a, .host = STR("mx.here.example"), .ref = STR("REF"), .sender = &plain};
	assert_str(tag_fields(&arena, &args), "Authentication-Results: mx.here.example;\r\n\tx-sender-verify=pass (exists)\r\n"
	                                      "\tsmtp.mailfrom=bounce+x=y@good.example\r\n");
	a = (struct verify_answer){.verdict = VERIFY_BLOCKED, .class = VERIFY_CLASS_REFUSED_US};
	args.is_tagged = true;
	args.sender = &odd;
	assert_str(tag_fields(&arena, &args), "X-Postern-Sender: blocked, refused us; ref=REF\r\n"
	                                      "Authentication-Results: mx.here.example;\r\n\tx-sender-verify=temperror (blocked, refused us)\r\n"
	                                      "\tsmtp.mailfrom=good.example\r\n");
	a = (struct verify_answer){.verdict = VERIFY_SKIPPED, .skip = SKIP_OWN_DOMAIN};
	args.is_tagged = false;
	assert_str(tag_fields(&arena, &args), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_forged_fields),
		cmocka_unit_test(joins_neighbours),
		cmocka_unit_test(writes_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
