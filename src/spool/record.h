/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a segment: its header and the headers of its records. Pure.
 *
 *	0       segment header, 64 bytes, and zeros
 *	4096    the same again, should a bad sector take the first
 *	8192    records, each a header of 64 bytes, then `meta`, then `body`, a multiple of 8 in all
 *
 * Every checksum is XXH3, seeded with the segment's generation and a random number that only its header
 * holds. So neither the bytes of an older segment in the same file nor a message made by a
 * stranger to look like records can be read as records. Behind each write stands a tail, which the
 * next one overwrites: so the end of the records can be told from a record whose header is gone,
 * also where older bytes follow. A record also states where it stands, and
 * where the bytes began that its sync made durable: what is torn can be told from what is damaged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SEGMENT_HEADER = 64,
	SEGMENT_HEADER_COPY = 4096,
	SEGMENT_DATA = 8192,
	SEGMENT_FORMAT = 1,
	RECORD_HEADER = 64,
	RECORD_META_MAX = 32 << 20,
	RECORD_BODY_MAX = 64 << 20,
};

struct segment_header {
	uint32_t format;
	uint32_t size;         /* bytes allocated */
	uint64_t generation;   /* counts up from 1, also its file's name */
	uint64_t nonce;
	uint64_t previous;     /* generation of the segment before; 0: none */
	uint32_t previous_end; /* where that one ends for ever: bytes behind are not records */
	/* From here to that end it was found after a crash: what is bad there was cut off, not damaged. */
	uint32_t previous_torn;
};
void segment_header_encode(const struct segment_header *h, uint8_t out[SEGMENT_HEADER]);
/* False: not a header, or damaged. A header of a later format decodes, so that one can say so. */
bool segment_header_decode(const uint8_t in[SEGMENT_HEADER], struct segment_header *out);
uint64_t segment_seed(const struct segment_header *h);

enum record_type {
	RECORD_ACCEPTED = 1, /* meta: message (message_format.h); body: prefix and body, or prefix alone */
	RECORD_COPIED,       /* the same of a survivor, with its folded state behind */
	RECORD_NOTE,         /* meta: one change of state */
	RECORD_DONE,         /* nothing of it is needed any more */
	RECORD_CANCELLED,    /* it was never acknowledged and never will be */
	RECORD_END,          /* closed in order */
	RECORD_TAIL,         /* a header alone, and no record: nothing was written from here on */
	RECORD_TYPES
};
const char *record_type_name(enum record_type type);

struct record_header {
	enum record_type type;
	uint32_t offset;      /* of this header in its segment */
	uint32_t batch;       /* offset of the first byte that is synced together with it */
	uint32_t meta_length;
	uint32_t body_length;
	uint64_t id;
	uint64_t meta_sum;
	uint64_t body_sum;
};
void record_header_encode(const struct record_header *h, uint64_t seed, uint8_t out[RECORD_HEADER]);
/* The header that stands where nothing was written yet. */
void record_tail_encode(uint32_t offset, uint64_t seed, uint8_t out[RECORD_HEADER]);
/* True only for a record header that was written for this place in the segment of this seed. */
bool record_header_decode(const uint8_t in[RECORD_HEADER], uint64_t seed, uint32_t offset,
                          struct record_header *out);
static inline uint64_t record_size(const struct record_header *h)
{
	return (uint64_t)RECORD_HEADER + h->meta_length + h->body_length;
}
uint64_t record_sum(const void *bytes, size_t n, uint64_t seed);
/* Of two pieces as if they stood together. */
uint64_t record_sum_two(const void *a, size_t n, const void *b, size_t m, uint64_t seed);
