/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which peers there are, by what rules each answers, and what they have heard and taken. */
#include "peer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "peer_session.h"

static struct arena *memory;
static struct list peers = {{&peers.head, &peers.head}};
static struct list mails = {{&mails.head, &mails.head}};
static struct group running;

void peers_open(struct arena *arena)
{
	memory = arena;
	group_init(&running, "peers");
}

/* --- who is there --- */

struct serving {
	struct peer *peer;
	struct stream *stream;
};

WAITS static void serve(void *arg)
{
	struct serving *s = arg;

	fiber_name(s->peer->name);
	peer_session_run(memory, s->peer, s->stream);
	free(s);
}

WAITS static void accept_all(void *arg)
{
	struct peer *p = arg;
	struct stream *stream;
	struct err err;

	fiber_name(p->name);
	while ((stream = listener_accept(p->listener, &err)) != NULL) {
		struct serving *s = mem_new(struct serving);
		*s = (struct serving){p, stream};
		if (!group_go(&running, "peer", serve, s, &err)) {
			stream_close(stream);
			free(s);
		}
	}
}

static void listen_at(unsigned line, struct peer *p)
{
	struct conf_addr at = {.ip = p->ip, .port = p->port};
	struct err err;

	p->listener = listener_open(&at, &err);
	if (!p->listener || !group_go(&running, "peer accept", accept_all, p, &err))
		fail_at(line, "peer %s: %s", p->name, err.text);
}

void peers_close(void)
{
	list_each(it, &peers)
		listener_close(container_of(it, struct peer, link)->listener);
	group_done(&running);
}

static struct peer *find(struct str name)
{
	list_each(it, &peers) {
		struct peer *p = container_of(it, struct peer, link);
		if (str_eq(str_from(p->name), name))
			return p;
	}
	return NULL;
}

struct peer *peer_find(unsigned line, struct str name)
{
	struct peer *p = find(name);

	if (!p)
		fail_at(line, "there is no peer %.*s", STR_ARG(name));
	return p;
}

void peers_each(void (*fn)(void *arg, const struct peer *p), void *arg)
{
	list_each(it, &peers)
		fn(arg, container_of(it, struct peer, link));
}

/* --- the statement --- */

static void read_action(unsigned line, struct str text, struct rule *r)
{
	struct str word, rest = text;

	r->times = UINT_MAX;
	while (str_next_word(&rest, &word)) {
		if (word.n > 1 && word.p[word.n - 1] == 'x' && word.p[0] >= '0' && word.p[0] <= '9')
			r->times = (unsigned)script_number(line, str_slice(word, 0, word.n - 1));
		else if (str_eq(word, STR("after")))
			r->after = script_duration(line, script_word(line, &rest, "how long"));
		else if (str_eq(word, STR("greylist")))
			r->greylist = script_duration(line, script_word(line, &rest, "how long"));
		else if (str_eq(word, STR("drop")))
			r->drops = true;
		else if (str_eq(word, STR("silent")))
			r->is_silent = true;
		else if (str_eq(word, STR("tls")))
			r->is_tls = true;
		else
			break;
		text = rest;
	}
	r->reply = str_trim(text);
	if (r->reply.n == 0 && !r->drops && !r->is_silent && !r->is_tls)
		fail_at(line, "the rule says nothing");
}

static void read_rules(const struct statement *st, struct peer *p)
{
	p->rules = arena_alloc(memory, (st->n_body + 1) * sizeof(*p->rules));
	p->n_rules = 0;
	p->mailboxes = STR_NONE;
	for (size_t i = 0; i < st->n_body; i++) {
		struct str text = script_expand(memory, st->body[i].text);
		size_t arrow = str_find(text, STR(" => "));
		if (text.n == 0)
			continue;
		if (str_starts(text, STR("mailboxes "))) {
			p->mailboxes = arena_str(memory, str_skip(text, 10));
			continue;
		}
		if (arrow == text.n)
			fail_at(st->body[i].number, "a rule is KEY => ACTION");
		struct rule *r = &p->rules[p->n_rules++];
		*r = (struct rule){.key = arena_str(memory, str_trim(str_slice(text, 0, arrow)))};
		read_action(st->body[i].number, arena_str(memory, str_skip(text, arrow + 4)), r);
	}
}

static bool set_fault(struct peer *p, struct str word)
{
	static const struct {
		const char *word;
		enum fake_fault fault;
	} faults[] = {{"up", FAKE_OK}, {"down", FAKE_REFUSE}, {"silent", FAKE_SILENT}};

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		if (str_eq(word, str_from(faults[i].word))) {
			fake_net_fault(p->ip, p->port, faults[i].fault);
			return true;
		}
	}
	return false;
}

static struct peer *peer_new(unsigned line, struct str name, struct str where)
{
	struct peer *p = arena_new(memory, struct peer);
	struct conf_addr at;
	struct err err;

	if (!conf_parse_addr(where, 25, &at, &err))
		fail_at(line, "peer %.*s: %s", STR_ARG(name), err.text);
	p->name = arena_cstr(memory, name);
	p->ip = at.ip;
	p->port = at.port;
	list_init(&p->grey);
	list_push_back(&peers, &p->link);
	listen_at(line, p);
	return p;
}

void peer_statement(const struct statement *st, struct str rest)
{
	struct str name = script_word(st->number, &rest, "the peer's name"), where;
	struct peer *p = find(name);

	if (str_next_word(&rest, &where) && p && set_fault(p, where))
		return;
	if (!p) {
		if (where.n == 0)
			fail_at(st->number, "peer %.*s: the address is missing", STR_ARG(name));
		p = peer_new(st->number, name, where);
	}
	read_rules(st, p);
}

/* --- what they took --- */

void peer_take_mail(struct mail *m)
{
	list_push_back(&mails, &m->link);
}

static bool has_rcpt(const struct mail *m, struct str rcpt)
{
	for (size_t i = 0; i < m->n_rcpts; i++)
		if (str_eq(m->rcpts[i], rcpt))
			return true;
	return false;
}

size_t peers_delivered(struct str rcpt)
{
	size_t n = 0;

	list_each(it, &mails)
		n += has_rcpt(container_of(it, struct mail, link), rcpt);
	return n;
}

const struct mail *peers_last_mail(struct str rcpt)
{
	const struct mail *last = NULL;

	list_each(it, &mails)
		if (has_rcpt(container_of(it, struct mail, link), rcpt))
			last = container_of(it, struct mail, link);
	return last;
}

void peers_print(void)
{
	list_each(it, &peers) {
		const struct peer *p = container_of(it, struct peer, link);
		size_t from = p->n_heard > 40 ? p->n_heard - 40 : 0;
		fprintf(stderr, "peer %s: %u sessions\n", p->name, p->sessions);
		for (size_t i = from; i < p->n_heard; i++) {
			char at[WALL_FORMAT_MAX];
			fprintf(stderr, "  %.*s  %u: %.*s\n", STR_ARG(wall_rfc3339(p->heard[i].at, at)), p->heard[i].session,
			        STR_ARG(p->heard[i].line));
		}
	}
	list_each(it, &mails) {
		const struct mail *m = container_of(it, struct mail, link);
		char at[WALL_FORMAT_MAX];
		fprintf(stderr, "taken by %s at %.*s from <%.*s> for <%.*s>%s:\n%.*s\n", m->peer, STR_ARG(wall_rfc3339(m->at, at)),
		        STR_ARG(m->from), STR_ARG(m->rcpts[0]), m->n_rcpts > 1 ? " and others" : "",
		        STR_ARG(str_slice(m->text, 0, 1500)));
	}
}
