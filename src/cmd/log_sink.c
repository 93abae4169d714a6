/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sinks of the log: whole lines, one write each, so that lines of several processes do not mix. */
#include "cmd/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

static int file_fd = -1;
static char file_path[PATH_MAX];

static int syslog_level(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG_:
		return LOG_DEBUG;
	case LOG_INFO_:
		return LOG_INFO;
	case LOG_WARN_:
		return LOG_WARNING;
	case LOG_ERROR_:
		return LOG_ERR;
	}
	return LOG_INFO;
}

static void to_syslog(void *arg, enum log_level level, struct str line)
{
	syslog(syslog_level(level), "%.*s", STR_ARG(line));
}

static void write_line(int fd, struct str front, struct str line)
{
	struct iovec parts[] = {
		{(char *)(uintptr_t)front.p, front.n}, {(char *)(uintptr_t)line.p, line.n}, {(char[]){'\n'}, 1}};

	/* A log that cannot be written has nobody to be told to. */
	(void)!writev(fd, parts, 3);
}

static void to_stderr(void *arg, enum log_level level, struct str line)
{
	write_line(STDERR_FILENO, STR_NONE, line);
}

static void to_journal(void *arg, enum log_level level, struct str line)
{
	char front[] = {'<', (char)('0' + syslog_level(level)), '>'};

	write_line(STDERR_FILENO, (struct str){front, sizeof(front)}, line);
}

static void to_file(void *arg, enum log_level level, struct str line)
{
	write_line(file_fd, STR_NONE, line);
}

static int file_open(void)
{
	return open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

bool log_sink_open(struct str to, enum log_format format, enum log_level least, struct err *err)
{
	if (str_eq(to, STR("syslog"))) {
		openlog("postern", LOG_PID | LOG_NDELAY, LOG_MAIL);
		log_open(format, least, to_syslog, NULL);
		return true;
	}
	if (str_eq(to, STR("stderr"))) {
		log_open(format, least, getenv("JOURNAL_STREAM") ? to_journal : to_stderr, NULL);
		return true;
	}
	if (to.n == 0 || to.p[0] != '/' || to.n >= sizeof(file_path))
		return err_perm(err, CAUSE_LOCAL_ERROR, "log = %.*s: use stderr, syslog or the full path of a file",
		                STR_ARG(to));
	memcpy(file_path, to.p, to.n);
	file_path[to.n] = '\0';
	int fd = file_open();
	if (fd < 0)
		return err_perm(err, CAUSE_STORAGE, "log file %s: %s", file_path, strerror(errno));
	if (file_fd >= 0)
		close(file_fd);
	file_fd = fd;
	log_open(format, least, to_file, NULL);
	return true;
}

void log_sink_reopen(void)
{
	if (file_fd < 0)
		return;
	int fd = file_open();
	if (fd < 0) {
		log_event(LOG_WARN_, "log_reopen_failed", LOG_C("file", file_path), LOG_C("why", strerror(errno)));
		return;
	}
	close(file_fd);
	file_fd = fd;
}
