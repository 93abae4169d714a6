/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client's lines and what they are answered with. */
#include "client.h"

#include <stdlib.h>

#include "base/auto.h"
#include "rt/tls.h"

#define PATIENCE (20 * USEC_MIN)

struct client {
	struct link link;
	struct str name;
	struct stream *s;
	struct str reply; /* the last one, whole */
};

static struct arena *memory;
static struct list clients = {{&clients.head, &clients.head}};

void clients_open(struct arena *arena)
{
	memory = arena;
}

static void client_end(struct client *c)
{
	stream_close(c->s);
	link_remove(&c->link);
}

void clients_close(void)
{
	list_each(it, &clients)
		client_end(container_of(it, struct client, link));
}

struct stream *client_dial(unsigned line, struct str ip)
{
	struct dial dial = {.port = 25, .label = "the gate"};
	struct err err;

	ip_parse(STR("203.0.113.1"), &dial.ip);
	if (!ip_parse(ip, &dial.source))
		fail_at(line, "\"%.*s\" is not an address", STR_ARG(ip));
	struct stream *s = stream_dial(&dial, &err);
	if (!s)
		fail_at(line, "the gate does not answer: %s", err.text);
	return s;
}

bool client_reply(struct arena *arena, struct stream *s, struct str *last, struct str *all)
{
	struct deadline patience;
	struct str line;
	bool is_too_long, ok;
	struct err err;

	*all = STR_NONE;
	deadline_push(&patience, PATIENCE, "a reply of the gate");
	do {
		ok = stream_read_line(s, 4096, &line, NULL, &is_too_long, &err);
		if (!ok)
			break;
		*last = arena_str(arena, line);
		*all = arena_printf(arena, "%.*s%.*s\n", STR_ARG(*all), STR_ARG(line));
	} while (last->n > 3 && last->p[3] == '-');
	deadline_pop(&patience);
	if (!ok)
		*last = err.kind == ERR_CLOSED ? STR("closed") : arena_str(arena, str_from(err.text));
	return ok;
}

/* --- one line of a body --- */

static void unescape(unsigned line, struct str text, struct buf *out)
{
	static const char letters[] = "rn0\\ts", bytes[] = "\r\n\0\\\t ";

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '\\') {
			buf_char(out, text.p[i]);
			continue;
		}
		char next = ++i < text.n ? text.p[i] : 0;
		const char *at = next ? strchr(letters, next) : NULL;
		if (at) {
			buf_char(out, bytes[at - letters]);
		} else if (next == 'x' && i + 2 < text.n) {
			const char digits[] = {text.p[i + 1], text.p[i + 2], 0};
			buf_char(out, (char)strtoul(digits, NULL, 16));
			i += 2;
		} else {
			fail_at(line, "an escape that is not there");
		}
	}
}

WAITS static void send_bytes(unsigned line, struct stream *s, struct str text)
{
	auto_buf struct buf out = {.max = 1 << 20};

	unescape(line, text, &out);
	stream_write(s, buf_view(&out));
}

WAITS static void send_chunk(unsigned line, struct stream *s, struct str text, bool is_last)
{
	auto_buf struct buf out = {.max = 1 << 20};

	unescape(line, text, &out);
	stream_printf(s, "BDAT %zu%s\r\n", out.n, is_last ? " LAST" : "");
	stream_write(s, buf_view(&out));
}

WAITS static void expect_reply(unsigned line, struct client *c, struct str glob)
{
	struct str last;

	client_reply(memory, c->s, &last, &c->reply);
	if (!glob_matches(glob, last))
		fail_at(line, "expected reply \"%.*s\", got \"%.*s\"", STR_ARG(glob), STR_ARG(last));
}

static void expect_line(unsigned line, const struct client *c, struct str glob)
{
	struct str rest = c->reply, one;

	while (str_cut(&rest, '\n', &one))
		if (glob_matches(glob, one))
			return;
	fail_at(line, "expected a line \"%.*s\" in the reply, got\n%.*s", STR_ARG(glob), STR_ARG(c->reply));
}

WAITS static void begin_tls(unsigned line, struct stream *s)
{
	struct err err;
	struct tls_context *tls = tls_client_context(&err);

	if (!tls || !stream_tls_connect(s, tls, "mx.here.example", &err))
		fail_at(line, "TLS: %s", err.text);
	tls_context_unref(tls);
}

/* `lines N TEXT`. */
WAITS static void send_lines(unsigned line, struct stream *s, struct str rest)
{
	uint64_t n = script_number(line, script_word(line, &rest, "how many"));

	for (uint64_t i = 0; i < n; i++)
		stream_printf(s, "%.*s\r\n", STR_ARG(str_trim(rest)));
}

WAITS static void client_line(const struct line *l, struct client *c)
{
	struct str text = script_expand(memory, l->text), rest = str_skip(text, 2);
	struct err err;

	if (str_starts(text, STR(">"))) {
		stream_write(c->s, rest);
		stream_write(c->s, STR("\r\n"));
	} else if (str_starts(text, STR("! "))) {
		send_bytes(l->number, c->s, rest);
	} else if (str_starts(text, STR("< "))) {
		expect_reply(l->number, c, rest);
	} else if (str_starts(text, STR("& "))) {
		expect_line(l->number, c, rest);
	} else if (str_starts(text, STR("~ "))) {
		stream_flush(c->s, &err);
		rt_sleep(script_duration(l->number, rest), "client", &err);
	} else if (str_eq(text, STR("message"))) {
		stream_write(c->s, STR("From: <anna@good.example>\r\nSubject: hello\r\n\r\nHello.\r\n.\r\n"));
	} else if (str_starts(text, STR("bdat "))) {
		send_chunk(l->number, c->s, str_skip(text, 5), false);
	} else if (str_starts(text, STR("bdat-last "))) {
		send_chunk(l->number, c->s, str_skip(text, 10), true);
	} else if (str_starts(text, STR("lines "))) {
		send_lines(l->number, c->s, str_skip(text, 6));
	} else if (str_eq(text, STR("tls"))) {
		begin_tls(l->number, c->s);
	} else if (text.n) {
		fail_at(l->number, "a client's line begins with > ! < & ~");
	}
}

/* --- statements --- */

static struct client *find(struct str name)
{
	list_each(it, &clients) {
		struct client *c = container_of(it, struct client, link);
		if (str_eq(c->name, name))
			return c;
	}
	return NULL;
}

void client_statement(const struct statement *st, struct str rest)
{
	struct str who = script_word(st->number, &rest, "an address or a name"), name = STR_NONE;
	struct client *c = find(who);
	struct err err;

	if (!c) {
		c = arena_new(memory, struct client);
		if (script_skip(&rest, "as"))
			name = script_word(st->number, &rest, "a name");
		c->name = arena_str(memory, name);
		c->s = client_dial(st->number, who);
		list_push_back(&clients, &c->link);
	}
	for (size_t i = 0; i < st->n_body; i++)
		client_line(&st->body[i], c);
	stream_flush(c->s, &err);
	if (c->name.n == 0)
		client_end(c);
}

void close_statement(const struct statement *st, struct str rest)
{
	struct str name = script_word(st->number, &rest, "a name");
	struct client *c = find(name);

	if (!c)
		fail_at(st->number, "there is no client %.*s", STR_ARG(name));
	client_end(c);
}
