/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: order, removal while walking, removing twice. */
#include "base/list.h"

#include "base/test.h"

struct item {
	int n;
	struct link link;
};

static int sum(struct list *l)
{
	int n = 0;
	list_each(it, l)
		n = n * 10 + container_of(it, struct item, link)->n;
	return n;
}

static void pushes_and_pops(void **state)
{
	struct list l;
	struct item items[4] = {{1}, {2}, {3}, {4}};
	list_init(&l);
	assert_true(list_is_empty(&l) && !list_first(&l) && !list_pop_front(&l));
	list_push_back(&l, &items[1].link);
	list_push_back(&l, &items[2].link);
	list_push_front(&l, &items[0].link);
	list_push_back(&l, &items[3].link);
	assert_int_equal(sum(&l), 1234);
	link_remove(&items[1].link);
	link_remove(&items[1].link);
	assert_false(link_is_in_list(&items[1].link));
	assert_int_equal(sum(&l), 134);
	list_each(it, &l)
		if (container_of(it, struct item, link)->n != 3)
			link_remove(it);
	assert_int_equal(sum(&l), 3);
	assert_ptr_equal(list_pop_front(&l), &items[2].link);
	assert_true(list_is_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pushes_and_pops)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
