/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the lab's directory and configuration, and starts and ends what lives in it. */
#include "lab/world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "control/control.h"

#define GATE_USER      "nobody"
#define START_WITHIN_S 20


static const char config_text[] =
	"# Made for the lab: a gate on loopback that may dial the lab's hosts and nobody else's.\n"
	"daemon {\n\tuser = %s\n\tstate_directory = \"%s/state\"\n\trun_directory = \"%s/run\"\n"
	"\texceptions = \"%s/exceptions\"\n\tlog = \"%s/postern.log\"\n}\n"
	"gate {\n\thost = \"gate.here.lab\"\n\tlisten = {\"127.0.0.1:%d\"}\n\tmessage_size = 64M\n\tlocal_networks = {}\n}\n"
	"route \"here.lab\" {\n\tlocal = yes\n\tkind = maildir\n\tmaildir = \"%s/mail\"\n"
	"\trecipients = file\n\trecipients_file = \"%s/recipients\"\n}\n"
	"verify {\n\tport = %d\n\tdial_networks = {\"127.9.0.0/16\"}\n\tgreylist_retry = 3s\n\tper_second = 500\n}\n"
	"dns {\n\tresolver = \"127.9.0.53@%d\"\n\ttrust_anchor = none\n\ttimeout = 3s\n}\n"
	"spool {\n\tdirectory = \"%s/spool\"\n\tfree_min = 1M\n}\n"
	"queue {\n\tport = %d\n\tdial_networks = {\"127.9.0.0/16\"}\n}\n";

static bool file_write(const char *path, const char *text, struct err *err)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return err_perm(err, CAUSE_STORAGE, "%s: %s", path, strerror(errno));
	fputs(text, f);
	if (fclose(f) != 0)
		return err_perm(err, CAUSE_STORAGE, "%s: %s", path, strerror(errno));
	return true;
}

/* Root gives the gate's directories to the account that it will become. */
static bool directory_make(const struct lab_world *w, const char *name, struct err *err)
{
	char path[400];
	struct passwd *who = getpwnam(GATE_USER);

	snprintf(path, sizeof(path), "%s%s", w->directory, name);
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return err_perm(err, CAUSE_STORAGE, "%s: %s", path, strerror(errno));
	if (geteuid() == 0 && who && chown(path, who->pw_uid, who->pw_gid) != 0)
		return err_perm(err, CAUSE_STORAGE, "%s: %s", path, strerror(errno));
	return true;
}

bool lab_world_prepare(struct lab_world *w, const char *directory, struct err *err)
{
	const char *d = w->directory;
	char text[4096], recipients[400];

	*w = (struct lab_world){.keeps_directory = directory != NULL};
	snprintf(w->directory, sizeof(w->directory), "%s", directory ? directory : "/tmp/postern-lab-XXXXXX");
	if (!directory && !mkdtemp(w->directory))
		return err_perm(err, CAUSE_STORAGE, "%s: %s", w->directory, strerror(errno));
	snprintf(w->config, sizeof(w->config), "%s/postern.conf", d);
	snprintf(w->socket, sizeof(w->socket), "%s/run/control.sock", d);
	snprintf(w->log, sizeof(w->log), "%s/postern.log", d);
	snprintf(recipients, sizeof(recipients), "%s/recipients", d);
	snprintf(text, sizeof(text), config_text, geteuid() == 0 ? GATE_USER : "root", d, d, d, d, LAB_PORT, d, d, LAB_PORT,
	         LAB_DNS_PORT, d, LAB_PORT);
	return directory_make(w, "", err) && directory_make(w, "/state", err) && directory_make(w, "/run", err) &&
	       directory_make(w, "/spool", err) && directory_make(w, "/mail", err) && file_write(w->config, text, err) &&
	       file_write(recipients, "joe@here.lab\nanna@here.lab\n", err);
}

bool lab_world_open(struct lab_world *w, struct err *err)
{
	group_init(&w->root, "lab");
	return lab_dns_open(LAB_DNS_IP, LAB_DNS_PORT, &w->root, &w->dns, err) &&
	       lab_mx_open(LAB_PORT, &w->root, NULL, NULL, &w->mx, err);
}

static bool gate_spawn(struct lab_world *w, const char *postern, struct err *err)
{
	char name[] = "postern", verb[] = "run", option[] = "-c";
	char *argv[] = {name, verb, option, w->config, NULL};
	posix_spawn_file_actions_t actions;
	char errors[320];
	pid_t pid;

	/* What goes wrong before the log is open is said on standard error. */
	snprintf(errors, sizeof(errors), "%s/stderr", w->directory);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	int rc = posix_spawn(&pid, postern, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", postern, strerror(rc));
	w->gate_pid = pid;
	return true;
}

static void first_words(const char *path, char *out, size_t max)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(out, 1, max - 1, f) : 0;

	out[n] = '\0';
	if (f)
		fclose(f);
}

static bool gate_failed(const struct lab_world *w, struct err *err)
{
	char path[320], said[200], logged[200];

	snprintf(path, sizeof(path), "%s/stderr", w->directory);
	first_words(path, said, sizeof(said));
	first_words(w->log, logged, sizeof(logged));
	return err_perm(err, CAUSE_LOCAL_ERROR, "the gate did not start: %s %s", said, logged);
}

bool lab_world_start_gate(struct lab_world *w, const char *postern, struct err *err)
{
	auto_buf struct buf out = {.max = 65536};
	struct str mode = STR("mode");
	struct err not_yet;
	int status;

	if (!gate_spawn(w, postern, err))
		return false;
	for (int i = 0; i < START_WITHIN_S * 20; i++) {
		if (waitpid(w->gate_pid, &status, WNOHANG) == w->gate_pid) {
			w->gate_pid = 0;
			return gate_failed(w, err);
		}
		if (control_ask(w->socket, &mode, 1, true, &out, &status, &not_yet))
			return true;
		if (!rt_sleep(50 * USEC_MS, "the gate's start", err))
			return false;
	}
	return gate_failed(w, err);
}

static int file_remove(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	return remove(path);
}

WAITS static void gate_stop(struct lab_world *w)
{
	int status;
	struct err err;

	if (w->gate_pid <= 0)
		return;
	kill(w->gate_pid, SIGTERM);
	for (int i = 0; i < 200; i++) {
		if (waitpid(w->gate_pid, &status, WNOHANG) == w->gate_pid)
			return;
		if (!rt_sleep(50 * USEC_MS, "the gate's end", &err))
			break;
	}
	kill(w->gate_pid, SIGKILL);
	waitpid(w->gate_pid, &status, 0);
}

void lab_world_close(struct lab_world *w)
{
	gate_stop(w);
	group_done(&w->root);
	lab_mx_close(w->mx);
	lab_dns_close(w->dns);
	if (!w->keeps_directory)
		nftw(w->directory, file_remove, 16, FTW_DEPTH | FTW_PHYS);
}
