/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vectors of RFC 4648 10 and what strict decoding refuses. */
#include "base/hex.h"

#include "base/auto.h"
#include "base/random.h"
#include "base/test.h"

static void vectors(void **state)
{
	static const struct {
		const char *bytes, *hex, *base64;
	} rows[] = {
		{"", "", ""},
		{"f", "66", "Zg=="},
		{"fo", "666f", "Zm8="},
		{"foo", "666f6f", "Zm9v"},
		{"foob", "666f6f62", "Zm9vYg=="},
		{"fooba", "666f6f6261", "Zm9vYmE="},
		{"foobar", "666f6f626172", "Zm9vYmFy"},
		{"\xFB\xFF\xBF", "fbffbf", "+/+/"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf struct buf b = {.max = 100};
		hex_encode(&b, str_from(rows[i].bytes));
		assert_str(buf_view(&b), rows[i].hex);
		buf_clear(&b);
		base64_encode(&b, str_from(rows[i].bytes));
		assert_str(buf_view(&b), rows[i].base64);
		buf_clear(&b);
		assert_true(hex_decode(&b, str_from(rows[i].hex)));
		assert_str(buf_view(&b), rows[i].bytes);
		buf_clear(&b);
		assert_true(base64_decode(&b, str_from(rows[i].base64)));
		assert_str(buf_view(&b), rows[i].bytes);
	}
	auto_buf struct buf b = {.max = 10};
	assert_true(hex_decode(&b, STR("6F6f")));
	assert_str(buf_view(&b), "oo");
}

static void refuses(void **state)
{
	static const char *const hex[] = {"6", "6g", "g6", "6 6", "0x66", "66\n"};
	static const char *const base64[] = {"Z",    "Zg",   "Zg=",  "Zg===", "Zh==", "Zm9=",   "Z===",
	                                     "====", "=Zg=", "Zg=a", "Zm9v\n", "Zm 9", "Zm9v====",
	                                     "Zm-_", "Zg==Zg=="};
	for (size_t i = 0; i < COUNT(hex); i++) {
		auto_buf struct buf b = {.max = 100};
		buf_char(&b, '!');
		assert_row(!hex_decode(&b, str_from(hex[i])), hex[i]);
		assert_str(buf_view(&b), "!");
	}
	for (size_t i = 0; i < COUNT(base64); i++) {
		auto_buf struct buf b = {.max = 100};
		buf_char(&b, '!');
		assert_row(!base64_decode(&b, str_from(base64[i])), base64[i]);
		assert_str(buf_view(&b), "!");
	}
	auto_buf struct buf small = {.max = 2};
	assert_false(base64_decode(&small, STR("Zm9v")));
	assert_false(buf_ok(&small));
}

static void round_trips(void **state)
{
	unsigned char bytes[300];
	random_secret(bytes, sizeof bytes);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		auto_buf struct buf text = {.max = 1000}, back = {.max = n};
		base64_encode(&text, (struct str){(char *)bytes, n});
		assert_int_equal(text.n, (n + 2) / 3 * 4);
		assert_true(base64_decode(&back, buf_view(&text)));
		assert_int_equal(back.n, n);
		if (n)
			assert_memory_equal(back.p, bytes, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(refuses),
		cmocka_unit_test(round_trips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
