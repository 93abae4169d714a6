/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk for tests: files, directories, what is pending on them, crash images, faults. */
#include "spool/io_sim.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, NAME_MAX_ = 40, FD_BASE = 1000, SIM_PATH_MAX = 256 };

struct change {
	struct change *next;
	bool is_size;
	uint64_t at; /* of the write; the new size */
	size_t n;
	uint8_t bytes[];
};
struct bytes {
	uint8_t *p;
	size_t n, capacity;
};
struct entry {
	char name[NAME_MAX_];
	struct node *node; /* pending: NULL takes the name away */
};
struct entries {
	struct entry *items;
	size_t n;
};
struct node {
	struct node *next; /* all of them */
	bool is_dir;
	struct bytes now, durable;
	struct change *pending, **pending_end;
	struct entries names, durable_names, pending_names;
	unsigned links, fds;
	int locked_by;
	struct node *copy; /* while an image is made */
};
struct sim {
	struct spool_io io;
	uint64_t random;
	struct node *all, *top;
	struct node **fds;
	size_t n_fds;
	uint64_t changes, calls[SIM_CALLS], syncs[SYNC_SITES];
	uint64_t freeze_at; /* 0: not */
	enum sim_call freeze_call, last_call;
	uint64_t freeze_calls; /* 0: not */
	bool is_frozen;
	void (*on_change)(void *arg, struct sim *m);
	void *arg;
	enum spool_sync skipped;
	struct {
		enum sim_call call;
		unsigned first, count, seen;
		int error;
		uint64_t met;
	} fault;
	uint64_t used, capacity;
	unsigned cold;
};

static uint64_t draw(struct sim *m)
{
	uint64_t z = m->random += 0x9E3779B97F4A7C15;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return z ^ (z >> 31);
}

/* --- bytes, entries, nodes --- */

static void bytes_resize(struct bytes *b, size_t n)
{
	if (n > b->capacity) {
		b->p = mem_resize(b->p, n);
		b->capacity = n;
	}
	if (n > b->n)
		memset(b->p + b->n, 0, n - b->n);
	b->n = n;
}

static void bytes_put(struct bytes *b, uint64_t at, const void *p, size_t n)
{
	if (at + n > b->n)
		bytes_resize(b, (size_t)at + n);
	memcpy(b->p + at, p, n);
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
	bytes_resize(to, from->n);
	if (from->n)
		memcpy(to->p, from->p, from->n);
}

static struct entry *entry_find(const struct entries *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->items[i].name, name) == 0)
			return &e->items[i];
	return NULL;
}

static void entry_append(struct entries *e, const char *name, struct node *node)
{
	assert(strlen(name) < NAME_MAX_);
	e->items = mem_resize(e->items, (e->n + 1) * sizeof *e->items);
	strcpy(e->items[e->n].name, name);
	e->items[e->n++].node = node;
}

/* Sets or (NULL) takes away. */
static void entry_set(struct entries *e, const char *name, struct node *node)
{
	struct entry *old = entry_find(e, name);
	if (old && node)
		old->node = node;
	else if (old)
		*old = e->items[--e->n];
	else if (node)
		entry_append(e, name, node);
}

static struct node *node_new(struct sim *m, bool is_dir)
{
	struct node *n = mem_new(struct node);
	n->is_dir = is_dir;
	n->pending_end = &n->pending;
	n->next = m->all;
	m->all = n;
	return n;
}

static void pending_clear(struct node *n)
{
	for (struct change *c = n->pending, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	n->pending = NULL;
	n->pending_end = &n->pending;
}

static void pending_add(struct node *n, bool is_size, uint64_t at, const void *p, size_t len)
{
	struct change *c = mem_resize(NULL, sizeof *c + len);
	*c = (struct change){.is_size = is_size, .at = at, .n = len};
	if (len)
		memcpy(c->bytes, p, len);
	*n->pending_end = c;
	n->pending_end = &c->next;
}

/* --- what happens to every call --- */

/* 0, or the error that the call has to return. SIM_SHORT only where the caller can be short. */
static int begin(struct sim *m, enum sim_call call)
{
	if (m->is_frozen)
		return -EIO;
	m->calls[call]++;
	m->last_call = call;
	if (m->fault.error && m->fault.call == call && ++m->fault.seen >= m->fault.first &&
	    m->fault.seen - m->fault.first < m->fault.count) {
		m->fault.met++;
		return m->fault.error == SIM_SHORT ? SIM_SHORT : -m->fault.error;
	}
	return 0;
}

static void changed(struct sim *m)
{
	m->changes++;
	if (m->on_change)
		m->on_change(m->arg, m);
	if (m->freeze_at && m->changes >= m->freeze_at)
		m->is_frozen = true;
	if (m->freeze_calls && m->last_call == m->freeze_call && --m->freeze_calls == 0)
		m->is_frozen = true;
}

static struct node *node_of(struct sim *m, int fd)
{
	assert(fd >= FD_BASE && (size_t)(fd - FD_BASE) < m->n_fds && m->fds[fd - FD_BASE]);
	return m->fds[fd - FD_BASE];
}

static int open_node(struct sim *m, struct node *n)
{
	size_t i = 0;
	while (i < m->n_fds && m->fds[i])
		i++;
	if (i == m->n_fds) {
		m->fds = mem_resize(m->fds, ++m->n_fds * sizeof(struct node *));
	}
	m->fds[i] = n;
	n->fds++;
	return FD_BASE + (int)i;
}

static void forget_if_gone(struct sim *m, struct node *n)
{
	if (!n->links && !n->fds)
		m->used -= n->now.n;
}

static void name_change(struct sim *m, struct node *dir, const char *name, struct node *node)
{
	struct entry *old = entry_find(&dir->names, name);
	struct node *before = old ? old->node : NULL;
	if (node)
		node->links++;
	entry_set(&dir->names, name, node);
	entry_append(&dir->pending_names, name, node);
	if (before && --before->links == 0)
		forget_if_gone(m, before);
}

/* --- the table --- */

static struct node *walk(struct sim *m, struct node *from, const char *path, struct node **parent,
			 char last[SIM_PATH_MAX])
{
	char copy[SIM_PATH_MAX], *rest = copy, *part;
	struct node *at = from;
	snprintf(copy, sizeof copy, "%s", path);
	*parent = at;
	last[0] = '\0';
	while (at && (part = strsep(&rest, "/"))) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		struct entry *e = entry_find(&at->names, part);
		*parent = at;
		strcpy(last, part);
		at = e ? e->node : NULL;
	}
	return at;
}

static int sim_open_dir(void *self, int at, const char *name, bool *created)
{
	struct sim *m = self;
	char last[SIM_PATH_MAX];
	struct node *parent;
	int rc = begin(m, SIM_OPEN_DIR);
	if (rc)
		return rc;
	struct node *dir = walk(m, at < 0 ? m->top : node_of(m, at), name, &parent, last);
	if (created)
		*created = false;
	if (!dir && created) {
		dir = node_new(m, true);
		name_change(m, parent, last, dir);
		*created = true;
		changed(m);
	}
	return dir ? open_node(m, dir) : -ENOENT;
}

static int sim_open_file(void *self, int fd, const char *name, enum spool_open how)
{
	struct sim *m = self;
	int rc = begin(m, SIM_OPEN_FILE);
	if (rc)
		return rc;
	struct node *dir = node_of(m, fd);
	struct entry *e = entry_find(&dir->names, name);
	if (e && how == SPOOL_OPEN_CREATE)
		return -EEXIST;
	if (e)
		return open_node(m, e->node);
	if (how == SPOOL_OPEN_READ || how == SPOOL_OPEN_WRITE)
		return -ENOENT;
	struct node *n = node_new(m, false);
	int opened = open_node(m, n);
	name_change(m, dir, name, n);
	changed(m);
	return opened;
}

static void sim_close(void *self, int fd)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	if (n->locked_by == fd)
		n->locked_by = 0;
	m->fds[fd - FD_BASE] = NULL;
	if (--n->fds == 0)
		forget_if_gone(m, n);
}

static int grow(struct sim *m, struct node *n, uint64_t size)
{
	if (size <= n->now.n)
		return 0;
	if (m->used + (size - n->now.n) > m->capacity)
		return -ENOSPC;
	m->used += size - n->now.n;
	bytes_resize(&n->now, (size_t)size);
	return 0;
}

static int64_t sim_write(void *self, int fd, const struct iovec *v, int n, uint64_t at)
{
	struct sim *m = self;
	struct node *node = node_of(m, fd);
	int rc = begin(m, SIM_WRITE);
	if (rc == -EIO && m->is_frozen)
		return rc;
	size_t total = 0, limit;
	for (int i = 0; i < n; i++)
		total += v[i].iov_len;
	/* What fails or is short may have written a part. */
	limit = rc == 0 ? total : (size_t)(draw(m) % total);
	if (rc == SIM_SHORT && limit == 0)
		limit = 1;
	int full = grow(m, node, at + limit);
	if (full)
		return full;
	size_t done = 0;
	for (int i = 0; i < n && done < limit; i++) {
		size_t part = v[i].iov_len < limit - done ? v[i].iov_len : limit - done;
		bytes_put(&node->now, at + done, v[i].iov_base, part);
		done += part;
	}
	if (done) {
		pending_add(node, false, at, node->now.p + at, done);
		changed(m);
	}
	return rc < 0 ? rc : (int64_t)done;
}

static int64_t sim_read(void *self, int fd, void *out, size_t n, uint64_t at, bool may_wait)
{
	struct sim *m = self;
	struct node *node = node_of(m, fd);
	if (!may_wait && m->cold && draw(m) % m->cold == 0)
		return -EAGAIN;
	int rc = begin(m, SIM_READ);
	if (rc < 0)
		return rc;
	if (at >= node->now.n)
		return 0;
	size_t part = node->now.n - at < n ? node->now.n - (size_t)at : n;
	memcpy(out, node->now.p + at, part);
	return (int64_t)part;
}

static int sim_allocate(void *self, int fd, uint64_t size)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	int rc = begin(m, SIM_ALLOCATE);
	if (rc == 0)
		rc = grow(m, n, size);
	if (rc)
		return rc;
	pending_add(n, true, n->now.n, NULL, 0);
	changed(m);
	return 0;
}

static int sim_truncate(void *self, int fd, uint64_t size)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	int rc = begin(m, SIM_TRUNCATE);
	if (rc == 0)
		rc = grow(m, n, size);
	if (rc)
		return rc;
	m->used -= n->now.n - size;
	bytes_resize(&n->now, (size_t)size);
	pending_add(n, true, size, NULL, 0);
	changed(m);
	return 0;
}

/* Applies a change to bytes, sector by sector where `m` draws; NULL: all of it. */
static void apply(struct bytes *to, const struct change *c, struct sim *m, uint64_t *budget)
{
	if (c->is_size) {
		if (!m || (budget ? *budget > 0 : draw(m) & 1))
			bytes_resize(to, (size_t)c->at);
		return;
	}
	for (size_t done = 0, part; done < c->n; done += part) {
		uint64_t at = c->at + done;
		part = SECTOR - (size_t)(at % SECTOR);
		part = part < c->n - done ? part : c->n - done;
		if (budget && *budget == 0)
			return;
		if (budget)
			--*budget;
		if (!m || budget || (draw(m) & 1))
			bytes_put(to, at, c->bytes + done, part);
	}
}

static int sim_sync(void *self, int fd, enum spool_sync site)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	int rc = begin(m, SIM_SYNC);
	if (m->is_frozen)
		return -EIO;
	if (rc == 0)
		m->syncs[site]++;
	if (rc == 0 && site == m->skipped)
		return 0;
	for (struct change *c = n->pending; c; c = c->next)
		apply(&n->durable, c, rc ? m : NULL, NULL);
	pending_clear(n);
	changed(m);
	return rc;
}

static void sim_forget(void *self, int fd)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	if (m->is_frozen || n->pending)
		return;
	m->used -= n->now.n;
	n->now.n = 0;
	copy_bytes(&n->now, &n->durable);
	m->used += n->now.n;
}

static int sim_sync_dir(void *self, int fd, enum spool_sync site)
{
	struct sim *m = self;
	struct node *n = node_of(m, fd);
	int rc = begin(m, SIM_SYNC_DIR);
	if (m->is_frozen)
		return -EIO;
	if (rc == 0)
		m->syncs[site]++;
	if (rc || site == m->skipped)
		return rc; /* a directory's changes stay pending: its journal is still there */
	for (size_t i = 0; i < n->pending_names.n; i++)
		entry_set(&n->durable_names, n->pending_names.items[i].name,
			  n->pending_names.items[i].node);
	n->pending_names.n = 0;
	changed(m);
	return 0;
}

static int sim_rename(void *self, int from, const char *name, int to, const char *new_name)
{
	struct sim *m = self;
	int rc = begin(m, SIM_RENAME);
	if (rc)
		return rc;
	struct entry *e = entry_find(&node_of(m, from)->names, name);
	if (!e)
		return -ENOENT;
	struct node *n = e->node;
	name_change(m, node_of(m, to), new_name, n);
	name_change(m, node_of(m, from), name, NULL);
	changed(m);
	return 0;
}

static int sim_unlink(void *self, int fd, const char *name)
{
	struct sim *m = self;
	int rc = begin(m, SIM_UNLINK);
	if (rc)
		return rc;
	if (!entry_find(&node_of(m, fd)->names, name))
		return -ENOENT;
	name_change(m, node_of(m, fd), name, NULL);
	changed(m);
	return 0;
}

static int sim_list(void *self, int fd, void (*each)(void *arg, const char *name), void *arg)
{
	struct sim *m = self;
	int rc = begin(m, SIM_LIST);
	if (rc)
		return rc;
	const struct entries *e = &node_of(m, fd)->names;
	for (size_t i = 0; i < e->n; i++)
		each(arg, e->items[i].name);
	return 0;
}

static int sim_size(void *self, int fd, uint64_t *out)
{
	struct sim *m = self;
	int rc = begin(m, SIM_SIZE);
	if (rc == 0)
		*out = node_of(m, fd)->now.n;
	return rc;
}

static int sim_lock(void *self, int fd)
{
	struct sim *m = self;
	int rc = begin(m, SIM_LOCK);
	if (rc)
		return rc;
	struct node *n = node_of(m, fd);
	if (n->locked_by && n->locked_by != fd)
		return -EWOULDBLOCK;
	n->locked_by = fd;
	return 0;
}

static int sim_space(void *self, int fd, struct spool_space *out)
{
	struct sim *m = self;
	int rc = begin(m, SIM_SPACE);
	if (rc == 0)
		*out = (struct spool_space){m->capacity - m->used, 1000000};
	return rc;
}

/* --- crashes --- */

static struct node *image_of(struct sim *to, struct node *n, enum sim_crash how)
{
	if (n->copy)
		return n->copy;
	struct node *copy = n->copy = node_new(to, n->is_dir);
	if (!n->is_dir) {
		uint64_t budget = how == SIM_POWER_ALL ? UINT64_MAX : draw(to) % 64;
		copy_bytes(&copy->durable, &n->durable);
		for (struct change *c = n->pending; c && how != SIM_POWER_NOTHING; c = c->next)
			apply(&copy->durable, c, to, how == SIM_POWER_SOME ? NULL : &budget);
		copy_bytes(&copy->now, &copy->durable);
		to->used += copy->now.n;
		return copy;
	}
	for (size_t i = 0; i < n->durable_names.n; i++)
		entry_append(&copy->durable_names, n->durable_names.items[i].name,
			     n->durable_names.items[i].node);
	for (size_t i = 0; i < n->pending_names.n; i++)
		if (how == SIM_POWER_ALL || (how != SIM_POWER_NOTHING && (draw(to) & 1)))
			entry_set(&copy->durable_names, n->pending_names.items[i].name,
				  n->pending_names.items[i].node);
	for (size_t i = 0; i < copy->durable_names.n; i++) {
		struct entry *e = &copy->durable_names.items[i];
		e->node = image_of(to, e->node, how);
		e->node->links++;
		entry_append(&copy->names, e->name, e->node);
	}
	return copy;
}

struct sim *sim_crash(const struct sim *m, enum sim_crash how, uint64_t seed)
{
	struct sim *to = sim_new(seed);
	for (struct node *n = m->all; n; n = n->next)
		n->copy = NULL;
	to->capacity = m->capacity;
	to->top = image_of(to, m->top, how);
	return to;
}

void sim_kill(struct sim *m)
{
	m->is_frozen = false;
	m->freeze_at = m->freeze_calls = 0;
	for (size_t i = 0; i < m->n_fds; i++)
		if (m->fds[i])
			sim_close(m, FD_BASE + (int)i);
}

void sim_freeze_after(struct sim *m, uint64_t n)
{
	m->freeze_at = m->changes + n;
}

void sim_freeze_after_call(struct sim *m, enum sim_call call, uint64_t n)
{
	m->freeze_call = call;
	m->freeze_calls = n;
}

bool sim_is_frozen(const struct sim *m)
{
	return m->is_frozen;
}

void sim_on_change(struct sim *m, void (*fn)(void *arg, struct sim *m), void *arg)
{
	m->on_change = fn;
	m->arg = arg;
}

uint64_t sim_changes(const struct sim *m)
{
	return m->changes;
}

void sim_skip_sync(struct sim *m, enum spool_sync site)
{
	m->skipped = site;
}

uint64_t sim_syncs(const struct sim *m, enum spool_sync site)
{
	return m->syncs[site];
}

/* --- faults --- */

const char *sim_call_name(enum sim_call call)
{
	static const char *const names[SIM_CALLS] = {
		"open_dir", "open_file", "write",  "read", "allocate", "truncate", "sync",
		"sync_dir", "rename",	 "unlink", "list", "size",     "lock",	   "space"};
	return names[call];
}

void sim_fault(struct sim *m, enum sim_call call, unsigned first, unsigned count, int error)
{
	m->fault.call = call;
	m->fault.first = first;
	m->fault.count = count;
	m->fault.error = error;
	m->fault.seen = 0;
	m->fault.met = 0;
}

void sim_fault_clear(struct sim *m)
{
	m->fault.error = 0;
}

uint64_t sim_faults_met(const struct sim *m)
{
	return m->fault.met;
}

uint64_t sim_calls(const struct sim *m, enum sim_call call)
{
	return m->calls[call];
}

void sim_set_capacity(struct sim *m, uint64_t bytes)
{
	m->capacity = bytes;
}

void sim_set_cold(struct sim *m, unsigned one_in)
{
	m->cold = one_in;
}

/* --- hands on the files --- */

void sim_each_file(struct sim *m, const char *path,
		   void (*each)(void *arg, const char *name, uint8_t *bytes, size_t n), void *arg)
{
	char last[SIM_PATH_MAX];
	struct node *parent, *dir = walk(m, m->top, path, &parent, last);
	for (size_t i = 0; dir && i < dir->names.n; i++)
		if (!dir->names.items[i].node->is_dir)
			each(arg, dir->names.items[i].name, dir->names.items[i].node->now.p,
			     dir->names.items[i].node->now.n);
}

void sim_cut_file(struct sim *m, const char *path, const char *name, size_t n)
{
	char last[SIM_PATH_MAX];
	struct node *parent, *dir = walk(m, m->top, path, &parent, last);
	struct entry *e = dir ? entry_find(&dir->names, name) : NULL;
	assert(e && n <= e->node->now.n);
	m->used -= e->node->now.n - n;
	bytes_resize(&e->node->now, n);
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *m = mem_new(struct sim);
	m->io = (struct spool_io){
		.self = m,
		.open_dir = sim_open_dir,
		.open_file = sim_open_file,
		.close = sim_close,
		.write = sim_write,
		.read = sim_read,
		.allocate = sim_allocate,
		.truncate = sim_truncate,
		.sync = sim_sync,
		.sync_dir = sim_sync_dir,
		.forget = sim_forget,
		.rename = sim_rename,
		.unlink = sim_unlink,
		.list = sim_list,
		.size = sim_size,
		.lock = sim_lock,
		.space = sim_space,
	};
	m->random = seed;
	m->skipped = SYNC_SITES;
	m->capacity = (uint64_t)1 << 40;
	m->top = node_new(m, true);
	m->top->links = 1;
	return m;
}

void sim_free(struct sim *m)
{
	if (!m)
		return;
	for (struct node *n = m->all, *next; n; n = next) {
		next = n->next;
		pending_clear(n);
		free(n->now.p);
		free(n->durable.p);
		free(n->names.items);
		free(n->durable_names.items);
		free(n->pending_names.items);
		free(n);
	}
	free(m->fds);
	free(m);
}

const struct spool_io *sim_io(struct sim *m)
{
	return &m->io;
}
