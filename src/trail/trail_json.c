/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stored form of a trail: compact JSON, empty members left out, times in microseconds. */
#include "trail/trail.h"

#include "cause/cause.h"
#include "trail/json.h"

/* A full trail with a thousand recipients, every byte as \uXXXX, and the frame of its entries. */
#define JSON_MAX (4 * 1024 * 1024)

/* By hand: these lines are written for every message, twice. */
static void add_key(struct buf *out, const char *key)
{
	buf_str(out, STR(",\""));
	buf_str(out, str_from(key));
	buf_str(out, STR("\":"));
}

static void add_text(struct buf *out, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	add_key(out, key);
	buf_json(out, value);
}

static void add_int(struct buf *out, const char *key, int64_t value)
{
	if (value == 0)
		return;
	add_key(out, key);
	buf_int(out, value);
}

static void encode_entry(const struct trail_entry *e, struct buf *out)
{
	buf_str(out, STR("{\"at\":"));
	buf_int(out, e->at.us);
	add_int(out, "took", e->took);
	add_text(out, "check", e->check);
	add_text(out, "result", e->result);
	if (e->cause != CAUSE_NONE)
		add_text(out, "cause", cause_name(e->cause));
	add_text(out, "subject", e->subject);
	add_text(out, "text", e->text);
	buf_char(out, '}');
}

void trail_encode(const struct trail *t, struct buf *out)
{
	char ip[IP_TEXT_MAX];

	buf_str(out, STR("{\"begun\":"));
	buf_int(out, t->begun.us);
	add_text(out, "ref", t->ref);
	if (t->client.family)
		add_text(out, "client", ip_text(t->client, ip));
	add_text(out, "helo", t->helo);
	add_text(out, "sender", t->sender);
	add_text(out, "recipients", t->recipients);
	if (t->verdict != VERDICT_NONE)
		add_text(out, "verdict", str_from(verdict_name(t->verdict)));
	add_text(out, "reply", t->reply);
	add_int(out, "dropped", (int64_t)t->dropped);
	buf_str(out, STR(",\"entries\":["));
	for (size_t i = 0; i < t->n; i++) {
		if (i > 0)
			buf_char(out, ',');
		encode_entry(&t->entries[i], out);
	}
	buf_str(out, STR("]}"));
}

static void decode_entry(struct trail *t, const json_t *json)
{
	if (!json_is_object(json))
		return;
	trail_add(t, &(struct trail_entry){
			     .at = {json_member_int(json, "at")},
			     .took = json_member_int(json, "took"),
			     .check = json_member_text(json, "check"),
			     .result = json_member_text(json, "result"),
			     .cause = cause_from_name(json_member_text(json, "cause")),
			     .subject = json_member_text(json, "subject"),
			     .text = json_member_text(json, "text"),
		     });
}

static void decode_head(struct trail *t, const json_t *json)
{
	t->ref = arena_str(t->arena, json_member_text(json, "ref"));
	ip_parse(json_member_text(json, "client"), &t->client);
	t->helo = arena_str(t->arena, json_member_text(json, "helo"));
	t->sender = arena_str(t->arena, json_member_text(json, "sender"));
	t->recipients = arena_str(t->arena, json_member_text(json, "recipients"));
	t->verdict = verdict_from_name(json_member_text(json, "verdict"));
	t->reply = arena_str(t->arena, json_member_text(json, "reply"));
}

bool trail_decode(struct arena *arena, struct str json, struct trail *out, struct err *err)
{
	json_t *root = json_read(json, JSON_MAX, err);
	struct trail t;

	if (!root)
		return false;
	if (!json_is_object(root)) {
		json_decref(root);
		return err_perm(err, CAUSE_PROTOCOL, "a trail is a JSON object");
	}
	trail_init(&t, arena, (struct wall){json_member_int(root, "begun")});
	decode_head(&t, root);
	const json_t *entries = json_object_get(root, "entries");
	for (size_t i = 0; i < json_array_size(entries); i++)
		decode_entry(&t, json_array_get(entries, i));
	int64_t dropped = json_member_int(root, "dropped");
	t.dropped += dropped > 0 ? (size_t)dropped : 0;
	json_decref(root);
	*out = t;
	return true;
}
