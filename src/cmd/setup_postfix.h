/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postfix made to ask the policy door: what main.cf says now, what it should say, and the change with a way back.
 *
 * One restriction is all there is to it. Time limit and failure action are attributes of that restriction (Postfix 3.1
 * and later), not the global smtpd_policy_service_*, so that no other policy service is touched.
 */
#pragma once

#include <limits.h>

#include "base/arena.h"
#include "base/err.h"
#include "cmd/main_cf.h"

struct setup {
	struct arena *arena;
	char directory[PATH_MAX];     /* of main.cf and master.cf */
	char main_cf[PATH_MAX];       /* behind symbolic links */
	char backup[PATH_MAX];
	bool defers_on_failure;
	bool is_changed, is_applied;
	struct main_cf_list list;
	struct buf before, after;     /* main.cf */
	struct buf notes;             /* one line each: what the administrator should look at himself */
};

void setup_init(struct setup *s, struct arena *arena);
void setup_done(struct setup *s);
/* Asks postconf where Postfix is and whether it is new enough, and reads main.cf. `directory` NULL: Postfix' own. */
bool setup_find_postfix(struct setup *s, const char *directory, struct err *err);
/* The new text in s->after. `door`: "inet:HOST:PORT" or "unix:PATH"; NULL: from Postern's configuration. */
bool setup_addition(struct setup *s, const char *config, const char *door, struct err *err);
bool setup_removal(struct setup *s, struct err *err);
/* Writes s->after beside main.cf and renames it there, with the old text in s->backup; false with the old one in place
 * again when postfix check fails, or Postfix reads something else than was meant. */
bool setup_apply(struct setup *s, struct err *err);
