/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PROXY header whole and in two pieces. */
#include "fuzz.h"
#include "smtp/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = fuzz_str(data, size);
	struct proxy_reader a, b;
	struct proxy_source x = {0}, y = {0};
	size_t n = 0, n1 = 0, n2 = 0, cut = size > 0 ? data[size - 1] % (size + 1) : 0;
	struct err err;

	proxy_reader_init(&a);
	proxy_reader_init(&b);
	enum proxy_step whole = proxy_reader_feed(&a, s, &n, &x, &err);
	enum proxy_step split = proxy_reader_feed(&b, str_slice(s, 0, cut), &n1, &y, &err);
	if (split == PROXY_MORE)
		split = proxy_reader_feed(&b, str_skip(s, cut), &n2, &y, &err);
	assert(whole == split && n == n1 + n2 && x.is_local == y.is_local && ip_eq(x.client, y.client));
	return 0;
}
