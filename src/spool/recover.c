/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads all segments at start and folds them into the index. */
#include "spool/recover.h"

#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	FINDINGS_MAX = 256 * 1024,
	PATH_MAX_ = 4096,
	/* A few bad sectors are damage, and mail goes on without them. More is a disk that cannot
	 * be read now, and says nothing about the messages on it. */
	UNREADABLE_MAX = 16,
};

bool spool_failed(struct err *err, int error, const char *what)
{
	const char *why = strerrordesc_np(-error);
	return err_temp(err, CAUSE_STORAGE, "cannot %s: %s", what, why ? why : "unknown error");
}

/* --- the folders --- */

static int sync_parent(const struct spool_io *io, const char *path)
{
	char parent[PATH_MAX_];
	size_t n = strlen(path);
	if (n >= sizeof parent)
		return -ENAMETOOLONG;
	memcpy(parent, path, n + 1);
	while (n > 1 && parent[n - 1] == '/')
		parent[--n] = '\0';
	char *slash = strrchr(parent, '/');
	if (!slash)
		strcpy(parent, ".");
	else
		slash[slash == parent] = '\0';
	int fd = io->open_dir(io->self, -1, parent, NULL);
	if (fd < 0)
		return fd;
	int rc = io->sync_dir(io->self, fd, SYNC_PARENT_DIR);
	io->close(io->self, fd);
	return rc;
}

static int open_folder(const struct spool_io *io, int at, const char *name, bool may_make,
		       bool *made)
{
	bool created = false;
	int fd = io->open_dir(io->self, at, name, may_make ? &created : NULL);
	*made |= created;
	return fd;
}

bool spool_dirs_open(const struct spool_io *io, const char *path, bool is_read_only,
		     struct spool_dirs *out, struct err *err)
{
	static const char *const names[] = {"segments", "large", "incoming", "damaged"};
	struct spool_dirs d = {-1, -1, -1, -1, -1};
	int *const places[] = {&d.segments, &d.large, &d.incoming, &d.damaged};
	bool is_new = false, ignored = false;
	int rc = d.root = open_folder(io, -1, path, !is_read_only, &is_new);
	if (rc >= 0 && is_new)
		rc = sync_parent(io, path);
	for (int i = 0; i < 4 && rc >= 0; i++)
		rc = *places[i] = open_folder(io, d.root, names[i], !is_read_only, &ignored);
	/* Also when nothing was made: who made them may have been killed before this line. */
	if (rc >= 0 && !is_read_only)
		rc = io->sync_dir(io->self, d.root, SYNC_ROOT_DIR);
	if (rc < 0) {
		spool_dirs_close(io, &d);
		spool_failed(err, rc, "open the spool");
		return err_context(err, "%s", path);
	}
	*out = d;
	return true;
}

void spool_dirs_close(const struct spool_io *io, struct spool_dirs *d)
{
	int *const places[] = {&d->segments, &d->large, &d->incoming, &d->damaged, &d->root};
	for (int i = 0; i < 5; i++) {
		if (*places[i] >= 0)
			io->close(io->self, *places[i]);
		*places[i] = -1;
	}
}

/* --- the fold --- */

static void find(struct recovery *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void find(struct recovery *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_vprintf(&r->findings, format, args);
	buf_char(&r->findings, '\n');
	va_end(args);
}

static void damage(struct recovery *r, struct segment *g, uint64_t n)
{
	r->damaged += n;
	g->is_damaged = true;
}

struct fold {
	struct recovery *r;
	struct segment *g;
};

static void forget(struct recovery *r, uint64_t id)
{
	struct message *m = index_remove(&r->index, id);
	if (!m)
		return;
	link_remove(&m->in_segment);
	m->segment->live_bytes -= message_record_size(m);
	message_free(m);
}

static bool fold_message(struct fold *f, const struct record_header *h, struct str bytes)
{
	struct message_meta meta;
	if (!meta_decode(bytes, &meta))
		return false;
	forget(f->r, h->id); /* a copy takes the place of what it is a copy of */
	struct message *m = message_new(h->id, meta.content.n_rcpts);
	m->segment = f->g;
	m->offset = h->offset;
	m->meta_length = h->meta_length;
	m->body_length = h->body_length;
	m->body_sum = h->body_sum;
	m->size = meta.content.size;
	m->is_large = meta.content.is_large;
	struct str payload;
	for (uint32_t i = 0; i < meta.n_notes && meta_next_note(&meta.notes, &payload); i++)
		message_fold(m, payload);
	index_add(&f->r->index, m);
	list_push_back(&f->g->messages, &m->in_segment);
	f->g->live_bytes += message_record_size(m);
	return true;
}

static void fold_record(void *arg, const struct record_header *h, const uint8_t *bytes)
{
	struct fold *f = arg;
	struct str meta = {(const char *)bytes, h->meta_length};
	struct message *m;
	struct note_view ignored;
	bool ok = true;
	if (f->r->seen)
		f->r->seen(f->r->seen_arg, f->g, h, bytes);
	if (h->id > f->r->highest_id)
		f->r->highest_id = h->id;
	switch (h->type) {
	case RECORD_ACCEPTED:
	case RECORD_COPIED:
		ok = fold_message(f, h, meta);
		break;
	case RECORD_NOTE:
		/* Of a message that ended, or whose record is damaged: nothing to change. */
		m = index_get(&f->r->index, h->id);
		ok = m ? message_fold(m, meta) : note_decode(meta, &ignored);
		break;
	case RECORD_DONE:
	case RECORD_CANCELLED:
		forget(f->r, h->id);
		break;
	default:
		break;
	}
	if (!ok) {
		damage(f->r, f->g, 1);
		find(f->r, "segment %" PRIx64 ": record at %u makes no sense", f->g->generation,
		     h->offset);
	}
}

/* --- the segments --- */

struct found {
	struct segment *segment;
	struct segment_header header;
	bool has_header;
	struct seal seal; /* as a later segment has it */
};
struct listing {
	uint64_t *items;
	size_t n;
	struct buf *leftovers; /* names, each with its NUL */
};

static void list_segment(void *arg, const char *name)
{
	struct listing *l = arg;
	uint64_t generation;
	if (segment_name_parse(name, &generation)) {
		l->items = mem_resize(l->items, (l->n + 1) * sizeof *l->items);
		l->items[l->n++] = generation;
	} else if (str_ends(str_from(name), STR(".new")) ||
		   str_starts(str_from(name), STR(SEGMENT_SPARE))) {
		buf_add(l->leftovers, name, strlen(name) + 1);
	}
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void unlink_all(struct recovery *r, int dir, const struct buf *names)
{
	for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1)
		r->io->unlink(r->io->self, dir, names->p + at);
}

/* Each header says where the one before ends. */
static void seal_all(struct recovery *r, struct found *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct segment_header *h = &all[i].header;
		if (!all[i].has_header || h->previous == 0)
			continue;
		size_t p = i;
		while (p > 0 && all[p].header.generation != h->previous)
			p--;
		if (p < i && all[p].header.generation == h->previous) {
			all[p].seal = (struct seal){h->previous_end, h->previous_torn};
		} else if (h->previous > all[0].segment->generation) {
			r->damaged++;
			find(r, "segment %" PRIx64 " is missing", h->previous);
		}
	}
}

/* Beside a running daemon: it was emptied while we read it, and its file may hold other records
 * now. */
static bool has_gone(struct recovery *r, const struct segment *g)
{
	char name[SEGMENT_NAME_MAX];
	if (!r->is_read_only)
		return false;
	segment_name(g->generation, "seg", name);
	int fd = r->io->open_file(r->io->self, r->dirs.segments, name, SPOOL_OPEN_READ);
	if (fd >= 0)
		r->io->close(r->io->self, fd);
	return fd == -ENOENT;
}

static void scan_one(struct recovery *r, struct found *f, bool is_newest)
{
	struct scan_result result;
	struct segment *g = f->segment;
	if (is_newest) {
		r->previous = g->generation;
		r->previous_end = r->previous_torn = SEGMENT_DATA;
	}
	if (!f->has_header) {
		if (has_gone(r, g))
			return;
		damage(r, g, 1);
		find(r, "segment %" PRIx64 ": both headers are damaged", g->generation);
		return;
	}
	if (is_newest && g->size < f->header.size) {
		damage(r, g, 1);
		find(r, "segment %" PRIx64 " was cut short", g->generation);
	}
	segment_scan(g, f->seal, fold_record, &(struct fold){r, g}, &result);
	r->unreadable_pages += result.unreadable_pages;
	g->used = f->seal.end ? f->seal.end : result.end;
	if ((result.damaged || result.is_torn) && has_gone(r, g))
		return;
	if (result.damaged) {
		damage(r, g, result.damaged);
		find(r, "segment %" PRIx64 ": %" PRIu64 " damaged places", g->generation,
		     result.damaged);
	}
	if (result.is_torn && !f->seal.end) {
		r->torn++;
		find(r, "segment %" PRIx64 " ends torn at %u", g->generation, result.end);
	}
	if (is_newest) {
		r->previous_end = result.end;
		r->previous_torn = result.torn;
	}
}

static bool open_all(struct recovery *r, const struct listing *l, struct found *all,
		     struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		bool is_newest = i + 1 == l->n;
		int rc = segment_open(r->io, &r->dirs, l->items[i], is_newest && !r->is_read_only,
				      &all[i].header, &all[i].has_header, &all[i].segment);
		if (rc == -ENOENT && r->is_read_only)
			continue; /* the daemon was faster */
		if (rc < 0)
			return spool_failed(err, rc, "open a segment");
		list_push_back(&r->segments, &all[i].segment->link);
		r->n_segments++;
		all[i].header.generation = l->items[i];
		if (all[i].has_header && all[i].header.format > SEGMENT_FORMAT)
			return err_perm(err, CAUSE_STORAGE,
					"the spool was written by a later version");
	}
	return true;
}

/* What a killed process left in the page cache is about to be believed: it must be on the disk. And
 * where a sync had failed, the kernel calls pages clean that never got there: they must be read
 * anew. */
static bool make_true(struct recovery *r, struct segment *newest, struct err *err)
{
	int rc = r->io->sync(r->io->self, newest->fd, SYNC_RECOVER_DATA);
	if (rc < 0)
		return spool_failed(err, rc, "sync the newest segment");
	r->io->forget(r->io->self, newest->fd);
	return true;
}

static bool fold_segments(struct recovery *r, const struct listing *l, struct err *err)
{
	auto_free struct found *all = mem_alloc((l->n + 1) * sizeof *all);
	if (!open_all(r, l, all, err))
		return false;
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++)
		if (all[i].segment)
			all[n++] = all[i];
	if (n > 0 && !r->is_read_only && !make_true(r, all[n - 1].segment, err))
		return false;
	seal_all(r, all, n);
	for (size_t i = 0; i < n; i++) {
		scan_one(r, &all[i], i + 1 == n);
		if (r->unreadable_pages > UNREADABLE_MAX && !r->is_read_only)
			return spool_failed(err, -EIO, "read the segments");
	}
	if (n > 0)
		r->last_generation = all[n - 1].segment->generation;
	return true;
}

/* --- bodies with files of their own --- */

struct large {
	struct recovery *r;
	struct buf orphans;
	uint64_t *seen;
	size_t n;
};

static void list_large(void *arg, const char *name)
{
	struct large *l = arg;
	struct spool_id id;
	struct message *m =
		spool_id_parse(str_from(name), &id) ? index_get(&l->r->index, id.n) : NULL;
	if (!m || !m->is_large) {
		buf_add(&l->orphans, name, strlen(name) + 1);
		return;
	}
	l->seen = mem_resize(l->seen, (l->n + 1) * sizeof *l->seen);
	l->seen[l->n++] = id.n;
}

static bool has_its_size(struct recovery *r, const struct message *m)
{
	char name[SPOOL_ID_MAX];
	uint64_t size = 0;
	struct message_meta meta;
	spool_id_text((struct spool_id){m->id}, name);
	auto_free char *bytes = mem_alloc(m->meta_length);
	int fd = r->io->open_file(r->io->self, r->dirs.large, name, SPOOL_OPEN_READ);
	/* The file is there: should it or the record be unreadable now, reading the message will
	 * say so. */
	if (fd < 0)
		return true;
	int rc = r->io->size(r->io->self, fd, &size);
	r->io->close(r->io->self, fd);
	return rc < 0 ||
	       io_read_all(r->io, m->segment->fd, bytes, m->meta_length,
			   m->offset + RECORD_HEADER) < 0 ||
	       !meta_decode((struct str){bytes, m->meta_length}, &meta) ||
	       meta.content.file_size == size;
}

static void check_large(struct recovery *r, const struct large *l)
{
	auto_free struct message **all = index_sorted(&r->index);
	size_t n = r->index.n;
	for (size_t i = 0; i < n; i++) {
		struct message *m = all[i];
		if (!m->is_large ||
		    (l->n && bsearch(&m->id, l->seen, l->n, sizeof *l->seen, ascending) &&
		     has_its_size(r, m)))
			continue;
		char id[SPOOL_ID_MAX];
		find(r, "message %s: its body is missing or cut short",
		     spool_id_text((struct spool_id){m->id}, id).p);
		damage(r, m->segment, 1);
		forget(r, m->id);
	}
}

/* A file without a record was never acknowledged, or its message has ended. But where records are
 * damaged it may be all that is left of a message: then it is kept aside. */
static void clear_orphans(struct recovery *r, const struct buf *names)
{
	if (!r->damaged) {
		unlink_all(r, r->dirs.large, names);
		return;
	}
	for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
		find(r, "body %s belongs to no record; kept in damaged/", names->p + at);
		r->io->rename(r->io->self, r->dirs.large, names->p + at, r->dirs.damaged,
			      names->p + at);
	}
}

static bool recover_large(struct recovery *r, struct err *err)
{
	struct large l = {.r = r, .orphans.max = SIZE_MAX};
	int rc = r->io->list(r->io->self, r->dirs.large, list_large, &l);
	if (rc == 0) {
		if (l.n)
			qsort(l.seen, l.n, sizeof *l.seen, ascending);
		check_large(r, &l);
		if (!r->is_read_only)
			clear_orphans(r, &l.orphans);
	}
	buf_done(&l.orphans);
	free(l.seen);
	return rc == 0 || spool_failed(err, rc, "list large/");
}

static void list_name(void *arg, const char *name)
{
	buf_add(arg, name, strlen(name) + 1);
}

static bool recover_segments(struct recovery *r, struct buf *leftovers, struct err *err)
{
	struct listing l = {.leftovers = leftovers};
	int rc = r->io->list(r->io->self, r->dirs.segments, list_segment, &l);
	if (l.n)
		qsort(l.items, l.n, sizeof *l.items, ascending);
	bool ok = rc == 0 ? fold_segments(r, &l, err) : spool_failed(err, rc, "list segments/");
	free(l.items);
	if (!ok || r->is_read_only)
		return ok;
	rc = r->io->sync_dir(r->io->self, r->dirs.segments, SYNC_RECOVER_DIR);
	return rc == 0 || spool_failed(err, rc, "sync segments/");
}

bool recover(struct recovery *r, struct err *err)
{
	auto_buf struct buf leftovers = {.max = SIZE_MAX}, incoming = {.max = SIZE_MAX};
	list_init(&r->segments);
	buf_init(&r->findings, FINDINGS_MAX);
	if (!recover_segments(r, &leftovers, err) || !recover_large(r, err))
		return false;
	if (r->is_read_only)
		return true;
	unlink_all(r, r->dirs.segments, &leftovers);
	if (r->io->list(r->io->self, r->dirs.incoming, list_name, &incoming) == 0)
		unlink_all(r, r->dirs.incoming, &incoming);
	return true;
}

void recovery_done(struct recovery *r)
{
	index_done(&r->index);
	list_each(it, &r->segments)
	{
		link_remove(it);
		segment_unref(container_of(it, struct segment, link));
	}
	buf_done(&r->findings);
}
