/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern exempt`: edits the exceptions file; a running daemon sees the change within a second. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/conf_row.h"
#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "policy/exceptions.h"
#include "rt/rt.h"

static const char *const kind_names[] = {"sender", "domain", "client", "recipient"};
static const char *const action_names[] = {"none", "never-ask", "accept", "refuse"};

static int index_of(const char *word, const char *const *names, int from, int n)
{
	for (int i = from; i < n; i++) {
		if (str_eq(str_from(word), str_from(names[i])))
			return i;
	}
	return -1;
}

static struct str who(void)
{
	const char *behind_sudo = getenv("SUDO_USER");
	struct passwd *entry = getpwuid(getuid());

	return str_from(behind_sudo ? behind_sudo : entry ? entry->pw_name : "unknown");
}

static struct wall wall_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){(int64_t)t.tv_sec * USEC_S + t.tv_nsec / 1000};
}

static struct exceptions *exceptions_of(struct cmd *c, struct conf **conf, struct err *err)
{
	*conf = daemon_conf_load(c->config, err);
	if (!*conf)
		return NULL;
	const struct daemon_conf *daemon = conf_get(*conf, &daemon_section);
	return exceptions_open(daemon->exceptions);
}

/* What root has just made is made readable for the account that the daemon becomes. */
static bool open_to_daemon(const struct daemon_conf *conf, struct err *err)
{
	char path[4096], account[64];

	if (geteuid() != 0)
		return true;
	snprintf(path, sizeof(path), "%.*s", STR_ARG(conf->exceptions));
	snprintf(account, sizeof(account), "%.*s", STR_ARG(conf->user));
	struct passwd *who = getpwnam(account);
	if (who && chown(path, (uid_t)-1, who->pw_gid) != 0)
		return err_temp(err, CAUSE_STORAGE, "%s: cannot be made readable for %s: %s", path, account, strerror(errno));
	return true;
}

static bool file_exists(const struct daemon_conf *conf)
{
	char path[4096];

	snprintf(path, sizeof(path), "%.*s", STR_ARG(conf->exceptions));
	return access(path, F_OK) == 0;
}

static int exempt_add(struct cmd *c)
{
	struct exception e = {.by = who()};
	struct conf *conf;
	struct err err;
	usec_t how_long;
	int kind = c->n == 3 ? index_of(c->words[0], kind_names, 0, 4) : -1;
	int action = c->n == 3 ? index_of(c->words[2], action_names, 1, 4) : -1;

	if (kind < 0 || action < 0)
		return cmd_fail(EXIT_USAGE, "exempt add: sender|domain|client|recipient WHAT never-ask|accept|refuse [--for 30d] --why TEXT");
	if (!c->why)
		return cmd_fail(EXIT_USAGE, "exempt add: --why is needed; whoever reads the file next year will thank you");
	e.kind = (enum exception_kind)kind;
	e.action = (enum exception_action)action;
	e.what = str_from(c->words[1]);
	e.why = str_from(c->why);
	if (c->for_how_long) {
		if (!conf_parse_duration(str_from(c->for_how_long), &how_long))
			return cmd_fail(EXIT_USAGE, "--for %s: a duration such as 30d or 12h", c->for_how_long);
		e.until = wall_add(wall_now(), how_long);
	}
	struct exceptions *x = exceptions_of(c, &conf, &err);
	if (!x)
		return cmd_fail_err(EXIT_USAGE, &err);
	const struct daemon_conf *daemon = conf_get(conf, &daemon_section);
	bool is_new = !file_exists(daemon);
	bool ok = exceptions_add(x, &e, &err) && (!is_new || open_to_daemon(daemon, &err));
	int status = ok ? EXIT_FINE : cmd_fail_err(EXIT_FAULT, &err);
	if (status == EXIT_FINE)
		printf("Added: %s %s %s. `postern exempt list` shows all.\n", c->words[0], c->words[1], c->words[2]);
	exceptions_close(x);
	conf_unref(conf);
	return status;
}

struct listing {
	bool as_json;
	size_t n;
};

static void exception_print(void *arg, const struct exception *e)
{
	struct listing *l = arg;
	char until[WALL_FORMAT_MAX];
	auto_buf struct buf out;
	struct str end = e->until.us ? wall_rfc3339(e->until, until) : STR("for ever");

	buf_init(&out, 65536);
	if (l->as_json) {
		buf_printf(&out, "%s{\"kind\":\"%s\",\"action\":\"%s\",\"line\":%u,\"what\":", l->n ? "," : "", kind_names[e->kind],
		           action_names[e->action], e->line);
		buf_json(&out, e->what);
		buf_str(&out, STR(",\"until\":"));
		buf_json(&out, end);
		buf_str(&out, STR(",\"by\":"));
		buf_json(&out, e->by);
		buf_str(&out, STR(",\"why\":"));
		buf_json(&out, e->why);
		buf_char(&out, '}');
	} else {
		buf_printf(&out, "%-9s %-32.*s %-10s %-26.*s %.*s: %.*s\n", kind_names[e->kind], STR_ARG(e->what),
		           action_names[e->action], STR_ARG(end), STR_ARG(e->by), STR_ARG(e->why));
	}
	fwrite(out.p, 1, out.n, stdout);
	l->n++;
}

static int exempt_list(struct cmd *c)
{
	struct listing l = {.as_json = c->as_json};
	struct conf *conf;
	struct err err;
	struct exceptions *x = exceptions_of(c, &conf, &err);

	if (!x)
		return cmd_fail_err(EXIT_USAGE, &err);
	if (l.as_json)
		putchar('[');
	exceptions_each(x, exception_print, &l);
	if (l.as_json)
		puts("]");
	else if (l.n == 0)
		puts("There are no exceptions.");
	exceptions_close(x);
	conf_unref(conf);
	return EXIT_FINE;
}

static int exempt_remove(struct cmd *c)
{
	struct conf *conf;
	struct err err;
	size_t removed = 0;

	if (c->n != 1)
		return cmd_fail(EXIT_USAGE, "exempt remove: give the address, domain or network");
	struct exceptions *x = exceptions_of(c, &conf, &err);
	if (!x)
		return cmd_fail_err(EXIT_USAGE, &err);
	bool ok = exceptions_remove(x, str_from(c->words[0]), &removed, &err);
	exceptions_close(x);
	conf_unref(conf);
	if (!ok)
		return cmd_fail_err(EXIT_FAULT, &err);
	printf("%zu removed\n", removed);
	return removed > 0 ? EXIT_FINE : EXIT_WARNING;
}

/* The file is read by the daemon's own code, which asks the runtime for the time. */
struct exempting {
	struct cmd *cmd;
	int (*verb)(struct cmd *c);
	int status;
};

static void exempt_fiber(void *arg)
{
	struct exempting *e = arg;

	e->status = e->verb(e->cmd);
}

static int exempt_run(struct cmd *c, int (*verb)(struct cmd *c))
{
	struct exempting e = {c, verb, EXIT_INTERNAL};
	struct rt_options options = {0};
	struct err err;

	return rt_run(&options, exempt_fiber, &e, &err) ? e.status : cmd_fail_err(EXIT_INTERNAL, &err);
}

int cmd_exempt_add(struct cmd *c)
{
	return exempt_run(c, exempt_add);
}

int cmd_exempt_list(struct cmd *c)
{
	return exempt_run(c, exempt_list);
}

int cmd_exempt_remove(struct cmd *c)
{
	return exempt_run(c, exempt_remove);
}
