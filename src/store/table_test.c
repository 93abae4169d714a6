/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables keep their bounds, forget in time, survive restarts and damage, and stay right when the file fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"
#include "store/table.h"

static char dir[64];
static int damage_lines;

static void count_damage(void *arg, enum log_level level, struct str line)
{
	damage_lines += str_find(line, STR("store_damaged")) < line.n;
}

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/postern-store-XXXXXX");
	damage_lines = 0;
	metrics_reset();
	log_open(LOG_TEXT, LOG_INFO_, count_damage, NULL);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[512];
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			unlink(path);
			rmdir(path);
		}
	if (d)
		closedir(d);
	log_open(LOG_TEXT, LOG_WARN_, NULL, NULL);
	return rmdir(dir);
}

static int files_with(const char *part)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += strstr(e->d_name, part) != NULL;
	closedir(d);
	return n;
}

/* --- running --- */

static struct err failure;

static void run(bool is_fake, WAITS void (*fn)(void *arg))
{
	struct rt_options options = {.is_fake = is_fake, .seed = 1, .offload_threads = 2};
	struct err err;

	if (!rt_run(&options, fn, NULL, &err))
		fail_msg("%s", err.text);
}

static struct table *open_table(struct store *s, const char *name, size_t max)
{
	struct table *t = store_table(s, name, max, &failure);

	if (!t)
		fail_msg("%s", failure.text);
	return t;
}

static struct store *open_store(const char *where)
{
	struct store *s = store_open(where, "state.db", &failure);

	if (!s)
		fail_msg("%s", failure.text);
	return s;
}

static struct wall in(usec_t d)
{
	return wall_add(rt_wall(), d);
}

static void put(struct table *t, const char *key, const char *value)
{
	assert_true(table_put(t, str_from(key), str_from(value), in(USEC_HOUR)));
}

static bool is_there(struct table *t, const char *key, const char *want)
{
	struct str value;

	if (!table_get(t, str_from(key), &value, NULL))
		return false;
	if (!str_eq(value, str_from(want)))
		fail_msg("%s: %.*s", key, STR_ARG(value));
	return true;
}

/* --- memory --- */

WAITS static void memory(void *arg)
{
	struct store *s = open_store(NULL);
	struct table *t = open_table(s, "three", 3);
	char key[600] = "", *value = calloc(1, 20000);
	struct wall expires;
	struct err err;

	put(t, "a", "1");
	put(t, "b", "2");
	put(t, "c", "3");
	assert_true(is_there(t, "a", "1"));
	put(t, "d", "4"); /* b is the least recently used */
	assert_false(is_there(t, "b", ""));
	assert_true(is_there(t, "a", "1"));
	assert_int_equal(table_count(t), 3);
	put(t, "a", "one");
	assert_true(is_there(t, "a", "one"));
	assert_int_equal(table_count(t), 3);
	table_remove(t, STR("a"));
	table_remove(t, STR("a"));
	assert_false(is_there(t, "a", ""));
	assert_int_equal(table_count(t), 2);

	struct wall soon = in(5 * USEC_S);
	assert_true(table_put(t, STR("short"), STR_NONE, soon));
	assert_true(table_get(t, STR("short"), NULL, &expires));
	assert_true(expires.us == soon.us);
	assert_true(rt_sleep(5 * USEC_S - 1, "test", &err));
	assert_true(is_there(t, "short", ""));
	assert_true(rt_sleep(1, "test", &err));
	assert_false(is_there(t, "short", ""));

	assert_true(table_put(t, (struct str){key, 512}, (struct str){value, 16384}, in(USEC_S)));
	assert_false(table_put(t, (struct str){key, 513}, STR_NONE, in(USEC_S)));
	assert_false(table_put(t, STR("k"), (struct str){value, 16385}, in(USEC_S)));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(t, key, "x");
		assert_in_range(table_count(t), 1, 3);
	}
	free(value);
	store_close(s);
}

static void test_memory(void **state)
{
	run(true, memory);
}

static void collect_and_remove(void *arg, struct str key, struct str value, struct wall expires)
{
	struct table *t = arg;

	assert_true(str_starts(key, STR("x")));
	table_remove(t, key);
}

WAITS static void walking(void *arg)
{
	struct store *s = open_store(NULL);
	struct table *t = open_table(s, "walk", 100);

	put(t, "x1", "");
	put(t, "y1", "");
	put(t, "x2", "");
	put(t, "x", "");
	table_put(t, STR("xold"), STR_NONE, in(0));
	table_each(t, STR("x"), collect_and_remove, t);
	assert_false(is_there(t, "x", ""));
	assert_false(is_there(t, "x2", ""));
	assert_true(is_there(t, "y1", ""));
	store_close(s);
}

static void test_each_may_remove(void **state)
{
	run(true, walking);
}

/* --- the file --- */

WAITS static void write_some(void *arg)
{
	struct group root;
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100), *u = open_table(s, "two", 100);

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	put(t, "kept", "1");
	put(t, "changed", "1");
	put(t, "removed", "1");
	put(t, "removed after a change", "1");
	put(u, "kept", "of two");
	assert_true(table_put(t, STR("brief"), STR("x"), in(10 * USEC_MS)));
	assert_true(table_put(t, STR("nul\0key"), STR("\0\xff"), in(USEC_HOUR)));
	assert_true(store_flush(s, &failure));
	put(t, "changed", "2");
	table_remove(t, STR("removed"));
	put(t, "removed after a change", "2");
	table_remove(t, STR("removed after a change"));
	put(t, "late", "3");
	store_close(s);
	group_done(&root);
}

WAITS static void read_some(void *arg)
{
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100), *u = open_table(s, "two", 100);
	struct str value;

	assert_true(rt_sleep(20 * USEC_MS, "test", &failure));
	assert_true(is_there(t, "kept", "1"));
	assert_true(is_there(t, "changed", "2"));
	assert_true(is_there(t, "late", "3"));
	assert_false(is_there(t, "removed", ""));
	assert_false(is_there(t, "removed after a change", ""));
	assert_false(is_there(t, "brief", ""));
	assert_true(table_get(t, STR("nul\0key"), &value, NULL));
	assert_true(str_eq(value, STR("\0\xff")));
	assert_true(is_there(u, "kept", "of two"));
	assert_int_equal(table_count(u), 1);
	store_close(s);
}

static void test_restart(void **state)
{
	run(false, write_some);
	run(false, read_some);
	assert_int_equal(damage_lines, 0);
}

WAITS static void put_and_leave_to_the_writer(void *arg)
{
	struct group root;
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100);
	char wal[128];
	struct stat before, after;

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	snprintf(wal, sizeof(wal), "%s/state.db-wal", dir);
	assert_int_equal(stat(wal, &before), 0);
	put(t, "kept", "1");
	assert_true(rt_sleep(1000 * USEC_MS, "test", &failure));
	assert_int_equal(stat(wal, &after), 0);
	assert_true(after.st_size > before.st_size); /* within a second, without being asked */
	store_close(s);
	group_done(&root);
}

static void test_written_within_a_second(void **state)
{
	run(false, put_and_leave_to_the_writer);
}

WAITS static void many(void *arg)
{
	struct group root;
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 20000);
	char key[32];

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	for (int i = 0; i < 30000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		put(t, key, "value");
	}
	assert_int_equal(table_count(t), 20000);
	assert_true(store_flush(s, &failure));
	for (int i = 10000; i < 20000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		table_remove(t, str_from(key));
	}
	store_close(s);
	group_done(&root);
}

WAITS static void count_many(void *arg)
{
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 20000);

	assert_int_equal(table_count(t), 10000);
	assert_true(is_there(t, "key 29999", "value"));
	assert_true(is_there(t, "key 20000", "value"));
	assert_false(is_there(t, "key 19999", "value"));
	store_close(s);
	s = open_store(dir);
	t = open_table(s, "one", 50); /* fewer fit than are there */
	assert_int_equal(table_count(t), 50);
	store_close(s);
}

static void test_many_rows_and_evictions(void **state)
{
	run(false, many);
	run(false, count_many);
}

WAITS static void second_opener(void *arg)
{
	struct store *s = open_store(dir);

	assert_null(store_open("/nonexistent/dir", "state.db", &failure));
	assert_int_equal(failure.cause, CAUSE_STORAGE);
	store_close(s);
}

static void test_no_directory(void **state)
{
	run(false, second_opener);
}

/* --- damage --- */

static void file_path(char out[128])
{
	snprintf(out, 128, "%s/state.db", dir);
}

static void overwrite(off_t from, size_t n, unsigned seed)
{
	char path[128];
	file_path(path);
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	char *noise = malloc(n);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		noise[i] = (char)(seed >> 16);
	}
	assert_int_equal(pwrite(fd, noise, n, from), (ssize_t)n);
	free(noise);
	close(fd);
}

static off_t file_size(void)
{
	char path[128];
	struct stat st;

	file_path(path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Whatever the file looks like: the store opens, works, and what it writes survives. */
WAITS static void works_again(void *arg)
{
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100), *u = open_table(s, "two", 100);

	put(t, "new", "x");
	put(u, "new", "y");
	assert_true(store_flush(s, &failure));
	store_close(s);
	s = open_store(dir);
	t = open_table(s, "one", 100);
	u = open_table(s, "two", 100);
	assert_true(is_there(t, "new", "x"));
	assert_true(is_there(u, "new", "y"));
	store_close(s);
}

static void damage_and_run(int kind)
{
	char path[128];

	file_path(path);
	switch (kind) {
	case 0: /* all random */
		overwrite(0, (size_t)file_size(), 1);
		break;
	case 1: /* head */
		overwrite(0, 100, 2);
		break;
	case 2: /* the schema's page behind the head */
		overwrite(100, 3000, 3);
		break;
	case 3: /* pages in the middle */
		overwrite(4096, (size_t)file_size() - 4096, 4);
		break;
	case 4:
		assert_int_equal(truncate(path, file_size() / 2 + 17), 0);
		break;
	case 5:
		assert_int_equal(truncate(path, 0), 0);
		break;
	case 6:
		assert_int_equal(truncate(path, 50), 0);
		break;
	default:
		fail();
	}
	run(false, works_again);
}

static void test_damaged_files(void **state)
{
	for (int kind = 0; kind <= 6; kind++) {
		damage_lines = 0;
		run(false, write_some);
		damage_and_run(kind);
		int set_aside = files_with("damaged");
		if (kind == 5)
			assert_int_equal(set_aside, 0); /* an empty file is an empty database */
		else if (damage_lines != 1 || set_aside < 1)
			fail_msg("kind %d: %d lines, %d files", kind, damage_lines, set_aside);
		remove_dir(NULL);
		make_dir(NULL);
	}
}

WAITS static void damaged_while_running(void *arg)
{
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 20000);
	char key[32];
	static char value[1500]; /* more than SQLite keeps of the file in memory */

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_true(table_put(t, str_from(key), (struct str){value, sizeof(value)}, in(USEC_HOUR)));
	}
	assert_true(store_flush(s, &failure));
	store_close(s);
	s = open_store(dir);
	t = open_table(s, "one", 20000);
	overwrite(4096, (size_t)file_size() - 4096, 4);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5000; i += 7) {
			snprintf(key, sizeof(key), "key %d", i);
			assert_true(table_put(t, str_from(key), (struct str){value, sizeof(value)}, in(USEC_HOUR)));
		}
		assert_true(store_flush(s, &failure));
	}
	assert_int_equal(table_count(t), 5000);
	store_close(s);
	/* The whole table is in the new file, not only what was put since. */
	s = open_store(dir);
	t = open_table(s, "one", 20000);
	assert_int_equal(table_count(t), 5000);
	store_close(s);
}

static void test_damage_while_running(void **state)
{
	run(false, damaged_while_running);
	assert_int_equal(damage_lines, 1);
	assert_true(files_with("damaged") > 0);
}

static void test_random_damage(void **state)
{
	for (unsigned seed = 1; seed <= 25; seed++) {
		run(false, write_some);
		srand(seed);
		off_t at = rand() % file_size();
		overwrite(at, (size_t)(1 + rand() % 400), seed);
		run(false, works_again);
		remove_dir(NULL);
		make_dir(NULL);
	}
}

/* --- a file that cannot be written --- */

/* Writing beyond the first byte of any file fails, for root too. */
static void forbid_writing(bool is_forbidden)
{
	static struct rlimit before;
	struct rlimit none;

	if (is_forbidden) {
		signal(SIGXFSZ, SIG_IGN);
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
		none = (struct rlimit){1, before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	} else {
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	}
}

WAITS static void fails_and_recovers(void *arg)
{
	struct group root;
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100);

	group_init(&root, "root");
	put(t, "doomed", "1");
	put(t, "changed", "1");
	assert_true(store_flush(s, &failure));
	assert_true(store_start(s, &root, &failure));
	forbid_writing(true);
	put(t, "new", "2");
	put(t, "changed", "2");
	table_remove(t, STR("doomed"));
	bool is_written = store_flush(s, &failure);
	put(t, "changed", "3");
	assert_true(rt_sleep(700 * USEC_MS, "test", &failure)); /* the writer fails too */
	forbid_writing(false);
	assert_false(is_written);
	assert_int_equal(failure.cause, CAUSE_STORAGE);
	assert_true(is_there(t, "new", "2"));
	assert_true(is_there(t, "changed", "3"));
	assert_false(is_there(t, "doomed", ""));
	assert_true(metric_value(metric_counter("postern_store_failures_total", NULL, NULL, "")) >= 1);
	assert_true(rt_sleep(1500 * USEC_MS, "test", &failure)); /* and comes back by itself */
	store_close(s);
	group_done(&root);
	s = open_store(dir);
	t = open_table(s, "one", 100);
	assert_true(is_there(t, "new", "2"));
	assert_true(is_there(t, "changed", "3"));
	assert_false(is_there(t, "doomed", ""));
	store_close(s);
}

static void test_a_file_that_cannot_be_written(void **state)
{
	run(false, fails_and_recovers);
	assert_int_equal(damage_lines, 0);
	assert_int_equal(files_with("damaged"), 0);
}

/* The group of the writer may be cancelled before the store is closed; nothing is lost by that. */
WAITS static void cancelled_writer(void *arg)
{
	struct group root;
	struct store *s = open_store(dir);
	struct table *t = open_table(s, "one", 100);

	group_init(&root, "root");
	assert_true(store_start(s, &root, &failure));
	put(t, "kept", "1");
	assert_true(rt_sleep(USEC_MS, "test", &failure));
	group_done(&root);
	put(t, "late", "2");
	store_close(s);
	s = open_store(dir);
	t = open_table(s, "one", 100);
	assert_true(is_there(t, "kept", "1"));
	assert_true(is_there(t, "late", "2"));
	store_close(s);
}

static void test_a_cancelled_writer(void **state)
{
	run(false, cancelled_writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_each_may_remove),
		cmocka_unit_test_setup_teardown(test_restart, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_written_within_a_second, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_many_rows_and_evictions, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_no_directory, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_damaged_files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_damage_while_running, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_random_damage, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_written, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_a_cancelled_writer, make_dir, remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
