/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking and being answered: commands out, replies in, and the record of both. */
#include "client/smtp_client.h"

#include <stdarg.h>
#include <stdio.h>

#define DIALOGUE_MAX     8192
#define REPLY_LINE_MAX   4096 /* eight times RFC 5321 4.5.3.1.5: some servers explain themselves at length */
#define COMMAND_FALLBACK (5 * USEC_MIN) /* RFC 5321 4.5.3.2.2 and .3 */
#define QUIT_WAIT        (2 * USEC_S)

/* One line of the dialogue, cut where it would be too long for the rest of the room. */
static void note_line(struct smtp_client *c, const char *mark, struct str text, const char *tail)
{
	struct buf *d = &c->dialogue;
	size_t need = text.n * 4 + 48; /* escaping grows a byte to four at most */
	if (d->n + need > DIALOGUE_MAX) {
		if (d->n + 1 < DIALOGUE_MAX - 8 && (d->n < 4 || memcmp(d->p + d->n - 4, "…\n", 4) != 0))
			buf_str(d, STR("…\n"));
		return;
	}
	buf_str(d, str_from(mark));
	buf_escaped(d, text);
	buf_str(d, str_from(tail));
	buf_char(d, '\n');
}

void smtp_client_note(struct smtp_client *c, const char *format, ...)
{
	char text[300];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	note_line(c, "· ", str_from(text), "");
}

void smtp_client_forget(struct smtp_client *c)
{
	buf_clear(&c->dialogue);
	arena_clear(&c->arena);
}

static void set_label(struct smtp_client *c, const char *label)
{
	int n = snprintf(c->label_text, sizeof(c->label_text), "%s at %.*s", label, STR_ARG(c->host));
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(c->label_text))
		n = sizeof(c->label_text) - 1;
	c->label = (struct str){c->label_text, (size_t)n};
	stream_label(c->stream, c->label_text);
}

/* A line end inside a command would be a second command: whatever let it come so far, it stops here. */
static bool is_one_line(struct str line)
{
	return memchr(line.p, '\r', line.n) == NULL && memchr(line.p, '\n', line.n) == NULL &&
	       memchr(line.p, '\0', line.n) == NULL;
}

static WAITS void send_line(struct smtp_client *c, const char *label, const char *format, va_list args)
{
	c->replies_open++;
	if (c->is_lost)
		return;
	buf_clear(&c->line);
	buf_vprintf(&c->line, format, args);
	set_label(c, label);
	if (!buf_ok(&c->line) || c->line.n == 0 || !is_one_line(buf_view(&c->line))) {
		smtp_client_note(c, "a command that cannot be written was not sent");
		c->is_lost = true;
		return;
	}
	note_line(c, "→ ", buf_view(&c->line), "");
	buf_str(&c->line, STR("\r\n"));
	stream_write(c->stream, buf_view(&c->line));
	c->asked = rt_now();
}

void smtp_client_send(struct smtp_client *c, const char *label, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	send_line(c, label, format, args);
	va_end(args);
}

/* The text of a reply on one line of the dialogue. */
static void note_reply(struct smtp_client *c, const struct reply *r)
{
	char head[40], tail[48], number[16], took[32];
	struct str enhanced = STR_NONE;
	if (r->enhanced.class)
		enhanced = enhanced_code_text(r->enhanced, number);
	struct str t = duration_text(rt_now() - c->asked, took);
	snprintf(head, sizeof(head), "← %03d %.*s%s", r->code, STR_ARG(enhanced), enhanced.n ? " " : "");
	snprintf(tail, sizeof(tail), " (%.*s)", STR_ARG(t));
	struct str text = str_slice(r->text, 0, 400);
	size_t end = str_find_char(text, '\n');
	bool has_more = end < text.n;
	/* EHLO's list is read by machines; of other replies all lines count. */
	if (has_more && r->code != 250) {
		size_t room = 0;
		char joined[400];
		for (; room < text.n; room++)
			joined[room] = text.p[room] == '\n' ? '/' : text.p[room];
		note_line(c, head, (struct str){joined, room}, tail);
	} else {
		note_line(c, head, str_slice(text, 0, end), tail);
	}
}

static bool lose(struct smtp_client *c, const struct err *err)
{
	c->is_lost = true;
	smtp_client_note(c, "%s", err->text);
	return false;
}

static WAITS bool read_reply(struct smtp_client *c, struct reply *out, struct err *err)
{
	for (;;) {
		struct str line;
		bool is_too_long = false;
		if (!stream_read_line(c->stream, REPLY_LINE_MAX, &line, NULL, &is_too_long, err))
			return false;
		if (is_too_long)
			return err_temp(err, CAUSE_PROTOCOL, "endless reply line from %.*s", STR_ARG(c->host));
		enum reply_step step = reply_reader_line(&c->reader, line, out, err);
		if (step == REPLY_WHOLE)
			return true;
		if (step == REPLY_BROKEN)
			return false;
	}
}

bool smtp_client_reply(struct smtp_client *c, usec_t within, struct reply *out, struct err *err)
{
	if (c->is_lost || !c->stream)
		return err_kind(err, ERR_CLOSED, CAUSE_NETWORK, "the conversation with %.*s is over", STR_ARG(c->host));
	if (within == 0)
		within = c->conf->command ? c->conf->command : COMMAND_FALLBACK;
	struct deadline d;
	struct reply r;
	deadline_push(&d, within, c->label_text);
	bool ok = read_reply(c, &r, err);
	deadline_pop(&d);
	if (!ok)
		return lose(c, err);
	if (c->replies_open)
		c->replies_open--;
	note_reply(c, &r);
	r.text = arena_str(&c->arena, r.text);
	if (r.code == 421) /* RFC 5321 4.2.3: the server closes the channel behind this */
		c->is_lost = true;
	*out = r;
	return true;
}

bool smtp_client_ask(struct smtp_client *c, usec_t within, const char *label, struct reply *out, struct err *err,
                     const char *format, ...)
{
	va_list args;
	va_start(args, format);
	send_line(c, label, format, args);
	va_end(args);
	return smtp_client_reply(c, within, out, err);
}

bool smtp_client_write(struct smtp_client *c, struct str bytes, usec_t within, struct err *err)
{
	if (c->is_lost || !c->stream)
		return err_kind(err, ERR_CLOSED, CAUSE_NETWORK, "the conversation with %.*s is over", STR_ARG(c->host));
	struct deadline d;
	deadline_push(&d, within, c->label_text);
	stream_write(c->stream, bytes);
	bool ok = bytes.n < 32768 || stream_flush(c->stream, err);
	deadline_pop(&d);
	c->asked = rt_now();
	return ok || lose(c, err);
}

/* RFC 5321 4.1.1.10: the answer is waited for, but not for long. With replies outstanding the next line
 * would not be QUIT's, so nobody waits for it. */
static WAITS void quit(struct smtp_client *c)
{
	struct reply r;
	struct err err;
	bool is_in_step = c->replies_open == 0;
	smtp_client_send(c, "QUIT", "QUIT");
	if (is_in_step) {
		(void)smtp_client_reply(c, QUIT_WAIT, &r, &err);
		return;
	}
	struct deadline d;
	deadline_push(&d, QUIT_WAIT, "QUIT");
	(void)stream_flush(c->stream, &err);
	deadline_pop(&d);
}

void smtp_client_close(struct smtp_client *c)
{
	if (c->stream && !c->is_lost)
		quit(c);
	if (c->stream) {
		if (stream_has_tls(c->stream))
			stream_tls_bye(c->stream);
		stream_close(c->stream);
	}
	c->stream = NULL;
	c->is_lost = true;
	reply_reader_done(&c->reader);
	buf_done(&c->dialogue);
	buf_done(&c->line);
	arena_done(&c->arena);
}
