/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edit distance in the restricted form of Damerau: insert, delete, replace, swap neighbours. */
#include "conf/nearest.h"

#define WORD_MAX 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t k = 0; k <= b.n; k++)
		above[k] = k;
	for (size_t i = 1; i <= a.n; i++) {
		row[0] = i;
		for (size_t k = 1; k <= b.n; k++) {
			char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[k - 1]);
			row[k] = least(above[k - 1] + (x != y), least(above[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && x == ascii_lower(b.p[k - 2]) && ascii_lower(a.p[i - 2]) == y)
				row[k] = least(row[k], before[k - 2] + 1);
		}
		size_t *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b.n];
}

const char *conf_nearest(struct str word, const char *const *known, size_t n)
{
	const char *nearest = NULL;
	/* one slip in a short word, about one in four letters of a long one */
	size_t best = word.n / 4 + 2;
	if (word.n < 2 || word.n > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct str candidate = str_from(known[i]);
		if (candidate.n > WORD_MAX)
			continue;
		size_t d = distance(word, candidate);
		if (d < best) {
			best = d;
			nearest = known[i];
		}
	}
	return nearest;
}
