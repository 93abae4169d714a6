/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery into a Maildir: written to tmp/ and synced, linked into new/, directory synced, so that a crash leaves
 * either no message or a whole one. */
#include "client/maildir.h"

#include "base/auto.h"
#include "base/mem.h"
#include "client/crlf.h"
#include "mail/address.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256u * 1024)

/* All that the pool touches; it owns this while it works, and alone when the fiber has gone. */
struct work {
	char *box;          /* root/domain/local/Maildir */
	char *root;         /* only what lies below is made */
	char *name;         /* file name in tmp/ and new/ */
	bool looks_in_cur;
	int tmp_fd, box_fd;
	bool is_there;      /* the same message was delivered before */
	bool has_tmp;
	struct buf out;
	int error;          /* errno of the step that failed */
	const char *failed; /* what it was doing */
};

static void work_free(void *arg)
{
	struct work *w = arg;
	if (!w)
		return;
	if (w->tmp_fd >= 0)
		close(w->tmp_fd);
	if (w->box_fd >= 0) {
		char tmp[300];
		snprintf(tmp, sizeof(tmp), "tmp/%s", w->name);
		if (w->has_tmp)
			(void)unlinkat(w->box_fd, tmp, 0);
		close(w->box_fd);
	}
	free(w->box);
	free(w->root);
	free(w->name);
	buf_done(&w->out);
	free(w);
}
AUTO_DEFINE(work, struct work *, work_free);

static bool fail(struct work *w, const char *what)
{
	w->error = errno;
	w->failed = what;
	return false;
}

static bool sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

/* Each directory below the root that is not there; its entry in the parent is synced, or the mail in it
 * could vanish with it. */
static bool make_directories(struct work *w)
{
	char *path = w->box;
	for (size_t i = strlen(w->root) + 1;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		char was = path[i];
		path[i] = '\0';
		bool is_new = mkdir(path, 0700) == 0;
		bool ok = is_new || errno == EEXIST;
		if (ok && is_new) {
			char *slash = strrchr(path, '/');
			*slash = '\0';
			ok = sync_directory(path);
			*slash = '/';
		}
		path[i] = was;
		if (!ok)
			return fail(w, "make directory");
		if (was == '\0')
			return true;
	}
}

static bool make_subdirectories(struct work *w)
{
	static const char *const names[] = {"tmp", "new", "cur"};
	bool any = false;
	for (size_t i = 0; i < 3; i++) {
		if (mkdirat(w->box_fd, names[i], 0700) == 0)
			any = true;
		else if (errno != EEXIST)
			return fail(w, "make directory");
	}
	return !any || fsync(w->box_fd) == 0 || fail(w, "sync directory");
}

static bool open_box(struct work *w)
{
	w->box_fd = open(w->box, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->box_fd < 0) {
		if (errno != ENOENT)
			return fail(w, "open mailbox");
		if (!make_directories(w))
			return false;
		w->box_fd = open(w->box, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return w->box_fd >= 0 ? make_subdirectories(w) : fail(w, "open mailbox");
}

/* A mail reader has moved it to cur/ and put its flags behind a colon. */
static bool find_in_cur(struct work *w)
{
	int fd = openat(w->box_fd, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return fail(w, "open cur");
	}
	size_t n = strlen(w->name);
	for (struct dirent *e; !w->is_there && (e = readdir(d));)
		w->is_there = strncmp(e->d_name, w->name, n) == 0 && (e->d_name[n] == ':' || e->d_name[n] == '\0');
	closedir(d);
	return true;
}

static bool open_tmp(struct work *w)
{
	char tmp[300];
	snprintf(tmp, sizeof(tmp), "tmp/%s", w->name);
	w->tmp_fd = openat(w->box_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	w->has_tmp = w->tmp_fd >= 0;
	return w->has_tmp || fail(w, "create file in tmp");
}

static bool write_out(struct work *w)
{
	for (size_t at = 0; at < w->out.n;) {
		ssize_t n = write(w->tmp_fd, w->out.p + at, w->out.n - at);
		if (n < 0 && errno != EINTR)
			return fail(w, "write");
		at += n > 0 ? (size_t)n : 0;
	}
	buf_clear(&w->out);
	return true;
}

/* link() and not rename(): it fails where the name exists, which is how a second delivery is noticed. */
static bool publish(struct work *w)
{
	char tmp[300], new[300];
	snprintf(tmp, sizeof(tmp), "tmp/%s", w->name);
	snprintf(new, sizeof(new), "new/%s", w->name);
	if (fsync(w->tmp_fd) != 0)
		return fail(w, "sync");
	if (linkat(w->box_fd, tmp, w->box_fd, new, 0) != 0 && errno != EEXIST)
		return fail(w, "link into new");
	int fd = openat(w->box_fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		(void)fail(w, "sync of new");
	else
		w->has_tmp = unlinkat(w->box_fd, tmp, 0) != 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* The pool's three steps: begin with the first piece, go on, finish. A small mail is one call of all three. */
enum { STEP_BEGIN = 1, STEP_FINISH = 2 };
struct step {
	struct work *w;
	unsigned what;
};

static void step_run(void *arg)
{
	struct step *s = arg;
	struct work *w = s->w;
	bool ok = true;
	if (s->what & STEP_BEGIN)
		ok = open_box(w) && (!w->looks_in_cur || find_in_cur(w)) && (w->is_there || open_tmp(w));
	if (ok && !w->is_there)
		ok = write_out(w);
	if (ok && !w->is_there && (s->what & STEP_FINISH))
		(void)publish(w);
}

static void step_drop(void *arg)
{
	struct step *s = arg;
	work_free(s->w);
	free(s);
}

/* Takes *w away when the fiber had to leave: the pool frees it then. */
static WAITS bool run_step(struct work **w, unsigned what, struct err *err)
{
	struct step *s = mem_new(struct step);
	*s = (struct step){*w, what};
	if (!rt_offload("write to Maildir", step_run, s, step_drop, err)) {
		*w = NULL;
		return false;
	}
	free(s);
	if ((*w)->error)
		return err_temp(err, CAUSE_STORAGE, "%s: %s: %s", (*w)->box, (*w)->failed, strerror((*w)->error));
	return true;
}

/* Letters, digits and what is harmless in a file name; anything else as %XX. Case is folded: nobody
 * keeps Joe and joe apart. */
static void add_safe(struct buf *out, struct str part)
{
	for (size_t i = 0; i < part.n; i++) {
		unsigned char ch = (unsigned char)ascii_lower(part.p[i]);
		bool is_plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' ||
		                ch == '+' || ch == '=' || ch == '@' || (ch == '.' && i > 0);
		if (is_plain)
			buf_char(out, (char)ch);
		else
			buf_printf(out, "%%%02X", ch);
	}
}

static bool box_path(struct str root, struct str recipient, char **out, struct err *err)
{
	auto_arena struct arena arena;
	auto_buf struct buf path;
	struct address a;
	arena_init(&arena, 4096);
	buf_init(&path, root.n + 2048);
	if (!address_parse(&arena, recipient, true, &a, err))
		return false;
	while (root.n > 1 && root.p[root.n - 1] == '/')
		root.n--;
	buf_str(&path, root);
	buf_char(&path, '/');
	add_safe(&path, a.ascii_domain);
	buf_char(&path, '/');
	add_safe(&path, a.local);
	buf_str(&path, STR("/Maildir"));
	if (!buf_ok(&path) || a.local.n == 0 || a.local.n * 3 > NAME_MAX)
		return err_perm(err, CAUSE_NO_MAILBOX, "no mailbox can be named after %.*s", STR_ARG(recipient));
	*out = mem_cstr(buf_view(&path));
	return true;
}

static bool work_new(struct str root, struct str recipient, struct str unique, struct work **out, struct err *err)
{
	char *box = NULL;
	struct buf name;
	if (!box_path(root, recipient, &box, err))
		return false;
	while (root.n > 1 && root.p[root.n - 1] == '/')
		root.n--;
	buf_init(&name, 200);
	add_safe(&name, str_slice(unique, 0, 60));
	struct work *w = mem_new(struct work);
	*w = (struct work){.box = box, .root = mem_cstr(root), .name = mem_cstr(buf_view(&name)), .tmp_fd = -1, .box_fd = -1};
	buf_done(&name);
	*out = w;
	return true;
}

static WAITS bool fill(struct deliver_job *job, struct crlf *lines, uint64_t *at, struct work *w, struct err *err)
{
	size_t n = job->size < PIECE ? (size_t)job->size : PIECE;
	auto_free char *piece = mem_alloc(n + 1);
	while (*at < job->size && w->out.n < PIECE) {
		size_t got = 0;
		if (!job->read(job->arg, *at, piece, n, &got, err))
			return false;
		if (got == 0)
			return err_temp(err, CAUSE_STORAGE, "the message ends after %llu of %llu bytes",
			                (unsigned long long)*at, (unsigned long long)job->size);
		crlf_feed(lines, (struct str){piece, got}, &w->out);
		*at += got;
	}
	return true;
}

bool maildir_deliver(struct str root, struct str recipient, struct str unique, struct deliver_job *job, struct err *err)
{
	AUTO(work) struct work *w = NULL;
	if (!work_new(root, recipient, unique, &w, err))
		return false;
	struct crlf lines;
	uint64_t at = 0;
	unsigned what = STEP_BEGIN;
	w->looks_in_cur = job->may_be_repeat;
	buf_init(&w->out, 3 * (size_t)PIECE + job->prefix.n + 16);
	crlf_init(&lines, STR("\n"));
	crlf_feed(&lines, job->prefix, &w->out);
	do {
		if (!fill(job, &lines, &at, w, err))
			return false;
		if (at == job->size) {
			crlf_finish(&lines, &w->out);
			what |= STEP_FINISH;
		}
		assert(buf_ok(&w->out));
		if (!run_step(&w, what, err))
			return false;
		what &= ~(unsigned)STEP_BEGIN;
	} while (!(what & STEP_FINISH) && !w->is_there);
	return true;
}
