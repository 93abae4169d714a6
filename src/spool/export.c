/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes live messages out of a spool, as files that any mail program reads. */
#include "base/auto.h"
#include "base/mem.h"
#include "spool/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { EXPORT_CHUNK = 64 * 1024, PATH_BYTES = 4096 };

static bool export_failed(struct err *err, const char *path)
{
	return err_temp(err, CAUSE_STORAGE, "cannot write %s: %s", path, strerrordesc_np(errno));
}

static bool write_all(int fd, const void *bytes, size_t n)
{
	for (const char *p = bytes; n > 0;) {
		ssize_t rc = write(fd, p, n);
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return false;
		p += rc;
		n -= (size_t)rc;
	}
	return true;
}

static int make(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* What can be read of a damaged message is worth having too, under a name that says so. */
static bool export_body(const struct stored *m, const char *to, const char *id, struct err *err)
{
	char path[PATH_BYTES];
	bool is_whole = stored_check(m) == 0;
	snprintf(path, sizeof path, "%s/%s%s.eml", to, id, is_whole ? "" : ".damaged");
	auto_close int fd = make(path);
	auto_free char *chunk = mem_resize(NULL, EXPORT_CHUNK);
	if (fd < 0)
		return export_failed(err, path);
	int64_t got;
	for (uint64_t at = 0; (got = stored_read(m, at, chunk, EXPORT_CHUNK)) > 0;
	     at += (uint64_t)got)
		if (!write_all(fd, chunk, (size_t)got))
			return export_failed(err, path);
	return got == 0 || !is_whole || spool_failed(err, (int)got, "read the spool");
}

static void add_text(struct buf *b, const char *key, struct str value)
{
	buf_printf(b, "\"%s\":", key);
	buf_json(b, value);
	buf_char(b, ',');
}

static void add_rcpt(struct buf *b, const struct spool_rcpt *r)
{
	static const char *const states[] = {"queued", "deferred", "delivered", "failed",
					     "failed_kept"};
	char at[WALL_FORMAT_MAX];
	buf_char(b, '{');
	add_text(b, "address", r->address);
	add_text(b, "orcpt", r->orcpt);
	add_text(b, "last_reply", r->last_reply);
	add_text(b, "next_attempt",
		 r->next_attempt.us ? wall_rfc3339(r->next_attempt, at) : STR(""));
	buf_printf(b, "\"notify\":%u,\"attempts\":%u,\"state\":\"%s\"}", r->notify, r->attempts,
		   states[r->state]);
}

static void envelope_json(struct buf *b, const char *id, const struct spool_envelope *e)
{
	char at[WALL_FORMAT_MAX], ip[IP_TEXT_MAX];
	buf_char(b, '{');
	add_text(b, "id", str_from(id));
	add_text(b, "sender", e->sender);
	add_text(b, "envid", e->envid);
	add_text(b, "helo", e->helo);
	add_text(b, "client", e->client.family ? ip_text(e->client, ip) : STR(""));
	add_text(b, "accepted", wall_rfc3339(e->accepted, at));
	add_text(b, "hold_reason", e->hold_reason);
	buf_printf(b,
		   "\"on_hold\":%s,\"smtputf8\":%s,\"sending\":%s,\"ret\":%u,\"body\":%u,"
		   "\"recipients\":[",
		   e->is_on_hold ? "true" : "false", e->smtputf8 ? "true" : "false",
		   e->is_sending ? "true" : "false", e->ret, e->body);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		if (i)
			buf_char(b, ',');
		add_rcpt(b, &e->rcpts[i]);
	}
	buf_str(b, STR("],"));
	/* As text: it is JSON of its own, with limits of its own. */
	buf_str(b, STR("\"trail\":"));
	buf_json(b, e->trail);
	buf_str(b, STR("}\n"));
}

static bool export_envelope(struct message *m, const struct stored *stored, const char *to,
			    const char *id, struct err *err)
{
	char path[PATH_BYTES];
	struct message_meta meta;
	struct spool_envelope e;
	auto_arena struct arena arena;
	auto_buf struct buf json = {.max = SIZE_MAX};
	arena_init(&arena, SIZE_MAX);
	uint8_t *record = arena_alloc(&arena, stored_meta_size(stored));
	int rc = stored_meta(stored, record, true, &meta);
	if (rc < 0 || !envelope_decode(meta.envelope, &arena, &e))
		return spool_failed(err, rc < 0 ? rc : -EBADMSG, "read an envelope");
	message_apply_notes(m, &arena, &e);
	envelope_json(&json, id, &e);
	snprintf(path, sizeof path, "%s/%s.json", to, id);
	auto_close int fd = make(path);
	return (fd >= 0 && write_all(fd, json.p, json.n)) || export_failed(err, path);
}

static bool export_live(struct recovery *r, const char *to, const struct spool_id *only,
			uint64_t *written, struct err *err)
{
	auto_free struct message **all = index_sorted(&r->index);
	char id[SPOOL_ID_MAX];
	uint64_t n = 0;
	for (size_t i = 0; i < r->index.n; i++) {
		struct stored stored = stored_of(all[i], r->io, &r->dirs);
		if (only && only->n != all[i]->id)
			continue;
		spool_id_text((struct spool_id){all[i]->id}, id);
		if (!export_body(&stored, to, id, err) ||
		    !export_envelope(all[i], &stored, to, id, err))
			return err_context(err, "message %s", id);
		n++;
	}
	if (only && n == 0)
		return err_perm(err, CAUSE_NONE, "no message %s in the spool",
				spool_id_text(*only, id).p);
	*written = n;
	return true;
}

bool spool_export(const char *directory, const char *to, const struct spool_id *only,
		  uint64_t *written, struct err *err)
{
	struct recovery r = {.io = &spool_io_posix, .is_read_only = true};
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		return export_failed(err, to);
	if (!spool_dirs_open(r.io, directory, true, &r.dirs, err))
		return false;
	bool ok = recover(&r, err) && export_live(&r, to, only, written, err);
	recovery_done(&r);
	spool_dirs_close(r.io, &r.dirs);
	return ok;
}
