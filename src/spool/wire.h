/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two cursors of the spool's formats; numbers are little-endian.
 *
 * A `pen` without memory only counts, so that one function measures and writes. An `eye` has a sticky
 * error: past the end it reads zeros and is_bad turns true, so a decoder asks once, where it finishes.
 */
#pragma once

#include "base/str.h"

#include <endian.h>

struct pen {
	uint8_t *p; /* NULL: counting */
	size_t n;
};
struct eye {
	const uint8_t *p;
	size_t left;
	bool is_bad;
};

static inline void pen_bytes(struct pen *w, const void *bytes, size_t n)
{
	if (w->p && n)
		memcpy(w->p + w->n, bytes, n);
	w->n += n;
}
static inline void pen_u8(struct pen *w, uint8_t v)
{
	pen_bytes(w, &v, 1);
}
static inline void pen_u16(struct pen *w, uint16_t v)
{
	v = htole16(v);
	pen_bytes(w, &v, sizeof v);
}
static inline void pen_u32(struct pen *w, uint32_t v)
{
	v = htole32(v);
	pen_bytes(w, &v, sizeof v);
}
static inline void pen_u64(struct pen *w, uint64_t v)
{
	v = htole64(v);
	pen_bytes(w, &v, sizeof v);
}
static inline void pen_str(struct pen *w, struct str s)
{
	pen_u32(w, (uint32_t)s.n);
	pen_bytes(w, s.p, s.n);
}

static inline const uint8_t *eye_bytes(struct eye *r, size_t n)
{
	if (r->is_bad || n > r->left) {
		r->is_bad = true;
		return NULL;
	}
	const uint8_t *p = r->p;
	r->p += n;
	r->left -= n;
	return p;
}
static inline uint8_t eye_u8(struct eye *r)
{
	const uint8_t *p = eye_bytes(r, 1);
	return p ? *p : 0;
}
static inline uint16_t eye_u16(struct eye *r)
{
	uint16_t v = 0;
	const uint8_t *p = eye_bytes(r, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return le16toh(v);
}
static inline uint32_t eye_u32(struct eye *r)
{
	uint32_t v = 0;
	const uint8_t *p = eye_bytes(r, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return le32toh(v);
}
static inline uint64_t eye_u64(struct eye *r)
{
	uint64_t v = 0;
	const uint8_t *p = eye_bytes(r, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return le64toh(v);
}
static inline struct str eye_str(struct eye *r)
{
	size_t n = eye_u32(r);
	const uint8_t *p = eye_bytes(r, n);
	return p ? (struct str){(const char *)p, n} : STR_NONE;
}
