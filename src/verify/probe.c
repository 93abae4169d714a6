/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MAIL and RCPT about one address, with the sender that this server takes. */
#include "verify/probe.h"

#include "base/auto.h"
#include "mail/address.h"

#include <stdio.h>

#define REPLY_WAIT (45 * USEC_S) /* some filters take half a minute for a recipient that they do not know */

/* The replies to one transaction's commands; a stage that was not reached keeps code 0. */
struct exchange {
	struct reply reset, mail, rcpt;
	bool is_lost;
};

void probe_said(const struct reply *r, char *out, size_t n)
{
	char code[16];
	auto_buf struct buf b;
	buf_init(&b, 1024);
	if (r->code)
		buf_printf(&b, "%d ", r->code);
	if (r->enhanced.class) {
		buf_str(&b, enhanced_code_text(r->enhanced, code));
		buf_char(&b, ' ');
	}
	struct str rest = str_slice(r->text, 0, 160), line;
	for (bool is_first = true; str_cut(&rest, '\n', &line); is_first = false) {
		buf_str(&b, is_first ? STR_NONE : STR(" / "));
		buf_escaped(&b, line);
	}
	snprintf(out, n, "%.*s", STR_ARG(buf_view(&b)));
}

/* Only a local part beyond ASCII needs the extension: the domain is sent as A-labels. */
static bool needs_utf8(struct str local)
{
	for (size_t i = 0; i < local.n; i++)
		if ((unsigned char)local.p[i] > 127)
			return true;
	return false;
}

static struct str wire_address(struct arena *arena, struct str local, struct str ascii_domain)
{
	struct address a = {.local = local, .domain = ascii_domain, .ascii_domain = ascii_domain}, parsed;
	struct err err;
	struct str plain = arena_printf(arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(ascii_domain));
	if (address_parse(arena, plain, true, &parsed, &err) && str_eq(parsed.local, local))
		return plain;
	a.needs_quotes = true;
	return address_text(arena, &a);
}

static const char *mail_parameter(bool utf8)
{
	return utf8 ? " SMTPUTF8" : "";
}

static struct str sender_of(const struct probe *p)
{
	return p->uses_probe_sender ? p->probe_sender : STR("");
}

/* All commands in one packet (RFC 2920 3.1 allows RSET, MAIL and RCPT anywhere in a group), then the replies. */
static WAITS bool exchange_pipelined(struct probe *p, struct str rcpt, bool utf8, struct exchange *x, struct err *err)
{
	struct smtp_client *c = p->client;
	struct str sender = sender_of(p);
	if (p->in_transaction)
		smtp_client_send(c, "RSET", "RSET");
	smtp_client_send(c, "MAIL", "MAIL FROM:<%.*s>%s", STR_ARG(sender), mail_parameter(utf8));
	smtp_client_send(c, "RCPT", "RCPT TO:<%.*s>", STR_ARG(rcpt));
	if (p->in_transaction && !smtp_client_reply(c, REPLY_WAIT, &x->reset, err))
		return false;
	return smtp_client_reply(c, REPLY_WAIT, &x->mail, err) && smtp_client_reply(c, REPLY_WAIT, &x->rcpt, err);
}

static WAITS bool exchange_in_steps(struct probe *p, struct str rcpt, bool utf8, struct exchange *x, struct err *err)
{
	struct smtp_client *c = p->client;
	struct str sender = sender_of(p);
	if (p->in_transaction) {
		if (!smtp_client_ask(c, REPLY_WAIT, "RSET", &x->reset, err, "RSET"))
			return false;
		if (!reply_is_positive(&x->reset))
			return true;
	}
	if (!smtp_client_ask(c, REPLY_WAIT, "MAIL", &x->mail, err, "MAIL FROM:<%.*s>%s", STR_ARG(sender),
	                     mail_parameter(utf8)))
		return false;
	if (!reply_is_positive(&x->mail))
		return true;
	return smtp_client_ask(c, REPLY_WAIT, "RCPT", &x->rcpt, err, "RCPT TO:<%.*s>", STR_ARG(rcpt));
}

/* A lost conversation is not a failure here: what was answered before stays answered. */
static WAITS bool exchange_run(struct probe *p, struct str rcpt, bool utf8, struct exchange *x, struct err *err)
{
	*x = (struct exchange){0};
	bool ok = p->use_pipelining && p->client->has_pipelining ? exchange_pipelined(p, rcpt, utf8, x, err)
	                                                         : exchange_in_steps(p, rcpt, utf8, x, err);
	if (!ok && err->kind == ERR_CANCELLED)
		return false;
	x->is_lost = !ok;
	p->in_transaction = true;
	p->rcpts++;
	return true;
}

static void set(struct probe_answer *out, enum probe_stage stage, const struct reply *r, struct probe_reading reading)
{
	*out = (struct probe_answer){.reading = reading, .stage = stage, .code = r ? r->code : 0};
	if (r)
		probe_said(r, out->said, sizeof(out->said));
}

static void set_lost(struct probe_answer *out, enum probe_stage stage, const struct err *err)
{
	*out = (struct probe_answer){.reading = {PROBE_LOST, CAUSE_NETWORK, false}, .stage = stage};
	snprintf(out->said, sizeof(out->said), "%s", err->text);
}

/* MAIL was refused although this sender was taken before: the server is done with us, not with the sender. */
static bool is_tired(const struct probe *p, const struct probe_reading *mail)
{
	return p->mail_accepted && mail->meaning == PROBE_NULL_REFUSED;
}

static void read_exchange(struct probe *p, const struct exchange *x, struct str local, const struct err *err,
                          struct probe_answer *out)
{
	struct str mx = p->client->host;
	if (x->reset.code && !reply_is_positive(&x->reset)) {
		set(out, PROBE_MAIL, &x->reset, (struct probe_reading){PROBE_LOST, CAUSE_PROTOCOL, false});
		return;
	}
	if (x->mail.code == 0) {
		set_lost(out, PROBE_MAIL, err);
		return;
	}
	if (!reply_is_positive(&x->mail)) {
		struct probe_reading r = probe_reply_read(PROBE_MAIL, &x->mail, STR_NONE, mx);
		if (is_tired(p, &r))
			r = (struct probe_reading){PROBE_LOST, CAUSE_PROTOCOL, false};
		set(out, PROBE_MAIL, &x->mail, r);
		return;
	}
	p->mail_accepted = true;
	if (x->rcpt.code == 0)
		set_lost(out, PROBE_RCPT, err);
	else
		set(out, PROBE_RCPT, &x->rcpt, probe_reply_read(PROBE_RCPT, &x->rcpt, local, mx));
}

/* RFC 6531 3.4: an address that the server cannot be asked about. */
static void set_needs_utf8(struct probe_answer *out)
{
	set(out, PROBE_RCPT, NULL, (struct probe_reading){PROBE_UNVERIFIABLE, CAUSE_PROTOCOL, false});
	snprintf(out->said, sizeof(out->said), "the server does not offer SMTPUTF8");
}

bool probe_ask(struct probe *p, struct str local, struct str ascii_domain, struct probe_answer *out, struct err *err)
{
	auto_arena struct arena arena;
	struct exchange x;
	arena_init(&arena, 8192);
	bool utf8 = needs_utf8(local);
	if (utf8 && !p->client->has_smtputf8) {
		set_needs_utf8(out);
		return true;
	}
	struct str rcpt = wire_address(&arena, local, ascii_domain);
	if (!exchange_run(p, rcpt, utf8, &x, err))
		return false;
	read_exchange(p, &x, local, err, out);
	if (out->reading.meaning != PROBE_NULL_REFUSED || p->uses_probe_sender || p->client->is_lost)
		return true;
	p->uses_probe_sender = p->null_refused = true;
	p->mail_accepted = false;
	smtp_client_note(p->client, "the null sender is refused: once more with the probe sender");
	if (!exchange_run(p, rcpt, utf8, &x, err))
		return false;
	read_exchange(p, &x, local, err, out);
	if (out->reading.meaning == PROBE_NULL_REFUSED) /* so it was not the null sender that they did not like */
		p->uses_probe_sender = p->null_refused = false;
	return true;
}
