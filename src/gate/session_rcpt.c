/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RCPT (RFC 5321 4.1.1.3): whom the message is for, and whether we take mail for them. */
#include "gate/say.h"

WAITS static bool is_in_sequence(struct session *s)
{
	const struct gate_conf *conf = s->set->conf;
	struct transaction *tx = s->tx;
	if (!tx)
		say_detail(s, SAY_BAD_SEQUENCE, s->needs_reset ? "BDAT failed; send RSET first" : "Send MAIL first");
	else if (tx->is_chunked)
		say_detail(s, SAY_BAD_SEQUENCE, "BDAT has begun");
	else if (tx->n_refused > 2 * (uint64_t)conf->recipients)
		say(s, SAY_TOO_MANY_COMMANDS, NULL);
	else if (tx->n_rcpts >= (uint64_t)conf->recipients)
		say(s, SAY_TOO_MANY_RCPTS, NULL);
	else if (arena_is_full(&tx->arena))
		say(s, SAY_SESSION_MEMORY, NULL);
	else
		return true;
	if (tx)
		tx->n_refused++;
	return false;
}

/* RFC 5321 4.5.1: <postmaster> without a domain is ours. */
WAITS static bool complete_postmaster(struct session *s, struct address *a)
{
	struct arena *arena = &s->tx->arena;
	const struct domains *domains = s->set->deps.domains;
	struct str host = arena_lower(arena, s->set->host);
	struct str domain = domains_is_local(domains, host) ? host : domains_first_local(domains);
	if (domain.n == 0) {
		say_rcpt(s, SAY_RELAY_DENIED, a->local);
		return false;
	}
	a->domain = a->ascii_domain = arena_str(arena, domain);
	return true;
}

/* What we show to servers that refuse <>: they may ask whether it takes mail. */
static bool is_probe_sender(const struct session *s, const struct address *a)
{
	const struct verify_conf *conf = s->set->deps.verify_conf;
	struct str probe = conf ? conf->probe_sender : STR_NONE;
	if (probe.n == 0)
		return str_ieq(a->local, STR("postern-probe")) && str_ieq(a->ascii_domain, s->set->host);
	size_t at = str_rfind_char(probe, '@');
	return str_ieq(a->local, str_slice(probe, 0, at)) && str_ieq(a->ascii_domain, str_skip(probe, at + 1));
}

/* Our host need not be a domain that we receive for, but our replies name postmaster at it, and our probes come from
 * it: such mail goes to the postmaster of the first domain. */
static bool is_for_the_host(const struct session *s, const struct address *a)
{
	bool is_role_here = sender_address_is_role(a) && str_ieq(a->ascii_domain, s->set->host);
	return is_probe_sender(s, a) || (is_role_here && !domains_is_local(s->set->deps.domains, a->ascii_domain));
}

WAITS static bool exists_here(struct session *s, const struct address *a, struct str text)
{
	struct transaction *tx = s->tx;
	enum recipient_result result;
	enum cause_id cause = CAUSE_NONE;
	struct str why = STR_NONE;
	struct err err;
	usec_t begun = rt_now();
	if (!recipients_check(s->set->deps.recipients, a, &tx->arena, &result, &cause, &why, &err)) {
		say(s, SAY_LOCAL_ERROR, NULL);
		return false;
	}
	if (result == RECIPIENT_FOUND)
		return true;
	trail_note(&tx->trail, rt_wall(), rt_now() - begun, "recipient", result == RECIPIENT_ABSENT ? "absent" : "error",
	           result == RECIPIENT_ABSENT ? CAUSE_NO_MAILBOX : cause, text, "%.*s", STR_ARG(why));
	if (result == RECIPIENT_ABSENT)
		say_rcpt(s, SAY_RCPT_ABSENT, text);
	else
		say_rcpt(s, cause == CAUSE_DIRECTORY ? SAY_DIRECTORY : SAY_RCPT_VERIFY_TEMP, text);
	return false;
}

/* For a client of ours: a domain that certainly takes no mail is refused now and not by a bounce. */
WAITS static bool may_relay(struct session *s, const struct address *a, struct str text)
{
	const struct gate_deps *deps = &s->set->deps;
	const struct route_conf *route = domains_route(deps->domains, a->ascii_domain);
	enum verify_dns dns = VERIFY_DNS_OK;
	struct str why;
	struct err err;
	if (!s->is_local_network) {
		trail_note(&s->tx->trail, rt_wall(), 0, "recipient", "relay denied", CAUSE_RELAY_DENIED, text, "%s", "");
		say_rcpt(s, SAY_RELAY_DENIED, text);
		return false;
	}
	if ((route && route->kind != ROUTE_MX) || !deps->verify)
		return true;
	if (!verify_domain(deps->verify, a, &dns, &why, &s->tx->arena, &err))
		return true; /* no time to find out: the queue will */
	if (dns != VERIFY_DNS_NO_DOMAIN && dns != VERIFY_DNS_NULL_MX)
		return true;
	trail_note(&s->tx->trail, rt_wall(), 0, "recipient", "no domain", CAUSE_NO_DOMAIN, text, "%.*s", STR_ARG(why));
	say_rcpt(s, SAY_RCPT_NO_DOMAIN, text);
	return false;
}

WAITS static bool is_ours_to_take(struct session *s, const struct address *a, struct str text)
{
	if (domains_is_local(s->set->deps.domains, a->ascii_domain))
		return exists_here(s, a, text);
	return may_relay(s, a, text);
}

/* *is_trusted: mail to it is taken whatever the sender. */
WAITS static bool is_allowed(struct session *s, const struct address *a, struct str text, bool *is_trusted)
{
	struct sender_check *c = &s->tx->check;
	if (sender_recipient_is_allowed(c, a, text, domains_is_local(s->set->deps.domains, a->ascii_domain), is_trusted))
		return true;
	say(s, c->fault, &c->args);
	return false;
}

static bool is_listed(const struct transaction *tx, struct str text)
{
	for (size_t i = 0; i < tx->n_rcpts; i++)
		if (str_eq(tx->rcpts[i].address, text))
			return true;
	return false;
}

static void add(struct transaction *tx, const struct smtp_rcpt *rcpt, struct str text)
{
	if (tx->n_rcpts == tx->rcpts_capacity) {
		size_t capacity = tx->rcpts_capacity ? 2 * tx->rcpts_capacity : 2;
		struct spool_rcpt *more = arena_alloc(&tx->arena, capacity * sizeof *more);
		if (tx->n_rcpts)
			memcpy(more, tx->rcpts, tx->n_rcpts * sizeof *more);
		tx->rcpts = more;
		tx->rcpts_capacity = capacity;
	}
	tx->rcpts[tx->n_rcpts++] = (struct spool_rcpt){
		.address = text,
		.orcpt = rcpt->orcpt,
		.notify = (uint8_t)rcpt->notify,
	};
}

WAITS static bool take(struct session *s, struct str argument)
{
	struct transaction *tx = s->tx;
	struct smtp_fault fault;
	struct smtp_rcpt rcpt;
	bool is_trusted;
	if (!smtp_rcpt_parse(&tx->arena, arena_str(&tx->arena, argument), tx->mail.smtputf8, &rcpt, &fault)) {
		say_fault(s, &fault);
		return false;
	}
	struct address *a = &rcpt.path.address;
	if (a->domain.n == 0 || is_for_the_host(s, a)) {
		a->local = STR("postmaster");
		a->needs_quotes = false;
		if (!complete_postmaster(s, a))
			return false;
	}
	struct str text = address_text(&tx->arena, a);
	if (!is_ours_to_take(s, a, text) || !is_allowed(s, a, text, &is_trusted) ||
	    (!is_trusted && !session_sender_passes_again(s)))
		return false;
	if (!is_listed(tx, text)) {
		add(tx, &rcpt, text);
		tx->n_trusted += is_trusted;
	}
	return true;
}

void session_rcpt(struct session *s, struct str argument)
{
	if (!is_in_sequence(s))
		return;
	if (take(s, argument))
		say_line(s, STR("250 2.1.5 Ok\r\n"));
	else
		s->tx->n_refused++;
}
