/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue of waiting fibers for each key that is taken. */
#include "verify/turns.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct turn {
	struct cond free;
	bool is_taken;
	unsigned users; /* holder and waiters */
};

void turns_init(struct turns *t)
{
	map_init(&t->map);
}

void turns_done(struct turns *t)
{
	assert(t->map.n == 0);
	map_done(&t->map);
}

static void drop(struct turns *t, struct str key, struct turn *turn)
{
	if (--turn->users > 0)
		return;
	map_remove(&t->map, key);
	free(turn);
}

bool turns_take(struct turns *t, struct str key, const char *label, struct err *err)
{
	struct turn *turn = map_get(&t->map, key);
	if (!turn) {
		turn = mem_new(struct turn);
		cond_init(&turn->free);
		map_put(&t->map, key, turn);
	}
	turn->users++;
	while (turn->is_taken) {
		if (!cond_wait(&turn->free, label, err)) {
			/* A signal that came together with the end must not be lost. */
			if (!turn->is_taken)
				cond_signal(&turn->free);
			drop(t, key, turn);
			return false;
		}
	}
	turn->is_taken = true;
	return true;
}

void turns_give(struct turns *t, struct str key)
{
	struct turn *turn = map_get(&t->map, key);
	assert(turn && turn->is_taken);
	turn->is_taken = false;
	cond_signal(&turn->free);
	drop(t, key, turn);
}
