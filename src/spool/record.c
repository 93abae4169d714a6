/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encodes and decodes the headers of segments and records. */
#include "spool/record.h"

#include "spool/wire.h"

#include <assert.h>

#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

static const char segment_magic[8] = {'P', 'S', 'T', 'N', 'S', 'E', 'G', '\n'};
#define RECORD_MAGIC 0xA5435350u /* "PSC\xA5": not valid UTF-8, rare in mail */

uint64_t record_sum(const void *bytes, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, n, seed);
}

uint64_t record_sum_two(const void *a, size_t n, const void *b, size_t m, uint64_t seed)
{
	if (m == 0)
		return record_sum(a, n, seed);
	if (n == 0)
		return record_sum(b, m, seed);
	XXH3_state_t state;
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSeed(&state, seed);
	XXH3_64bits_update(&state, a, n);
	XXH3_64bits_update(&state, b, m);
	return XXH3_64bits_digest(&state);
}

void segment_header_encode(const struct segment_header *h, uint8_t out[SEGMENT_HEADER])
{
	struct pen w = {out, 0};
	memset(out, 0, SEGMENT_HEADER);
	pen_bytes(&w, segment_magic, sizeof segment_magic);
	pen_u32(&w, h->format);
	pen_u32(&w, h->size);
	pen_u64(&w, h->generation);
	pen_u64(&w, h->nonce);
	pen_u64(&w, h->previous);
	pen_u32(&w, h->previous_end);
	pen_u32(&w, h->previous_torn);
	w.n = SEGMENT_HEADER - 8;
	pen_u64(&w, record_sum(out, SEGMENT_HEADER - 8, 0));
}

bool segment_header_decode(const uint8_t in[SEGMENT_HEADER], struct segment_header *out)
{
	struct eye sum = {in + (SEGMENT_HEADER - 8), 8, false};
	if (memcmp(in, segment_magic, sizeof segment_magic) != 0 ||
	    eye_u64(&sum) != record_sum(in, SEGMENT_HEADER - 8, 0))
		return false;
	struct eye r = {in + sizeof segment_magic, SEGMENT_HEADER - sizeof segment_magic, false};
	out->format = eye_u32(&r);
	out->size = eye_u32(&r);
	out->generation = eye_u64(&r);
	out->nonce = eye_u64(&r);
	out->previous = eye_u64(&r);
	out->previous_end = eye_u32(&r);
	out->previous_torn = eye_u32(&r);
	return true;
}

uint64_t segment_seed(const struct segment_header *h)
{
	return record_sum(&h->nonce, sizeof h->nonce, h->generation);
}

void record_header_encode(const struct record_header *h, uint64_t seed, uint8_t out[RECORD_HEADER])
{
	struct pen w = {out, 0};
	assert(record_size(h) % 8 == 0);
	memset(out, 0, RECORD_HEADER);
	pen_u32(&w, RECORD_MAGIC);
	pen_u32(&w, h->type);
	pen_u32(&w, h->offset);
	pen_u32(&w, h->batch);
	pen_u32(&w, h->meta_length);
	pen_u32(&w, h->body_length);
	pen_u64(&w, h->id);
	pen_u64(&w, h->meta_sum);
	pen_u64(&w, h->body_sum);
	w.n = RECORD_HEADER - 8;
	pen_u64(&w, record_sum(out, RECORD_HEADER - 8, seed));
}

void record_tail_encode(uint32_t offset, uint64_t seed, uint8_t out[RECORD_HEADER])
{
	struct record_header tail = {.type = RECORD_TAIL, .offset = offset, .batch = offset};
	record_header_encode(&tail, seed, out);
}

bool record_header_decode(const uint8_t in[RECORD_HEADER], uint64_t seed, uint32_t offset,
			  struct record_header *out)
{
	struct eye r = {in, RECORD_HEADER, false}, sum = {in + (RECORD_HEADER - 8), 8, false};
	if (eye_u32(&r) != RECORD_MAGIC || eye_u64(&sum) != record_sum(in, RECORD_HEADER - 8, seed))
		return false;
	struct record_header h;
	h.type = eye_u32(&r);
	h.offset = eye_u32(&r);
	h.batch = eye_u32(&r);
	h.meta_length = eye_u32(&r);
	h.body_length = eye_u32(&r);
	h.id = eye_u64(&r);
	h.meta_sum = eye_u64(&r);
	h.body_sum = eye_u64(&r);
	/* A sum that fits was written by us, or by luck or a bug: what follows relies on these. */
	if (h.offset != offset || h.batch > offset || h.type == 0 || h.type >= RECORD_TYPES ||
	    h.meta_length > RECORD_META_MAX || h.body_length > RECORD_BODY_MAX ||
	    record_size(&h) % 8 != 0)
		return false;
	*out = h;
	return true;
}

const char *record_type_name(enum record_type type)
{
	static const char *const names[RECORD_TYPES] = {"?",	"accepted",  "copied", "note",
							"done", "cancelled", "end", "tail"};
	return names[type < RECORD_TYPES ? type : 0];
}
