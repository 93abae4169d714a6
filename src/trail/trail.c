/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeping a trail. */
#include "trail/trail.h"

#include <stdarg.h>
#include <stdio.h>

#define ENTRIES_MAX 200
#define BYTES_MAX   (64 * 1024)
#define NOTE_MAX    1024

static const char *const verdict_names[] = {
	[VERDICT_NONE] = "none", [VERDICT_ACCEPT] = "accept", [VERDICT_TAG] = "tag",
	[VERDICT_HOLD] = "hold", [VERDICT_DEFER] = "defer",   [VERDICT_REJECT] = "reject",
};

const char *verdict_name(enum verdict v)
{
	return (size_t)v <= VERDICT_REJECT ? verdict_names[v] : "none";
}

enum verdict verdict_from_name(struct str name)
{
	for (int v = VERDICT_ACCEPT; v <= VERDICT_REJECT; v++)
		if (str_eq(name, str_from(verdict_names[v])))
			return (enum verdict)v;
	return VERDICT_NONE;
}

void trail_init(struct trail *t, struct arena *arena, struct wall now)
{
	*t = (struct trail){.arena = arena, .begun = now};
}

static bool has_room(struct trail *t)
{
	if (t->n < t->capacity)
		return true;
	if (t->n == ENTRIES_MAX)
		return false;
	size_t capacity = t->capacity == 0 ? 8 : t->capacity * 2;
	capacity = capacity < ENTRIES_MAX ? capacity : ENTRIES_MAX;
	struct trail_entry *entries = arena_alloc(t->arena, capacity * sizeof *entries);
	if (t->n > 0)
		memcpy(entries, t->entries, t->n * sizeof *entries);
	t->entries = entries;
	t->capacity = capacity;
	return true;
}

void trail_add(struct trail *t, const struct trail_entry *e)
{
	size_t bytes = e->check.n + e->result.n + e->subject.n + e->text.n;

	if (bytes > BYTES_MAX - t->bytes || !has_room(t)) {
		t->dropped++;
		return;
	}
	struct trail_entry *copy = &t->entries[t->n++];
	*copy = *e;
	copy->check = arena_str(t->arena, e->check);
	copy->result = arena_str(t->arena, e->result);
	copy->subject = arena_str(t->arena, e->subject);
	copy->text = arena_str(t->arena, e->text);
	t->bytes += bytes;
}

void trail_copy(struct trail *out, struct arena *arena, const struct trail *from)
{
	trail_init(out, arena, from->begun);
	out->ref = arena_str(arena, from->ref);
	out->client = from->client;
	out->helo = arena_str(arena, from->helo);
	out->sender = arena_str(arena, from->sender);
	out->recipients = arena_str(arena, from->recipients);
	out->verdict = from->verdict;
	out->reply = arena_str(arena, from->reply);
	for (size_t i = 0; i < from->n; i++)
		trail_add(out, &from->entries[i]);
	out->dropped += from->dropped;
}

void trail_note(struct trail *t, struct wall at, usec_t took, const char *check, const char *result,
                enum cause_id cause, struct str subject, const char *format, ...)
{
	char text[NOTE_MAX];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t kept = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	trail_add(t, &(struct trail_entry){
			     .at = at,
			     .took = took,
			     .check = str_from(check),
			     .result = str_from(result),
			     .cause = cause,
			     .subject = subject,
			     .text = {text, kept},
		     });
}
