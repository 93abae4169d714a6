/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that the daemon answers: the words go to its socket, the answer to standard output. */
#include "cmd/ask.h"

#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/daemon_conf.h"
#include "control/control.h"

struct asking {
	const char *path;
	struct str words[24];
	size_t n;
	bool as_json;
	struct buf *out;
	int status;
	bool is_answered;
	struct err err;
};

/* A long history takes its time; whoever sits before the screen should know that nothing hangs. */
WAITS static void say_patience(void *arg)
{
	struct err err;

	if (rt_sleep(USEC_S, "the daemon's answer", &err))
		fputs("postern: the daemon is looking it up …\n", stderr);
}

WAITS static void ask_fiber(void *arg)
{
	struct asking *a = arg;
	struct group beside;
	struct err err;

	group_init(&beside, "beside");
	if (isatty(STDERR_FILENO))
		group_go(&beside, "patience", say_patience, NULL, &err);
	a->is_answered = control_ask(a->path, a->words, a->n, a->as_json, a->out, &a->status, &a->err);
	group_done(&beside);
}

static void word_add(struct asking *a, struct str word)
{
	if (a->n < sizeof(a->words) / sizeof(*a->words))
		a->words[a->n++] = word;
}

static void option_add(struct asking *a, struct cmd *c, const char *name, const char *value)
{
	if (value)
		word_add(a, arena_printf(c->arena, "--%s=%s", name, value));
}

bool cmd_daemon_path(struct cmd *c, char *out, size_t n, struct err *err)
{
	struct conf *conf = daemon_conf_load(c->config, err);

	if (!conf)
		return false;
	daemon_socket_path(conf_get(conf, &daemon_section), out, n);
	conf_unref(conf);
	return true;
}

int cmd_ask_daemon(struct cmd *c)
{
	auto_buf struct buf out;
	char path[4096];
	struct asking a = {.path = path, .as_json = c->as_json, .out = &out};
	struct rt_options options = {0};
	struct err err;

	buf_init(&out, 65 << 20);
	if (!cmd_daemon_path(c, path, sizeof(path), &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	for (int i = 0; i < c->n; i++)
		word_add(&a, str_from(c->words[i]));
	option_add(&a, c, "limit", c->limit);
	option_add(&a, c, "why", c->why);
	option_add(&a, c, "since", c->since);
	if (c->wants_html)
		word_add(&a, STR("--html"));
	if (!rt_run(&options, ask_fiber, &a, &err))
		return cmd_fail_err(EXIT_INTERNAL, &err);
	if (!a.is_answered)
		return cmd_fail(EXIT_NO_DAEMON, "no daemon answers at %s: %s (is `postern run` up? -c names its configuration)",
		                path, a.err.text);
	fwrite(out.p, 1, out.n, out.n > 9 && str_starts(buf_view(&out), STR("postern: ")) ? stderr : stdout);
	return a.status;
}
