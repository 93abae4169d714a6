/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of fingerprints, four ways associative. */
#include "gate/heard.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define WAYS   4
#define MEMORY USEC_DAY

struct slot {
	uint64_t fingerprint; /* 0: empty; the lowest bit says refusal */
	usec_t at;
};

struct heard {
	size_t rows;
	struct slot slots[];
};

struct heard *heard_new(size_t rows)
{
	assert(rows && (rows & (rows - 1)) == 0);
	struct heard *h = mem_alloc(sizeof *h + rows * WAYS * sizeof h->slots[0]);
	h->rows = rows;
	return h;
}

void heard_free(struct heard *h)
{
	free(h);
}

/* The hash of the sender is seeded: a stranger cannot aim at the slot of another. */
static uint64_t fingerprint(struct ip client, struct str sender)
{
	struct ip_net net = ip_client_net(client);
	uint64_t hash = str_hash(sender) ^ (ip_hash(net.ip) * UINT64_C(0x9e3779b97f4a7c15));
	return hash | 2;
}

static struct slot *row_of(const struct heard *h, uint64_t print)
{
	return (struct slot *)&h->slots[(print >> 8 & (h->rows - 1)) * WAYS];
}

static struct slot *find(const struct heard *h, uint64_t print, usec_t now)
{
	struct slot *row = row_of(h, print);
	for (int i = 0; i < WAYS; i++)
		if (row[i].fingerprint && (row[i].fingerprint | 1) == (print | 1) && now - row[i].at < MEMORY)
			return &row[i];
	return NULL;
}

void heard_note(struct heard *h, struct ip client, struct str sender, bool is_refusal, usec_t now)
{
	uint64_t print = fingerprint(client, sender);
	struct slot *slot = find(h, print, now), *row = row_of(h, print);
	if (!slot) {
		slot = row;
		for (int i = 1; i < WAYS && slot->fingerprint; i++)
			if (!row[i].fingerprint || row[i].at < slot->at)
				slot = &row[i];
	}
	*slot = (struct slot){(print & ~UINT64_C(1)) | is_refusal, now};
}

bool heard_find(const struct heard *h, struct ip client, struct str sender, usec_t now, bool *is_refusal)
{
	const struct slot *slot = find(h, fingerprint(client, sender), now);
	if (slot)
		*is_refusal = slot->fingerprint & 1;
	return slot != NULL;
}

bool heard_forget(struct heard *h, struct ip client, struct str sender, usec_t now)
{
	struct slot *slot = find(h, fingerprint(client, sender), now);
	if (slot)
		slot->fingerprint = 0;
	return slot != NULL;
}
