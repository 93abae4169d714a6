/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dialogues as tests write them, one step a line:
 *	> text      the client sends the line with CR LF
 *	! text      the client sends bytes: \r \n \0 \\ are escapes, nothing is added
 *	< text      the next reply's last line begins with it ("closed": the connection is at its end)
 *	~ seconds   time passes
 */
#pragma once

#include "base/test.h"
#include "gate/session_bed.h"

static inline void talk_raw(struct stream *c, struct str text)
{
	auto_buf struct buf bytes = {.max = 1 << 20};
	for (size_t i = 0; i < text.n; i++) {
		char next = i + 1 < text.n ? text.p[i + 1] : 'x';
		if (text.p[i] != '\\') {
			buf_char(&bytes, text.p[i]);
			continue;
		}
		i++;
		buf_char(&bytes, next == 'r' ? '\r' : next == 'n' ? '\n' : next == '0' ? '\0' : next);
	}
	bed_send(c, buf_view(&bytes));
}

static inline void talk_step(struct stream *c, char what, struct str text, const char *name)
{
	char reply[600];
	struct err err;
	auto_buf struct buf line = {.max = 1 << 20};
	switch (what) {
	case '>':
		buf_str(&line, text);
		buf_str(&line, STR("\r\n"));
		bed_send(c, buf_view(&line));
		return;
	case '!':
		talk_raw(c, text);
		return;
	case '<':
		bed_reply(c, reply);
		if (!str_starts(str_from(reply), text))
			fail_msg("%s: wanted \"%.*s\", got \"%s\"", name, STR_ARG(text), reply);
		return;
	case '~':
		assert_true(rt_sleep(atoi(text.p) * USEC_S, "test", &err));
		return;
	}
	fail_msg("%s: a step of a kind that is not there: %c", name, what);
}

/* Leaves the connection open. */
static inline void talk(struct stream *c, const char *script)
{
	struct str rest = str_from(script), line;
	while (str_cut(&rest, '\n', &line))
		if (line.n)
			talk_step(c, line.p[0], str_skip(line, 2), script);
}

/* A session of its own for one script. */
static inline void talk_alone(struct bed *b, const char *ip, const char *script)
{
	struct stream *c = bed_connect(b, ip);
	talk(c, script);
	stream_close(c);
}

#define GREET "< 220 mx.here.example ESMTP\n> EHLO c.example\n< 250 HELP\n"
#define ENVELOPE "> MAIL FROM:<joe@good.example>\n< 250 2.1.0\n> RCPT TO:<jane@here.example>\n< 250 2.1.5\n"
