/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks into a spool without the daemon: every record in plain words, and whether it is whole. */
#include "base/auto.h"
#include "spool/inside.h"

#include <inttypes.h>

struct inspection {
	bool check_only;
	void (*put)(void *arg, struct str line);
	void *arg;
	const struct segment *segment;
	uint64_t records;
	struct buf line;
};

static void line_end(struct inspection *i)
{
	i->put(i->arg, buf_view(&i->line));
	buf_clear(&i->line);
}

static const char *rcpt_state_name(enum rcpt_state state)
{
	static const char *const names[] = {"queued", "deferred", "delivered", "failed",
					    "failed_kept"};
	return names[state];
}

static void print_note(struct buf *b, struct str payload)
{
	struct note_view note;
	if (!note_decode(payload, &note)) {
		buf_str(b, STR(" makes no sense"));
		return;
	}
	switch (note.kind) {
	case NOTE_RCPT:
		buf_printf(b, " recipient %u %s, attempts %u: ", note.rcpt,
			   rcpt_state_name(note.state.state), note.state.attempts);
		buf_escaped(b, note.state.last_reply);
		break;
	case NOTE_HOLD:
		buf_str(b, note.is_on_hold ? STR(" on hold: ") : STR(" released "));
		buf_escaped(b, note.reason);
		break;
	case NOTE_SENDING:
		buf_str(b, STR(" final dot sent"));
		break;
	}
}

static void print_message(struct buf *b, struct str bytes)
{
	struct message_meta meta;
	struct spool_envelope e;
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	if (!meta_decode(bytes, &meta) || !envelope_decode(meta.envelope, &arena, &e)) {
		buf_str(b, STR(" makes no sense"));
		return;
	}
	buf_printf(b, " %" PRIu64 " bytes%s, from <", meta.content.size,
		   meta.content.is_large ? " in a file of its own" : "");
	buf_escaped(b, e.sender);
	buf_printf(b, ">, %zu recipients, %u notes", e.n_rcpts, meta.n_notes);
}

static void print_record(void *arg, const struct segment *g, const struct record_header *h,
			 const uint8_t *bytes)
{
	struct inspection *i = arg;
	struct str meta = {(const char *)bytes, h->meta_length};
	char id[SPOOL_ID_MAX];
	i->records++;
	if (i->check_only)
		return;
	if (i->segment != g) {
		buf_printf(&i->line, "segment %016" PRIx64, g->generation);
		line_end(i);
		i->segment = g;
	}
	buf_printf(&i->line, "  %10u %-9s", h->offset, record_type_name(h->type));
	if (h->type != RECORD_END)
		buf_printf(&i->line, " %s", spool_id_text((struct spool_id){h->id}, id).p);
	if (h->type == RECORD_NOTE)
		print_note(&i->line, meta);
	else if (h->type == RECORD_ACCEPTED || h->type == RECORD_COPIED)
		print_message(&i->line, meta);
	line_end(i);
}

static void print_live(struct inspection *i, const struct recovery *r, struct message *m)
{
	struct stored stored = stored_of(m, r->io, &r->dirs);
	struct message_meta meta;
	struct spool_envelope e;
	char id[SPOOL_ID_MAX];
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	uint8_t *record = arena_alloc(&arena, stored_meta_size(&stored));
	buf_printf(&i->line, "live %s %" PRIu64 " bytes",
		   spool_id_text((struct spool_id){m->id}, id).p, m->size);
	if (stored_meta(&stored, record, true, &meta) == 0 &&
	    envelope_decode(meta.envelope, &arena, &e)) {
		message_apply_notes(m, &arena, &e);
		buf_str(&i->line, STR(" from <"));
		buf_escaped(&i->line, e.sender);
		buf_printf(&i->line, ">%s", e.is_on_hold ? ", on hold" : "");
		for (size_t n = 0; n < e.n_rcpts && n < 100; n++) {
			buf_str(&i->line, STR(", <"));
			buf_escaped(&i->line, e.rcpts[n].address);
			buf_printf(&i->line, "> %s", rcpt_state_name(e.rcpts[n].state));
		}
	}
	line_end(i);
}

/* Bodies too: recovery looks at records only. */
static uint64_t check_bodies(struct inspection *i, const struct recovery *r, struct message **all)
{
	uint64_t damaged = 0;
	char id[SPOOL_ID_MAX];
	for (size_t n = 0; n < r->index.n; n++) {
		struct stored stored = stored_of(all[n], r->io, &r->dirs);
		if (!all[n]->is_large || stored_check(&stored) == 0)
			continue;
		damaged++;
		buf_printf(&i->line, "message %s: its body is damaged",
			   spool_id_text((struct spool_id){all[n]->id}, id).p);
		line_end(i);
	}
	return damaged;
}

bool spool_inspect(const char *directory, bool check_only, void (*put)(void *arg, struct str line),
		   void *arg, uint64_t *damaged, struct err *err)
{
	struct inspection i = {.check_only = check_only, .put = put, .arg = arg};
	struct recovery r = {
		.io = &spool_io_posix, .is_read_only = true, .seen = print_record, .seen_arg = &i};
	if (!spool_dirs_open(r.io, directory, true, &r.dirs, err))
		return false;
	buf_init(&i.line, 64 * 1024);
	bool ok = recover(&r, err);
	if (ok) {
		auto_free struct message **all = index_sorted(&r.index);
		struct str rest = buf_view(&r.findings), line;
		while (str_cut(&rest, '\n', &line))
			if (line.n)
				put(arg, line);
		uint64_t bodies = check_bodies(&i, &r, all);
		for (size_t n = 0; n < r.index.n && !check_only; n++)
			print_live(&i, &r, all[n]);
		buf_printf(&i.line,
			   "%u segments, %" PRIu64 " records, %zu live messages, %" PRIu64
			   " damaged places, %" PRIu64 " ends cut off by a crash",
			   r.n_segments, i.records, r.index.n, r.damaged + bodies, r.torn);
		line_end(&i);
		*damaged = r.damaged + bodies;
	}
	recovery_done(&r);
	spool_dirs_close(r.io, &r.dirs);
	buf_done(&i.line);
	return ok;
}
