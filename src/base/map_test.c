/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map against a plain array that holds the same. */
#include "base/map.h"

#include "base/random.h"
#include "base/test.h"

static void basics(void **state)
{
	struct map m;
	int a, b;
	map_init(&m);
	assert_null(map_get(&m, STR("x")));
	assert_null(map_remove(&m, STR("x")));
	assert_null(map_put(&m, STR("x"), &a));
	assert_null(map_put(&m, STR(""), &b));
	assert_ptr_equal(map_get(&m, STR("x")), &a);
	assert_ptr_equal(map_get(&m, STR("")), &b);
	assert_null(map_get(&m, STR("X")));
	assert_ptr_equal(map_put(&m, STR("x"), &b), &a);
	assert_int_equal(m.n, 2);
	assert_ptr_equal(map_remove(&m, STR("x")), &b);
	assert_null(map_get(&m, STR("x")));
	assert_int_equal(m.n, 1);
	map_done(&m);
}

static struct str key_of(size_t i, char out[32])
{
	return (struct str){out, (size_t)snprintf(out, 32, "user%zu@domain.example", i)};
}

static void agrees_with_an_array(void **state)
{
	enum { KEYS = 700 };
	static int values[2];
	static void *model[KEYS];
	struct map m;
	size_t n = 0;
	char text[32];
	map_init(&m);
	random_seed(5);
	for (int step = 0; step < 60000; step++) {
		size_t i = random_below(step / 20000 == 1 ? 40 : KEYS);
		struct str key = key_of(i, text);
		uint64_t what = random_below(3);
		if (what == 0) {
			void *value = &values[random_below(2)];
			n += !model[i];
			assert_ptr_equal(map_put(&m, key, value), model[i]);
			model[i] = value;
		} else if (what == 1) {
			n -= model[i] != NULL;
			assert_ptr_equal(map_remove(&m, key), model[i]);
			model[i] = NULL;
		} else {
			assert_ptr_equal(map_get(&m, key), model[i]);
		}
		assert_int_equal(m.n, n);
		assert_true((m.n + m.deleted) * 8 <= m.capacity * 5);
	}
	map_done(&m);
}

static void shrinks_when_emptied(void **state)
{
	struct map m;
	char text[32];
	map_init(&m);
	for (size_t i = 0; i < 10000; i++)
		map_put(&m, key_of(i, text), &m);
	size_t full = m.capacity, at = 0, seen = 0;
	struct str key;
	void *value;
	assert_true(full <= 32768);
	while (map_next(&m, &at, &key, &value)) {
		seen++;
		map_remove(&m, key); /* the item just returned */
	}
	assert_int_equal(seen, 10000);
	assert_int_equal(m.n, 0);
	for (size_t i = 0; i < 20000; i++) {
		map_put(&m, key_of(i, text), &m);
		map_remove(&m, key_of(i, text));
	}
	assert_true(m.capacity < full / 8);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(shrinks_when_emptied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
