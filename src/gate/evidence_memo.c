/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of fingerprints, four ways associative. */
#include "gate/evidence_memo.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define WAYS   4
#define MEMORY USEC_MIN
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

struct evidence_memo {
	size_t rows;
	struct memo slots[];
};

struct evidence_memo *evidence_memo_new(size_t rows)
{
	assert(rows && (rows & (rows - 1)) == 0);
	struct evidence_memo *t = mem_alloc(sizeof *t + rows * WAYS * sizeof t->slots[0]);
	t->rows = rows;
	return t;
}

void evidence_memo_free(struct evidence_memo *t)
{
	free(t);
}

void evidence_memo_clear(struct evidence_memo *t)
{
	memset(t->slots, 0, t->rows * WAYS * sizeof t->slots[0]);
}

/* The hashes are seeded: a stranger cannot make himself look like another. */
uint64_t evidence_memo_print(struct ip client, struct str helo, struct str sender)
{
	uint64_t print = str_hash(sender);
	print = (print ^ print >> 32) * GOLDEN ^ str_hash(helo);
	print = (print ^ print >> 32) * GOLDEN ^ ip_hash(client);
	return (print ^ print >> 32) * GOLDEN | 1;
}

static struct memo *row_of(const struct evidence_memo *t, uint64_t print)
{
	return (struct memo *)&t->slots[(print >> 16 & (t->rows - 1)) * WAYS];
}

const struct memo *evidence_memo_find(const struct evidence_memo *t, uint64_t print, usec_t now)
{
	const struct memo *row = row_of(t, print);
	for (int i = 0; i < WAYS; i++)
		if (row[i].print == print && now - row[i].at < MEMORY)
			return &row[i];
	return NULL;
}

void evidence_memo_put(struct evidence_memo *t, const struct memo *m)
{
	struct memo *row = row_of(t, m->print), *slot = row;
	for (int i = 0; i < WAYS && slot->print != m->print; i++)
		if (row[i].print == m->print || row[i].at < slot->at || !row[i].print)
			slot = &row[i];
	*slot = *m;
}
