/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exceptions file: read when it changed, asked by hash and by network. */
#include "policy/exceptions.h"

#include "base/auto.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "policy/exception_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (4 << 20)
#define LOOK_EVERY     USEC_S

struct entry {
	struct exception rule;
	struct ip_net net;   /* of a client */
	struct entry *other; /* of the same key */
};

struct exceptions {
	char *path; /* NULL: there is no file */
	usec_t looked;
	struct stat known;
	struct arena arena; /* entries and their texts */
	struct entry *entries;
	size_t n, capacity;
	struct map by_key;
};

struct exceptions *exceptions_open(struct str file)
{
	struct exceptions *x = mem_new(struct exceptions);
	x->path = file.n ? mem_cstr(file) : NULL;
	arena_init(&x->arena, 16 << 20);
	map_init(&x->by_key);
	return x;
}

static void clear(struct exceptions *x)
{
	arena_clear(&x->arena);
	map_done(&x->by_key);
	free(x->entries);
	x->entries = NULL;
	x->n = x->capacity = 0;
}

void exceptions_close(struct exceptions *x)
{
	if (!x)
		return;
	clear(x);
	arena_done(&x->arena);
	free(x->path);
	free(x);
}

/* --- reading --- */

static bool read_file(const char *path, struct stat *st, struct buf *text, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, st) < 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode) || st->st_size >= FILE_BYTES_MAX)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: no file of less than 4 MiB", path);
	for (;;) {
		char *room = buf_reserve(text, 65536);
		ssize_t n = room ? read(fd, room, 65536) : -1;
		if (n < 0)
			return err_temp(err, CAUSE_LOCAL_ERROR, "%s: cannot be read", path);
		if (n == 0)
			return true;
		buf_added(text, (size_t)n);
	}
}

static void add_entry(struct exceptions *x, const struct exception *rule)
{
	if (x->n == x->capacity) {
		x->capacity = x->capacity ? 2 * x->capacity : 16;
		x->entries = mem_resize(x->entries, x->capacity * sizeof *x->entries);
	}
	struct entry *e = &x->entries[x->n++];
	struct err err;
	*e = (struct entry){.rule = *rule};
	if (rule->kind == EXCEPTION_CLIENT)
		ip_net_parse(rule->what, &e->net, &err);
}

/* Behind the last entry is added: the array no longer moves. */
static void index_entries(struct exceptions *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct entry *e = &x->entries[i];
		if (e->rule.kind == EXCEPTION_CLIENT)
			continue;
		struct str key = arena_printf(&x->arena, "%d%.*s", (int)e->rule.kind, STR_ARG(e->rule.what));
		e->other = map_put(&x->by_key, key, e);
	}
}

static void read_rules(struct exceptions *x, struct str text)
{
	struct str line;
	for (unsigned number = 1; str_cut(&text, '\n', &line); number++) {
		struct exception rule;
		struct err err;
		enum exception_line got = exception_line_parse(&x->arena, line, &rule, &err);
		rule.line = number;
		if (got == EXCEPTION_LINE_RULE)
			add_entry(x, &rule);
		else if (got == EXCEPTION_LINE_BROKEN)
			log_event(LOG_WARN_, "exceptions", LOG_C("file", x->path), LOG_I("line", number),
			          LOG_C("trouble", err.text));
	}
	index_entries(x);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_dev == b->st_dev &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that went away is an empty one; one that cannot be read leaves what was known in force. */
static void look_now(struct exceptions *x)
{
	struct stat st;
	struct err err;
	auto_buf struct buf text = {.max = FILE_BYTES_MAX + 65536};
	x->looked = rt_now();
	if (stat(x->path, &st) < 0 && errno == ENOENT) {
		clear(x);
		memset(&x->known, 0, sizeof x->known);
		return;
	}
	if (is_same_file(&st, &x->known))
		return;
	if (!read_file(x->path, &st, &text, &err)) {
		log_event(LOG_ERROR_, "exceptions", LOG_C("trouble", err.text));
		return;
	}
	clear(x);
	x->known = st;
	read_rules(x, buf_view(&text));
	log_event(LOG_INFO_, "exceptions", LOG_C("file", x->path), LOG_I("entries", (int64_t)x->n));
}

static void look(struct exceptions *x)
{
	if (x->path && (x->looked == 0 || rt_now() - x->looked >= LOOK_EVERY))
		look_now(x);
}

/* --- asking --- */

struct search {
	struct exceptions *x;
	struct wall now;
	const struct exception *best;
};

/* The words of the enum stand in order of strength. */
static void weigh(struct search *s, const struct exception *rule)
{
	bool is_over = rule->until.us && !wall_is_before(s->now, rule->until);
	if (!is_over && (!s->best || rule->action > s->best->action))
		s->best = rule;
}

static void try_key(struct search *s, enum exception_kind kind, struct str text)
{
	char key[ADDRESS_MAX + 80];
	if (text.n + 1 > sizeof key)
		return;
	key[0] = (char)('0' + kind);
	memcpy(key + 1, text.p, text.n);
	for (struct entry *e = map_get(&s->x->by_key, (struct str){key, text.n + 1}); e; e = e->other)
		weigh(s, &e->rule);
}

/* The rule names an address, or all of a domain as "@domain". */
static void try_address(struct search *s, enum exception_kind kind, const struct address *a)
{
	auto_arena struct arena arena = {.max = 1024};
	struct str local = arena_lower(&arena, a->local);
	struct str key = arena_printf(&arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(a->ascii_domain));
	try_key(s, kind, key);
	try_key(s, kind, str_skip(key, local.n));
}

/* A domain's rule holds for what lies below it. */
static void try_domain(struct search *s, struct str domain)
{
	while (domain.n) {
		try_key(s, EXCEPTION_DOMAIN, domain);
		domain = str_skip(domain, str_find_char(domain, '.') + 1);
	}
}

static void try_client(struct search *s, struct ip client)
{
	for (size_t i = 0; i < s->x->n; i++) {
		const struct entry *e = &s->x->entries[i];
		if (e->rule.kind == EXCEPTION_CLIENT && ip_net_has(e->net, client))
			weigh(s, &e->rule);
	}
}

enum exception_action exceptions_find(struct exceptions *x, const struct address *sender, struct ip client,
                                      const struct address *recipient, struct str *why)
{
	look(x);
	if (x->n == 0)
		return EXCEPTION_NONE;
	struct search s = {.x = x, .now = rt_wall()};
	if (sender) {
		try_address(&s, EXCEPTION_SENDER, sender);
		try_domain(&s, sender->ascii_domain);
	}
	if (client.family)
		try_client(&s, client);
	if (recipient)
		try_address(&s, EXCEPTION_RECIPIENT, recipient);
	if (!s.best)
		return EXCEPTION_NONE;
	*why = s.best->why;
	return s.best->action;
}

void exceptions_each(struct exceptions *x, void (*fn)(void *arg, const struct exception *e), void *arg)
{
	look(x);
	for (size_t i = 0; i < x->n; i++)
		fn(arg, &x->entries[i].rule);
}

/* --- writing --- */

static bool write_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return false;
		s = str_skip(s, n > 0 ? (size_t)n : 0);
	}
	return true;
}

static bool sync_parent(const char *path)
{
	struct str dir = str_slice(str_from(path), 0, str_rfind_char(str_from(path), '/'));
	auto_free char *name = mem_cstr(dir.n == strlen(path) ? STR(".") : dir.n ? dir : STR("/"));
	auto_close int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0;
}

/* A new file under the old name, with the old one's mode and owner where there was one. */
static bool replace_file(const struct exceptions *x, struct str text, const struct stat *old, struct err *err)
{
	auto_arena struct arena arena = {.max = 8192};
	const char *temporary = arena_printf(&arena, "%s.new", x->path).p;
	auto_close int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", temporary, strerror(errno));
	/* Not being allowed to give a file away is no reason not to write it. */
	if (old && (fchmod(fd, old->st_mode & 07777) < 0 || fchown(fd, old->st_uid, old->st_gid) < 0))
		log_event(LOG_DEBUG_, "exceptions", LOG_C("owner", strerror(errno)));
	if (!write_all(fd, text) || fsync(fd) < 0 || rename(temporary, x->path) < 0 || !sync_parent(x->path)) {
		err_temp(err, CAUSE_STORAGE, "%s: %s", temporary, strerror(errno));
		unlink(temporary);
		return false;
	}
	return true;
}

static bool read_for_change(struct exceptions *x, struct stat *st, bool *exists, struct buf *text, struct err *err)
{
	if (!x->path)
		return err_perm(err, CAUSE_LOCAL_ERROR, "no exceptions file is configured");
	*exists = stat(x->path, st) == 0;
	if (!*exists && errno != ENOENT)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", x->path, strerror(errno));
	return !*exists || read_file(x->path, st, text, err);
}

bool exceptions_add(struct exceptions *x, const struct exception *e, struct err *err)
{
	auto_buf struct buf text = {.max = FILE_BYTES_MAX};
	struct stat st;
	bool exists;
	if (!read_for_change(x, &st, &exists, &text, err))
		return false;
	if (text.n && text.p[text.n - 1] != '\n')
		buf_char(&text, '\n');
	if (!exception_line_write(e, &text, err))
		return false;
	if (!buf_ok(&text))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: is full", x->path);
	if (!replace_file(x, buf_view(&text), exists ? &st : NULL, err))
		return false;
	look_now(x);
	return true;
}

/* However it is written: what stands in the file has been normalised. */
static bool is_about(struct arena *arena, const struct exception *rule, struct str what)
{
	struct str form;
	struct err ignored;
	return str_ieq(rule->what, what) ||
	       (exception_what_normalise(arena, rule->kind, what, &form, &ignored) && str_eq(rule->what, form));
}

bool exceptions_remove(struct exceptions *x, struct str what, size_t *removed, struct err *err)
{
	auto_buf struct buf text = {.max = FILE_BYTES_MAX}, kept = {.max = FILE_BYTES_MAX};
	auto_arena struct arena arena = {.max = 16 << 20};
	struct stat st;
	struct str line;
	size_t n = 0;
	bool exists;
	if (!read_for_change(x, &st, &exists, &text, err))
		return false;
	for (struct str rest = buf_view(&text); str_cut(&rest, '\n', &line);) {
		struct exception rule;
		struct err ignored;
		if (exception_line_parse(&arena, line, &rule, &ignored) == EXCEPTION_LINE_RULE &&
		    is_about(&arena, &rule, what)) {
			n++;
			continue;
		}
		buf_str(&kept, line);
		buf_char(&kept, '\n');
	}
	if (n && !replace_file(x, buf_view(&kept), exists ? &st : NULL, err))
		return false;
	if (n)
		look_now(x);
	*removed = n;
	return true;
}
