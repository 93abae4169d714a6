/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question over a real Unix socket finds its verb, its arguments and its exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "control/control.h"

static char path[64];

WAITS static int answer_echo(void *arg, const struct control_request *request, struct buf *out)
{
	buf_printf(out, "%s:%zu", (const char *)arg, request->n);
	for (size_t i = 0; i < request->n; i++)
		buf_printf(out, "<%.*s>", STR_ARG(request->words[i]));
	return request->as_json ? 1 : 0;
}

WAITS static int answer_big(void *arg, const struct control_request *request, struct buf *out)
{
	for (int i = 0; i < 300000; i++)
		buf_str(out, STR("0123456789"));
	return 2;
}

static const struct control_verb verbs[] = {
	{"queue", answer_big},
	{"queue list", answer_echo},
	{NULL, NULL},
};

WAITS static void talk(void *unused)
{
	struct group root;
	struct control *control;
	char name[] = "arg";
	struct err err;
	auto_buf struct buf out;
	int status = -1;

	buf_init(&out, 8 << 20);
	group_init(&root, "root");
	assert_true(control_open(path, verbs, name, &root, &control, &err));

	struct str list[] = {STR("queue"), STR("list"), STR("a \"b\"\n")};
	assert_true(control_ask(path, list, 3, true, &out, &status, &err));
	assert_int_equal(status, 1);
	assert_true(str_eq(buf_view(&out), STR("arg:1<a \"b\"\n>")));

	buf_clear(&out);
	assert_true(control_ask(path, list, 1, false, &out, &status, &err));
	assert_int_equal(status, 2);
	assert_int_equal(out.n, 3000000);

	buf_clear(&out);
	struct str nothing[] = {STR("dance")};
	assert_true(control_ask(path, nothing, 1, false, &out, &status, &err));
	assert_int_equal(status, 64);

	control_close(control);
	assert_false(control_ask(path, list, 1, false, &out, &status, &err));
	group_done(&root);
}

static void test_questions(void **state)
{
	struct rt_options options = {0};
	struct err err;

	snprintf(path, sizeof(path), "/tmp/postern-control-%d.sock", (int)getpid());
	assert_true(rt_run(&options, talk, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest all[] = {cmocka_unit_test(test_questions)};
	return cmocka_run_group_tests(all, NULL, NULL);
}
