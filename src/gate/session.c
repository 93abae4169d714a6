/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session from the banner to the goodbye: one command after the other. */
#include "gate/session.h"

#include "base/mem.h"
#include "gate/say.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct session *session_new(struct gate *g, struct stream *stream)
{
	struct session *s = mem_new(struct session);
	s->gate = g;
	s->set = settings_ref(g->now);
	s->stream = stream;
	s->number = ++g->last_number;
	s->begun = rt_now();
	s->ends = s->begun + s->set->conf->session;
	s->client = stream_peer(stream, NULL);
	list_push_back(&g->sessions, &s->link);
	g->n_sessions++;
	metric_inc(g->metrics.sessions);
	metric_set(g->metrics.sessions_open, (double)g->n_sessions);
	return s;
}

void session_drop(struct session *s)
{
	struct gate *g = s->gate;
	session_clear(s);
	if (s->is_counted)
		client_limits_leave(g->clients, s->client);
	stream_close(s->stream);
	link_remove(&s->link);
	g->n_sessions--;
	metric_set(g->metrics.sessions_open, (double)g->n_sessions);
	settings_unref(s->set);
	free(s->helo);
	free(s);
	if (g->is_draining)
		cond_broadcast(&g->quieter);
}

/* --- commands without a file of their own --- */

WAITS static void session_rset(struct session *s, struct str argument)
{
	if (s->tx && (s->tx->n_rcpts || s->tx->n_refused))
		transaction_end(s, VERDICT_NONE);
	session_clear(s);
	s->needs_reset = false;
	say_line(s, STR("250 2.0.0 Ok\r\n"));
}

WAITS static void session_noop(struct session *s, struct str argument)
{
	say_line(s, STR("250 2.0.0 Ok\r\n"));
}

WAITS static void session_quit(struct session *s, struct str argument)
{
	say_line(s, STR("221 2.0.0 Bye\r\n"));
	s->is_ending = true;
}

/* RFC 5321 3.5.3, 7.3: neither a lie nor a directory for strangers. */
WAITS static void session_vrfy(struct session *s, struct str argument)
{
	if (argument.n == 0)
		say_detail(s, SAY_SYNTAX, "Syntax: VRFY address");
	else
		say_line(s, STR("252 2.1.5 Cannot VRFY user, but will take messages for it and try to deliver\r\n"));
}

WAITS static void session_help(struct session *s, struct str argument)
{
	say_line(s, STR("214-2.0.0 Postern, a mail gate. Commands: EHLO HELO MAIL RCPT DATA BDAT RSET\r\n"
	                "214-2.0.0 NOOP QUIT VRFY HELP STARTTLS\r\n"
	                "214 2.0.0 Trouble with mail? Write to postmaster here, with the reference of the reply\r\n"));
}

WAITS static void session_unsupported(struct session *s, struct str argument)
{
	say(s, SAY_NOT_IMPLEMENTED, NULL);
}

static const struct {
	WAITS void (*run)(struct session *s, struct str argument);
	bool takes_no_argument;
	bool is_junk; /* brings no message forward */
} commands[] = {
	[SMTP_HELO] = {session_helo, false, true},
	[SMTP_EHLO] = {session_ehlo, false, true},
	[SMTP_MAIL] = {session_mail, false, false},
	[SMTP_RCPT] = {session_rcpt, false, false},
	[SMTP_DATA] = {session_data, true, false},
	[SMTP_BDAT] = {session_bdat, false, false},
	[SMTP_RSET] = {session_rset, true, true},
	[SMTP_NOOP] = {session_noop, false, true},
	[SMTP_QUIT] = {session_quit, true, false},
	[SMTP_VRFY] = {session_vrfy, false, true},
	[SMTP_EXPN] = {session_unsupported, false, true},
	[SMTP_HELP] = {session_help, false, true},
	[SMTP_STARTTLS] = {session_starttls, true, true},
	[SMTP_AUTH] = {session_unsupported, false, true},
	[SMTP_ETRN] = {session_unsupported, false, true},
};

/* --- reading --- */

/* The nearest of the limits that bound this wait, and what is said when it is met. */
static usec_t nearest_limit(const struct session *s, enum situation *what)
{
	const struct gate_conf *conf = s->set->conf;
	usec_t at = rt_now() + conf->idle;
	*what = SAY_IDLE;
	if (s->ends < at)
		at = s->ends;
	if (s->tx && s->tx->ends < at) {
		at = s->tx->ends;
		*what = SAY_TOO_SLOW;
	}
	/* While data flows, each byte earns its time: who trickles runs out of it. */
	if (s->tx && s->state == SESSION_DATA && conf->least_rate > 0) {
		usec_t earned = (usec_t)(s->tx->dot.bytes / (uint64_t)conf->least_rate) * USEC_S;
		if (s->tx->data_begun + conf->idle + earned < at) {
			at = s->tx->data_begun + conf->idle + earned;
			*what = SAY_TOO_SLOW;
		}
	}
	return at;
}

/* A read failed: the client hears why where it still can. */
WAITS static void say_lost(struct session *s, const struct err *err, enum situation timed_out)
{
	if (err->kind == ERR_TIMEOUT)
		say(s, timed_out, NULL);
	else if (err->kind == ERR_CANCELLED)
		say(s, SAY_SHUTTING_DOWN, NULL);
	s->is_ending = true;
}

bool session_fill(struct session *s)
{
	struct deadline limit;
	struct err err;
	enum situation what;
	deadline_push_at(&limit, nearest_limit(s, &what), "waiting for data");
	bool ok = stream_fill(s->stream, &err);
	deadline_pop(&limit);
	if (!ok)
		say_lost(s, &err, what);
	return ok;
}

WAITS static bool read_line(struct session *s, struct str *line, bool *has_crlf, bool *is_too_long)
{
	struct deadline limit;
	struct err err;
	enum situation what;
	deadline_push_at(&limit, nearest_limit(s, &what), "waiting for a command");
	bool ok = stream_read_line(s->stream, (size_t)s->set->conf->line, line, has_crlf, is_too_long, &err);
	deadline_pop(&limit);
	if (!ok && err.cause == CAUSE_PROTOCOL)
		say(s, SAY_COMMAND_TOO_LONG, NULL);
	if (!ok)
		say_lost(s, &err, what);
	return ok;
}

/* --- dispatch --- */

/* Who begins like a web browser or a proxy is not a mail client, and what follows may be anything. */
static bool is_other_protocol(const struct session *s, const struct smtp_command *c)
{
	static const char *const words[] = {"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(c->word, str_from(words[i])))
			return true;
	return false;
}

WAITS static void unknown_command(struct session *s, const struct smtp_command *c)
{
	if (s->commands == 1 && str_eq(c->word, STR("PROXY"))) {
		say(s, SAY_PROXY_HEADER, NULL); /* from a peer that is not listed */
		return;
	}
	say(s, SAY_BAD_COMMAND, NULL);
	s->is_ending = s->is_ending || is_other_protocol(s, c);
}

WAITS static void run_command(struct session *s, struct str line)
{
	struct smtp_command c;
	smtp_command_parse(line, &c);
	if (c.verb == SMTP_UNKNOWN || c.verb == SMTP_LHLO) {
		unknown_command(s, &c);
	} else if (commands[c.verb].takes_no_argument && c.argument.n) {
		say_detail(s, SAY_SYNTAX, "This command takes no argument");
	} else {
		s->junk += commands[c.verb].is_junk;
		commands[c.verb].run(s, c.argument);
	}
}

/* RFC 5321 2.3.8: only CR LF ends a line. A NUL is no mail client, and maybe a binary PROXY header. */
WAITS static bool is_well_formed(struct session *s, struct str line, bool has_crlf, bool is_too_long)
{
	if (is_too_long)
		say(s, SAY_COMMAND_TOO_LONG, NULL);
	else if (str_find_char(line, '\0') < line.n)
		say(s, SAY_BAD_COMMAND, NULL);
	else if (!has_crlf || str_find_char(line, '\r') < line.n)
		say_detail(s, SAY_BAD_COMMAND, "Lines end in CR LF");
	else
		return true;
	s->is_ending = s->is_ending || (!is_too_long && str_find_char(line, '\0') < line.n);
	return false;
}

WAITS static void check_limits(struct session *s)
{
	const struct gate_conf *conf = s->set->conf;
	if (s->is_ending)
		return;
	if (s->errors > conf->errors)
		say(s, SAY_TOO_MANY_ERRORS, NULL);
	else if (s->junk > conf->commands)
		say(s, SAY_TOO_MANY_COMMANDS, NULL);
}

WAITS static void serve(struct session *s)
{
	struct str line;
	bool has_crlf, is_too_long;
	s->state = SESSION_COMMAND;
	while (!s->is_ending && read_line(s, &line, &has_crlf, &is_too_long)) {
		s->commands++;
		if (s->gate->is_draining && !s->tx)
			say(s, SAY_SHUTTING_DOWN, NULL);
		else if (is_well_formed(s, line, has_crlf, is_too_long))
			run_command(s, line);
		check_limits(s);
		s->state = SESSION_COMMAND;
	}
}

/* --- beginning and end --- */

WAITS static bool is_admitted(struct session *s)
{
	struct say_args args = {0};
	enum situation what;
	char ip[IP_TEXT_MAX];
	s->is_local_network = ip_set_has(&s->set->conf->local_networks, s->client);
	if (s->is_local_network)
		return true;
	if (gate_admits(s->gate, s->set, s->client, &what, &args.retry_after)) {
		s->is_counted = true;
		return true;
	}
	args.detail = ip_text(s->client, ip);
	say(s, what, &args);
	metric_inc(s->gate->metrics.turned_away);
	return false;
}

WAITS static bool greet(struct session *s)
{
	if (ip_set_has(&s->set->conf->proxy_networks, s->client) && !session_proxy(s))
		return false;
	char ip[IP_TEXT_MAX];
	snprintf(s->name, sizeof s->name, "smtp %.*s", STR_ARG(ip_text(s->client, ip)));
	if (!is_admitted(s))
		return false;
	if (s->gate->is_draining) {
		say(s, SAY_SHUTTING_DOWN, NULL);
		return false;
	}
	if (s->set->conf->is_pipelining_checked && stream_has_input(s->stream)) {
		say(s, SAY_TALKED_FIRST, NULL);
		return false;
	}
	say_line(s, s->set->banner);
	return true;
}

/* Closing with input unread makes the kernel reset the connection, and our last words are lost with it. */
WAITS static void linger(struct session *s)
{
	struct deadline limit;
	struct err err;
	deadline_push(&limit, 2 * USEC_S, "letting the client hear the end");
	do
		stream_consume(s->stream, stream_buffered(s->stream).n);
	while (stream_fill(s->stream, &err));
	deadline_pop(&limit);
}

WAITS static void say_goodbye(struct session *s)
{
	struct deadline limit;
	struct err err;
	s->state = SESSION_ENDING;
	deadline_push(&limit, 10 * USEC_S, "saying goodbye");
	if (stream_flush(s->stream, &err)) {
		if (stream_has_tls(s->stream))
			stream_tls_bye(s->stream);
		if (s->is_out_of_step || stream_has_input(s->stream))
			linger(s);
	}
	deadline_pop(&limit);
}

void session_run(struct session *s)
{
	struct deadline whole;
	snprintf(s->name, sizeof s->name, "smtp");
	fiber_name(s->name);
	deadline_push_at(&whole, s->ends, "the session");
	if (greet(s))
		serve(s);
	deadline_pop(&whole);
	say_goodbye(s);
	if (s->tx && (s->tx->n_rcpts || s->tx->n_refused))
		transaction_end(s, VERDICT_NONE);
	fiber_name(NULL);
	session_drop(s);
}
