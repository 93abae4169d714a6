/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message, from the connection to the last reply. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "client.h"
#include "world.h"

#define RCPTS_MAX 20
#define BACKLOG   100 /* the fake network refuses more than 128 that nobody has accepted yet */

static usec_t last_took;

struct sending {
	const struct statement *st;
	struct str text;       /* of the statement behind "send" */
	struct arena arena;
	struct str from, to[RCPTS_MAX], ip, helo, wanted;
	size_t n_to;
	struct str got;        /* "stage reply" */
};

usec_t clients_last_took(void)
{
	return last_took;
}

static void send_parse(struct sending *x)
{
	unsigned line = x->st->number;
	struct str text = script_expand(&x->arena, x->text), rcpts;
	size_t arrow = str_find(text, STR(" => "));
	struct str rest = str_slice(text, 0, arrow);

	if (arrow == text.n)
		fail_at(line, "send FROM TO => STAGE REPLY");
	x->wanted = str_trim(str_skip(text, arrow + 4));
	x->ip = STR("198.51.100.7");
	x->helo = STR("client.example");
	x->from = script_word(line, &rest, "the sender");
	rcpts = script_word(line, &rest, "the recipient");
	if (str_eq(x->from, STR("<>")))
		x->from = STR("");
	while (x->n_to < RCPTS_MAX && str_cut(&rcpts, ',', &x->to[x->n_to]))
		x->n_to++;
	while (str_trim(rest).n > 0) {
		if (script_skip(&rest, "from"))
			x->ip = script_word(line, &rest, "the client's address");
		else if (script_skip(&rest, "helo"))
			x->helo = script_word(line, &rest, "the client's name");
		else
			fail_at(line, "send knows no \"%.*s\"", STR_ARG(rest));
	}
}

/* One command and its reply; true while the conversation may go on. */
WAITS static bool step(struct sending *x, struct stream *s, const char *stage)
{
	struct str last, all;
	usec_t begun = rt_now();
	bool ok = client_reply(&x->arena, s, &last, &all);

	last_took = rt_now() - begun;
	x->got = arena_printf(&x->arena, "%s %.*s", stage, STR_ARG(last));
	return ok && (last.p[0] == '2' || last.p[0] == '3');
}

WAITS static void write_message(const struct sending *x, struct stream *s)
{
	const struct statement *st = x->st;

	if (st->n_body == 0)
		stream_printf(s, "From: <%.*s>\r\nTo: <%.*s>\r\nSubject: hello\r\n\r\nHello.\r\n", STR_ARG(x->from),
		              STR_ARG(x->to[0]));
	for (size_t i = 0; i < st->n_body; i++) {
		stream_write(s, str_starts(st->body[i].text, STR(".")) ? STR(".") : STR_NONE);
		stream_write(s, st->body[i].text);
		stream_write(s, STR("\r\n"));
	}
	stream_write(s, STR(".\r\n"));
}

WAITS static bool name_recipients(struct sending *x, struct stream *s)
{
	bool any = false;
	struct str refusal = STR_NONE;

	for (size_t i = 0; i < x->n_to; i++) {
		stream_printf(s, "RCPT TO:<%.*s>\r\n", STR_ARG(x->to[i]));
		if (step(x, s, "rcpt"))
			any = true;
		else
			refusal = x->got;
	}
	if (!any)
		x->got = refusal;
	return any;
}

static void note_id(struct str reply)
{
	size_t at = str_find(reply, STR("queued as "));

	if (at < reply.n)
		script_set(STR("id"), str_trim(str_skip(reply, at + 10)));
}

WAITS static void converse(struct sending *x, struct stream *s)
{
	if (!step(x, s, "banner"))
		return;
	stream_printf(s, "EHLO %.*s\r\n", STR_ARG(x->helo));
	if (!step(x, s, "helo"))
		return;
	stream_printf(s, "MAIL FROM:<%.*s>\r\n", STR_ARG(x->from));
	if (!step(x, s, "mail") || !name_recipients(x, s))
		return;
	stream_write(s, STR("DATA\r\n"));
	if (!step(x, s, "data"))
		return;
	write_message(x, s);
	if (!step(x, s, "dot"))
		return;
	struct str dot = x->got;
	usec_t took = last_took;
	note_id(dot);
	stream_write(s, STR("QUIT\r\n"));
	step(x, s, "quit");
	x->got = dot;
	last_took = took;
}

WAITS static void send_run(struct sending *x)
{
	send_parse(x);
	struct stream *s = client_dial(x->st->number, x->ip);

	converse(x, s);
	stream_close(s);
	if (!glob_matches(x->wanted, x->got))
		fail_at(x->st->number, "expected \"%.*s\", got \"%.*s\"", STR_ARG(x->wanted), STR_ARG(x->got));
}

static struct sending *sending_new(const struct statement *st, struct str text)
{
	struct sending *x = mem_new(struct sending);

	x->st = st;
	arena_init(&x->arena, 1 << 20);
	x->text = arena_str(&x->arena, text);
	return x;
}

static void sending_free(struct sending *x)
{
	arena_done(&x->arena);
	free(x);
}

void send_statement(const struct statement *st, struct str rest)
{
	struct sending *x = sending_new(st, rest);

	send_run(x);
	sending_free(x);
}

/* --- many --- */

static uint64_t many(const struct statement *st, struct str *rest)
{
	uint64_t n = script_number(st->number, script_word(st->number, rest, "how many"));

	if (!script_skip(rest, "send"))
		fail_at(st->number, "repeat N send …");
	return n;
}

static struct sending *nth(const struct statement *st, struct str rest, uint64_t i)
{
	auto_arena struct arena arena = {.max = 4096};

	script_set(STR("n"), arena_printf(&arena, "%llu", (unsigned long long)i));
	return sending_new(st, script_expand(&arena, rest));
}

void repeat_statement(const struct statement *st, struct str rest)
{
	uint64_t n = many(st, &rest);

	for (uint64_t i = 1; i <= n; i++) {
		struct sending *x = nth(st, rest, i);
		send_run(x);
		sending_free(x);
	}
}

WAITS static void send_in_fiber(void *arg)
{
	send_run(arg);
	sending_free(arg);
}

void at_once_statement(const struct statement *st, struct str rest)
{
	uint64_t n = many(st, &rest);
	struct group group;
	struct err err;

	group_init(&group, "clients");
	for (uint64_t i = 1; i <= n; i++) {
		if (!group_go(&group, "client", send_in_fiber, nth(st, rest, i), &err) ||
		    (i % BACKLOG == 0 && !rt_sleep(USEC_MS, "clients", &err)))
			fail_at(st->number, "%s", err.text);
	}
	group_wait(&group, &err);
	group_done(&group);
}
