/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sends: one session for each attempt, and a calendar of those that are due. */
#include "bench/replay.h"

#include <stdlib.h>

#include "base/mem.h"

#define PATIENCE (10 * USEC_MIN)
#define DAY_S    86400.0

/* When a queue tries again, in seconds after the attempt before (Postfix's and Exim's defaults are near this). */
static const double again_after[] = {300, 600, 1200, 2400, 4000, 7200, 14400, 14400, 28800};
#define AGAIN_MAX (sizeof(again_after) / sizeof(*again_after))

struct event {
	double at;
	struct replay_mail *mail;
};
struct sending {
	struct replay *r;
	const struct replay_target *to;
	struct group group;
	struct cond changed;
	usec_t begun;
	struct event *heap;
	size_t n, capacity;
	unsigned under_way;
};
struct attempt {
	struct sending *s;
	struct replay_mail *mail;
};

/* --- one session --- */

/* The code of a whole reply, 0: the connection is gone. */
WAITS static int reply(struct stream *s)
{
	struct str line;
	bool is_too_long;
	struct err err;
	uint64_t code = 0;

	do {
		if (!stream_read_line(s, 4096, &line, NULL, &is_too_long, &err))
			return 0;
	} while (line.n > 3 && line.p[3] == '-');
	str_to_u64(str_slice(line, 0, 3), 999, &code);
	return (int)code;
}

WAITS static bool step(struct stream *s, struct replay_mail *m, const char *stage)
{
	m->stage = stage;
	m->code = reply(s);
	return m->code >= 200 && m->code < 400;
}

WAITS static void converse(struct stream *s, struct replay_mail *m)
{
	if (!step(s, m, "banner"))
		return;
	stream_printf(s, "EHLO %s\r\n", m->helo);
	if (!step(s, m, "helo"))
		return;
	stream_printf(s, "MAIL FROM:<%s>\r\n", m->sender);
	if (!step(s, m, "mail"))
		return;
	stream_printf(s, "RCPT TO:<%s>\r\n", m->rcpt);
	if (!step(s, m, "rcpt"))
		return;
	stream_write(s, STR("DATA\r\n"));
	if (!step(s, m, "data"))
		return;
	stream_printf(s, "From: <%s>\r\nTo: <%s>\r\nSubject: of %s\r\n\r\nHello.\r\n.\r\n", m->sender, m->rcpt, m->kind);
	if (!step(s, m, "dot"))
		return;
	stream_write(s, STR("QUIT\r\n"));
	reply(s);
}

void replay_send(const struct replay_target *to, struct replay_mail *m)
{
	struct dial dial = {.ip = to->ip, .port = to->port, .source = m->client, .label = "the gate"};
	struct deadline patience;
	struct err err;

	m->attempts++;
	m->code = 0;
	m->stage = "connect";
	deadline_push(&patience, PATIENCE, "a session");
	struct stream *s = stream_dial(&dial, &err);
	if (s) {
		converse(s, m);
		stream_flush(s, &err);
	}
	stream_close(s);
	deadline_pop(&patience);
	if (m->attempts == 1)
		m->first_code = m->code;
}

/* --- the calendar --- */

static void swap(struct event *a, struct event *b)
{
	struct event t = *a;

	*a = *b;
	*b = t;
}

static void push(struct sending *s, double at, struct replay_mail *mail)
{
	size_t i = s->n++;

	if (i == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 1024;
		s->heap = mem_resize(s->heap, s->capacity * sizeof(*s->heap));
	}
	s->heap[i] = (struct event){at, mail};
	for (; i > 0 && s->heap[i].at < s->heap[(i - 1) / 2].at; i = (i - 1) / 2)
		swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static struct event pop(struct sending *s)
{
	struct event first = s->heap[0];

	s->heap[0] = s->heap[--s->n];
	for (size_t i = 0;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < s->n && s->heap[child + 1].at < s->heap[child].at)
			child++;
		if (child >= s->n || s->heap[i].at <= s->heap[child].at)
			return first;
		swap(&s->heap[i], &s->heap[child]);
		i = child;
	}
}

static double time_now(const struct sending *s)
{
	return (double)(rt_now() - s->begun) / (double)USEC_S * s->r->speed;
}

static bool comes_back(const struct replay_mail *m)
{
	bool is_temporary = m->code == 0 || (m->code >= 400 && m->code < 500);

	return is_temporary && m->retries && m->attempts <= AGAIN_MAX;
}

WAITS static void attempt_run(void *arg)
{
	struct attempt *a = arg;
	struct sending *s = a->s;
	struct replay_mail *m = a->mail;

	replay_send(s->to, m);
	if (comes_back(m))
		push(s, time_now(s) + again_after[m->attempts - 1], m);
	else if (s->to->ended)
		s->to->ended(s->to->arg, m);
	s->under_way--;
	cond_signal(&s->changed);
	free(a);
}

WAITS static void begin(struct sending *s, struct replay_mail *m)
{
	struct attempt *a = mem_new(struct attempt);
	struct err err;

	*a = (struct attempt){s, m};
	s->under_way++;
	if (!group_go(&s->group, "client", attempt_run, a, &err)) {
		fprintf(stderr, "replay: %s\n", err.text);
		exit(70);
	}
}

/* Until the next is due and there is room for it; false: nothing is left. */
WAITS static bool wait_next(struct sending *s)
{
	struct deadline until;
	struct err err;

	while (s->n > 0 || s->under_way > 0) {
		bool has_room = s->under_way < s->to->sessions_max;
		if (s->n > 0 && has_room && s->heap[0].at <= time_now(s))
			return true;
		double wait = s->n > 0 && has_room ? s->heap[0].at - time_now(s) : DAY_S * s->r->speed;
		deadline_push(&until, (usec_t)(wait / s->r->speed * (double)USEC_S) + 1, "next mail");
		cond_wait(&s->changed, "next mail", &err);
		deadline_pop(&until);
	}
	return false;
}

void replay_run(struct replay *r, const struct replay_target *to)
{
	struct sending s = {.r = r, .to = to, .begun = rt_now()};

	group_init(&s.group, "clients");
	cond_init(&s.changed);
	for (size_t i = 0; i < r->n_mails; i++)
		push(&s, r->mails[i].at, &r->mails[i]);
	while (wait_next(&s)) {
		struct event next = pop(&s);
		double late = (time_now(&s) - next.at) / r->speed;
		if (late > r->late)
			r->late = late;
		begin(&s, next.mail);
	}
	group_done(&s.group);
	free(s.heap);
}

/* --- what became of them --- */

struct tally {
	const char *kind;
	unsigned mails, accepted, refused, given_up, broken, deferred_first, first, first_deferred, first_refused, attempts;
};

static struct tally *tally_of(struct tally *all, size_t *n, const char *kind)
{
	for (size_t i = 0; i < *n; i++) {
		if (str_eq(str_from(all[i].kind), str_from(kind)))
			return &all[i];
	}
	all[*n] = (struct tally){.kind = kind};
	return &all[(*n)++];
}

static void count(struct tally *t, const struct replay_mail *m)
{
	bool is_deferred = m->first_code >= 400 && m->first_code < 500;

	t->mails++;
	t->attempts += m->attempts;
	t->accepted += m->code >= 200 && m->code < 300;
	t->refused += m->code >= 500;
	t->given_up += m->code >= 400 && m->code < 500;
	t->broken += m->code == 0;
	t->deferred_first += is_deferred;
	t->first += m->is_first;
	t->first_deferred += m->is_first && is_deferred;
	t->first_refused += m->is_first && m->code >= 500;
}

void replay_print(const struct replay *r, struct buf *out)
{
	static struct tally all[64];
	size_t n = 0;

	for (size_t i = 0; i < r->n_mails; i++)
		count(tally_of(all, &n, r->mails[i].kind), &r->mails[i]);
	buf_str(out, STR("{\"kinds\":{"));
	for (size_t i = 0; i < n; i++) {
		const struct tally *t = &all[i];
		buf_printf(out, "%s\"%s\":{\"mails\":%u,\"accepted\":%u,\"refused\":%u,\"given_up\":%u,\"broken\":%u,\"deferred_first\":%u,"
		           "\"first\":%u,\"first_deferred\":%u,\"first_refused\":%u,\"attempts\":%u}",
		           i ? "," : "", t->kind, t->mails, t->accepted, t->refused, t->given_up, t->broken, t->deferred_first,
		           t->first, t->first_deferred, t->first_refused, t->attempts);
	}
	buf_printf(out, "},\"late_s\":%.1f", r->late);
	if (r->mx) {
		struct lab_host_count c = lab_mx_count_others(r->mx);
		buf_printf(out, ",\"sessions\":%u,\"rcpts\":%u,\"deliveries\":%u", c.sessions, c.rcpts, c.data);
	}
	buf_str(out, STR("}\n"));
}
