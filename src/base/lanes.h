/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sixty-four bytes at once, as many as a word has bits: for loops over text that is mostly unremarkable.
 *
 * Four vectors of gcc and clang, of which they make SSE2 on x86-64, NEON on arm64 and plain C elsewhere. Only the way
 * from a comparison to bits has no word in the language: SSE2 has an instruction for it, everyone else multiplies.
 */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char vector16 __attribute__((vector_size(16)));
#define LANES 64
struct lanes {
	vector16 a, b, c, d; /* written out: not every compiler keeps an array of them in registers */
};

static inline vector16 vector16_load(const char *p)
{
	vector16 v;

	memcpy(&v, p, sizeof v);
	return v;
}
static inline struct lanes lanes_load(const char *p)
{
	return (struct lanes){vector16_load(p), vector16_load(p + 16), vector16_load(p + 32), vector16_load(p + 48)};
}
static inline void lanes_store(char *p, struct lanes x)
{
	memcpy(p, &x.a, 16);
	memcpy(p + 16, &x.b, 16);
	memcpy(p + 32, &x.c, 16);
	memcpy(p + 48, &x.d, 16);
}

/* Bit i: byte i, 0xff or 0, is set. Eight bytes, each masked to a bit of its own, add up in the top byte of a product. */
static inline uint64_t vector16_bits_plain(vector16 v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof v);
	for (int i = 0; i < 2; i++)
		half[i] = (le64toh(half[i]) & 0x8040201008040201) * 0x0101010101010101 >> 56;
	return half[0] | half[1] << 8;
}
static inline uint64_t vector16_bits(vector16 v)
{
#ifdef __SSE2__
	return (uint64_t)_mm_movemask_epi8((__m128i)v);
#else
	return vector16_bits_plain(v);
#endif
}

/* Where the byte stands: bit i for byte i. */
static inline uint64_t lanes_find(struct lanes x, char byte)
{
	unsigned char wanted = (unsigned char)byte;

	return vector16_bits((vector16)(x.a == wanted)) | vector16_bits((vector16)(x.b == wanted)) << 16 |
	       vector16_bits((vector16)(x.c == wanted)) << 32 | vector16_bits((vector16)(x.d == wanted)) << 48;
}

static inline struct lanes lanes_replace(struct lanes x, char from, char to)
{
	unsigned char old = (unsigned char)from, change = (unsigned char)(from ^ to);

	return (struct lanes){x.a ^ ((vector16)(x.a == old) & change), x.b ^ ((vector16)(x.b == old) & change),
	                      x.c ^ ((vector16)(x.c == old) & change), x.d ^ ((vector16)(x.d == old) & change)};
}
