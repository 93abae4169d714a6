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

static bool program_start(const char *const argv[], int out, int errors, pid_t *pid, struct err *err)
{
	char in_sbin[PATH_MAX];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	snprintf(in_sbin, sizeof(in_sbin), "/usr/sbin/%s", argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
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

/* One piece of what is there; false at the end. */
static bool piece_read(int from, struct buf *to)
{
	char piece[4096];
	ssize_t got = read(from, piece, sizeof(piece));
	size_t room = to->max - to->n;

	if (got > 0)
		buf_add(to, piece, (size_t)got < room ? (size_t)got : room);
	return got > 0;
}

/* Until both pipes are closed at the other end; false when time is up. */
static bool output_read(const int from[2], usec_t until, struct buf *to[2])
{
	struct pollfd ready[2] = {{.fd = from[0], .events = POLLIN}, {.fd = from[1], .events = POLLIN}};

	while (ready[0].fd >= 0 || ready[1].fd >= 0) {
		usec_t left = until - now_monotonic();
		int n = left > 0 ? poll(ready, 2, (int)(left / USEC_MS) + 1) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		for (int i = 0; i < 2; i++) {
			if (ready[i].fd >= 0 && ready[i].revents && !piece_read(from[i], to[i]))
				ready[i].fd = -1;
		}
	}
	return true;
}

bool program_run(const char *const argv[], usec_t within, struct buf *said, struct buf *complained, int *status, struct err *err)
{
	int out[2], errors[2], how;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) != 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", argv[0], strerror(errno));
	auto_close int out_end = out[0];
	if (pipe2(errors, O_CLOEXEC) != 0) {
		close(out[1]);
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", argv[0], strerror(errno));
	}
	auto_close int errors_end = errors[0];
	bool is_started = program_start(argv, out[1], errors[1], &pid, err);
	close(out[1]);
	close(errors[1]);
	if (!is_started)
		return false;
	bool has_ended = output_read((int[]){out_end, errors_end}, now_monotonic() + within, (struct buf *[]){said, complained});
	if (!has_ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (!has_ended)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s did not end in time", argv[0]);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}
