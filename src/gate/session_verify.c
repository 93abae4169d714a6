/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an SMTP session asks about its sender, and how it says the answer: at MAIL, at RCPT, at the dot. */
#include "gate/say.h"

WAITS static bool say_fault_of(struct session *s, bool passes)
{
	if (!passes)
		say(s, s->tx->check.fault, &s->tx->check.args);
	return passes;
}

static struct sender_check *check_of(struct session *s)
{
	struct transaction *tx = s->tx;
	tx->check.is_for_trusted = tx->n_rcpts && tx->n_trusted == tx->n_rcpts;
	return &tx->check;
}

void session_check_begin(struct session *s)
{
	struct transaction *tx = s->tx;
	tx->check = (struct sender_check){
		.gate = s->gate,
		.set = s->set,
		.arena = &tx->arena,
		.trail = &tx->trail,
		.ref = tx->ref,
		.address = tx->mail.path.is_null ? NULL : &tx->mail.path.address,
		.text = tx->sender,
		.allows_utf8 = tx->mail.smtputf8,
		.evidence = {.client = s->client, .helo = str_from(s->helo), .is_local_network = s->is_local_network},
	};
}

bool session_sender_is_allowed(struct session *s)
{
	return say_fault_of(s, sender_is_allowed(check_of(s)) && sender_domain_passes(check_of(s)));
}

bool session_sender_passes_again(struct session *s)
{
	return s->tx->n_rcpts || say_fault_of(s, sender_passes_again(check_of(s)));
}

void session_sender_start(struct session *s)
{
	struct transaction *tx = s->tx;
	struct err err;
	stream_flush(s->stream, &err); /* the 354 must not wait for the DNS */
	if (sender_start(check_of(s)))
		return;
	tx->has_fault = true;
	tx->fault = tx->check.fault;
}

/* While somebody is asked, the message is held. */
WAITS static bool passes_held(struct session *s)
{
	struct transaction *tx = s->tx;
	struct gate_metrics *m = &s->gate->metrics;
	struct err err;
	usec_t begun = rt_now();
	if (!ticket_is_complete(tx->check.ticket))
		stream_flush(s->stream, &err);
	s->state = SESSION_HELD;
	metric_add(m->held, 1);
	bool passes = sender_passes(&tx->check, s->set->deps.verify_conf->wait);
	metric_add(m->held, -1);
	metric_observe(m->hold_seconds, rt_now() - begun);
	return passes;
}

bool session_sender_passes(struct session *s)
{
	struct transaction *tx = s->tx;
	bool passes = tx->check.ticket ? passes_held(s) : sender_passes(&tx->check, 0);
	if (passes && tx->check.is_tagged)
		tx->verdict = VERDICT_TAG;
	return say_fault_of(s, passes);
}
