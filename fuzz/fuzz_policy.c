/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes on a connection of the policy door: the end of a request is the same however they come, and what is read lies in it. */
#include "fuzz.h"
#include "gate/policy_request.h"

static void check_within(struct str whole, struct str value)
{
	assert(value.n == 0 || (value.p >= whole.p && value.p + value.n <= whole.p + whole.n));
	assert(str_find_char(value, '\n') == value.n);
}

static size_t length_in_pieces(struct str in, size_t piece)
{
	size_t scanned = 0, n = 0;
	for (size_t end = 0; n == 0 && end < in.n;) {
		end = end + piece < in.n ? end + piece : in.n;
		n = policy_request_length(str_slice(in, 0, end), &scanned);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_skip(fuzz_str(data, size), 1);
	while (in.n) {
		struct policy_request r;
		const char *why = NULL;
		size_t scanned = 0, n = policy_request_length(in, &scanned);
		assert(n <= in.n && length_in_pieces(in, 1 + data[0]) == n);
		if (n == 0)
			break;
		struct str whole = str_slice(in, 0, n);
		if (policy_request_parse(whole, &r, &why)) {
			const struct str values[] = {r.instance, r.sender, r.recipient, r.client_address, r.helo_name,
			                             r.sasl_username, r.queue_id};
			for (size_t i = 0; i < sizeof values / sizeof *values; i++)
				check_within(whole, values[i]);
		} else {
			assert(why);
		}
		in = str_skip(in, n);
	}
	return 0;
}
