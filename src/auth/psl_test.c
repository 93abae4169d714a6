/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public suffix list against its own checks: checkPublicSuffix('domain', 'registrable' or null) on each line. */
#include "auth/psl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/test.h"

/* 'example.com', or null. */
static struct str unquoted(struct str s)
{
	s = str_trim(s);
	return s.n > 1 && s.p[0] == '\'' ? str_slice(s, 1, s.n - 1) : STR_NONE;
}

static void test_suite(void **state)
{
	const char *shared = getenv("POSTERN_SHARED");
	auto_arena struct arena arena;
	char line[512];
	struct err err;
	int n = 0;

	assert_non_null(shared);
	arena_init(&arena, 1 << 20);
	struct str list = arena_printf(&arena, "%s/data/psl/public_suffix_list.dat", shared);
	struct str checks = arena_printf(&arena, "%s/data/psl/test_psl.txt", shared);
	struct psl_list *l = psl_open(arena_cstr(&arena, list), &err);
	FILE *f = fopen(arena_cstr(&arena, checks), "re");
	assert_non_null(l);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		struct str rest = str_from(line), want, domain;
		size_t call = str_find(rest, STR("checkPublicSuffix("));
		if (call != 0) /* four are commented out: "local" is in no list */
			continue;
		want = str_slice(rest, call + 18, str_find(rest, STR(");")));
		str_cut(&want, ',', &domain);
		struct str got = psl_registrable(l, &arena, unquoted(domain));
		assert_row(str_eq(got, unquoted(want)), line);
		n++;
	}
	fclose(f);
	psl_close(l);
	assert_int_equal(n, 78);
}

static void test_trouble(void **state)
{
	struct err err;

	assert_null(psl_open("/nonexistent", &err));
	psl_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite), cmocka_unit_test(test_trouble)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
