/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recipients from a file: who is in it, that trouble is never absence, and that changes are seen. */
#include "policy/recipient_file.h"

#include "base/auto.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static char directory[] = "/tmp/postern-recipients-XXXXXX";
static char file[128];

/* Written `age` seconds ago. */
static void write_file(const char *text, int age)
{
	const struct timespec when[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(utimensat(AT_FDCWD, file, when, 0), 0);
}

enum got { NO, YES, TROUBLE };

static enum got ask(struct recipient_file *f, const char *text)
{
	auto_arena struct arena arena = {.max = 1 << 16};
	struct address a;
	struct err err;
	bool has;
	assert_true(address_parse(&arena, str_from(text), true, &a, &err));
	if (recipient_file_has(f, &a, &has, &err))
		return has ? YES : NO;
	assert_int_equal(err.cause, CAUSE_DIRECTORY);
	return TROUBLE;
}

static void look_again(void)
{
	struct err err;
	assert_true(rt_sleep(2 * USEC_S, "test", &err));
}

static void knows_who_is_there(void *arg)
{
	static const struct {
		const char *address;
		enum got got;
	} rows[] = {
		{"joe@example.org", YES},       {"JOE@example.org", YES},  {"joe@example.com", NO},
		{"jane@example.com", YES},      {"info@any.example", YES}, {"info2@any.example", NO},
		{"x@whole.example", YES},       {"x@sub.whole.example", NO}, {"x@xn--bcher-kva.example", YES},
		{"x@b\xc3\xbc" "cher.example", YES}, {"comment@example.org", NO}, {"two@example.org", NO},
	};
	write_file("# people\n joe@Example.org \r\n\njane@example.com # the boss\nInfo\n@whole.example\n"
	           "x@b\xc3\xbc" "cher.example\none two@example.org\nbad@-.example\n", 10);
	struct recipient_file *f = recipient_file_new(str_from(file));
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_row(ask(f, rows[i].address) == rows[i].got, rows[i].address);
	recipient_file_free(f);
}

static void trouble_is_not_absence(void *arg)
{
	unlink(file);
	struct recipient_file *f = recipient_file_new(str_from(file));
	assert_int_equal(ask(f, "joe@example.org"), TROUBLE);
	write_file("joe@example.org\n", 10);
	look_again();
	assert_int_equal(ask(f, "joe@example.org"), YES);
	write_file("# nobody\n", 9);
	look_again();
	assert_int_equal(ask(f, "joe@example.org"), TROUBLE);
	write_file("jane@example.org\n", 8);
	look_again();
	assert_int_equal(ask(f, "joe@example.org"), NO);
	unlink(file);
	look_again();
	assert_int_equal(ask(f, "jane@example.org"), TROUBLE);
	assert_int_equal(mkdir(file, 0700), 0);
	look_again();
	assert_int_equal(ask(f, "jane@example.org"), TROUBLE);
	rmdir(file);
	recipient_file_free(f);
}

static void leaves_a_fresh_file_to_its_writer(void *arg)
{
	write_file("joe@example.org\njane@example.org\n", 10);
	struct recipient_file *f = recipient_file_new(str_from(file));
	assert_int_equal(ask(f, "jane@example.org"), YES);
	write_file("joe@example.org\n", 0);
	look_again();
	assert_int_equal(ask(f, "jane@example.org"), YES);
	write_file("joe@example.org\n", 5);
	look_again();
	assert_int_equal(ask(f, "jane@example.org"), NO);
	recipient_file_free(f);
}

static void ask_in_a_fiber(void *arg)
{
	assert_int_equal(ask(arg, "joe@example.org"), YES);
}

static void many_ask_at_once(void *arg)
{
	struct group g;
	struct err err;
	write_file("joe@example.org\n", 10);
	struct recipient_file *f = recipient_file_new(str_from(file));
	group_init(&g, "askers");
	for (int i = 0; i < 20; i++)
		assert_true(group_go(&g, "asker", ask_in_a_fiber, f, &err));
	assert_true(group_wait(&g, &err));
	group_done(&g);
	recipient_file_free(f);
}

static void run(bool is_fake, void (*fn)(void *arg))
{
	const struct rt_options options = {.is_fake = is_fake, .seed = 1, .offload_threads = 2};
	struct err err;
	assert_true(rt_run(&options, fn, NULL, &err));
}
static void test_known(void **state)
{
	run(true, knows_who_is_there);
}
static void test_trouble(void **state)
{
	run(true, trouble_is_not_absence);
}
static void test_fresh(void **state)
{
	run(true, leaves_a_fresh_file_to_its_writer);
}
static void test_many(void **state)
{
	run(false, many_ask_at_once);
}

static int clean_up(void **state)
{
	unlink(file);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_many),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(file, sizeof file, "%s/recipients", directory);
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
