/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate's side of sender verification: when the sender is asked about, and what the answer means for this message
 * in the mode that is set: enforce refuses, tag marks, observe notes, off asks nobody.
 */
#include "gate/say.h"
#include "gate/tags.h"

#include "base/log.h"
#include "trail/would.h"

static bool is_mode(const struct session *s, enum verify_mode mode)
{
	return verify_mode(s->set->deps.verify) == mode;
}

static bool is_own_domain(const struct session *s)
{
	const struct transaction *tx = s->tx;
	return !tx->mail.path.is_null &&
	       domains_is_local(s->set->deps.domains, tx->mail.path.address.ascii_domain);
}

/* Cheapest first; none of these asks anybody. */
static enum verify_skip skip_reason(const struct session *s)
{
	const struct transaction *tx = s->tx;
	if (!s->set->deps.verify || is_mode(s, VERIFY_MODE_OFF))
		return SKIP_OFF;
	if (tx->mail.path.is_null)
		return SKIP_NULL_SENDER;
	if (s->is_local_network)
		return SKIP_LOCAL_NETWORK;
	if (tx->skip != SKIP_NONE)
		return tx->skip; /* the exceptions file, at MAIL */
	if (tx->n_rcpts && tx->n_trusted == tx->n_rcpts)
		return SKIP_TRUSTED_RECIPIENT;
	return SKIP_NONE;
}

bool sender_is_asked(struct session *s)
{
	return skip_reason(s) == SKIP_NONE;
}

/* --- what an answer makes us say --- */

static enum say_class say_class_of(enum verify_class class)
{
	switch (class) {
	case VERIFY_CLASS_DEFERRED:
		return SAY_CLASS_DEFERRED;
	case VERIFY_CLASS_REFUSED_NULL:
		return SAY_CLASS_REFUSED_NULL;
	case VERIFY_CLASS_REFUSED_US:
		return SAY_CLASS_REFUSED_US;
	case VERIFY_CLASS_BUSY:
		return SAY_CLASS_BUSY;
	case VERIFY_CLASS_NONE:
	case VERIFY_CLASS_NO_ANSWER:
		break;
	}
	return SAY_CLASS_NO_ANSWER;
}

/* Never calls a mailbox absent that was not proven so, whatever the table of actions was set to. */
static enum situation situation_of(const struct verify_answer *a, enum verify_action action)
{
	if (a->dns == VERIFY_DNS_TEMPORARY)
		return SAY_SENDER_DNS_TEMP;
	if (action != VERIFY_REFUSE)
		return SAY_SENDER_VERIFY_TEMP;
	if (a->dns == VERIFY_DNS_NULL_MX)
		return SAY_SENDER_NULL_MX;
	if (a->dns != VERIFY_DNS_OK)
		return SAY_SENDER_NO_DOMAIN;
	if (a->verdict == VERIFY_ABSENT)
		return SAY_SENDER_ABSENT;
	if (a->verdict == VERIFY_EXISTS && a->null_refused)
		return SAY_SENDER_REFUSES_BOUNCES;
	return SAY_REFUSED_BY_RULE; /* an override of the operator's */
}

static struct say_args args_of(const struct verify_answer *a)
{
	return (struct say_args){.class = say_class_of(a->class), .retry_after = a->retry_after};
}

/* --- the trail --- */

static void note(struct session *s, const struct verify_answer *a)
{
	struct transaction *tx = s->tx;
	struct trail_entry entry = {
		.at = rt_wall(),
		.took = a->took,
		.check = STR("verify"),
		.result = str_from(verify_verdict_name(a->verdict)),
		.cause = a->cause,
		.subject = tx->sender,
		.text = a->dialogue,
	};
	if (entry.text.n == 0)
		entry.text = arena_printf(&tx->arena, "%s%s%s%s%s", a->is_cached ? "cached; " : "",
		                          a->is_running ? "still asking; " : "", a->host, a->host[0] ? ": " : "", a->said);
	trail_add(&tx->trail, &entry);
}

static void note_skip(struct session *s, enum verify_skip skip)
{
	trail_note(&s->tx->trail, rt_wall(), 0, "verify", "skipped", CAUSE_NONE, s->tx->sender, "%s",
	           verify_skip_name(skip));
}

static bool is_refusal(enum verify_action action)
{
	return action == VERIFY_REFUSE || action == VERIFY_DEFER;
}

/* What the mode lets pass, and enforce would not have, or not without a tag. */
static void note_would(struct session *s, const struct verify_answer *a, enum verify_action action)
{
	struct say_args args = args_of(a);
	enum verdict would = action == VERIFY_REFUSE ? VERDICT_REJECT
	                     : action == VERIFY_DEFER ? VERDICT_DEFER
	                                              : VERDICT_TAG;
	struct str reply = is_refusal(action) ? say_would(s, situation_of(a, action), &args)
	                                      : str_from(verify_verdict_name(a->verdict));
	trail_note_would(&s->tx->trail, rt_wall(), "verify", would, a->cause, s->tx->sender, reply);
	if (is_refusal(action))
		metric_inc(s->gate->metrics.would_refuse);
}

/* --- the decision --- */

WAITS static void refuse(struct session *s, const struct verify_answer *a, enum verify_action action)
{
	struct say_args args = args_of(a);
	struct str key = address_key(&s->tx->arena, &s->tx->mail.path.address);
	say(s, situation_of(a, action), &args);
	heard_note(s->gate->heard, s->client, key, action == VERIFY_REFUSE, rt_now());
	metric_inc(s->gate->metrics.sender_refused);
}

/* What the table says, before the mode has its say. */
static enum verify_action decide(struct session *s, const struct verify_answer *a)
{
	return verify_decide(s->set->deps.verify_conf, a, &s->tx->evidence, rt_wall());
}

/* What is done in the mode that is set; counted by verification. */
static enum verify_action act(struct session *s, const struct verify_answer *a)
{
	return verify_act(s->set->deps.verify, a, &s->tx->evidence);
}

static void add_tag(struct session *s, const struct verify_answer *a, bool is_tagged)
{
	struct transaction *tx = s->tx;
	tx->tag = tag_fields(&tx->arena, &(struct tag_args){
		.answer = a,
		.is_tagged = is_tagged,
		.host = s->set->host,
		.ref = tx->ref,
		.sender = &tx->mail.path.address,
	});
	if (is_tagged)
		tx->verdict = VERDICT_TAG;
}

/* One answer, one outcome: true lets the message pass, with a tag where one is due. */
WAITS static bool passes(struct session *s, const struct verify_answer *a)
{
	enum verify_action action = act(s, a), would = decide(s, a);
	if (is_refusal(action)) {
		refuse(s, a, action);
		return false;
	}
	if (is_refusal(would) || (would == VERIFY_ACCEPT_TAG && is_mode(s, VERIFY_MODE_OBSERVE)))
		note_would(s, a, would);
	if (!is_mode(s, VERIFY_MODE_OBSERVE))
		add_tag(s, a, action == VERIFY_ACCEPT_TAG);
	return true;
}

/* --- at MAIL --- */

WAITS static enum verify_dns certain_dns(struct session *s)
{
	struct transaction *tx = s->tx;
	enum verify_dns dns = VERIFY_DNS_OK;
	struct str why = STR_NONE;
	struct err err;
	usec_t begun = rt_now();
	if (!verify_domain(s->set->deps.verify, &tx->mail.path.address, &dns, &why, &tx->arena, &err))
		return VERIFY_DNS_TEMPORARY;
	if (dns != VERIFY_DNS_OK)
		trail_note(&tx->trail, rt_wall(), rt_now() - begun, "dns", "sender domain", CAUSE_SENDER_DOMAIN,
		           tx->mail.path.address.ascii_domain, "%.*s", STR_ARG(why));
	return dns;
}

/* Trouble of the DNS ends with the patience that verification keeps for this client and sender. */
WAITS static bool ask_patience(struct session *s, struct verify_answer *a)
{
	struct transaction *tx = s->tx;
	struct verify *v = s->set->deps.verify;
	struct err err;
	struct ticket *ticket = verify_start(v, &tx->mail.path.address, &tx->evidence);
	bool ok = verify_finish(v, ticket, &tx->mail.path.address, &tx->evidence, 0, a, &err);
	ticket_unref(ticket);
	a->verdict = VERIFY_TEMPORARY;
	a->dns = VERIFY_DNS_TEMPORARY;
	a->dialogue = STR_NONE;
	return ok;
}

bool sender_domain_passes(struct session *s)
{
	struct transaction *tx = s->tx;
	if (!sender_is_asked(s) || is_own_domain(s) || !is_mode(s, VERIFY_MODE_ENFORCE))
		return true; /* what DNS says comes to light again at the dot, for the trail and the tag */
	struct verify_answer *a = arena_new(&tx->arena, struct verify_answer);
	a->dns = certain_dns(s);
	if (a->dns == VERIFY_DNS_OK)
		return true;
	a->verdict = VERIFY_ABSENT;
	a->cause = CAUSE_SENDER_DOMAIN;
	if (a->dns == VERIFY_DNS_TEMPORARY && !ask_patience(s, a)) {
		say(s, SAY_LOCAL_ERROR, NULL);
		return false;
	}
	if (!is_refusal(decide(s, a)))
		return true;
	refuse(s, a, act(s, a));
	return false;
}

/* --- at RCPT --- */

bool sender_passes_again(struct session *s)
{
	struct transaction *tx = s->tx;
	bool was_refused;
	if (tx->n_rcpts || !sender_is_asked(s) || is_own_domain(s) || !is_mode(s, VERIFY_MODE_ENFORCE))
		return true;
	struct str key = address_key(&tx->arena, &tx->mail.path.address);
	if (!heard_find(s->gate->heard, s->client, key, rt_now(), &was_refused) || !was_refused)
		return true;
	struct verify_answer *a = arena_new(&tx->arena, struct verify_answer);
	if (!verify_lookup(s->set->deps.verify, key, a) || decide(s, a) != VERIFY_REFUSE)
		return true;
	note(s, a);
	refuse(s, a, act(s, a));
	return false;
}

/* --- at DATA --- */

/* Refused at the dot; where the mode only watches or tags, that is noted and the message goes on. */
static void judge_forged(struct session *s)
{
	struct transaction *tx = s->tx;
	if (is_mode(s, VERIFY_MODE_ENFORCE)) {
		tx->has_fault = true;
		tx->fault = SAY_SPF_FAIL;
		metric_inc(s->gate->metrics.sender_refused);
		return;
	}
	tx->skip = SKIP_FORGED;
	trail_note_would(&tx->trail, rt_wall(), "spf", VERDICT_REJECT, CAUSE_AUTH_POLICY, tx->sender,
	                 say_would(s, SAY_SPF_FAIL, NULL));
	metric_inc(s->gate->metrics.would_refuse);
}

void sender_verify_start(struct session *s)
{
	struct transaction *tx = s->tx;
	tx->skip = skip_reason(s);
	if (tx->skip != SKIP_NONE || is_own_domain(s))
		return;
	evidence_fill(s);
	if (sender_fails_spf(s)) { /* not one packet to its mail server */
		judge_forged(s);
		return;
	}
	tx->ticket = verify_start(s->set->deps.verify, &tx->mail.path.address, &tx->evidence);
}

/* --- at the dot --- */

/* Our own domain is answered by our own recipients, and nobody is dialled. */
WAITS static bool answer_own(struct session *s, struct verify_answer *a)
{
	struct transaction *tx = s->tx;
	enum recipient_result result;
	enum cause_id cause = CAUSE_NONE;
	struct str why = STR_NONE;
	struct err err;
	if (!recipients_check(s->set->deps.recipients, &tx->mail.path.address, &tx->arena, &result, &cause, &why, &err))
		return false;
	a->verdict = result == RECIPIENT_FOUND    ? VERIFY_SKIPPED
	             : result == RECIPIENT_ABSENT ? VERIFY_ABSENT
	                                          : VERIFY_TEMPORARY;
	a->skip = result == RECIPIENT_FOUND ? SKIP_OWN_DOMAIN : SKIP_NONE;
	a->class = result == RECIPIENT_ERROR ? VERIFY_CLASS_NO_ANSWER : VERIFY_CLASS_NONE;
	a->cause = cause;
	a->dialogue = why;
	return true;
}

WAITS static bool answer_asked(struct session *s, struct verify_answer *a)
{
	struct transaction *tx = s->tx;
	struct gate_metrics *m = &s->gate->metrics;
	struct err err;
	usec_t begun = rt_now();
	if (!ticket_is_complete(tx->ticket))
		stream_flush(s->stream, &err);
	s->state = SESSION_HELD;
	metric_add(m->held, 1);
	bool ok = verify_finish(s->set->deps.verify, tx->ticket, &tx->mail.path.address, &tx->evidence,
	                        s->set->deps.verify_conf->wait, a, &err);
	metric_add(m->held, -1);
	metric_observe(m->hold_seconds, rt_now() - begun);
	return ok;
}

bool sender_passes(struct session *s)
{
	struct transaction *tx = s->tx;
	if (tx->skip != SKIP_NONE) {
		note_skip(s, tx->skip);
		if (tx->skip == SKIP_FORGED && is_mode(s, VERIFY_MODE_TAG))
			add_tag(s, &(struct verify_answer){.verdict = VERIFY_SKIPPED, .skip = tx->skip}, true);
		return true;
	}
	struct verify_answer *a = arena_new(&tx->arena, struct verify_answer);
	if (!(tx->ticket ? answer_asked(s, a) : answer_own(s, a))) {
		say(s, SAY_SHUTTING_DOWN, NULL);
		return false;
	}
	note(s, a);
	return passes(s, a);
}
