/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MAIL (RFC 5321 4.1.1.2): the beginning of a transaction. */
#include "gate/say.h"

WAITS static bool is_in_sequence(struct session *s)
{
	if (!s->helo)
		say_detail(s, SAY_BAD_SEQUENCE, "Say EHLO first");
	else if (s->tx)
		say_detail(s, SAY_BAD_SEQUENCE, "A transaction is open; send RSET first");
	else if (s->needs_reset)
		say_detail(s, SAY_BAD_SEQUENCE, "BDAT failed; send RSET first");
	else if (++s->messages > (uint64_t)s->set->conf->messages)
		say(s, SAY_TOO_MANY_COMMANDS, NULL);
	else
		return true;
	return false;
}

/* The line it came in goes with the next read, hence the copy. */
WAITS static bool parse(struct session *s, struct str argument)
{
	struct transaction *tx = s->tx;
	struct smtp_fault fault;
	if (!smtp_mail_parse(&tx->arena, arena_str(&tx->arena, argument), &tx->mail, &fault)) {
		say_fault(s, &fault);
		return false;
	}
	if (tx->mail.body == SMTP_BODY_BINARYMIME) {
		say_detail(s, SAY_SYNTAX, "BINARYMIME is not offered");
		return false;
	}
	tx->sender = tx->mail.path.is_null ? STR("") : address_text(&tx->arena, &tx->mail.path.address);
	return true;
}

WAITS static bool has_room(struct session *s)
{
	const struct gate_conf *conf = s->set->conf;
	uint64_t size = s->tx->mail.size;
	struct err err;
	if (size > (uint64_t)conf->message_size)
		say(s, SAY_TOO_BIG, NULL);
	else if (!spool_has_room(s->set->deps.spool, size, &err))
		say(s, SAY_STORAGE, NULL);
	else if (s->gate->memory > (size_t)conf->memory)
		say(s, SAY_SESSION_MEMORY, NULL);
	else
		return true;
	return false;
}

static enum verdict verdict_of(const struct transaction *tx)
{
	return str_starts(tx->reply, STR("4")) ? VERDICT_DEFER : VERDICT_REJECT;
}

void session_mail(struct session *s, struct str argument)
{
	if (!is_in_sequence(s))
		return;
	transaction_begin(s);
	if (!parse(s, argument)) {
		session_clear(s);
		return;
	}
	session_check_begin(s);
	if (!has_room(s) || !session_sender_is_allowed(s)) {
		transaction_end(s, verdict_of(s->tx));
		return;
	}
	say_line(s, STR("250 2.1.0 Ok\r\n"));
}
