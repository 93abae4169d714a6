/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Postfix' configuration says, and the text that lets it ask the policy door. */
#include "cmd/setup_postfix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/conf_row.h"
#include "cmd/daemon_conf.h"
#include "cmd/program.h"
#include "cmd/setup_write.h"
#include "gate/gate.h"

#define LIST        "smtpd_recipient_restrictions"
#define TEXT_MAX    (4 << 20)
#define PATIENCE_S  7 /* of Postfix beyond what the door promises: a pause of the machine is no failure */
#define DEFER_TEXT  "{DEFER_IF_PERMIT 4.3.0 The sender cannot be verified just now, try again later}"
#define POSTFIX_NEW 301 /* 3.1: policy_context */

void setup_init(struct setup *s, struct arena *arena)
{
	s->arena = arena;
	s->list.name = STR(LIST);
	buf_init(&s->before, TEXT_MAX);
	buf_init(&s->after, TEXT_MAX);
	buf_init(&s->notes, 65536);
}

void setup_done(struct setup *s)
{
	buf_done(&s->before);
	buf_done(&s->after);
	buf_done(&s->notes);
}

static struct str first_line(const struct buf *text)
{
	struct str s = str_trim(buf_view(text));

	return str_slice(s, 0, str_find_char(s, '\n'));
}

/* One call of postconf; its answer without the last line end, kept in the arena. Its warnings are of no concern here. */
static bool postconf(struct setup *s, const char *const words[], size_t n, struct str *answer, struct err *err)
{
	const char *argv[12] = {"postconf"};
	auto_buf struct buf said = {.max = TEXT_MAX}, complained = {.max = TEXT_MAX};
	size_t argc = 1;
	int status;

	if (s->directory[0]) {
		argv[argc++] = "-c";
		argv[argc++] = s->directory;
	}
	for (size_t i = 0; i < n; i++)
		argv[argc++] = words[i];
	if (!program_run(argv, 30 * USEC_S, &said, &complained, &status, err))
		return false;
	*answer = str_trim(arena_str(s->arena, buf_view(&said)));
	if (status != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%.*s", STR_ARG(first_line(&complained)));
	return true;
}
#define POSTCONF(s, answer, err, ...) \
	postconf((s), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (answer), (err))

static bool is_new_enough(struct str version)
{
	struct str major, minor;
	uint64_t a, b;

	return str_cut(&version, '.', &major) && str_cut(&version, '.', &minor) && str_to_u64(major, 99, &a) &&
	       str_to_u64(str_slice(minor, 0, str_find_char(minor, '-')), 99, &b) && a * 100 + b >= POSTFIX_NEW;
}

bool setup_find_postfix(struct setup *s, const char *directory, struct err *err)
{
	char name[PATH_MAX];
	struct str answer;

	if (!directory && !POSTCONF(s, &answer, err, "-h", "config_directory"))
		return err_context(err, "Postfix is not found");
	snprintf(s->directory, sizeof(s->directory), "%.*s", STR_ARG(directory ? str_from(directory) : answer));
	if (snprintf(name, sizeof(name), "%s/main.cf", s->directory) >= (int)sizeof(name) || !realpath(name, s->main_cf))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", name, strerror(errno));
	if (!POSTCONF(s, &answer, err, "-d", "-h", "mail_version"))
		return false;
	if (!is_new_enough(answer))
		return err_perm(err, CAUSE_LOCAL_ERROR, "Postfix %.*s is too old: 3.1 is needed for a time limit of our own", STR_ARG(answer));
	return setup_read(s->main_cf, &s->before, err);
}

/* --- where the door is --- */

/* Debian runs smtpd in a chroot: it reaches no Unix socket outside the queue directory. */
static bool is_chrooted(struct setup *s)
{
	struct str answer, line, value, ignored;
	struct err err;

	if (!POSTCONF(s, &answer, &err, "-F", "*/*/chroot", "*/*/command"))
		return true;
	bool is_jailed = false;
	while (str_cut(&answer, '\n', &line)) {
		/* smtp/inet/chroot = y, then smtp/inet/command = smtpd -o … */
		if (!str_cut(&line, '=', &ignored))
			continue;
		value = str_trim(line);
		if (str_ends(str_trim(ignored), STR("/chroot")))
			is_jailed = !str_eq(value, STR("n"));
		else if (is_jailed && str_starts(value, STR("smtpd")) && (value.n == 5 || value.p[5] == ' '))
			return true;
	}
	return false;
}

/* Postfix' notation for an address of policy_door.listen; empty when its smtpd could not reach it. */
static struct str door_of(struct setup *s, struct str listen, bool is_jailed, struct str queue)
{
	struct conf_addr at;
	struct err err;
	char ip[IP_TEXT_MAX];

	if (!conf_parse_addr(listen, 0, &at, &err))
		return STR_NONE;
	if (at.path.n > 0) {
		struct str inside = str_skip(at.path, queue.n);
		if (is_jailed && str_starts(at.path, queue) && inside.n > 1 && inside.p[0] == '/')
			return arena_printf(s->arena, "unix:%.*s", STR_ARG(str_skip(inside, 1)));
		return is_jailed ? STR_NONE : arena_printf(s->arena, "unix:%.*s", STR_ARG(at.path));
	}
	struct str host = ip_text(at.ip, ip);
	/* Listening everywhere is reached on loopback. */
	if (str_eq(host, STR("0.0.0.0")))
		host = STR("127.0.0.1");
	else if (str_eq(host, STR("::")))
		host = STR("::1");
	return arena_printf(s->arena, at.ip.family == 6 ? "inet:[%.*s]:%u" : "inet:%.*s:%u", STR_ARG(host), at.port);
}

static bool door_find(struct setup *s, const struct conf_texts *listen, struct str *door, struct err *err)
{
	struct str queue = STR_NONE;
	bool is_jailed = is_chrooted(s);

	*door = STR_NONE;
	if (POSTCONF(s, &queue, err, "-h", "queue_directory")) {
		for (size_t i = 0; i < listen->n && door->n == 0; i++)
			*door = door_of(s, listen->items[i], is_jailed, queue);
	}
	if (door->n == 0 && listen->n == 0)
		err_perm(err, CAUSE_LOCAL_ERROR, "no policy door is configured: write listen = {\"127.0.0.1:10040\"} into the section policy_door");
	else if (door->n == 0)
		err_perm(err, CAUSE_LOCAL_ERROR,
		         "smtpd runs in a chroot and reaches no socket of policy_door.listen: add \"127.0.0.1:10040\", or one below %.*s",
		         STR_ARG(queue));
	return door->n > 0;
}

/* --- what main.cf should say --- */

/* A list that is not set yet: who may relay is not asked about; unknown permits of the relay list could mean more. */
static struct str permits_of(struct setup *s)
{
	static const char *const known[] = {"permit_mynetworks", "permit_sasl_authenticated", "permit_tls_clientcerts",
	                                    "permit_tls_all_clientcerts", "permit_inet_interfaces"};
	struct str relay, word, permits = STR_NONE;
	struct err err;

	if (!POSTCONF(s, &relay, &err, "-x", "-h", "smtpd_relay_restrictions"))
		return STR("permit_mynetworks, permit_sasl_authenticated");
	while (main_cf_word(&relay, &word)) {
		if (str_find(permits, word) < permits.n)
			continue; /* twice in one list is once */
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
			if (str_eq(word, str_from(known[i])))
				permits = arena_printf(s->arena, "%.*s%s%s", STR_ARG(permits), permits.n ? ", " : "", known[i]);
		}
	}
	return permits;
}

/* A service of master.cf with a list of its own does not read the one in main.cf. */
static void overrides_note(struct setup *s)
{
	struct str answer, line;
	struct err err;

	if (!POSTCONF(s, &answer, &err, "-P", "*/*/" LIST))
		return;
	while (str_cut(&answer, '\n', &line)) {
		struct str service = str_slice(line, 0, str_find_char(line, '='));
		if (service.n < line.n && str_find(line, STR(MAIN_CF_CONTEXT)) == line.n)
			buf_printf(&s->notes, "master.cf: %.*s has a list of its own; mail that comes there is not asked about\n",
			           STR_ARG(str_trim(service)));
	}
}

bool setup_addition(struct setup *s, const char *config, const char *given, struct err *err)
{
	struct str door = str_from(given);
	struct conf *conf = daemon_conf_load(config, err);

	if (!conf)
		return false;
	const struct policy_door_conf *policy = conf_get(conf, &policy_door_section);
	int seconds = (int)(policy->wait / USEC_S) + PATIENCE_S;
	bool is_found = given || door_find(s, &policy->listen, &door, err);
	conf_unref(conf);
	if (!is_found)
		return false;
	if (!str_starts(door, STR("inet:")) && !str_starts(door, STR("unix:")))
		return err_perm(err, CAUSE_LOCAL_ERROR, "--to %.*s: inet:HOST:PORT or unix:PATH, as Postfix writes it", STR_ARG(door));
	for (size_t i = 0; i < door.n; i++) {
		if (door.p[i] <= ' ' || strchr(",{}$#", door.p[i]))
			return err_perm(err, CAUSE_LOCAL_ERROR, "the door's address holds what main.cf cannot: %.*s", STR_ARG(door));
	}
	s->list.restriction =
		arena_printf(s->arena, "check_policy_service { %.*s, timeout=%ds, default_action=%s, " MAIN_CF_CONTEXT " }",
	                     STR_ARG(door), seconds, s->defers_on_failure ? DEFER_TEXT : "DUNNO");
	s->list.permits = permits_of(s);
	main_cf_add(buf_view(&s->before), &s->list, &s->after);
	s->is_changed = !str_eq(buf_view(&s->before), buf_view(&s->after));
	overrides_note(s);
	setup_door_note(s, door);
	return buf_ok(&s->after) || err_perm(err, CAUSE_LOCAL_ERROR, "%s is too large", s->main_cf);
}

bool setup_removal(struct setup *s, struct err *err)
{
	main_cf_remove(buf_view(&s->before), s->list.name, &s->after);
	s->is_changed = !str_eq(buf_view(&s->before), buf_view(&s->after));
	return buf_ok(&s->after) || err_perm(err, CAUSE_LOCAL_ERROR, "%s is too large", s->main_cf);
}

/* What postfix check objects to. Where standard error is no terminal, most of it goes to the mail log alone. */
static struct str objection(const struct buf *said)
{
	struct str rest = buf_view(said), line;

	while (str_cut(&rest, '\n', &line)) {
		if (str_find(line, STR("fatal:")) < line.n || str_find(line, STR("error:")) < line.n)
			return line;
	}
	return STR("the mail log says why, and so does `postfix check` on a terminal");
}

/* As Postfix itself understands the file that is there now. */
static bool postfix_agrees(struct setup *s, struct err *err)
{
	bool is_wanted = s->list.restriction.n > 0;
	const char *const argv[] = {"postfix", "-c", s->directory, "check", NULL};
	auto_buf struct buf said = {.max = TEXT_MAX};
	struct str value;
	int status;

	if (!program_run(argv, 60 * USEC_S, &said, &said, &status, err))
		return false;
	if (status != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "postfix check fails: %.*s", STR_ARG(objection(&said)));
	if (!POSTCONF(s, &value, err, "-x", "-h", LIST))
		return false;
	if (is_wanted && !main_cf_is_reached(value))
		return err_perm(err, CAUSE_LOCAL_ERROR, "a permit, reject or defer in front would keep Postfix from asking; place it by hand: %s",
		                LIST);
	return true;
}

bool setup_apply(struct setup *s, struct err *err)
{
	struct err why;

	if (!setup_backup(s, err) || !setup_write(s->main_cf, buf_view(&s->after), err))
		return false;
	s->is_applied = postfix_agrees(s, err);
	if (s->is_applied)
		return true;
	if (!setup_write(s->main_cf, buf_view(&s->before), &why))
		return err_context(err, "%s could NOT be put back (%s), the old text is in %s", s->main_cf, why.text, s->backup);
	unlink(s->backup);
	return err_context(err, "%s is as it was", s->main_cf);
}
