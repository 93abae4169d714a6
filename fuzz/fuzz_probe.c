/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reply means, and records of the cache: absence is never read from a 4xx or before RCPT. */
#include "fuzz.h"
#include "verify/probe_reply.h"
#include "verify/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = fuzz_str(data, size), local;
	struct address_record a, again;
	struct domain_record d;
	struct host_record h;
	char bytes[RECORD_MAX], more[RECORD_MAX];

	if (address_record_decode(rest, &a))
		assert(address_record_decode(address_record_encode(&a, bytes), &again) &&
		       address_record_encode(&again, more).n <= rest.n);
	(void)domain_record_decode(rest, &d);
	(void)host_record_decode(rest, &h);
	if (!str_cut(&rest, '\n', &local))
		return 0;
	struct reply r = {.code = 200 + (int)(size * 7 % 400), .text = rest};
	for (int stage = PROBE_CONNECT; stage <= PROBE_RCPT; stage++) {
		struct probe_reading got = probe_reply_read((enum probe_stage)stage, &r, local, STR("mx.example"));
		assert(got.meaning != PROBE_ABSENT || (r.code >= 500 && stage == PROBE_RCPT));
		assert(got.meaning != PROBE_LOST);
	}
	return 0;
}
