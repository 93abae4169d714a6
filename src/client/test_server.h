/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of clients: an SMTP or LMTP server that keeps to a script, on any address of the fake network.
 *
 * Rules are looked up by the beginning of each command ("" is the greeting, "." the end of data); the first with uses
 * left answers, else the server is friendly. Replies that are not replies: "!close" hangs up, "!silent" says nothing
 * any more, "!reset" throws the connection away in the middle of the data. Everything it hears is written down.
 */
#pragma once

#include "base/auto.h"
#include "base/mem.h"
#include "base/test.h"
#include "rt/rt.h"
#include "rt/stream.h"
#include "rt/tls.h"

#include <stdlib.h>
#include <string.h>

struct rule {
	const char *match, *reply;
	int times; /* 0: always */
	int used;
};
struct test_server {
	const char *ip;
	uint16_t port;
	const char *offers;         /* "PIPELINING SIZE_1000 DSN": '_' becomes a space */
	struct rule rules[12];
	bool is_lmtp;
	struct tls_context *tls;    /* STARTTLS works; without it and offered, the handshake is broken */
	usec_t delay;               /* before each final answer */
	/* what happened */
	struct buf heard;           /* commands, each ended by '\n' */
	struct buf message;         /* the last one, dots unstuffed */
	unsigned sessions, open, most_open, messages, tls_sessions;
	struct listener *listener;
	struct group *group;
};
struct test_session {
	struct test_server *server;
	struct stream *s;
	unsigned taken;             /* recipients of this transaction */
	bool is_over;
};

static inline const char *server_rule(struct test_server *t, struct str line, const char *fallback)
{
	for (size_t i = 0; i < COUNT(t->rules) && t->rules[i].match; i++) {
		struct rule *r = &t->rules[i];
		if (r->times && r->used >= r->times)
			continue;
		bool is_exact = r->match[0] == '\0' || r->match[0] == '.';
		if (is_exact ? !str_eq(line, str_from(r->match)) : !str_istarts(line, str_from(r->match)))
			continue;
		r->used++;
		return r->reply;
	}
	return fallback;
}

/* Says it; true when it was a positive reply. */
static inline bool server_say(struct test_session *x, const char *reply)
{
	struct err err;
	if (strcmp(reply, "!close") == 0 || strcmp(reply, "!reset") == 0) {
		x->is_over = true;
		return false;
	}
	if (strcmp(reply, "!silent") == 0) {
		(void)rt_sleep(30 * USEC_DAY, "silence", &err);
		x->is_over = true;
		return false;
	}
	stream_printf(x->s, "%s\r\n", reply);
	if (strncmp(reply, "421", 3) == 0)
		x->is_over = true;
	return reply[0] == '2' || reply[0] == '3';
}

static inline void server_hello(struct test_session *x, struct str line)
{
	struct str rest = str_from(x->server->offers), word;
	const char *reply = server_rule(x->server, line, NULL);
	if (reply) {
		(void)server_say(x, reply);
		return;
	}
	struct buf b;
	buf_init(&b, 4096);
	buf_str(&b, STR("250-test.example"));
	while (str_istarts(line, STR("HELO")) ? false : str_next_word(&rest, &word)) {
		buf_str(&b, STR("\r\n250-"));
		for (size_t i = 0; i < word.n; i++)
			buf_char(&b, word.p[i] == '_' ? ' ' : word.p[i]);
	}
	buf_char(&b, '\0');
	strrchr(b.p, '2')[3] = ' ';
	for (char *last = strstr(b.p, "250-"), *next; last; last = next)
		if (!(next = strstr(last + 1, "250-")))
			last[3] = strstr(last, "\r\n") ? '-' : ' ';
	(void)server_say(x, b.p);
	buf_done(&b);
}

static inline void server_final(struct test_session *x)
{
	struct err err;
	if (x->server->delay)
		(void)rt_sleep(x->server->delay, "thinking", &err);
	bool any = false;
	for (unsigned i = 0; i < (x->server->is_lmtp ? x->taken : 1) && !x->is_over; i++)
		any = server_say(x, server_rule(x->server, STR("."), "250 2.0.0 kept")) || any;
	x->server->messages += any;
	x->taken = 0;
}

static inline void server_data(struct test_session *x)
{
	struct err err;
	struct str line;
	bool has_crlf, is_long;
	if (!server_say(x, server_rule(x->server, STR("DATA"), x->taken ? "354 go on" : "503 5.5.1 no recipients")))
		return;
	buf_clear(&x->server->message);
	if (str_eq(str_from(server_rule(x->server, STR(".."), "")), STR("!reset"))) {
		x->is_over = true;
		return;
	}
	while (stream_read_line(x->s, 60000, &line, &has_crlf, &is_long, &err)) {
		assert_true(has_crlf);
		assert_true(memchr(line.p, '\r', line.n) == NULL || line.n == 0);
		if (str_eq(line, STR("."))) {
			server_final(x);
			return;
		}
		buf_str(&x->server->message, str_skip(line, line.n && line.p[0] == '.'));
		buf_str(&x->server->message, STR("\r\n"));
	}
	x->is_over = true;
}

static inline void server_bdat(struct test_session *x, struct str line)
{
	struct err err;
	uint64_t n = 0;
	struct str rest = line, word;
	(void)str_next_word(&rest, &word);
	(void)str_next_word(&rest, &word);
	assert_true(str_to_u64(word, 1u << 20, &n));
	char *bytes = mem_alloc(n + 1);
	if (stream_read_exact(x->s, bytes, n, &err)) {
		buf_clear(&x->server->message);
		buf_add(&x->server->message, bytes, n);
		if (x->taken)
			server_final(x);
		else
			(void)server_say(x, "503 5.5.1 no recipients");
	} else {
		x->is_over = true;
	}
	free(bytes);
}

static inline void server_starttls(struct test_session *x, struct str line)
{
	struct err err;
	if (!server_say(x, server_rule(x->server, line, "220 go")))
		return;
	(void)stream_flush(x->s, &err);
	if (x->server->tls && stream_tls_accept(x->s, x->server->tls, &err)) {
		x->server->tls_sessions++;
		return;
	}
	stream_printf(x->s, "this is not TLS\r\n");
	(void)stream_flush(x->s, &err);
	x->is_over = true;
}

static inline void server_command(struct test_session *x, struct str line)
{
	struct test_server *t = x->server;
	buf_str(&t->heard, line);
	buf_char(&t->heard, '\n');
	if (str_istarts(line, STR("EHLO")) || str_istarts(line, STR("LHLO")) || str_istarts(line, STR("HELO")))
		server_hello(x, line);
	else if (str_istarts(line, STR("STARTTLS")))
		server_starttls(x, line);
	else if (str_istarts(line, STR("DATA")))
		server_data(x);
	else if (str_istarts(line, STR("BDAT")))
		server_bdat(x, line);
	else if (str_istarts(line, STR("RCPT")))
		x->taken += server_say(x, server_rule(t, line, "250 2.1.5 ok"));
	else if (str_istarts(line, STR("QUIT")))
		(void)server_say(x, server_rule(t, line, "221 2.0.0 bye"));
	else
		(void)server_say(x, server_rule(t, line, "250 2.0.0 ok"));
	if (str_istarts(line, STR("QUIT")))
		x->is_over = true;
	if (str_istarts(line, STR("RSET")))
		x->taken = 0;
}

static inline void server_session(void *arg)
{
	struct test_session *x = arg;
	struct test_server *t = x->server;
	struct err err;
	struct str line;
	bool is_long;
	t->sessions++;
	if (++t->open > t->most_open)
		t->most_open = t->open;
	(void)server_say(x, server_rule(t, STR(""), "220 test.example ESMTP"));
	while (!x->is_over && stream_read_line(x->s, 4000, &line, NULL, &is_long, &err)) {
		char copy[4001];
		memcpy(copy, line.p ? line.p : "", line.n);
		server_command(x, (struct str){copy, line.n});
	}
	(void)stream_flush(x->s, &err);
	t->open--;
	stream_close(x->s);
	free(x);
}

static inline void server_accept(void *arg)
{
	struct test_server *t = arg;
	struct err err;
	for (struct stream *s; (s = listener_accept(t->listener, &err));) {
		struct test_session *x = mem_new(struct test_session);
		*x = (struct test_session){.server = t, .s = s};
		assert_true(group_go(t->group, "test session", server_session, x, &err));
	}
}

/* The port is the server's, 25 when it is 0. Ends with the group. */
static inline void server_start(struct test_server *t, struct group *group)
{
	struct err err;
	struct conf_addr at = {.port = t->port ? t->port : 25};
	assert_true(ip_parse(str_from(t->ip), &at.ip));
	buf_init(&t->heard, 1u << 22);
	buf_init(&t->message, 1u << 22);
	t->group = group;
	t->listener = listener_open(&at, &err);
	assert_non_null(t->listener);
	assert_true(group_go(group, "test server", server_accept, t, &err));
}

/* Behind group_done. */
static inline void server_stop(struct test_server *t)
{
	listener_close(t->listener);
	buf_done(&t->heard);
	buf_done(&t->message);
}

static inline bool server_heard(const struct test_server *t, const char *what)
{
	return str_find(buf_view(&t->heard), str_from(what)) < t->heard.n;
}

static inline unsigned server_count(const struct test_server *t, const char *what)
{
	unsigned n = 0;
	struct str rest = buf_view(&t->heard), needle = str_from(what);
	for (size_t at; (at = str_find(rest, needle)) < rest.n; rest = str_skip(rest, at + needle.n))
		n++;
	return n;
}
