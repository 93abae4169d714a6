/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern exempt`: edits the exceptions file; a running daemon sees the change within a second. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/conf_row.h"
#include "base/ip.h"
#include "cmd/asking.h"
#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "conf/nearest.h"
#include "policy/domains.h"
#include "policy/exception_line.h"
#include "rt/rt.h"

static const char add_usage[] =
	"exempt add: [sender|domain|client|recipient] WHAT [never-ask|accept|refuse] [--for 30d] --why TEXT";

static struct str who(void)
{
	const char *behind_sudo = getenv("SUDO_USER");
	struct passwd *entry = getpwuid(getuid());

	return str_from(behind_sudo ? behind_sudo : entry ? entry->pw_name : "unknown");
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
	struct passwd *entry = getpwnam(account);
	if (entry && chown(path, (uid_t)-1, entry->pw_gid) != 0)
		return err_temp(err, CAUSE_STORAGE, "%s: cannot be made readable for %s: %s", path, account, strerror(errno));
	return true;
}

static bool file_exists(const struct daemon_conf *conf)
{
	char path[4096];

	snprintf(path, sizeof(path), "%.*s", STR_ARG(conf->exceptions));
	return access(path, F_OK) == 0;
}

/* --- what is meant --- */

static bool is_ours(const struct conf *conf, struct arena *arena, struct str domain)
{
	const struct route_conf *route;
	struct str ascii;
	struct err err;

	if (!domain_to_ascii(arena, domain, &ascii, &err))
		return false;
	for (size_t i = 0; (route = conf_get_titled(conf, &route_section, i)) != NULL; i++) {
		if (route->is_local && str_ieq(route->domain, ascii))
			return true;
	}
	return false;
}

/* A network is a client; what lies in a domain of ours is a recipient; everything else is a sender or its domain. */
static enum exception_kind kind_of(const struct conf *conf, struct arena *arena, struct str *what)
{
	size_t at = str_rfind_char(*what, '@');
	struct str domain = at == what->n ? *what : str_skip(*what, at + 1);
	struct ip ip;

	if (str_find_char(*what, '/') < what->n || ip_parse(*what, &ip))
		return EXCEPTION_CLIENT;
	if (is_ours(conf, arena, domain)) {
		if (at == what->n)
			*what = arena_printf(arena, "@%.*s", STR_ARG(domain));
		return EXCEPTION_RECIPIENT;
	}
	return at == what->n ? EXCEPTION_DOMAIN : EXCEPTION_SENDER;
}

static int unknown_word(const char *word, const char *const *names, size_t n)
{
	const char *near = conf_nearest(str_from(word), names, n);

	if (near)
		return cmd_fail(EXIT_USAGE, "exempt add: there is no '%s'; did you mean '%s'?", word, near);
	return cmd_fail(EXIT_USAGE, "%s", add_usage);
}

/* [KIND] WHAT [ACTION]; never-ask is what is meant when nothing is said. */
static int words_take(struct cmd *c, const struct conf *conf, struct exception *e)
{
	static const char *const kinds[] = {"sender", "domain", "client", "recipient"};
	static const char *const actions[] = {"never-ask", "accept", "refuse"};
	const char **word = c->words;
	int n = c->n;
	bool is_said = n > 1 && exception_kind_parse(str_from(word[0]), &e->kind);

	if (is_said) {
		word++;
		n--;
	}
	if (n > 2 && !is_said)
		return unknown_word(word[0], kinds, 4);
	if (n < 1 || n > 2)
		return cmd_fail(EXIT_USAGE, "%s", add_usage);
	e->what = str_from(word[0]);
	e->action = EXCEPTION_NEVER_ASK;
	if (n == 2 && !exception_action_parse(str_from(word[1]), &e->action))
		return unknown_word(word[1], actions, 3);
	if (!is_said)
		e->kind = kind_of(conf, c->arena, &e->what);
	return EXIT_FINE;
}

static int exception_take(struct cmd *c, const struct conf *conf, struct exception *e)
{
	usec_t how_long;
	struct err err;
	int status = words_take(c, conf, e);

	if (status != EXIT_FINE)
		return status;
	if (!exception_what_normalise(c->arena, e->kind, e->what, &e->what, &err))
		return cmd_fail(EXIT_USAGE, "exempt add %s: %s", exception_kind_name(e->kind), err.text);
	if (!c->why || str_trim(str_from(c->why)).n == 0)
		return cmd_fail(EXIT_USAGE, "exempt add: --why is needed; whoever reads the file next year will thank you");
	e->why = str_from(c->why);
	e->by = who();
	if (!asking_now(c, &e->at))
		return cmd_fail(EXIT_USAGE, "--now %s: a time such as 2026-11-24T09:12:00Z", c->now);
	if (c->for_how_long) {
		if (!conf_parse_duration(str_from(c->for_how_long), &how_long) || how_long <= 0)
			return cmd_fail(EXIT_USAGE, "--for %s: a duration such as 30d or 12h", c->for_how_long);
		e->until = wall_add(e->at, how_long);
	}
	return EXIT_FINE;
}

/* --- printing --- */

static bool is_over(const struct exception *e, struct wall now)
{
	return e->until.us != 0 && !wall_is_before(now, e->until);
}

static void member(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, ",\"%s\":", name);
	buf_json(out, value);
}

static void exception_json(const struct exception *e, struct wall now, struct buf *out)
{
	char text[WALL_FORMAT_MAX];

	buf_printf(out, "{\"kind\":\"%s\",\"action\":\"%s\",\"line\":%u,\"expired\":%s", exception_kind_name(e->kind),
	           exception_action_name(e->action), e->line, is_over(e, now) ? "true" : "false");
	member(out, "what", e->what);
	member(out, "until", e->until.us ? wall_rfc3339(e->until, text) : STR("for ever"));
	if (e->at.us)
		member(out, "at", wall_rfc3339(e->at, text));
	else
		buf_str(out, STR(",\"at\":null"));
	member(out, "by", e->by);
	member(out, "why", e->why);
	buf_char(out, '}');
}

static void exception_text(const struct exception *e, struct wall now, struct buf *out)
{
	char until[WALL_FORMAT_MAX], at[WALL_FORMAT_MAX];
	struct str end = e->until.us ? str_slice(wall_rfc3339(e->until, until), 0, 10) : STR("for ever");
	struct str begin = e->at.us ? str_slice(wall_rfc3339(e->at, at), 0, 10) : STR("-");

	buf_printf(out, "%-9s %-32.*s %-9s %-10.*s %-10.*s %-10.*s %.*s%s\n", exception_kind_name(e->kind), STR_ARG(e->what),
	           exception_action_name(e->action), STR_ARG(end), STR_ARG(begin), STR_ARG(e->by), STR_ARG(e->why),
	           is_over(e, now) ? " (over)" : "");
}

/* --- the verbs --- */

struct rival {
	const struct exception *added;
	struct wall now;
	enum exception_action action; /* the strongest other rule about the same */
};

static void rival_find(void *arg, const struct exception *e)
{
	struct rival *r = arg;

	if (e->kind == r->added->kind && str_eq(e->what, r->added->what) && !is_over(e, r->now) && e->action > r->action)
		r->action = e->action;
}

static int say_added(struct cmd *c, struct exceptions *x, const struct exception *e)
{
	struct rival rival = {e, e->at, EXCEPTION_NONE};
	auto_buf struct buf out;

	buf_init(&out, 65536);
	exceptions_each(x, rival_find, &rival);
	if (c->as_json) {
		exception_json(e, e->at, &out);
		buf_char(&out, '\n');
	} else {
		buf_printf(&out, "Added: %s %.*s %s. `postern exempt list` shows all.\n", exception_kind_name(e->kind),
		           STR_ARG(e->what), exception_action_name(e->action));
	}
	fwrite(out.p, 1, out.n, stdout);
	if (rival.action <= e->action)
		return EXIT_FINE;
	return cmd_fail(EXIT_WARNING, "an older rule about %.*s says %s, which is stronger; `postern exempt remove %.*s` first",
	                STR_ARG(e->what), exception_action_name(rival.action), STR_ARG(e->what));
}

static int exempt_add(struct cmd *c)
{
	struct exception e = {0};
	struct conf *conf;
	struct err err;
	struct exceptions *x = exceptions_of(c, &conf, &err);

	if (!x)
		return cmd_fail_err(EXIT_USAGE, &err);
	const struct daemon_conf *daemon = conf_get(conf, &daemon_section);
	bool is_new = !file_exists(daemon);
	int status = exception_take(c, conf, &e);
	if (status == EXIT_FINE && exceptions_add(x, &e, &err) && (!is_new || open_to_daemon(daemon, &err)))
		status = say_added(c, x, &e);
	else if (status == EXIT_FINE)
		status = cmd_fail_err(EXIT_FAULT, &err);
	exceptions_close(x);
	conf_unref(conf);
	return status;
}

struct listing {
	bool as_json;
	size_t n;
	struct wall now;
	struct buf out;
};

static void exception_print(void *arg, const struct exception *e)
{
	struct listing *l = arg;

	if (l->as_json && l->n > 0)
		buf_char(&l->out, ',');
	if (!l->as_json && l->n == 0)
		buf_printf(&l->out, "%-9s %-32s %-9s %-10s %-10s %-10s %s\n", "KIND", "WHAT", "ACTION", "UNTIL", "ADDED", "BY", "WHY");
	if (l->as_json)
		exception_json(e, l->now, &l->out);
	else
		exception_text(e, l->now, &l->out);
	l->n++;
}

static int exempt_list(struct cmd *c)
{
	struct listing l = {.as_json = c->as_json};
	struct conf *conf;
	struct err err;

	if (!asking_now(c, &l.now))
		return cmd_fail(EXIT_USAGE, "--now %s: a time such as 2026-11-24T09:12:00Z", c->now);
	struct exceptions *x = exceptions_of(c, &conf, &err);
	if (!x)
		return cmd_fail_err(EXIT_USAGE, &err);
	buf_init(&l.out, 64 << 20);
	if (l.as_json)
		buf_char(&l.out, '[');
	exceptions_each(x, exception_print, &l);
	if (l.as_json)
		buf_str(&l.out, STR("]\n"));
	else if (l.n == 0)
		buf_str(&l.out, STR("There are no exceptions.\n"));
	fwrite(l.out.p, 1, l.out.n, stdout);
	buf_done(&l.out);
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
	printf(c->as_json ? "{\"removed\":%zu}\n" : "%zu removed\n", removed);
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
