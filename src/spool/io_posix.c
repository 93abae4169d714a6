/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spool's table of I/O functions on a real disk. */
#include "spool/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int result(int rc)
{
	return rc < 0 ? -errno : rc;
}

static int posix_open_dir(void *self, int at, const char *name, bool *created)
{
	int parent = at < 0 ? AT_FDCWD : at;
	if (created) {
		int rc = mkdirat(parent, name, 0700);
		if (rc < 0 && errno != EEXIST)
			return -errno;
		*created = rc == 0;
	}
	return result(openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int posix_open_file(void *self, int dir, const char *name, enum spool_open how)
{
	static const int flags[] = {
		[SPOOL_OPEN_READ] = O_RDONLY,
		[SPOOL_OPEN_WRITE] = O_RDWR,
		[SPOOL_OPEN_CREATE] = O_RDWR | O_CREAT | O_EXCL,
		[SPOOL_OPEN_LOCK] = O_RDWR | O_CREAT,
	};
	return result(openat(dir, name, flags[how] | O_CLOEXEC | O_NOFOLLOW, 0600));
}

static void posix_close(void *self, int fd)
{
	close(fd);
}

static int64_t posix_write(void *self, int fd, const struct iovec *v, int n, uint64_t at)
{
	ssize_t rc;
	do {
		rc = pwritev(fd, v, n < IOV_MAX ? n : IOV_MAX, (off_t)at);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc == 0 ? -EIO : rc;
}

static int64_t posix_read(void *self, int fd, void *out, size_t n, uint64_t at, bool may_wait)
{
	size_t have = 0;
	while (have < n) {
		struct iovec v = {(char *)out + have, n - have};
		ssize_t rc = preadv2(fd, &v, 1, (off_t)(at + have), may_wait ? 0 : RWF_NOWAIT);
		if (rc < 0 && errno == EINTR)
			continue;
		/* Not every file system knows RWF_NOWAIT. */
		if (rc < 0)
			return !may_wait && errno == EOPNOTSUPP ? -EAGAIN : -errno;
		if (rc == 0)
			break;
		have += (size_t)rc;
	}
	return (int64_t)have;
}

static int posix_allocate(void *self, int fd, uint64_t size)
{
	int rc;
	do {
		/* Where the file system cannot, libc writes to each block. */
		rc = posix_fallocate(fd, 0, (off_t)size);
	} while (rc == EINTR);
	return -rc;
}

static int posix_truncate(void *self, int fd, uint64_t size)
{
	return result(ftruncate(fd, (off_t)size));
}

static int posix_sync(void *self, int fd, enum spool_sync site)
{
	return result(fdatasync(fd));
}

static int posix_sync_dir(void *self, int dir, enum spool_sync site)
{
	return result(fsync(dir));
}

static void posix_forget(void *self, int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int posix_rename(void *self, int from, const char *name, int to, const char *new_name)
{
	return result(renameat(from, name, to, new_name));
}

static int posix_unlink(void *self, int dir, const char *name)
{
	return result(unlinkat(dir, name, 0));
}

static int posix_list(void *self, int dir, void (*each)(void *arg, const char *name), void *arg)
{
	/* A descriptor of its own: the position is shared with duplicates. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return -error;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(d)); errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			each(arg, e->d_name);
	int error = errno;
	closedir(d);
	return -error;
}

static int posix_size(void *self, int fd, uint64_t *out)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (uint64_t)st.st_size;
	return 0;
}

static int posix_lock(void *self, int fd)
{
	return result(flock(fd, LOCK_EX | LOCK_NB));
}

static int posix_space(void *self, int dir, struct spool_space *out)
{
	struct statvfs v;
	if (fstatvfs(dir, &v) < 0)
		return -errno;
	out->bytes = (uint64_t)v.f_bavail * v.f_frsize;
	out->inodes = v.f_files ? v.f_favail : UINT64_MAX;
	return 0;
}

const struct spool_io spool_io_posix = {
	.open_dir = posix_open_dir,
	.open_file = posix_open_file,
	.close = posix_close,
	.write = posix_write,
	.read = posix_read,
	.allocate = posix_allocate,
	.truncate = posix_truncate,
	.sync = posix_sync,
	.sync_dir = posix_sync_dir,
	.forget = posix_forget,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.list = posix_list,
	.size = posix_size,
	.lock = posix_lock,
	.space = posix_space,
};

const char *spool_sync_name(enum spool_sync site)
{
	static const char *const names[SYNC_SITES] = {
		"parent directory", "root directory", "recovered data", "recovered directory",
		"segment header",   "segment name",   "batch",		"notes",
		"copies",	    "amends",	      "full segment",	"close",
		"reclaimed name",   "damaged name",   "large file",	"large name",
	};
	return names[site];
}

int io_write_all(const struct spool_io *io, int fd, struct iovec *v, int n, uint64_t at,
		 uint64_t *written)
{
	uint64_t done = 0;
	int rc = 0;
	for (;;) {
		for (; n > 0 && v->iov_len == 0; v++)
			n--;
		if (n == 0)
			break;
		int64_t got = io->write(io->self, fd, v, n, at + done);
		if (got <= 0) {
			rc = got < 0 ? (int)got : -EIO;
			break;
		}
		done += (uint64_t)got;
		for (size_t left = (size_t)got, part; left > 0; left -= part) {
			part = left < v->iov_len ? left : v->iov_len;
			v->iov_base = (char *)v->iov_base + part;
			v->iov_len -= part;
			if (v->iov_len == 0 && left > part) {
				v++;
				n--;
			}
		}
	}
	if (written)
		*written = done;
	return rc;
}

int io_read_all(const struct spool_io *io, int fd, void *out, size_t n, uint64_t at)
{
	int64_t got = io->read(io->self, fd, out, n, at, true);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EIO;
}
