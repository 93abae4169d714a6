/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `meta` part of records: a message with its envelope, and notes on its later life. Pure and bounded:
 * decoding fails on anything that does not fit, and never allocates more than a small multiple of its input.
 *
 * meta of ACCEPTED and COPIED: u32 n, then n bytes `base` (content, envelope), which never change while the
 * message lives, then u32 count and that many notes, then up to 7 zeros.
 */
#pragma once

#include "spool/spool.h"
#include "spool/wire.h"

#define SPOOL_DROPS_MAX  1000 /* ranges left out of one body */
#define SPOOL_RCPTS_MAX  100000
#define SPOOL_REPLY_MAX  1000 /* bytes of last_reply and hold_reason that are kept */

struct spool_content {
	uint64_t size;       /* of the message: prefix and what is kept of the body */
	uint32_t n_rcpts;
	bool is_large;       /* the body stands in large/<id>; only the prefix in the record */
	uint64_t file_size;  /* as received, nothing dropped */
	uint64_t file_sum;   /* XXH3, seed 0 */
	uint32_t n_kept;
	/* (from, to) pairs of u64 in the file that belong to the message, undecoded; ascending */
	const uint8_t *kept;
};
struct spool_range content_kept(const struct spool_content *c, uint32_t i);

void content_encode(struct pen *w, const struct spool_content *c, const struct spool_range *kept);
void envelope_encode(struct pen *w, const struct spool_envelope *e);

struct message_meta {
	struct spool_content content;
	struct str base;     /* content and envelope as they stand in the record */
	struct str envelope; /* for envelope_decode */
	uint32_t n_notes;
	struct eye notes;    /* for meta_next_note */
};
bool meta_decode(struct str meta, struct message_meta *out);
/* False at the end or when it is damaged (r->is_bad). */
bool meta_next_note(struct eye *r, struct str *payload);
/* Slices of the result point into `bytes`; the recipients come from the arena. */
bool envelope_decode(struct str bytes, struct arena *arena, struct spool_envelope *out);

enum note_kind { NOTE_RCPT = 1, NOTE_HOLD, NOTE_SENDING };
struct note_view {
	enum note_kind kind;
	uint32_t rcpt;            /* NOTE_RCPT */
	struct spool_rcpt state;  /* NOTE_RCPT: state, cause, attempts, next_attempt, last_reply */
	bool is_on_hold;          /* NOTE_HOLD */
	struct str reason;        /* NOTE_HOLD */
};
void note_encode(struct pen *w, const struct note_view *note);
bool note_decode(struct str payload, struct note_view *out);
/* Puts what the note says into a decoded envelope; false: it speaks of a recipient that is not there. */
bool note_apply(const struct note_view *note, struct spool_envelope *e);
