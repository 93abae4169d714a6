/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trail: the ordered list of what was checked for one message, with evidence, time taken and cause.
 * The log line, the Authentication-Results entry, `postern why` and the dashboard are prints of it.
 * Bounded: 200 entries, 64 KiB; what comes beyond is counted. Texts are copied. No bodies.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/cause_id.h"
#include "base/clock.h"
#include "base/ip.h"

enum verdict { VERDICT_NONE, VERDICT_ACCEPT, VERDICT_TAG, VERDICT_HOLD, VERDICT_DEFER, VERDICT_REJECT };
const char *verdict_name(enum verdict v);
enum verdict verdict_from_name(struct str name); /* VERDICT_NONE when unknown */

struct trail_entry {
	struct wall at;
	usec_t took;
	struct str check;     /* "connect", "helo", "dns", "verify", "spool", "deliver" … */
	struct str result;    /* the check's own word: "exists", "refused", "250" */
	enum cause_id cause;
	struct str subject;   /* whom it is about: an address, a host */
	struct str text;      /* what a person should read; for call-outs the dialogue, lines by '\n' */
};
struct trail {
	struct arena *arena;
	struct str ref;       /* the reference in replies; also the message's id once accepted */
	struct wall begun;
	struct ip client;
	struct str helo, sender;
	struct str recipients; /* space separated */
	enum verdict verdict;
	struct str reply;     /* what we said at the end */
	struct trail_entry *entries;
	size_t n, capacity, dropped;
	size_t bytes;
};
/* All memory comes from the arena, which outlives the trail. */
void trail_init(struct trail *t, struct arena *arena, struct wall now);
/* A deep copy in another arena. */
void trail_copy(struct trail *out, struct arena *arena, const struct trail *from);
void trail_add(struct trail *t, const struct trail_entry *e);
void trail_note(struct trail *t, struct wall at, usec_t took, const char *check, const char *result,
                enum cause_id cause, struct str subject, const char *format, ...)
        __attribute__((format(printf, 8, 9)));
/* Compact JSON, and back; decoding bounds everything and tolerates unknown members. */
void trail_encode(const struct trail *t, struct buf *out);
bool trail_decode(struct arena *arena, struct str json, struct trail *out, struct err *err);
/* The story for people, for `postern why` and the tour: one entry a line, dialogue indented. */
void trail_print(const struct trail *t, bool with_colour, struct buf *out);
