/* SPDX-License-Identifier: GPL-2.0-or-later */
/* posix_spawn, a pipe, a deadline. */
#include "cmd/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/auto.h"

static usec_t now_monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (usec_t)t.tv_sec * USEC_S + t.tv_nsec / 1000;
}

static bool program_start(const char *const argv[], int out, pid_t *pid, struct err *err)
{
	char in_sbin[PATH_MAX];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	snprintf(in_sbin, sizeof(in_sbin), "/usr/sbin/%s", argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE); /* ignored by us, and that would be inherited */
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	int rc = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
	if (rc == ENOENT && !strchr(argv[0], '/'))
		rc = posix_spawn(pid, in_sbin, &actions, &attributes, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return rc == 0 || err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", argv[0], strerror(rc));
}

/* Until its end of the pipe is closed; false when time is up. */
static bool output_read(int from, usec_t until, struct buf *said)
{
	char piece[4096];

	for (;;) {
		usec_t left = until - now_monotonic();
		struct pollfd ready = {.fd = from, .events = POLLIN};
		int n = left > 0 ? poll(&ready, 1, (int)(left / USEC_MS) + 1) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		ssize_t got = read(from, piece, sizeof(piece));
		if (got <= 0)
			return true;
		size_t room = said->max - said->n;
		buf_add(said, piece, (size_t)got < room ? (size_t)got : room);
	}
}

bool program_run(const char *const argv[], usec_t within, struct buf *said, int *status, struct err *err)
{
	int ends[2], how;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", argv[0], strerror(errno));
	bool is_started = program_start(argv, ends[1], &pid, err);
	close(ends[1]);
	auto_close int from = ends[0];
	if (!is_started)
		return false;
	bool has_ended = output_read(from, now_monotonic() + within, said);
	if (!has_ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (!has_ended)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s did not end in time", argv[0]);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}
