/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For this folder's tests: verification in the fake runtime, with scripted DNS and mail servers that have habits.
 *
 * A habit says what a server answers to whom; NULL means the friendly answer. Answers that are not answers:
 * "!close" hangs up, "!silent" says nothing any more. What was heard is written down, one command a line.
 */
#pragma once

#include "base/auto.h"
#include "base/mem.h"
#include "base/test.h"
#include "rt/stream.h"
#include "verify/verify.h"

#include <stdlib.h>

#define SEEN_MAX 32
#define REAL "joe" /* the mailbox that exists, where it does */

struct habit {
	const char *name;
	const char *greeting, *ehlo, *mail_null, *mail_other, *rset;
	const char *mail_second;    /* to MAIL that is not the first of the session */
	const char *real, *unknown, *postmaster; /* at RCPT */
	const char *real_null;      /* at RCPT of the real one while the sender is <> */
	const char *unknown_second; /* at RCPT of an unknown one that is not the first of the session */
	usec_t greylists;           /* 451 for each triplet for so long */
	usec_t delay;               /* before each answer */
	bool pipelines;
	unsigned drops_after;       /* RCPTs: hangs up behind the answer */
};
struct triplet {
	char text[300];
	usec_t first;
};
struct mail_server {
	const struct habit *habit;
	const char *ip;
	struct buf heard;
	unsigned sessions, open, most_open, rcpts, most_rcpts, unknown_rcpts, datas, quits;
	struct ip peer;              /* of the last session */
	struct triplet *seen;
	size_t n_seen;
	struct listener *listener;
	struct group *group;
};
struct mail_session {
	struct mail_server *server;
	struct stream *s;
	bool is_null, is_over, in_mail;
	unsigned rcpts, mails;
};

/* --- the server --- */

static inline void mail_say(struct mail_session *x, const char *reply)
{
	struct err err;
	if (x->is_over)
		return;
	if (x->server->habit->delay)
		(void)rt_sleep(x->server->habit->delay, "thinking", &err);
	if (strcmp(reply, "!close") == 0) {
		x->is_over = true;
		return;
	}
	if (strcmp(reply, "!silent") == 0) {
		(void)rt_sleep(30 * USEC_DAY, "silence", &err);
		x->is_over = true;
		return;
	}
	stream_printf(x->s, "%s\r\n", reply);
	if (strncmp(reply, "421", 3) == 0)
		x->is_over = true;
}

static inline const char *or_else(const char *a, const char *b)
{
	return a ? a : b;
}

/* The same triplet after the time of the greylist passes. */
static inline bool is_grey(struct mail_session *x, struct str rcpt)
{
	struct mail_server *m = x->server;
	char text[300];
	snprintf(text, sizeof(text), "%d %.*s", x->is_null, STR_ARG(rcpt));
	for (size_t i = 0; i < m->n_seen; i++)
		if (strcmp(m->seen[i].text, text) == 0)
			return rt_now() - m->seen[i].first < m->habit->greylists;
	assert_true(m->n_seen < SEEN_MAX);
	strcpy(m->seen[m->n_seen].text, text);
	m->seen[m->n_seen++].first = rt_now();
	return true;
}

static inline void mail_rcpt(struct mail_session *x, struct str line)
{
	const struct habit *h = x->server->habit;
	struct str path = str_skip(line, 8);
	bool is_real = str_istarts(path, STR("<" REAL)); /* joe, joe+tag, joe2 … */
	bool is_postmaster = str_istarts(path, STR("<postmaster@"));
	x->rcpts++;
	x->server->rcpts++;
	if (x->rcpts > x->server->most_rcpts)
		x->server->most_rcpts = x->rcpts;
	if (!x->in_mail) {
		mail_say(x, "503 5.5.1 need MAIL");
		return;
	}
	if (!is_real && !is_postmaster)
		x->server->unknown_rcpts++;
	if (h->greylists && is_grey(x, path))
		mail_say(x, "451 4.7.1 Greylisting in action, please come back later");
	else if (is_real && x->is_null && h->real_null)
		mail_say(x, h->real_null);
	else if (is_real)
		mail_say(x, or_else(h->real, "250 2.1.5 ok"));
	else if (is_postmaster)
		mail_say(x, or_else(h->postmaster, "250 2.1.5 ok"));
	else if (h->unknown_second && x->rcpts > 1)
		mail_say(x, h->unknown_second);
	else
		mail_say(x, or_else(h->unknown, "550 5.1.1 User unknown"));
	if (h->drops_after && x->rcpts >= h->drops_after)
		x->is_over = true;
}

static inline void mail_command(struct mail_session *x, struct str line)
{
	const struct habit *h = x->server->habit;
	buf_str(&x->server->heard, line);
	buf_char(&x->server->heard, '\n');
	if (str_istarts(line, STR("EHLO")))
		mail_say(x, or_else(h->ehlo, h->pipelines ? "250-mx.example\r\n250-PIPELINING\r\n250 SMTPUTF8" : "250 mx.example"));
	else if (str_istarts(line, STR("HELO")))
		mail_say(x, or_else(h->ehlo, "250 mx.example"));
	else if (str_istarts(line, STR("MAIL FROM:"))) {
		x->is_null = str_istarts(line, STR("MAIL FROM:<>"));
		const char *reply = or_else(x->is_null ? h->mail_null : h->mail_other, "250 2.1.0 ok");
		if (x->mails++ > 0 && h->mail_second)
			reply = h->mail_second;
		x->in_mail = reply[0] == '2';
		mail_say(x, reply);
	} else if (str_istarts(line, STR("RCPT TO:")))
		mail_rcpt(x, line);
	else if (str_istarts(line, STR("RSET"))) {
		x->in_mail = false;
		mail_say(x, or_else(h->rset, "250 2.0.0 ok"));
	} else if (str_istarts(line, STR("QUIT"))) {
		x->server->quits++;
		mail_say(x, "221 2.0.0 bye");
		x->is_over = true;
	} else {
		x->server->datas += str_istarts(line, STR("DATA")) || str_istarts(line, STR("BDAT"));
		mail_say(x, "500 5.5.1 what?");
	}
}

static inline void mail_session_run(void *arg)
{
	struct mail_session *x = arg;
	struct mail_server *m = x->server;
	struct err err;
	struct str line;
	bool is_long;
	m->sessions++;
	m->peer = stream_peer(x->s, NULL);
	if (++m->open > m->most_open)
		m->most_open = m->open;
	mail_say(x, or_else(m->habit->greeting, "220 mx.example ESMTP"));
	while (!x->is_over && stream_read_line(x->s, 2000, &line, NULL, &is_long, &err)) {
		char copy[2001];
		memcpy(copy, line.p ? line.p : "", line.n);
		mail_command(x, (struct str){copy, line.n});
	}
	(void)stream_flush(x->s, &err);
	m->open--;
	stream_close(x->s);
	free(x);
}

static inline void mail_accept(void *arg)
{
	struct mail_server *m = arg;
	struct err err;
	for (struct stream *s; (s = listener_accept(m->listener, &err));) {
		struct mail_session *x = mem_new(struct mail_session);
		*x = (struct mail_session){.server = m, .s = s};
		if (!group_go(m->group, "mail session", mail_session_run, x, &err)) {
			stream_close(s);
			free(x);
		}
	}
}

static inline void mail_server_start(struct mail_server *m, struct group *group)
{
	struct err err;
	struct conf_addr at = {.port = 25};
	assert_true(ip_parse(str_from(m->ip), &at.ip));
	buf_init(&m->heard, 1u << 22);
	m->seen = mem_alloc(SEEN_MAX * sizeof(*m->seen));
	m->group = group;
	m->listener = listener_open(&at, &err);
	assert_non_null(m->listener);
	assert_true(group_go(group, "mail server", mail_accept, m, &err));
}

static inline unsigned heard(const struct mail_server *m, const char *what)
{
	unsigned n = 0;
	struct str rest = buf_view(&m->heard), needle = str_from(what);
	for (size_t at; (at = str_find(rest, needle)) < rest.n; rest = str_skip(rest, at + needle.n))
		n++;
	return n;
}

/* --- the bed --- */

struct bed {
	struct verify_conf conf;
	struct dns_conf dns_conf;
	struct resolver *resolver;
	struct store *store;
	struct verify *v;
	struct group servers;
	struct arena arena;
	struct ip_set own;
	struct mail_server mx[4];
	size_t n_mx;
	bool (*is_exempt)(void *arg, const struct address *sender, struct ip client);
};

/* One domain d.example whose MX is 192.88.1.1, and others in the same manner. */
#define BED_DNS                                                                                        \
	"[[\"d.example\",\"MX\",[10,\"mx.d.example\"]],[\"mx.d.example\",\"A\",\"192.88.1.1\"],"           \
	"[\"e.example\",\"MX\",[10,\"mx.e.example\"]],[\"mx.e.example\",\"A\",\"192.88.1.2\"],"            \
	"[\"shared.example\",\"MX\",[10,\"mx.d.example\"]],"                                               \
	"[\"two.example\",\"MX\",[10,\"mx.d.example\"]],[\"two.example\",\"MX\",[20,\"mx.e.example\"]],"   \
	"[\"null.example\",\"MX\",[0,\".\"]],"                                                             \
	"[\"loop.example\",\"MX\",[10,\"l.example\"]],[\"l.example\",\"A\",\"127.0.0.1\"],"                \
	"[\"self.example\",\"MX\",[10,\"gate.example\"]],[\"gate.example\",\"A\",\"192.88.9.9\"],"          \
	"[\"servfail.example\",\"MX\",\"SERVFAIL\"],[\"servfail.example\",\"A\",\"SERVFAIL\"],"             \
	"[\"yahoo.example\",\"MX\",[10,\"mta5.am0.yahoodns.net\"]],"                                        \
	"[\"mta5.am0.yahoodns.net\",\"A\",\"192.88.1.1\"],"                                                 \
	"[\"implicit.example\",\"A\",\"192.88.1.1\"]]"

static inline void bed_verify_open(struct bed *b)
{
	struct err err;
	struct verify_deps deps = {.resolver = b->resolver, .store = b->store, .host = STR("gate.example"),
	                           .own_addresses = b->own, .is_exempt = b->is_exempt};
	if (!verify_open(&b->conf, &deps, &b->v, &err))
		fail_msg("%s", err.text);
}

static inline void bed_open(struct bed *b)
{
	struct err err;
	conf_rows_default(verify_conf_rows, &b->conf, sizeof(b->conf));
	conf_rows_default(dns_conf_rows, &b->dns_conf, sizeof(b->dns_conf));
	b->conf.cache_addresses = b->conf.cache_domains = b->conf.cache_hosts = 10000;
	arena_init(&b->arena, 1u << 20);
	group_init(&b->servers, "servers");
	b->resolver = resolver_open_script(&b->dns_conf, STR(BED_DNS), &err);
	if (!b->resolver)
		fail_msg("%s", err.text);
	assert_true(ip_set_add(&b->own, STR("192.88.9.9"), &err));
	b->store = store_open(NULL, NULL, &err);
	assert_non_null(b->store);
	bed_verify_open(b);
}

static inline struct mail_server *bed_mx(struct bed *b, const char *ip, const struct habit *habit)
{
	assert_true(b->n_mx < COUNT(b->mx));
	struct mail_server *m = &b->mx[b->n_mx++];
	*m = (struct mail_server){.habit = habit, .ip = ip};
	mail_server_start(m, &b->servers);
	return m;
}

static inline void bed_close(struct bed *b)
{
	verify_close(b->v);
	group_done(&b->servers);
	for (size_t i = 0; i < b->n_mx; i++) {
		listener_close(b->mx[i].listener);
		buf_done(&b->mx[i].heard);
		free(b->mx[i].seen);
	}
	resolver_close(b->resolver);
	store_close(b->store);
	arena_done(&b->arena);
	ip_set_done(&b->own);
	conf_rows_done(verify_conf_rows, &b->conf);
	conf_rows_done(dns_conf_rows, &b->dns_conf);
}

static inline struct address address_of(struct bed *b, const char *text)
{
	struct address a;
	struct err err;
	if (!address_parse(&b->arena, str_from(text), true, &a, &err))
		fail_msg("%s: %s", text, err.text);
	return a;
}

static inline struct evidence client_at(const char *ip)
{
	struct evidence e = {0};
	if (ip)
		assert_true(ip_parse(str_from(ip), &e.client));
	return e;
}

/* As a session does: start, wait, let go. */
static inline struct verify_answer *ask_as(struct bed *b, const char *address, const struct evidence *e, usec_t wait)
{
	struct address a = address_of(b, address);
	struct verify_answer *out = arena_new(&b->arena, struct verify_answer);
	struct err err;
	struct ticket *t = verify_start(b->v, &a, e);
	if (!verify_finish(b->v, t, &a, e, wait, out, &err))
		fail_msg("%s", err.text);
	out->dialogue = arena_str(&b->arena, out->dialogue);
	ticket_unref(t);
	return out;
}

static inline struct verify_answer *ask(struct bed *b, const char *address)
{
	struct evidence e = client_at("198.18.0.1");
	return ask_as(b, address, &e, 70 * USEC_S);
}

static inline void pass(usec_t d)
{
	struct err err;
	assert_true(rt_sleep(d, "time passes", &err));
}

/* fn as the first fiber of a fake runtime. */
static inline void run_fake(void (*fn)(void *), void *arg, uint64_t seed)
{
	struct rt_options o = {.is_fake = true, .seed = seed};
	struct err err;
	if (!rt_run(&o, fn, arg, &err))
		fail_msg("%s", err.text);
}
#define FAKE_TEST(name)                                                                                \
	static void name(void **state)                                                                 \
	{                                                                                              \
		(void)state;                                                                           \
		run_fake(name##_body, NULL, 7);                                                        \
	}
