/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a session: connect, greeting, EHLO, and TLS where it is offered. */
#include "client/smtp_client.h"

#include "base/auto.h"

#include <stdio.h>

#define CONNECT_FALLBACK  (30 * USEC_S)
#define GREETING_FALLBACK (5 * USEC_MIN) /* RFC 5321 4.5.3.2.1 */
#define DIALOGUE_MAX      8192
#define COMMAND_MAX       4096
#define ARENA_MAX         65536

static void client_init(struct smtp_client *c, const struct smtp_client_conf *conf, struct str host, struct ip ip,
                        uint16_t port)
{
	*c = (struct smtp_client){.conf = conf, .host = host, .ip = ip, .port = port, .is_lost = true};
	reply_reader_init(&c->reader);
	buf_init(&c->dialogue, DIALOGUE_MAX);
	buf_init(&c->line, COMMAND_MAX);
	arena_init(&c->arena, ARENA_MAX);
}

/* Back to before the connection, with the dialogue so far kept. */
static void client_disconnect(struct smtp_client *c)
{
	stream_close(c->stream);
	c->stream = NULL;
	c->is_lost = true;
	c->replies_open = 0;
	reply_reader_done(&c->reader);
	reply_reader_init(&c->reader);
}

static bool is_cancelled(const struct err *err)
{
	return err->kind == ERR_CANCELLED;
}

/* What happened in words, for callers that print; cancellation alone is a failure. */
static bool settle(struct smtp_client *c, enum client_open to, const struct err *why, enum client_open *outcome,
                   struct reply *said)
{
	*outcome = to;
	*said = (struct reply){.code = 0, .text = arena_str(&c->arena, str_from(why->text))};
	return !is_cancelled(why);
}

static bool settle_reply(enum client_open to, const struct reply *r, enum client_open *outcome, struct reply *said)
{
	*outcome = to;
	*said = *r;
	return true;
}

static enum client_open refused(const struct reply *r)
{
	if (reply_is_temporary(r))
		return CLIENT_REFUSED_TEMP;
	return reply_is_permanent(r) ? CLIENT_REFUSED_PERM : CLIENT_NONSENSE;
}

/* How a conversation that broke off is named: silence and loss are the network's, gibberish is nonsense. */
static enum client_open broken(const struct err *err)
{
	return err->cause == CAUSE_PROTOCOL ? CLIENT_NONSENSE : CLIENT_UNREACHABLE;
}

static WAITS bool dial_host(struct smtp_client *c, struct err *err)
{
	char ip[IP_TEXT_MAX];
	auto_free char *path = NULL;
	struct dial dial = {.ip = c->ip, .port = c->port, .label = c->label_text};
	if (c->ip.family == 0 && str_istarts(c->host, STR("unix:"))) {
		path = strndup(c->host.p + 5, c->host.n - 5);
		dial.path = path;
	} else {
		dial.source = c->ip.family == 6 ? c->conf->source6 : c->conf->source;
	}
	snprintf(c->label_text, sizeof(c->label_text), "connect to %.*s", STR_ARG(c->host));
	c->label = str_from(c->label_text);
	c->asked = rt_now();
	struct deadline d;
	deadline_push(&d, c->conf->connect ? c->conf->connect : CONNECT_FALLBACK, c->label_text);
	c->stream = stream_dial(&dial, err);
	deadline_pop(&d);
	struct str where = c->ip.family ? ip_text(c->ip, ip) : STR("socket");
	if (!c->stream) {
		smtp_client_note(c, "connect to %.*s [%.*s]:%u: %s", STR_ARG(c->host), STR_ARG(where), c->port, err->text);
		return false;
	}
	smtp_client_note(c, "connected to %.*s [%.*s]:%u", STR_ARG(c->host), STR_ARG(where), c->port);
	c->is_lost = false;
	return true;
}

static WAITS bool connect_and_greet(struct smtp_client *c, enum client_open *outcome, struct reply *said, struct err *err)
{
	struct reply r;
	if (!dial_host(c, err))
		return settle(c, CLIENT_UNREACHABLE, err, outcome, said);
	snprintf(c->label_text, sizeof(c->label_text), "greeting of %.*s", STR_ARG(c->host));
	c->label = str_from(c->label_text);
	stream_label(c->stream, c->label_text);
	c->asked = rt_now();
	if (!smtp_client_reply(c, c->conf->greeting ? c->conf->greeting : GREETING_FALLBACK, &r, err))
		return settle(c, broken(err), err, outcome, said);
	if (r.code != 220)
		return settle_reply(refused(&r), &r, outcome, said);
	*outcome = CLIENT_READY;
	return true;
}

static uint64_t number_after(struct str line, struct str key)
{
	uint64_t n = 0;
	size_t at = str_ifind(line, key);
	if (at == line.n)
		return 0;
	struct str rest = str_skip(line, at + key.n), word;
	if (!str_next_word(&rest, &word))
		return 0;
	(void)str_to_u64(word, UINT64_MAX / 2, &n);
	return n;
}

static void take_keyword(struct smtp_client *c, struct str line)
{
	struct str rest = line, word;
	if (!str_next_word(&rest, &word))
		return;
	if (str_ieq(word, STR("PIPELINING"))) {
		c->has_pipelining = true;
	} else if (str_ieq(word, STR("8BITMIME"))) {
		c->has_8bitmime = true;
	} else if (str_ieq(word, STR("SMTPUTF8"))) {
		c->has_smtputf8 = true;
	} else if (str_ieq(word, STR("CHUNKING"))) {
		c->has_chunking = true;
	} else if (str_ieq(word, STR("STARTTLS"))) {
		c->has_starttls = true;
	} else if (str_ieq(word, STR("DSN"))) {
		c->has_dsn = true;
	} else if (str_ieq(word, STR("ENHANCEDSTATUSCODES"))) {
		c->has_enhanced = true;
	} else if (str_ieq(word, STR("SIZE"))) {
		c->has_size = true;
		(void)str_to_u64(str_trim(rest), UINT64_MAX / 2, &c->size_max);
	} else if (str_ieq(word, STR("LIMITS"))) { /* RFC 9422 */
		c->rcpt_max = number_after(rest, STR("RCPTMAX="));
		c->mail_max = number_after(rest, STR("MAILMAX="));
	}
}

static void take_keywords(struct smtp_client *c, struct str text)
{
	struct str line;
	c->is_esmtp = true;
	c->has_pipelining = c->has_8bitmime = c->has_smtputf8 = c->has_chunking = c->has_starttls = false;
	c->has_dsn = c->has_enhanced = c->has_size = false;
	c->size_max = c->rcpt_max = c->mail_max = 0;
	(void)str_cut(&text, '\n', &line); /* its name and greeting */
	while (str_cut(&text, '\n', &line))
		take_keyword(c, line);
}

/* RFC 5321 4.1.4: HELO where EHLO is not understood. A server that hung up after refusing EHLO has refused. */
static WAITS bool fall_back_to_helo(struct smtp_client *c, const struct reply *ehlo, enum client_open *outcome,
                                    struct reply *said, struct err *err)
{
	struct reply r;
	if (!smtp_client_ask(c, 0, "HELO", &r, err, "HELO %.*s", STR_ARG(c->conf->helo))) {
		if (is_cancelled(err))
			return false;
		return settle_reply(refused(ehlo), ehlo, outcome, said);
	}
	if (r.code != 250)
		return settle_reply(refused(&r), &r, outcome, said);
	c->is_esmtp = false;
	*outcome = CLIENT_READY;
	return true;
}

static WAITS bool say_hello(struct smtp_client *c, enum client_open *outcome, struct reply *said, struct err *err)
{
	struct reply r;
	const char *verb = c->conf->is_lmtp ? "LHLO" : "EHLO";
	if (!smtp_client_ask(c, 0, verb, &r, err, "%s %.*s", verb, STR_ARG(c->conf->helo)))
		return settle(c, broken(err), err, outcome, said);
	if (r.code == 250) {
		take_keywords(c, r.text);
		*outcome = CLIENT_READY;
		return true;
	}
	if (reply_is_permanent(&r) && !c->conf->is_lmtp && !c->is_lost)
		return fall_back_to_helo(c, &r, outcome, said, err);
	return settle_reply(refused(&r), &r, outcome, said);
}

enum tls_step { TLS_STARTED, TLS_DECLINED, TLS_BROKEN };

static WAITS enum tls_step handshake(struct smtp_client *c, struct err *err)
{
	struct reply r;
	if (!smtp_client_ask(c, 0, "STARTTLS", &r, err, "STARTTLS"))
		return TLS_BROKEN;
	if (r.code != 220) {
		(void)err_temp(err, CAUSE_TLS_POLICY, "STARTTLS refused with %d", r.code);
		return c->is_lost ? TLS_BROKEN : TLS_DECLINED;
	}
	/* RFC 3207 4.2: nothing that was said in clear counts; a server that went on talking is being helped. */
	if (stream_discard_input(c->stream) > 0) {
		(void)err_temp(err, CAUSE_TLS_POLICY, "data behind the answer to STARTTLS");
		return TLS_BROKEN;
	}
	auto_free char *name = c->host.p && c->host.n && c->host.p[0] != '[' ? strndup(c->host.p, c->host.n) : NULL;
	struct deadline d;
	deadline_push(&d, c->conf->command ? c->conf->command : GREETING_FALLBACK, "TLS handshake");
	bool ok = stream_tls_connect(c->stream, c->conf->tls, name, err);
	deadline_pop(&d);
	if (!ok) {
		smtp_client_note(c, "TLS failed: %s", err->text);
		c->is_lost = true;
		return TLS_BROKEN;
	}
	smtp_client_note(c, "%.*s", STR_ARG(stream_tls_text(c->stream)));
	return TLS_STARTED;
}

static WAITS bool open_clear(struct smtp_client *c, enum client_open *outcome, struct reply *said, struct err *err)
{
	if (!connect_and_greet(c, outcome, said, err))
		return false;
	return *outcome != CLIENT_READY || say_hello(c, outcome, said, err);
}

/* Opportunistic TLS protects against listeners only; when it cannot be had, mail in clear is better than none
 * (RFC 7435), on a new connection, because the old one is of no use after a failed handshake. */
static WAITS bool go_on_without_tls(struct smtp_client *c, enum tls_step step, enum client_open *outcome,
                                    struct reply *said, struct err *err)
{
	if (is_cancelled(err))
		return false;
	if (c->conf->require_tls)
		return settle(c, CLIENT_NO_TLS, err, outcome, said);
	if (step == TLS_DECLINED)
		return true;
	smtp_client_note(c, "TLS is broken there: once more in clear");
	client_disconnect(c);
	c->tls_failed = true;
	return open_clear(c, outcome, said, err);
}

static WAITS bool start_tls(struct smtp_client *c, enum client_open *outcome, struct reply *said, struct err *err)
{
	enum tls_step step = handshake(c, err);
	if (step != TLS_STARTED)
		return go_on_without_tls(c, step, outcome, said, err);
	if (!say_hello(c, outcome, said, err))
		return false;
	/* TLS 1.3 servers report some failures of the handshake only behind it. */
	if (*outcome == CLIENT_UNREACHABLE && err->kind != ERR_TIMEOUT)
		return go_on_without_tls(c, TLS_BROKEN, outcome, said, err);
	return true;
}

bool smtp_client_open(struct smtp_client *c, const struct smtp_client_conf *conf, struct str host, struct ip ip,
                      uint16_t port, enum client_open *outcome, struct reply *said, struct err *err)
{
	client_init(c, conf, host, ip, port);
	*said = (struct reply){0};
	if (!open_clear(c, outcome, said, err))
		return false;
	if (*outcome != CLIENT_READY)
		return true;
	bool wants_tls = (conf->use_tls || conf->require_tls) && conf->tls;
	if (wants_tls && c->has_starttls)
		return start_tls(c, outcome, said, err);
	if (!conf->require_tls)
		return true;
	(void)err_temp(err, CAUSE_TLS_POLICY, "%.*s offers no STARTTLS", STR_ARG(host));
	return settle(c, CLIENT_NO_TLS, err, outcome, said);
}
