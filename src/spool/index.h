/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the spool knows in memory about each live message: where its record stands, and what has become of
 * its recipients since. The envelope is read from disk when somebody asks for it.
 *
 * About 130 bytes a message, and the notes: one for each recipient that was tried and not done.
 * Belongs to the loop thread (to recovery while that runs).
 */
#pragma once

#include "base/list.h"
#include "spool/message_format.h"
#include "spool/record.h"

struct segment;

struct note {
	uint32_t n;
	uint8_t bytes[]; /* as note_encode made them */
};

struct message {
	uint64_t id;
	struct link in_segment; /* among the live messages of `segment` */
	struct segment *segment;
	uint32_t offset, meta_length, body_length;
	uint32_t n_rcpts;
	uint64_t size, body_sum;
	struct note **notes; /* the latest for each recipient; NULL until the first */
	struct note *hold;   /* NULL: as accepted */
	bool is_large, is_sending;
};
/* Bytes of its record. */
static inline uint64_t message_record_size(const struct message *m)
{
	return (uint64_t)RECORD_HEADER + m->meta_length + m->body_length;
}

struct message *message_new(uint64_t id, uint32_t n_rcpts);
void message_free(struct message *m); /* in no list and no index any more */
/* Keeps a note (bytes of one note, checked); false: it makes no sense. */
bool message_fold(struct message *m, struct str payload);
/* All that was folded, as meta has it: count and notes. */
void message_encode_notes(const struct message *m, struct pen *w);
/* Brings a decoded envelope up to date; texts are copied into the arena. */
void message_apply_notes(const struct message *m, struct arena *arena, struct spool_envelope *e);

/* A hash table of messages by id. */
struct index {
	struct message **slots;
	size_t n, capacity;
};
void index_done(struct index *x); /* frees the messages too */
struct message *index_get(const struct index *x, uint64_t id);
void index_add(struct index *x, struct message *m); /* the id is not there yet */
struct message *index_remove(struct index *x, uint64_t id); /* the caller frees it */
/* All, oldest id first; the caller frees the array. */
struct message **index_sorted(const struct index *x);
