/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files replaced so that Postfix, which may read at any time, sees the old one or the new one. */
#include "cmd/setup_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/auto.h"
#include "base/conf_row.h"
#include "base/ip.h"

bool setup_read(const char *path, struct buf *out, struct err *err)
{
	char piece[4096];
	ssize_t n = 0;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(out, piece, (size_t)n);
	if (fd < 0 || n < 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	return buf_ok(out) || err_perm(err, CAUSE_LOCAL_ERROR, "%s is too large", path);
}

/* What is written is on disk before anything points to it. */
static bool text_write(int fd, struct str text, const struct stat *like)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0)
			return false;
		text = str_skip(text, (size_t)n);
	}
	bool is_owned = fchown(fd, like->st_uid, like->st_gid) == 0 || geteuid() != 0;
	return is_owned && fchmod(fd, like->st_mode & 07777) == 0 && fsync(fd) == 0;
}

bool setup_backup(struct setup *s, struct err *err)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm at;
	struct stat like;

	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &at));
	if (snprintf(s->backup, sizeof(s->backup), "%s.postern-%s", s->main_cf, stamp) >= (int)sizeof(s->backup))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: too long a path", s->main_cf);
	auto_close int fd = open(s->backup, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || stat(s->main_cf, &like) != 0 || !text_write(fd, buf_view(&s->before), &like))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", s->backup, strerror(errno));
	return true;
}

bool setup_write(const char *path, struct str text, struct err *err)
{
	char beside[PATH_MAX];
	struct stat like;

	if (snprintf(beside, sizeof(beside), "%s.postern-new", path) >= (int)sizeof(beside))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: too long a path", path);
	unlink(beside);
	auto_close int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || stat(path, &like) != 0 || !text_write(fd, text, &like) || rename(beside, path) != 0) {
		err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(beside);
		return false;
	}
	return true;
}

void setup_door_note(struct setup *s, struct str door)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&address;
	struct conf_addr at;
	struct err err;
	socklen_t n = sizeof(*un);
	struct str place = str_skip(door, 5);

	if (str_starts(door, STR("inet:"))) {
		/* A name is Postfix' to look up. */
		if (!conf_parse_addr(place, 0, &at, &err) || at.ip.family == 0)
			return;
		n = ip_to_sockaddr(at.ip, at.port, &address);
	} else if (place.n > 0 && place.p[0] == '/' && place.n < sizeof(un->sun_path)) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, place.p, place.n);
	} else {
		return; /* below the queue directory: only smtpd sees it by that name */
	}
	auto_close int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, n) != 0)
		buf_printf(&s->notes, "nobody answers at %.*s (%s): start postern before Postfix is told to ask it\n", STR_ARG(door),
		           strerror(errno));
}
