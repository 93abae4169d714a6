/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trail grows with each attempt; `postern why` reads it. */
#include "queue/story.h"

#include "trail/trail.h"

#define FIND_WAIT (10 * USEC_S)

static void flatten(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			((char *)text.p)[i] = ' ';
}

struct str story_reply(struct arena *arena, const struct outcome *o)
{
	char number[16];
	struct str host = o->host.n ? arena_printf(arena, "%.*s: ", STR_ARG(o->host)) : STR_NONE;
	struct str enhanced = o->reply.enhanced.class ? enhanced_code_text(o->reply.enhanced, number) : STR_NONE;
	struct str text;
	if (o->reply.code)
		text = arena_printf(arena, "%.*s%d %.*s%s%.*s", STR_ARG(host), o->reply.code, STR_ARG(enhanced),
		                    enhanced.n ? " " : "", STR_ARG(o->reply.text));
	else
		text = arena_printf(arena, "%.*s%.*s", STR_ARG(host), STR_ARG(o->reply.text));
	flatten(text);
	return text;
}

static void begin(struct attempt *a, struct trail *t)
{
	const struct spool_envelope *e = &a->loaded->e;
	char id[SPOOL_ID_MAX];
	trail_init(t, &a->arena, e->accepted);
	t->ref = arena_str(&a->arena, spool_id_text(a->message->id, id));
	t->sender = e->sender;
	t->client = e->client;
	t->helo = e->helo;
	t->recipients = e->n_rcpts == 1 ? e->rcpts[0].address : STR_NONE;
	t->verdict = VERDICT_ACCEPT;
}

/* What the first attempts of a message know is in its envelope, which they share; later ones ask the store. */
static WAITS bool find(struct attempt *a, struct trail *t)
{
	struct err err;
	char id[SPOOL_ID_MAX];
	struct str *found;
	size_t n = 0;
	struct deadline d;
	struct str json = a->loaded->e.trail;
	if (a->loaded->has_trail) {
		trail_copy(t, &a->arena, &a->loaded->trail);
		return true;
	}
	if (!a->loaded->is_fresh) {
		deadline_push(&d, FIND_WAIT, "trail");
		if (history_find(a->queue->deps.history, HISTORY_REF, spool_id_text(a->message->id, id), 1, &a->arena, &found, &n, &err) &&
		    n > 0)
			json = found[0];
		deadline_pop(&d);
	}
	return json.n > 0 && trail_decode(&a->arena, json, t, &err);
}

static void add(struct attempt *a, struct trail *t, const struct outcome *o)
{
	static const char *const results[] = {"none", "delivered", "deferred", "failed", "kept"};
	struct str reply = story_reply(&a->arena, o);
	bool has_dialogue = o->fate != FATE_DELIVERED && a->dialogue.n > 0;
	trail_note(t, rt_wall(), rt_now() - a->begun, "deliver", results[o->fate], o->cause,
	           a->loaded->e.rcpts[o->rcpt].address, "%.*s%s%.*s", STR_ARG(reply), has_dialogue ? "\n" : "",
	           has_dialogue ? (int)a->dialogue.n : 0, has_dialogue ? a->dialogue.p : "");
}

void story_tell(struct attempt *a)
{
	struct trail t;
	if (!a->queue->deps.history || a->n == 0)
		return;
	if (!find(a, &t))
		begin(a, &t);
	for (size_t i = 0; i < a->n; i++)
		add(a, &t, &a->outcomes[i]);
	history_put(a->queue->deps.history, &t);
	if (!a->loaded->is_fresh || a->message->n_jobs == 1)
		return;
	trail_copy(&a->loaded->trail, &a->loaded->arena, &t);
	a->loaded->has_trail = true;
}
