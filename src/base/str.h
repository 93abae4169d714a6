/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text by value: a pointer and a length, never owning, never NUL-terminated by promise.
 *
 * A `struct str` borrows. Whoever keeps one longer than the call copies it into an arena
 * (`arena_str`) or a `struct buf`. Everything here is pure, allocates nothing and treats
 * bytes as bytes; "i" variants fold ASCII case only, which is what mail grammars ask for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s)   (int)(s).n, (s).p ? (s).p : ""

/* NULL gives STR_NONE. */
static inline struct str str_from(const char *nul_terminated)
{
	return nul_terminated ? (struct str){nul_terminated, strlen(nul_terminated)} : STR_NONE;
}
static inline bool str_is_empty(struct str s)
{
	return s.n == 0;
}
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_iends(struct str s, struct str suffix);

/* Bytes [from, to) clamped to s, so that a slice never leaves its text. */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (struct str){s.p ? s.p + from : NULL, to - from};
}
static inline struct str str_skip(struct str s, size_t n)
{
	return str_slice(s, n, s.n);
}
/* Index of the first hit, or s.n when there is none. */
size_t str_find_char(struct str s, char c);
size_t str_rfind_char(struct str s, char c);
size_t str_find(struct str s, struct str needle);
size_t str_ifind(struct str s, struct str needle);
/* Without leading and trailing space, tab, CR and LF. */
struct str str_trim(struct str s);
/* Cuts what stands before `c` off *rest (and `c` itself); false when *rest was empty. */
bool str_cut(struct str *rest, char c, struct str *word);
/* Cuts the next word off *rest, skipping spaces and tabs; false at the end. */
bool str_next_word(struct str *rest, struct str *word);

/* Decimal digits only, whole text, at most `max`; false and *out untouched otherwise. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);

/* Bytes of the UTF-8 character that s begins with (RFC 3629), 0 when it begins with none. */
size_t str_utf8_next(struct str s);
bool str_is_utf8(struct str s);

/* Seeded at start from the kernel's entropy, so that strangers cannot choose collisions. */
uint64_t str_hash(struct str s);
uint64_t str_ihash(struct str s);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
