/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Alignment, zeroing, independence of the pieces, and the soft maximum. */
#include "base/auto.h"
#include "base/test.h"

#include <stdalign.h>

static void pieces_do_not_touch(void **state)
{
	auto_arena struct arena a;
	unsigned char *pieces[400];
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		size_t n = i * 7 % 300;
		pieces[i] = arena_alloc(&a, n);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i & 0xFF), n);
	}
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t k = 0; k < i * 7 % 300; k++)
			assert_int_equal(pieces[i][k], i & 0xFF);
}

static void large_ones_stand_alone(void **state)
{
	auto_arena struct arena a;
	arena_init(&a, 1 << 20);
	struct str before = arena_str(&a, STR("before"));
	char *large = arena_alloc(&a, 100000);
	struct str after = arena_str(&a, STR("after"));
	memset(large, 'x', 100000);
	assert_str(before, "before");
	assert_str(after, "after");
}

static void tells_when_full(void **state)
{
	auto_arena struct arena a;
	arena_init(&a, 100);
	assert_non_null(arena_alloc(&a, 100));
	assert_false(arena_is_full(&a));
	assert_non_null(arena_alloc(&a, 1));
	assert_true(arena_is_full(&a));
	arena_clear(&a);
	assert_false(arena_is_full(&a));
	assert_null(a.blocks);
	assert_non_null(arena_alloc(&a, 1));
}

static void copies_text(void **state)
{
	auto_arena struct arena a;
	arena_init(&a, 1000);
	char text[] = "MiXed";
	struct str copy = arena_str(&a, str_from(text)), lower = arena_lower(&a, str_from(text));
	char *c = arena_cstr(&a, str_slice(str_from(text), 0, 3));
	struct str printed = arena_printf(&a, "%s-%d", text, 42);
	memset(text, '!', sizeof text - 1);
	assert_str(copy, "MiXed");
	assert_str(lower, "mixed");
	assert_string_equal(c, "MiX");
	assert_str(printed, "MiXed-42");
	assert_null(arena_str(&a, STR_NONE).p);
	assert_non_null(arena_str(&a, STR("")).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_touch),
		cmocka_unit_test(large_ones_stand_alone),
		cmocka_unit_test(tells_when_full),
		cmocka_unit_test(copies_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
