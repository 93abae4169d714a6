/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a record; a message that can be read is written back the same from then on. */
#include "fuzz.h"
#include "spool/message_format.h"
#include "spool/record.h"

static struct str encode(const struct spool_envelope *e, struct buf *out)
{
	struct pen w = {NULL, 0};
	envelope_encode(&w, e);
	w = (struct pen){(uint8_t *)buf_reserve(out, w.n), 0};
	envelope_encode(&w, e);
	buf_added(out, w.n);
	return buf_view(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 1 << 24};
	auto_buf struct buf once = {.max = 1 << 24}, twice = {.max = 1 << 24};
	struct message_meta meta;
	struct spool_envelope e, again;
	struct note_view note = {0};
	struct str payload = fuzz_str(data, size);
	note_decode(payload, &note);
	if (size >= RECORD_HEADER)
		record_header_decode(data, 0, SEGMENT_DATA, &(struct record_header){0});
	if (size >= SEGMENT_HEADER)
		segment_header_decode(data, &(struct segment_header){0});
	if (!meta_decode(payload, &meta) || !envelope_decode(meta.envelope, &arena, &e))
		return 0;
	for (uint32_t i = 0; i < meta.n_notes && meta_next_note(&meta.notes, &payload); i++)
		if (note_decode(payload, &note))
			note_apply(&note, &e);
	assert(envelope_decode(encode(&e, &once), &arena, &again));
	assert(str_eq(buf_view(&once), encode(&again, &twice)));
	return 0;
}
