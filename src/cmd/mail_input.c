/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a message in pieces. */
#include "cmd/mail_input.h"

#include <errno.h>
#include <stdlib.h>

#include "auth/dkim_base64.h"
#include "auth/dkim_fields.h"
#include "base/mem.h"
#include "cmd/batch.h"

#define PIECE    65536
#define MOST     (DKIM_HEADER_MAX + 2 * PIECE) /* kept of a message whose header never ends */

/* A file without names of fields and a text that is none end alike: at the first empty line, or nowhere. */
static bool header_is_whole(struct mail_input *m)
{
	struct header_scan scan;
	struct header_field f;

	header_scan_init(&scan, buf_view(&m->header));
	while (header_scan_next(&scan, &f))
		;
	if (!scan.has_body || scan.body == m->header.n) /* a line end may be cut in two */
		return false;
	m->body_head = str_skip(buf_view(&m->header), scan.body);
	return true;
}

static bool input_begin(struct mail_input *m, struct err *err)
{
	bool is_whole = false;
	size_t n;

	buf_init(&m->header, MOST);
	while (!is_whole && m->header.n < DKIM_HEADER_MAX + PIECE) {
		char *room = buf_reserve(&m->header, PIECE);
		n = room ? fread(room, 1, PIECE, m->file) : 0;
		if (n == 0)
			break;
		buf_added(&m->header, n);
		is_whole = header_is_whole(m);
	}
	if (!is_whole)
		m->body_head = STR_NONE;
	return !ferror(m->file) || err_perm(err, CAUSE_LOCAL_ERROR, "%s", strerror(errno));
}

/* Somebody took the wrong file: true says so. Zero bytes stand in no mail, and in most other files. */
static bool input_is_odd(const struct mail_input *m, struct err *err)
{
	size_t zeros = 0;

	for (size_t i = 0; i < m->header.n && i < 4096; i++)
		zeros += m->header.p[i] == '\0';
	if (m->header.n == 0)
		(void)err_perm(err, CAUSE_PROTOCOL, "empty; a message with its header is needed, as it was received");
	else if (zeros > 8)
		(void)err_perm(err, CAUSE_PROTOCOL, "this is no mail; a message as it was received (.eml) is needed");
	return m->header.n == 0 || zeros > 8;
}

static bool file_open(struct mail_input *m, struct arena *arena, const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;

	*m = (struct mail_input){.arena = arena, .file = is_stdin ? stdin : fopen(path, "re")};
	if (!m->file)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	if (input_begin(m, err))
		return true;
	mail_input_close(m);
	return err_context(err, "%s", is_stdin ? "standard input" : path);
}

bool mail_input_open(struct mail_input *m, struct arena *arena, const char *path, struct err *err)
{
	if (!file_open(m, arena, path, err))
		return false;
	if (!input_is_odd(m, err))
		return true;
	mail_input_close(m);
	return err_context(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
}

bool mail_input_line(struct mail_input *m, struct arena *arena, const json_t *line, struct err *err)
{
	struct str path = batch_text(line, "message"), text = batch_text(line, "message_b64"), bytes = STR_NONE;
	struct header_scan scan;
	struct header_field f;

	*m = (struct mail_input){.arena = arena};
	if (path.n > 0)
		return file_open(m, arena, arena_cstr(arena, path), err); /* a batch may hold anything */
	if (!json_is_string(json_object_get(line, "message_b64")))
		return err_perm(err, CAUSE_PROTOCOL, "message: a path is needed, or message_b64");
	if (text.n > 0 && !dkim_base64_decode(arena, text, &bytes))
		return err_perm(err, CAUSE_PROTOCOL, "message_b64 is not base64");
	buf_init(&m->header, bytes.n + 1);
	buf_str(&m->header, bytes);
	header_scan_init(&scan, buf_view(&m->header));
	while (header_scan_next(&scan, &f))
		;
	m->body_head = scan.has_body ? str_skip(buf_view(&m->header), scan.body) : STR_NONE;
	return true;
}

void mail_input_close(struct mail_input *m)
{
	if (m->file && m->file != stdin)
		fclose(m->file);
	buf_done(&m->header);
	*m = (struct mail_input){0};
}

struct str mail_input_header(const struct mail_input *m)
{
	return buf_view(&m->header);
}

bool mail_input_body(struct mail_input *m, struct dkim_bodies *bodies, struct err *err)
{
	char *piece = m->file ? mem_alloc(PIECE) : NULL;
	size_t n;

	dkim_bodies_push(bodies, m->body_head);
	while (m->file && (n = fread(piece, 1, PIECE, m->file)) > 0)
		dkim_bodies_push(bodies, (struct str){piece, n});
	dkim_bodies_finish(bodies);
	free(piece);
	return !m->file || !ferror(m->file) ||
	       err_perm(err, CAUSE_LOCAL_ERROR, "the message cannot be read: %s", strerror(errno));
}
