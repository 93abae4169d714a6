/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maildir: names, contents, and the same message twice. */
#include "client/maildir.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/test.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

static char root[] = "/tmp/maildir-test-XXXXXX";

static bool read_text(void *arg, uint64_t offset, void *out, size_t n, size_t *got, struct err *err)
{
	struct str piece = str_slice(str_skip(*(struct str *)arg, (size_t)offset), 0, n);
	memcpy(out, piece.p ? piece.p : "", piece.n);
	*got = piece.n;
	return true;
}

static unsigned count_files(const char *box, const char *sub)
{
	char path[500];
	snprintf(path, sizeof(path), "%s/%s/Maildir/%s", root, box, sub);
	DIR *d = opendir(path);
	unsigned n = 0;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void read_file(const char *box, const char *name, struct buf *out)
{
	char path[500];
	snprintf(path, sizeof(path), "%s/%s/Maildir/%s", root, box, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *p = buf_reserve(out, 1u << 20);
	buf_added(out, fread(p, 1, 1u << 20, f));
	fclose(f);
}

static bool put(const char *rcpt, const char *unique, struct str text, bool may_be_repeat, struct err *err)
{
	struct deliver_job job = {.size = text.n, .read = read_text, .arg = &text, .prefix = STR("Return-Path: <s@x>\r\n"),
		.may_be_repeat = may_be_repeat};
	return maildir_deliver(str_from(root), str_from(rcpt), str_from(unique), &job, err);
}

static void deliver_mails(void *arg)
{
	struct err err;
	auto_buf struct buf got;
	buf_init(&got, 1u << 21);
	assert_true(put("Joe@Example.NET", "ID1", STR("A: b\r\n\r\nx\ny"), false, &err));
	read_file("example.net/joe", "new/id1", &got);
	assert_str(buf_view(&got), "Return-Path: <s@x>\nA: b\n\nx\ny\n");
	assert_int_equal(count_files("example.net/joe", "tmp"), 0);
	/* The same once more, then another. */
	assert_true(put("joe@example.net", "ID1", STR("A: b\r\n\r\nx"), false, &err));
	assert_int_equal(count_files("example.net/joe", "new"), 1);
	assert_true(put("joe@example.net", "ID2", STR("A: c\r\n\r\nx"), false, &err));
	assert_int_equal(count_files("example.net/joe", "new"), 2);
	/* Read meanwhile: known when a repeat is possible. */
	char from[500], to[500];
	snprintf(from, sizeof(from), "%s/example.net/joe/Maildir/new/id2", root);
	snprintf(to, sizeof(to), "%s/example.net/joe/Maildir/cur/id2:2,S", root);
	assert_int_equal(rename(from, to), 0);
	assert_true(put("joe@example.net", "ID2", STR("A: c\r\n\r\nx"), true, &err));
	assert_int_equal(count_files("example.net/joe", "new"), 1);
	/* Names that would lead elsewhere. */
	assert_true(put("\"../../etc\"@example.net", "ID3", STR("x"), false, &err));
	assert_int_equal(count_files("example.net/%2E.%2F..%2Fetc", "new"), 1);
	assert_true(put(".hidden%41@example.net", "ID3", STR("x"), false, &err) || err.cause == CAUSE_PROTOCOL);
	assert_false(put("no-at-sign", "ID4", STR("x"), false, &err));
	/* A message of several pieces. */
	struct str large = {mem_alloc(700000), 700000};
	for (size_t i = 0; i < large.n; i++)
		((char *)large.p)[i] = i % 50 == 49 ? '\n' : 'a';
	assert_true(put("big@example.net", "ID5", large, false, &err));
	buf_clear(&got);
	read_file("example.net/big", "new/id5", &got);
	assert_int_equal(got.n, 700000 + 19);
	assert_memory_equal(got.p + 19, large.p, large.n);
	free((char *)large.p);
	/* Nowhere to write. */
	char file[500];
	snprintf(file, sizeof(file), "%s/broken.example", root);
	fclose(fopen(file, "w"));
	assert_false(put("joe@broken.example", "ID6", STR("x"), false, &err));
	assert_int_equal(err.cause, CAUSE_STORAGE);
	assert_true(err.is_temporary);
}

static void delivers_into_maildirs(void **state)
{
	struct err err;
	struct rt_options o = {.is_fake = true, .seed = 3};
	char command[200];
	assert_non_null(mkdtemp(root));
	assert_true(rt_run(&o, deliver_mails, NULL, &err));
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(delivers_into_maildirs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
