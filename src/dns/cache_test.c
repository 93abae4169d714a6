/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache keeps its bounds, forgets in the right order and shares what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "dns/answer.h"
#include "dns/cache.h"

static void put(struct dns_cache *c, const char *name, enum dns_type type, usec_t expires, size_t bytes)
{
	struct dns_answer *a = dns_answer_new(str_from(name), type);
	char key[DNS_KEY_MAX];

	a->expires = expires;
	if (bytes > 0)
		arena_alloc(&a->arena, bytes);
	dns_cache_put(c, dns_key(a->name, type, key), a);
	dns_answer_release(a);
}

static bool has(struct dns_cache *c, const char *name, enum dns_type type, usec_t now)
{
	char key[DNS_KEY_MAX];
	const struct dns_answer *a = dns_cache_get(c, dns_key(str_from(name), type, key), now);

	dns_answer_release(a);
	return a != NULL;
}

static void test_names_and_types_are_apart(void **state)
{
	struct dns_cache c;

	dns_cache_init(&c, 10);
	put(&c, "a.test", DNS_MX, 100, 0);
	assert_true(has(&c, "a.test", DNS_MX, 0));
	assert_false(has(&c, "a.test", DNS_A, 0));
	assert_false(has(&c, "b.test", DNS_MX, 0));
	dns_cache_done(&c);
}

static void test_expiry(void **state)
{
	struct dns_cache c;

	dns_cache_init(&c, 10);
	put(&c, "a.test", DNS_A, 100, 0);
	assert_true(has(&c, "a.test", DNS_A, 99));
	assert_false(has(&c, "a.test", DNS_A, 100));
	assert_int_equal(c.n, 0);
	assert_int_equal(c.bytes, 0);
	dns_cache_done(&c);
}

static void test_least_recently_used_goes_first(void **state)
{
	struct dns_cache c;
	char name[16];

	dns_cache_init(&c, 3);
	put(&c, "a.test", DNS_A, 100, 0);
	put(&c, "b.test", DNS_A, 100, 0);
	put(&c, "c.test", DNS_A, 100, 0);
	assert_true(has(&c, "a.test", DNS_A, 0));
	put(&c, "d.test", DNS_A, 100, 0);
	assert_false(has(&c, "b.test", DNS_A, 0));
	assert_true(has(&c, "a.test", DNS_A, 0));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		put(&c, name, DNS_A, 100, 0);
		assert_in_range(c.n, 1, 3);
	}
	dns_cache_done(&c);
}

static void test_bytes_are_bounded_too(void **state)
{
	struct dns_cache c;
	char name[16];

	dns_cache_init(&c, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		put(&c, name, DNS_TXT, 100, 60000);
		assert_in_range(c.bytes, 1, c.bytes_max);
	}
	assert_in_range(c.n, 1, 4);
	dns_cache_done(&c);
}

static void test_replacing_keeps_the_books(void **state)
{
	struct dns_cache c;

	dns_cache_init(&c, 3);
	put(&c, "a.test", DNS_A, 100, 50);
	size_t bytes = c.bytes;
	put(&c, "a.test", DNS_A, 200, 50);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.bytes, bytes);
	assert_true(has(&c, "a.test", DNS_A, 150));
	dns_cache_done(&c);
}

static void test_an_answer_outlives_its_cache(void **state)
{
	struct dns_cache c;
	char key[DNS_KEY_MAX];

	dns_cache_init(&c, 3);
	put(&c, "a.test", DNS_A, 100, 0);
	const struct dns_answer *a = dns_cache_get(&c, dns_key(STR("a.test"), DNS_A, key), 0);
	dns_cache_done(&c);
	assert_true(str_eq(a->name, STR("a.test")));
	dns_answer_release(a);
}

static void test_flush(void **state)
{
	struct dns_cache c;

	dns_cache_init(&c, 10);
	put(&c, "test", DNS_A, 100, 0);
	put(&c, "a.test", DNS_A, 100, 0);
	put(&c, "a.test", DNS_MX, 100, 0);
	put(&c, "x.a.test", DNS_A, 100, 0);
	put(&c, "ba.test", DNS_A, 100, 0);
	dns_cache_flush(&c, STR("a.test"));
	assert_int_equal(c.n, 2);
	assert_true(has(&c, "ba.test", DNS_A, 0));
	dns_cache_flush(&c, STR_NONE);
	assert_int_equal(c.n, 0);
	dns_cache_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_types_are_apart),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_least_recently_used_goes_first),
		cmocka_unit_test(test_bytes_are_bounded_too),
		cmocka_unit_test(test_replacing_keeps_the_books),
		cmocka_unit_test(test_an_answer_outlives_its_cache),
		cmocka_unit_test(test_flush),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
