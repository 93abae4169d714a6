/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mail server that answers by rules. */
#include "peer_session.h"

#include <limits.h>
#include <stdlib.h>

#include "rt/tls.h"

#define LINE_MAX_   8192
#define TEXT_MAX_   (8u << 20)
#define RCPTS_MAX   200

struct first_seen {
	struct link link;
	struct str pair;
	struct wall at;
};
struct talk {
	struct arena *memory;
	struct peer *peer;
	struct stream *s;
	unsigned session;
	bool is_lmtp, has_from;
	struct str from, rcpts[RCPTS_MAX];
	size_t n_rcpts;
	struct buf text;    /* of BDAT so far */
};

/* --- what is said --- */

/* Until the other side has had enough. */
WAITS static bool be_silent(struct talk *t)
{
	struct err err;

	while (stream_fill(t->s, &err))
		stream_consume(t->s, stream_buffered(t->s).n);
	return false;
}

WAITS static void say(struct talk *t, struct str reply)
{
	while (reply.n > 0) {
		size_t bar = str_find(reply, STR(" | "));
		stream_write(t->s, str_slice(reply, 0, bar));
		stream_write(t->s, STR("\r\n"));
		reply = str_skip(reply, bar + 3);
	}
}

/* RCPT's path, the last word of the command is a parameter maybe. */
static struct str path_of(struct str line)
{
	size_t open = str_find_char(line, '<'), close = str_find_char(line, '>');

	return str_slice(line, open + 1, close);
}

static bool is_grey(struct talk *t, const struct rule *r, struct str line)
{
	struct str rcpt = path_of(line);
	struct str pair = arena_printf(t->memory, "%.*s %.*s", STR_ARG(t->from), STR_ARG(rcpt));

	list_each(it, &t->peer->grey) {
		struct first_seen *f = container_of(it, struct first_seen, link);
		if (str_eq(f->pair, pair))
			return wall_diff(rt_wall(), f->at) < r->greylist;
	}
	struct first_seen *f = arena_new(t->memory, struct first_seen);
	f->pair = pair;
	f->at = rt_wall();
	list_push_back(&t->peer->grey, &f->link);
	return true;
}

static bool is_bare_verb(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] == ' ' || key.p[i] == ':' || key.p[i] == '*')
			return false;
	return true;
}

static bool rule_matches(struct talk *t, const struct rule *r, struct str line)
{
	if (r->times == 0)
		return false;
	if (is_bare_verb(r->key)) {
		struct str rest = line, verb;
		if (!str_next_word(&rest, &verb) || !str_eq(verb, r->key))
			return false;
	} else if (!glob_matches(r->key, line)) {
		return false;
	}
	return r->greylist == 0 || is_grey(t, r, line);
}

static struct rule *find_rule(struct talk *t, struct str line)
{
	for (size_t i = 0; i < t->peer->n_rules; i++)
		if (rule_matches(t, &t->peer->rules[i], line))
			return &t->peer->rules[i];
	return NULL;
}

WAITS static bool start_tls(struct talk *t)
{
	struct err err;
	struct tls_context *tls = tls_self_signed_context(t->peer->name, &err);

	say(t, STR("220 2.0.0 go ahead"));
	bool ok = tls && stream_flush(t->s, &err) && stream_tls_accept(t->s, tls, &err);
	tls_context_unref(tls);
	return ok;
}

/* The rule's answer, or the one given. *said: what it was. False: the session is over. */
WAITS static bool answer(struct talk *t, struct str line, struct str otherwise, struct str *said)
{
	struct rule *r = find_rule(t, line);
	struct err err;

	*said = r ? r->reply : otherwise;
	if (!r) {
		say(t, otherwise);
		return true;
	}
	if (r->times != UINT_MAX)
		r->times--;
	if (r->after > 0 && !(stream_flush(t->s, &err) && rt_sleep(r->after, "a slow peer", &err)))
		return false;
	if (r->is_silent)
		return be_silent(t);
	if (r->is_tls)
		return start_tls(t);
	say(t, r->reply);
	if (!str_starts(r->reply, STR("421")) && !r->drops)
		return true;
	stream_flush(t->s, &err);
	return false;
}

/* --- what is heard --- */

static void note(struct talk *t, struct str line)
{
	struct peer *p = t->peer;

	if (p->n_heard == p->heard_capacity) {
		size_t more = p->heard_capacity ? 2 * p->heard_capacity : 16;
		struct heard *grown = arena_alloc(t->memory, more * sizeof(*grown));
		if (p->n_heard)
			memcpy(grown, p->heard, p->n_heard * sizeof(*grown));
		p->heard = grown;
		p->heard_capacity = more;
	}
	p->heard[p->n_heard++] = (struct heard){t->session, rt_wall(), arena_str(t->memory, line)};
}

static bool is_positive(struct str reply)
{
	return str_starts(reply, STR("2"));
}

static void forget(struct talk *t)
{
	t->has_from = false;
	t->n_rcpts = 0;
	buf_clear(&t->text);
}

static void keep_mail(struct talk *t)
{
	struct mail *m = arena_new(t->memory, struct mail);

	m->peer = t->peer->name;
	m->from = t->from;
	m->n_rcpts = t->n_rcpts;
	m->rcpts = arena_alloc(t->memory, t->n_rcpts * sizeof(*m->rcpts) + 1);
	memcpy(m->rcpts, t->rcpts, t->n_rcpts * sizeof(*m->rcpts));
	m->text = arena_str(t->memory, buf_view(&t->text));
	m->at = rt_wall();
	peer_take_mail(m);
}

/* RFC 2033 4.2: in LMTP each recipient has its own answer. */
WAITS static bool end_of_data(struct talk *t)
{
	struct str said = STR_NONE;
	size_t answers = t->is_lmtp ? t->n_rcpts : 1;

	for (size_t i = 0; i < answers; i++) {
		if (!answer(t, STR("dot"), STR("250 2.0.0 taken"), &said))
			return false;
	}
	if (is_positive(said))
		keep_mail(t);
	forget(t);
	return true;
}

WAITS static bool read_text(struct talk *t)
{
	struct str line;
	bool has_crlf, is_too_long;
	struct err err;

	while (stream_read_line(t->s, 60000, &line, &has_crlf, &is_too_long, &err)) {
		if (has_crlf && str_eq(line, STR(".")))
			return true;
		buf_str(&t->text, str_starts(line, STR(".")) ? str_skip(line, 1) : line);
		buf_str(&t->text, has_crlf ? STR("\r\n") : STR("\n"));
	}
	return false;
}

WAITS static bool data(struct talk *t)
{
	struct str said;
	bool is_ready = t->n_rcpts > 0;

	if (!answer(t, STR("DATA"), is_ready ? STR("354 go ahead") : STR("554 5.5.1 no recipients"), &said))
		return false;
	if (!str_starts(said, STR("3")))
		return true;
	return read_text(t) && end_of_data(t);
}

WAITS static bool bdat(struct talk *t, struct str line)
{
	struct str rest = line, verb, number, last = STR_NONE, said;
	uint64_t n = 0;
	struct err err;

	str_next_word(&rest, &verb);
	if (!str_next_word(&rest, &number) || !str_to_u64(number, TEXT_MAX_, &n))
		return false;
	str_next_word(&rest, &last);
	char *p = buf_reserve(&t->text, n);
	if (!p || (n && !stream_read_exact(t->s, p, n, &err)))
		return false;
	buf_added(&t->text, n);
	if (str_ieq(last, STR("LAST")))
		return end_of_data(t);
	return answer(t, line, STR("250 2.0.0 more"), &said);
}

WAITS static bool mail(struct talk *t, struct str line)
{
	struct str said;

	if (!answer(t, line, STR("250 2.1.0 ok"), &said))
		return false;
	if (is_positive(said)) {
		t->has_from = true;
		t->from = arena_str(t->memory, path_of(line));
	}
	return true;
}

static bool is_mailbox(const struct peer *p, struct str rcpt)
{
	struct str rest = p->mailboxes, name, local = str_slice(rcpt, 0, str_rfind_char(rcpt, '@'));

	if (rest.n == 0)
		return true;
	while (str_next_word(&rest, &name))
		if (str_ieq(name, local))
			return true;
	return false;
}

WAITS static bool rcpt(struct talk *t, struct str line)
{
	struct str path = arena_str(t->memory, path_of(line)), said, otherwise = STR("250 2.1.5 ok");

	if (!t->has_from)
		otherwise = STR("503 5.5.1 MAIL first");
	else if (!is_mailbox(t->peer, path))
		otherwise = arena_printf(t->memory, "550 5.1.1 <%.*s>: no such user here", STR_ARG(path));
	if (!answer(t, line, otherwise, &said))
		return false;
	if (is_positive(said) && t->n_rcpts < RCPTS_MAX)
		t->rcpts[t->n_rcpts++] = path;
	return true;
}

WAITS static bool hello(struct talk *t, struct str line)
{
	struct str said;
	struct str offer = arena_printf(t->memory, "250-%s | 250-PIPELINING | 250-8BITMIME | 250-SMTPUTF8 | 250-DSN | "
	                                           "250-SIZE 52428800 | 250 ENHANCEDSTATUSCODES", t->peer->name);

	forget(t);
	t->is_lmtp = str_starts(line, STR("LHLO"));
	if (str_starts(line, STR("HELO")))
		offer = STR("250 hello");
	return answer(t, line, offer, &said);
}

WAITS static bool obey(struct talk *t, struct str line)
{
	struct str said;

	if (str_starts(line, STR("EHLO")) || str_starts(line, STR("HELO")) || str_starts(line, STR("LHLO")))
		return hello(t, line);
	if (str_starts(line, STR("MAIL FROM:")))
		return mail(t, line);
	if (str_starts(line, STR("RCPT TO:")))
		return rcpt(t, line);
	if (str_eq(line, STR("DATA")))
		return data(t);
	if (str_starts(line, STR("BDAT ")))
		return bdat(t, line);
	if (str_eq(line, STR("RSET"))) {
		forget(t);
		return answer(t, line, STR("250 2.0.0 ok"), &said);
	}
	if (!str_eq(line, STR("QUIT")))
		return answer(t, line, STR("500 5.5.2 what?"), &said);
	answer(t, line, STR("221 2.0.0 bye"), &said);
	return false;
}

WAITS static void converse(struct talk *t)
{
	struct str line, said;
	bool is_too_long;
	struct err err;

	if (!answer(t, STR("banner"), arena_printf(t->memory, "220 %s ESMTP", t->peer->name), &said))
		return;
	do {
		if (!stream_read_line(t->s, LINE_MAX_, &line, NULL, &is_too_long, &err))
			return;
		line = arena_str(t->memory, line);
		note(t, line);
	} while (obey(t, line));
	stream_flush(t->s, &err);
}

void peer_session_run(struct arena *memory, struct peer *p, struct stream *s)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->memory = memory;
	t->peer = p;
	t->s = s;
	t->session = ++p->sessions;
	buf_init(&t->text, TEXT_MAX_);
	converse(t);
	stream_close(s);
	buf_done(&t->text);
	free(t);
}
