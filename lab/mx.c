/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations with habits: reads a row of the table and behaves like it. */
#include "lab/mx.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/map.h"
#include "rt/tls.h"
#include "smtp/command.h"
#include "smtp/dot.h"

#define TRIPLETS_MAX 10000
#define SESSION_MAX  (5 * USEC_MIN)

struct lab_mx {
	uint16_t port;
	struct group *root;
	void (*record)(void *arg, const struct lab_habit *h, char direction, struct str line);
	void *arg;
	bool (*exists)(void *arg, struct str address);
	void *exists_arg;
	struct tls_context *tls;
	struct map triplets; /* "host sender rcpt client" → first seen */
	struct lab_host_count *counts; /* of the table's rows, then all others */
};
struct door {
	struct lab_mx *mx;
	const struct lab_habit *habit;
	struct listener *listener;
};
struct talk {
	struct lab_mx *mx;
	const struct lab_habit *habit;
	struct stream *stream;
	bool has_sender, is_null_sender, is_over;
	unsigned rcpts;
	char sender[320];
};

static struct lab_host_count *count_of(struct talk *t)
{
	for (size_t i = 0; i < lab_habit_count; i++) {
		if (t->habit == &lab_habits[i])
			return &t->mx->counts[i];
	}
	return &t->mx->counts[lab_habit_count];
}

WAITS static void say(struct talk *t, const char *text)
{
	struct err err;

	if (t->habit->reply_delay_ms > 0) {
		stream_flush(t->stream, &err);
		if (!rt_sleep(t->habit->reply_delay_ms * USEC_MS, "habit", &err))
			return;
	}
	if (t->mx->record)
		t->mx->record(t->mx->arg, t->habit, '<', str_from(text));
	stream_write(t->stream, str_from(text));
	stream_write(t->stream, t->habit->bare_lf ? STR("\n") : STR("\r\n"));
}

/* A reply of the table, "%s" replaced by the address. */
WAITS static void say_about(struct talk *t, const char *text, struct str address)
{
	char line[512];
	struct str rest = str_from(text);
	size_t at = str_find(rest, STR("%s"));

	if (at == rest.n) {
		say(t, text);
		return;
	}
	snprintf(line, sizeof(line), "%.*s%.*s%s", (int)at, text, STR_ARG(address), text + at + 2);
	say(t, line);
}

WAITS static void hear_ehlo(struct talk *t, bool is_ehlo)
{
	const struct lab_habit *h = t->habit;
	bool tls = h->tls != LAB_TLS_NONE && !stream_has_tls(t->stream);

	if (!is_ehlo) {
		say(t, "250 pleased to meet you");
		return;
	}
	if (h->refuses_ehlo) {
		say(t, "502 5.5.1 EHLO? Say HELO");
		return;
	}
	say(t, "250-pleased to meet you");
	if (!h->no_pipelining)
		say(t, "250-PIPELINING");
	if (tls)
		say(t, "250-STARTTLS");
	if (h->has_smtputf8)
		say(t, "250-SMTPUTF8");
	say(t, "250-8BITMIME");
	say(t, "250 ENHANCEDSTATUSCODES");
}

WAITS static void hear_starttls(struct talk *t)
{
	struct err err;

	say(t, "220 2.0.0 go ahead");
	if (t->habit->tls == LAB_TLS_BROKEN) {
		stream_write(t->stream, STR("this is no TLS at all\r\n"));
		stream_flush(t->stream, &err);
		t->is_over = true;
		return;
	}
	if (!stream_flush(t->stream, &err) || !stream_tls_accept(t->stream, t->mx->tls, &err))
		t->is_over = true;
}

WAITS static void hear_mail(struct talk *t, struct str argument)
{
	const struct lab_habit *h = t->habit;
	size_t from = str_find_char(argument, '<'), to = str_find_char(argument, '>');
	struct str sender = str_slice(argument, from + 1, to);

	t->is_null_sender = sender.n == 0;
	snprintf(t->sender, sizeof(t->sender), "%.*s", STR_ARG(sender));
	if (h->mail_any || (h->mail_null && t->is_null_sender)) {
		say(t, h->mail_any ? h->mail_any : h->mail_null);
		return;
	}
	t->has_sender = true;
	t->rcpts = 0;
	say(t, "250 2.1.0 Ok");
}

/* True while the triplet is younger than the habit wants. */
static bool is_greylisted(struct talk *t, struct str address)
{
	char key[900], client[IP_TEXT_MAX];
	struct map *seen = &t->mx->triplets;

	if (t->habit->greylist_s == 0)
		return false;
	snprintf(key, sizeof(key), "%s %s %.*s %.*s", t->habit->domain, t->sender, STR_ARG(address),
	         STR_ARG(ip_text(stream_peer(t->stream, NULL), client)));
	usec_t *first = map_get(seen, str_from(key));
	if (!first && seen->n < TRIPLETS_MAX) {
		first = malloc(sizeof(*first));
		if (!first)
			abort();
		*first = rt_now();
		map_put(seen, str_from(key), first);
	}
	return !first || t->habit->greylist_s < 0 || rt_now() - *first < t->habit->greylist_s * USEC_S;
}

WAITS static void say_greylisted(struct talk *t)
{
	int s = t->habit->greylist_s;
	char line[80];

	if (s < 0)
		snprintf(line, sizeof(line), "451 4.7.1 Greylisting in action, please come back later");
	else
		snprintf(line, sizeof(line), "451 4.7.1 Greylisting in action, please come back in %02d:%02d:%02d", s / 3600 % 100,
		         s / 60 % 60, s % 60);
	say(t, line);
}

WAITS static void answer_rcpt(struct talk *t, struct str address)
{
	const struct lab_habit *h = t->habit;
	bool exists = t->mx->exists ? t->mx->exists(t->mx->exists_arg, address)
	                            : lab_mailbox_exists(str_slice(address, 0, str_rfind_char(address, '@')));

	if (!t->has_sender)
		say(t, "503 5.5.1 MAIL first");
	else if (h->rcpt_null && t->is_null_sender)
		say_about(t, h->rcpt_null, address);
	else if (h->one_recipient && t->is_null_sender && t->rcpts > 0)
		say(t, "452 4.5.3 One recipient for each bounce");
	else if (is_greylisted(t, address))
		say_greylisted(t);
	else if (exists)
		say_about(t, h->known ? h->known : "250 2.1.5 Ok", address);
	else
		say_about(t, h->unknown ? h->unknown : "550 5.1.1 <%s>: Recipient address rejected: User unknown", address);
}

WAITS static void hear_rcpt(struct talk *t, struct str argument)
{
	size_t from = str_find_char(argument, '<'), to = str_rfind_char(argument, '>');
	struct str address = str_slice(argument, from + 1, to);
	struct err err;

	count_of(t)->rcpts++;
	if (t->habit->close == LAB_CLOSE_AT_RCPT) {
		t->is_over = true;
		return;
	}
	if (t->habit->silent_at_rcpt) {
		rt_sleep(SESSION_MAX, "silent", &err);
		t->is_over = true;
		return;
	}
	answer_rcpt(t, address);
	t->rcpts++;
	if (t->habit->close == LAB_CLOSE_AFTER_RCPT)
		t->is_over = true;
	if (t->habit->known && str_starts(str_from(t->habit->known), STR("421")))
		t->is_over = true;
}

WAITS static void hear_data(struct talk *t)
{
	struct dot_reader dot;
	struct err err;

	count_of(t)->data++;
	if (!t->has_sender || t->rcpts == 0) {
		say(t, "503 5.5.1 RCPT first");
		return;
	}
	say(t, "354 go ahead");
	dot_reader_init(&dot);
	while (dot.state != DOT_END) {
		struct str in = stream_buffered(t->stream);
		if (in.n == 0) {
			if (!stream_fill(t->stream, &err)) {
				t->is_over = true;
				return;
			}
			continue;
		}
		stream_consume(t->stream, dot_reader_feed(&dot, in, NULL, NULL));
	}
	t->has_sender = false;
	say(t, t->habit->data ? t->habit->data : "250 2.0.0 taken");
}

WAITS static void hear(struct talk *t, struct str line)
{
	struct smtp_command c;

	smtp_command_parse(line, &c);
	switch (c.verb) {
	case SMTP_EHLO:
	case SMTP_HELO: hear_ehlo(t, c.verb == SMTP_EHLO); break;
	case SMTP_STARTTLS: hear_starttls(t); break;
	case SMTP_MAIL: hear_mail(t, c.argument); break;
	case SMTP_RCPT: hear_rcpt(t, c.argument); break;
	case SMTP_DATA: hear_data(t); break;
	case SMTP_RSET:
		t->has_sender = false;
		t->is_over = t->habit->close == LAB_CLOSE_AT_RSET;
		if (!t->is_over)
			say(t, "250 2.0.0 Ok");
		break;
	case SMTP_NOOP: say(t, "250 2.0.0 Ok"); break;
	case SMTP_QUIT:
		count_of(t)->quits++;
		say(t, "221 2.0.0 Bye");
		t->is_over = true;
		break;
	default: say(t, "502 5.5.1 not here"); break;
	}
}

WAITS static void talk_run(struct talk *t)
{
	const struct lab_habit *h = t->habit;
	struct str line;
	bool is_too_long;
	struct err err;

	if (h->close == LAB_CLOSE_AT_CONNECT)
		return;
	if (h->greeting_delay_ms > 0 && !rt_sleep(h->greeting_delay_ms * USEC_MS, "habit", &err))
		return;
	say(t, h->greeting ? h->greeting : "220 mx of the lab ESMTP");
	if (h->greeting && str_starts(str_from(h->greeting), STR("421")))
		t->is_over = true;
	while (!t->is_over && stream_read_line(t->stream, 4096, &line, NULL, &is_too_long, &err)) {
		if (t->mx->record)
			t->mx->record(t->mx->arg, h, '>', line);
		hear(t, line);
	}
	stream_flush(t->stream, &err);
}

WAITS static void talk_fiber(void *arg)
{
	struct talk *t = arg;
	struct deadline deadline;

	deadline_push(&deadline, SESSION_MAX, "lab session");
	talk_run(t);
	deadline_pop(&deadline);
	stream_close(t->stream);
	free(t);
}

WAITS static void door_fiber(void *arg)
{
	struct door *door = arg;
	struct stream *s;
	struct err err;

	while ((s = listener_accept(door->listener, &err)) != NULL) {
		struct talk *t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		*t = (struct talk){.mx = door->mx, .habit = door->habit, .stream = s};
		count_of(t)->sessions++;
		if (!group_go(door->mx->root, "lab host", talk_fiber, t, &err)) {
			stream_close(s);
			free(t);
		}
	}
	listener_close(door->listener);
	free(door);
}

bool lab_mx_add(struct lab_mx *m, const struct lab_habit *h, struct ip ip, struct err *err)
{
	struct conf_addr at = {.ip = ip, .port = m->port};
	struct listener *listener = listener_open(&at, err);
	struct door *door;

	if (!listener)
		return err_context(err, "lab host %s", h->domain);
	door = calloc(1, sizeof(*door));
	if (!door)
		abort();
	*door = (struct door){m, h, listener};
	return group_go(m->root, "lab door", door_fiber, door, err);
}

bool lab_mx_new(uint16_t port, struct group *root, bool (*exists)(void *arg, struct str address), void *arg,
                struct lab_mx **out, struct err *err)
{
	struct lab_mx *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	*m = (struct lab_mx){.port = port, .root = root, .exists = exists, .exists_arg = arg};
	m->counts = calloc(lab_habit_count + 1, sizeof(*m->counts));
	if (!m->counts)
		abort();
	map_init(&m->triplets);
	m->tls = tls_self_signed_context("mx.tls.lab", err);
	if (!m->tls) {
		lab_mx_close(m);
		return false;
	}
	*out = m;
	return true;
}

bool lab_mx_open(uint16_t port, struct group *root,
                 void (*record)(void *arg, const struct lab_habit *h, char direction, struct str line), void *arg,
                 struct lab_mx **out, struct err *err)
{
	struct lab_mx *m;

	if (!lab_mx_new(port, root, NULL, NULL, &m, err))
		return false;
	m->record = record;
	m->arg = arg;
	for (size_t i = 0; i < lab_habit_count; i++) {
		const struct lab_habit *h = &lab_habits[i];
		bool listens = !h->is_down && (h->dns == LAB_DNS_MX || h->dns == LAB_DNS_TWO_MX ||
		                               h->dns == LAB_DNS_IMPLICIT || h->dns == LAB_DNS_CNAME);
		if (listens && !lab_mx_add(m, h, lab_habit_ip(h, h->dns == LAB_DNS_TWO_MX), err)) {
			lab_mx_close(m);
			return false;
		}
	}
	*out = m;
	return true;
}

/* Call after the root group has ended. */
void lab_mx_close(struct lab_mx *m)
{
	size_t at = 0;
	struct str key;
	void *first;

	if (!m)
		return;
	while (map_next(&m->triplets, &at, &key, &first))
		free(first);
	map_done(&m->triplets);
	tls_context_unref(m->tls);
	free(m->counts);
	free(m);
}

struct lab_host_count lab_mx_count(const struct lab_mx *m, const struct lab_habit *h)
{
	return m->counts[h - lab_habits];
}

struct lab_host_count lab_mx_count_others(const struct lab_mx *m)
{
	return m->counts[lab_habit_count];
}
