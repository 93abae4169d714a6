/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of recipients: looked at and read in the pool, asked on the loop. */
#include "policy/recipient_file.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_BYTES_MAX (64 << 20)
#define LOOK_EVERY     USEC_S
#define SETTLE_SECONDS 1

/* What tells one content of a file from the next. */
struct file_stamp {
	struct timespec modified;
	off_t size;
	ino_t inode;
	dev_t device;
};

struct recipient_set {
	struct map entries; /* "local@domain", "@domain", "local"; lower case */
	size_t bad_lines, first_bad;
};

struct recipient_file {
	char *path;
	struct recipient_set *set; /* NULL: nothing good was read; `trouble` says why */
	struct file_stamp stamp;
	struct err trouble;
	usec_t looked;             /* 0: never */
	bool is_looking;
	struct cond looked_again;
};

/* One look at the file, done in the pool; owns everything in it. */
struct look {
	char *path;
	struct file_stamp known;
	bool may_wait;             /* there is an older reading: leave a fresh file alone */
	bool is_changed;
	struct file_stamp stamp;
	struct recipient_set *set;
	struct err trouble;
	bool is_bad;
};

static void set_free(struct recipient_set *set)
{
	if (!set)
		return;
	map_done(&set->entries);
	free(set);
}
AUTO_DEFINE(recipient_set, struct recipient_set *, set_free);

static void look_free(void *arg)
{
	struct look *look = arg;
	if (!look)
		return;
	free(look->path);
	set_free(look->set);
	free(look);
}

static bool stamp_eq(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->size == b->size && a->inode == b->inode && a->device == b->device;
}

static bool trouble(struct look *look, const char *what)
{
	look->is_bad = true;
	return err_temp(&look->trouble, CAUSE_DIRECTORY, "%s: %s: %s", look->path, what, strerror(errno));
}

static bool add_entry(struct map *entries, struct str text)
{
	auto_arena struct arena arena = {.max = 16384};
	size_t at = str_rfind_char(text, '@');
	struct str key = arena_lower(&arena, str_slice(text, 0, at)), ascii;
	struct err err;
	if (at < text.n) {
		if (!domain_to_ascii(&arena, str_skip(text, at + 1), &ascii, &err))
			return false;
		key = arena_printf(&arena, "%.*s@%.*s", STR_ARG(key), STR_ARG(ascii));
	}
	map_put(entries, key, entries);
	return true;
}

static bool read_line(struct recipient_set *set, struct str line)
{
	struct str text = str_trim(str_slice(line, 0, str_find_char(line, '#')));
	if (text.n == 0)
		return true;
	if (text.n > ADDRESS_MAX || str_find_char(text, ' ') < text.n || str_find_char(text, '\0') < text.n)
		return false;
	return add_entry(&set->entries, text);
}

static struct recipient_set *read_lines(struct str text)
{
	struct recipient_set *set = mem_new(struct recipient_set);
	struct str line;
	map_init(&set->entries);
	for (size_t number = 1; str_cut(&text, '\n', &line); number++) {
		if (!read_line(set, line) && set->bad_lines++ == 0)
			set->first_bad = number;
	}
	return set;
}

static bool read_whole(struct look *look, int fd)
{
	size_t size = (size_t)look->stamp.size, got = 0;
	auto_free char *text = mem_alloc(size + 1);
	while (got < size) {
		ssize_t n = read(fd, text + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return trouble(look, "cannot be read");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	__attribute__((cleanup(auto_recipient_set_call))) struct recipient_set *set =
	        read_lines((struct str){text, got});
	if (set->entries.n == 0) {
		look->is_bad = true;
		return err_temp(&look->trouble, CAUSE_DIRECTORY, "%s: has no entry", look->path);
	}
	look->set = set;
	set = NULL;
	return true;
}

static bool is_settled(const struct file_stamp *stamp)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - stamp->modified.tv_sec > SETTLE_SECONDS || stamp->modified.tv_sec > now.tv_sec;
}

/* In the pool. */
static void look_at_file(void *arg)
{
	struct look *look = arg;
	struct stat st;
	auto_close int fd = open(look->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		trouble(look, "cannot be opened");
		return;
	}
	look->stamp = (struct file_stamp){st.st_mtim, st.st_size, st.st_ino, st.st_dev};
	if (stamp_eq(&look->stamp, &look->known) || (look->may_wait && !is_settled(&look->stamp)))
		return;
	look->is_changed = true;
	errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
		trouble(look, "cannot be used");
	else
		read_whole(look, fd);
}

static void log_look(const struct recipient_file *f, const struct look *look)
{
	if (look->is_bad) {
		if (f->looked == 0 || f->set || strcmp(f->trouble.text, look->trouble.text) != 0)
			log_event(LOG_ERROR_, "recipients", LOG_C("file", f->path), LOG_C("trouble", look->trouble.text));
		return;
	}
	if (look->set->bad_lines)
		log_event(LOG_WARN_, "recipients", LOG_C("file", f->path),
		          LOG_I("bad_lines", (int64_t)look->set->bad_lines),
		          LOG_I("first_bad_line", (int64_t)look->set->first_bad));
	log_event(LOG_INFO_, "recipients", LOG_C("file", f->path),
	          LOG_I("entries", (int64_t)look->set->entries.n));
}

static void take_look(struct recipient_file *f, struct look *look)
{
	if (look->is_bad || look->is_changed) {
		log_look(f, look);
		set_free(f->set);
		f->set = look->set;
		look->set = NULL;
		f->stamp = look->stamp;
		if (look->is_bad)
			f->stamp = (struct file_stamp){0};
		f->trouble = look->trouble;
	}
	f->looked = rt_now();
}

WAITS static bool look_again(struct recipient_file *f, struct err *err)
{
	struct look *look = mem_new(struct look);
	look->path = mem_cstr(str_from(f->path));
	look->known = f->stamp;
	look->may_wait = f->set != NULL;
	f->is_looking = true;
	bool ok = rt_offload("reading recipients", look_at_file, look, look_free, err);
	f->is_looking = false;
	cond_broadcast(&f->looked_again);
	if (!ok)
		return false;
	take_look(f, look);
	look_free(look);
	return true;
}

/* While somebody looks, the older reading answers; without one everybody waits for the first. */
WAITS static bool freshen(struct recipient_file *f, struct err *err)
{
	for (;;) {
		bool is_fresh = f->looked && rt_now() - f->looked < LOOK_EVERY;
		if (is_fresh || (f->is_looking && f->set))
			return true;
		if (!f->is_looking)
			return look_again(f, err);
		if (!cond_wait(&f->looked_again, "reading recipients", err))
			return false;
	}
}

static bool set_has(const struct recipient_set *set, const struct address *a)
{
	auto_arena struct arena arena = {.max = 4096};
	struct str local = arena_lower(&arena, a->local);
	struct str whole = arena_printf(&arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(a->ascii_domain));
	return map_get(&set->entries, whole) || map_get(&set->entries, local) ||
	       map_get(&set->entries, str_skip(whole, local.n));
}

bool recipient_file_has(struct recipient_file *f, const struct address *a, bool *has, struct err *err)
{
	if (!freshen(f, err)) {
		if (err->kind != ERR_CANCELLED)
			err->cause = CAUSE_DIRECTORY;
		return false;
	}
	if (!f->set) {
		*err = f->trouble;
		return false;
	}
	*has = set_has(f->set, a);
	return true;
}

struct recipient_file *recipient_file_new(struct str path)
{
	struct recipient_file *f = mem_new(struct recipient_file);
	f->path = mem_cstr(path);
	cond_init(&f->looked_again);
	return f;
}

void recipient_file_free(struct recipient_file *f)
{
	if (!f)
		return;
	free(f->path);
	set_free(f->set);
	free(f);
}
