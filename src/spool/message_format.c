/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encodes and decodes envelopes, contents and notes. */
#include "spool/message_format.h"

#include "base/cause_id.h"

/* Causes are stored by name: their numbers may change from one version to the next. */
static const char *const cause_words[CAUSE_COUNT] = {[CAUSE_NONE] = "",
#define X(upper, lower) [CAUSE_##upper] = #lower,
						     CAUSE_LIST(X)
#undef X
};

static void pen_cause(struct pen *w, uint8_t cause)
{
	struct str word = str_from(cause_words[cause < CAUSE_COUNT ? cause : CAUSE_NONE]);
	pen_u8(w, (uint8_t)word.n);
	pen_bytes(w, word.p, word.n);
}

static uint8_t eye_cause(struct eye *r)
{
	size_t n = eye_u8(r);
	const uint8_t *p = eye_bytes(r, n);
	if (!p || n == 0)
		return CAUSE_NONE;
	for (int i = 1; i < CAUSE_COUNT; i++)
		if (str_eq((struct str){(const char *)p, n}, str_from(cause_words[i])))
			return (uint8_t)i;
	return CAUSE_UNKNOWN;
}

/* --- content --- */

void content_encode(struct pen *w, const struct spool_content *c, const struct spool_range *kept)
{
	pen_u64(w, c->size);
	pen_u32(w, c->n_rcpts);
	pen_u8(w, c->is_large);
	if (!c->is_large)
		return;
	pen_u64(w, c->file_size);
	pen_u64(w, c->file_sum);
	pen_u32(w, c->n_kept);
	for (uint32_t i = 0; i < c->n_kept; i++) {
		pen_u64(w, kept[i].from);
		pen_u64(w, kept[i].to);
	}
}

struct spool_range content_kept(const struct spool_content *c, uint32_t i)
{
	struct eye r = {c->kept + (size_t)i * 16, 16, false};
	struct spool_range range;
	range.from = eye_u64(&r);
	range.to = eye_u64(&r);
	return range;
}

static bool kept_is_sane(const struct spool_content *c)
{
	uint64_t at = 0;
	for (uint32_t i = 0; i < c->n_kept; i++) {
		struct spool_range range = content_kept(c, i);
		if (range.from < at || range.to < range.from || range.to > c->file_size)
			return false;
		at = range.to;
	}
	return true;
}

static bool content_decode(struct eye *r, struct spool_content *out)
{
	struct spool_content c = {0};
	c.size = eye_u64(r);
	c.n_rcpts = eye_u32(r);
	c.is_large = eye_u8(r) != 0;
	if (c.is_large) {
		c.file_size = eye_u64(r);
		c.file_sum = eye_u64(r);
		c.n_kept = eye_u32(r);
		r->is_bad |= c.n_kept > SPOOL_DROPS_MAX + 1;
		c.kept = eye_bytes(r, (size_t)c.n_kept * 16);
	}
	if (r->is_bad || c.n_rcpts > SPOOL_RCPTS_MAX || !kept_is_sane(&c))
		return false;
	*out = c;
	return true;
}

/* --- envelope --- */

static struct str cut(struct str s)
{
	return str_slice(s, 0, SPOOL_REPLY_MAX);
}

static void rcpt_state_encode(struct pen *w, const struct spool_rcpt *r)
{
	pen_u8(w, (uint8_t)r->state);
	pen_cause(w, r->cause);
	pen_u16(w, r->attempts);
	pen_u64(w, (uint64_t)r->next_attempt.us);
	pen_str(w, cut(r->last_reply));
}

static void rcpt_state_decode(struct eye *r, struct spool_rcpt *out)
{
	uint8_t state = eye_u8(r);
	r->is_bad |= state > RCPT_FAILED_KEPT;
	out->state = (enum rcpt_state)state;
	out->cause = eye_cause(r);
	out->attempts = eye_u16(r);
	out->next_attempt.us = (int64_t)eye_u64(r);
	out->last_reply = eye_str(r);
}

void envelope_encode(struct pen *w, const struct spool_envelope *e)
{
	pen_str(w, e->sender);
	pen_str(w, e->envid);
	pen_u8(w, e->ret);
	pen_u8(w, e->body);
	pen_u8(w, e->smtputf8);
	pen_u8(w, e->is_on_hold);
	pen_str(w, cut(e->hold_reason));
	pen_u64(w, (uint64_t)e->accepted.us);
	pen_u8(w, e->client.family);
	pen_bytes(w, e->client.b, sizeof e->client.b);
	pen_str(w, e->helo);
	pen_str(w, e->trail);
	pen_u32(w, (uint32_t)e->n_rcpts);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		pen_str(w, e->rcpts[i].address);
		pen_str(w, e->rcpts[i].orcpt);
		pen_u8(w, e->rcpts[i].notify);
		rcpt_state_encode(w, &e->rcpts[i]);
	}
}

enum { RCPT_BYTES_MIN = 4 + 4 + 1 + 1 + 1 + 2 + 8 + 4 };

bool envelope_decode(struct str bytes, struct arena *arena, struct spool_envelope *out)
{
	struct eye r = {(const uint8_t *)bytes.p, bytes.n, false};
	struct spool_envelope e = {0};
	e.sender = eye_str(&r);
	e.envid = eye_str(&r);
	e.ret = eye_u8(&r);
	e.body = eye_u8(&r);
	e.smtputf8 = eye_u8(&r) != 0;
	e.is_on_hold = eye_u8(&r) != 0;
	e.hold_reason = eye_str(&r);
	e.accepted.us = (int64_t)eye_u64(&r);
	e.client.family = eye_u8(&r);
	const uint8_t *ip = eye_bytes(&r, sizeof e.client.b);
	if (ip)
		memcpy(e.client.b, ip, sizeof e.client.b);
	r.is_bad |= e.client.family != 0 && e.client.family != 4 && e.client.family != 6;
	e.helo = eye_str(&r);
	e.trail = eye_str(&r);
	e.n_rcpts = eye_u32(&r);
	/* The bytes bound the array: a lying count costs nothing. */
	if (r.is_bad || e.n_rcpts > r.left / RCPT_BYTES_MIN)
		return false;
	e.rcpts = arena_alloc(arena, e.n_rcpts * sizeof *e.rcpts);
	for (size_t i = 0; i < e.n_rcpts; i++) {
		e.rcpts[i].address = eye_str(&r);
		e.rcpts[i].orcpt = eye_str(&r);
		e.rcpts[i].notify = eye_u8(&r);
		rcpt_state_decode(&r, &e.rcpts[i]);
	}
	if (r.is_bad)
		return false;
	*out = e;
	return true;
}

/* --- the whole meta --- */

bool meta_decode(struct str meta, struct message_meta *out)
{
	struct eye r = {(const uint8_t *)meta.p, meta.n, false};
	struct message_meta m = {.base = eye_str(&r)};
	m.n_notes = eye_u32(&r);
	m.notes = r;
	struct eye base = {(const uint8_t *)m.base.p, m.base.n, false};
	if (r.is_bad || !content_decode(&base, &m.content))
		return false;
	m.envelope = (struct str){(const char *)base.p, base.left};
	struct eye walk = r;
	struct str payload;
	struct note_view view;
	for (uint32_t i = 0; i < m.n_notes; i++)
		if (!meta_next_note(&walk, &payload) || !note_decode(payload, &view))
			return false;
	*out = m;
	return true;
}

bool meta_next_note(struct eye *r, struct str *payload)
{
	struct str s = eye_str(r);
	if (r->is_bad || s.n == 0)
		return false;
	*payload = s;
	return true;
}

/* --- notes --- */

void note_encode(struct pen *w, const struct note_view *note)
{
	pen_u8(w, (uint8_t)note->kind);
	switch (note->kind) {
	case NOTE_RCPT:
		pen_u32(w, note->rcpt);
		rcpt_state_encode(w, &note->state);
		break;
	case NOTE_HOLD:
		pen_u8(w, note->is_on_hold);
		pen_str(w, cut(note->reason));
		break;
	case NOTE_SENDING:
		break;
	}
}

bool note_decode(struct str payload, struct note_view *out)
{
	struct eye r = {(const uint8_t *)payload.p, payload.n, false};
	struct note_view note = {.kind = eye_u8(&r)};
	switch (note.kind) {
	case NOTE_RCPT:
		note.rcpt = eye_u32(&r);
		rcpt_state_decode(&r, &note.state);
		break;
	case NOTE_HOLD:
		note.is_on_hold = eye_u8(&r) != 0;
		note.reason = eye_str(&r);
		break;
	case NOTE_SENDING:
		break;
	default:
		return false;
	}
	if (r.is_bad)
		return false;
	*out = note;
	return true;
}

bool note_apply(const struct note_view *note, struct spool_envelope *e)
{
	struct spool_rcpt *r;
	switch (note->kind) {
	case NOTE_RCPT:
		if (note->rcpt >= e->n_rcpts)
			return false;
		r = &e->rcpts[note->rcpt];
		r->state = note->state.state;
		r->cause = note->state.cause;
		r->attempts = note->state.attempts;
		r->next_attempt = note->state.next_attempt;
		r->last_reply = note->state.last_reply;
		/* What was on its way has arrived, one way or the other. */
		e->is_sending = false;
		return true;
	case NOTE_HOLD:
		e->is_on_hold = note->is_on_hold;
		e->hold_reason = note->reason;
		return true;
	case NOTE_SENDING:
		e->is_sending = true;
		return true;
	}
	return false;
}
