/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rendering, counting and remembering refusals. */
#include "gate/say.h"

#include "base/auto.h"

#define REPLY_MAX 8192

static struct say_args fill_in(const struct session *s, const struct say_args *args)
{
	struct say_args filled = args ? *args : (struct say_args){0};
	filled.here = s->set->host;
	if (s->tx) {
		filled.ref = s->tx->ref;
		if (filled.sender.n == 0)
			filled.sender = s->tx->sender;
	}
	return filled;
}

static bool allows_utf8(const struct session *s)
{
	return s->tx && s->tx->mail.smtputf8;
}

static void count(struct session *s, int code, enum cause_id cause)
{
	metric_inc(s->gate->metrics.replies[cause]);
	if (code == 421)
		s->is_ending = true;
	else if (code >= 500 && s->state == SESSION_COMMAND)
		s->errors++;
}

/* The first line, without its end, is what the trail keeps. */
static void remember(struct session *s, struct str reply, enum cause_id cause)
{
	struct transaction *tx = s->tx;
	if (!tx)
		return;
	tx->reply = arena_str(&tx->arena, str_trim(str_slice(reply, 0, str_find_char(reply, '\n'))));
	tx->cause = cause;
}

WAITS static void say_it(struct session *s, int code, enum cause_id cause, const struct buf *text)
{
	count(s, code, cause);
	remember(s, buf_view(text), cause);
	stream_write(s->stream, buf_view(text));
}

void say(struct session *s, enum situation what, const struct say_args *args)
{
	auto_buf struct buf text = {.max = REPLY_MAX};
	struct say_args filled = fill_in(s, args);
	struct said said = cause_render(what, &filled, allows_utf8(s), &text);
	say_it(s, said.code, said.cause, &text);
}

void say_detail(struct session *s, enum situation what, const char *detail)
{
	say(s, what, &(struct say_args){.detail = str_from(detail)});
}

void say_rcpt(struct session *s, enum situation what, struct str recipient)
{
	say(s, what, &(struct say_args){.recipient = recipient});
}

void say_fault(struct session *s, const struct smtp_fault *fault)
{
	auto_buf struct buf text = {.max = REPLY_MAX};
	struct enhanced_code enhanced = {fault->enhanced.class, fault->enhanced.subject, fault->enhanced.detail};
	reply_write(&text, fault->code, enhanced, fault->text, allows_utf8(s));
	say_it(s, fault->code, CAUSE_PROTOCOL, &text);
}

void say_line(struct session *s, struct str line)
{
	stream_write(s->stream, line);
}
