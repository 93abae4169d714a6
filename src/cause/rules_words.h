/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many phrases in one pass over a text (Aho and Corasick 1975). Add phrases, build once, scan often.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct words;
struct words *words_new(void);
void words_free(struct words *w);
/* Whether phrases of so many bytes more still fit (65,534 nodes in all, and as many phrases). */
bool words_has_room(const struct words *w, size_t bytes);
/* The same phrase may carry several numbers. */
void words_add(struct words *w, struct str phrase, uint16_t number);
void words_build(struct words *w);

struct words_hit {
	uint16_t number, from, to;
};
/* Hits in order of their ends, at most `max`; returns how many. The text is at most 65535 bytes. */
size_t words_scan(const struct words *w, struct str text, struct words_hit *hits, size_t max);
