/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doors' side of sender verification: when the sender is asked about, and what the answer means for this message
 * in the mode that is set: enforce refuses, tag marks, observe notes, off asks nobody.
 */
#include "gate/sender_check.h"
#include "gate/tags.h"

#include "base/auto.h"
#include "trail/would.h"

#define REPLY_MAX 8192

static bool is_mode(const struct sender_check *c, enum verify_mode mode)
{
	return verify_mode(c->set->deps.verify) == mode;
}

static bool is_own_domain(const struct sender_check *c)
{
	return c->address && domains_is_local(c->set->deps.domains, c->address->ascii_domain);
}

/* Cheapest first; none of these asks anybody. */
static enum verify_skip skip_reason(const struct sender_check *c)
{
	if (!c->set->deps.verify || is_mode(c, VERIFY_MODE_OFF))
		return SKIP_OFF;
	if (!c->address)
		return SKIP_NULL_SENDER;
	if (c->evidence.is_local_network)
		return SKIP_LOCAL_NETWORK;
	if (c->evidence.is_authenticated)
		return SKIP_AUTHENTICATED;
	if (c->skip != SKIP_NONE)
		return c->skip; /* the exceptions file */
	return c->is_for_trusted ? SKIP_TRUSTED_RECIPIENT : SKIP_NONE;
}

bool sender_is_asked(const struct sender_check *c)
{
	return skip_reason(c) == SKIP_NONE;
}

void sender_check_done(struct sender_check *c)
{
	ticket_unref(c->ticket);
	c->ticket = NULL;
}

/* --- what is said --- */

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

struct str sender_reply(const struct sender_check *c, enum situation what, const struct say_args *args)
{
	auto_buf struct buf text = {.max = REPLY_MAX};
	struct say_args filled = args ? *args : (struct say_args){0};
	filled.here = c->set->host;
	filled.ref = c->ref;
	filled.sender = c->text;
	cause_render(what, &filled, c->allows_utf8, &text);
	struct str reply = buf_view(&text);
	return arena_str(c->arena, str_trim(str_slice(reply, 0, str_find_char(reply, '\n'))));
}

static bool fail(struct sender_check *c, enum situation fault)
{
	c->fault = fault;
	c->args = (struct say_args){0};
	return false;
}

static bool fail_ourselves(struct sender_check *c, enum situation fault)
{
	c->is_own_trouble = true;
	return fail(c, fault);
}

/* --- the trail --- */

static void note(struct sender_check *c, const struct verify_answer *a)
{
	struct trail_entry entry = {
		.at = rt_wall(),
		.took = a->took,
		.check = STR("verify"),
		.result = str_from(verify_verdict_name(a->verdict)),
		.cause = a->cause,
		.subject = c->text,
		.text = a->dialogue,
	};
	if (entry.text.n == 0) {
		auto_buf struct buf text = {.max = sizeof a->host + sizeof a->said + 64};
		buf_str(&text, str_from(a->is_cached ? "cached; " : a->is_running ? "still asking; " : ""));
		buf_str(&text, str_from(a->host));
		buf_str(&text, str_from(a->host[0] ? ": " : ""));
		buf_str(&text, str_from(a->said));
		entry.text = buf_view(&text);
		trail_add(c->trail, &entry);
		return;
	}
	trail_add(c->trail, &entry);
}

static void note_skip(struct sender_check *c, enum verify_skip skip)
{
	trail_add(c->trail, &(struct trail_entry){
		.at = rt_wall(),
		.check = STR("verify"),
		.result = STR("skipped"),
		.subject = c->text,
		.text = str_from(verify_skip_name(skip)),
	});
}

static bool is_refusal(enum verify_action action)
{
	return action == VERIFY_REFUSE || action == VERIFY_DEFER;
}

/* What the mode lets pass, and enforce would not have, or not without a tag. */
static void note_would(struct sender_check *c, const struct verify_answer *a, enum verify_action action)
{
	struct say_args args = args_of(a);
	enum verdict would = action == VERIFY_REFUSE ? VERDICT_REJECT
	                     : action == VERIFY_DEFER ? VERDICT_DEFER
	                                              : VERDICT_TAG;
	struct str reply = is_refusal(action) ? sender_reply(c, situation_of(a, action), &args)
	                                      : str_from(verify_verdict_name(a->verdict));
	trail_note_would(c->trail, rt_wall(), "verify", would, a->cause, c->text, reply);
	if (is_refusal(action))
		metric_inc(c->gate->metrics.would_refuse);
}

/* --- the operator's word --- */

bool sender_is_allowed(struct sender_check *c)
{
	struct str why = STR_NONE;
	if (!c->set->deps.exceptions)
		return true;
	enum exception_action action =
	        exceptions_find(c->set->deps.exceptions, c->address, c->evidence.client, NULL, &why);
	if (action == EXCEPTION_NONE)
		return true;
	trail_note(c->trail, rt_wall(), 0, "exceptions", action == EXCEPTION_REFUSE ? "refused" : "exempt", CAUSE_NONE,
	           c->text, "%.*s", STR_ARG(why));
	c->skip = SKIP_EXEMPT;
	return action != EXCEPTION_REFUSE || fail(c, SAY_REFUSED_BY_RULE);
}

bool sender_address_is_role(const struct address *a)
{
	return str_ieq(a->local, STR("postmaster")) || str_ieq(a->local, STR("abuse"));
}

bool sender_recipient_is_allowed(struct sender_check *c, const struct address *a, struct str text, bool is_ours,
                                 bool *is_trusted)
{
	struct str why = STR_NONE;
	*is_trusted = is_ours && sender_address_is_role(a);
	if (!c->set->deps.exceptions || *is_trusted)
		return true;
	enum exception_action action = exceptions_find(c->set->deps.exceptions, NULL, (struct ip){0}, a, &why);
	*is_trusted = action != EXCEPTION_NONE;
	if (action != EXCEPTION_REFUSE)
		return true;
	trail_note(c->trail, rt_wall(), 0, "exceptions", "refused", CAUSE_POLICY, text, "%.*s", STR_ARG(why));
	fail(c, SAY_REFUSED_BY_RULE);
	c->args.recipient = text;
	return false;
}

/* --- the decision --- */

/* What the table says, before the mode has its say. */
static enum verify_action decide(struct sender_check *c, const struct verify_answer *a)
{
	return verify_decide(c->set->deps.verify_conf, a, &c->evidence, rt_wall());
}

/* What is done in the mode that is set; counted by verification. */
static enum verify_action act(struct sender_check *c, const struct verify_answer *a)
{
	return verify_act(c->set->deps.verify, a, &c->evidence);
}

static bool refuse(struct sender_check *c, const struct verify_answer *a, enum verify_action action)
{
	struct str key = address_key(c->arena, c->address);
	heard_note(c->gate->heard, c->evidence.client, key, action == VERIFY_REFUSE, rt_now());
	metric_inc(c->gate->metrics.sender_refused);
	fail(c, situation_of(a, action));
	c->args = args_of(a);
	return false;
}

static void add_tag(struct sender_check *c, const struct verify_answer *a, bool is_tagged)
{
	c->tag = tag_fields(c->arena, &(struct tag_args){
		.answer = a,
		.is_tagged = is_tagged,
		.host = c->set->host,
		.ref = c->ref,
		.sender = c->address,
	});
	c->is_tagged = is_tagged;
}

/* One answer, one outcome: true lets the message pass, with a tag where one is due. */
static bool passes(struct sender_check *c, const struct verify_answer *a)
{
	enum verify_action action = act(c, a), would = decide(c, a);
	if (is_refusal(action))
		return refuse(c, a, action);
	if (is_refusal(would) || (would == VERIFY_ACCEPT_TAG && is_mode(c, VERIFY_MODE_OBSERVE)))
		note_would(c, a, would);
	if (!is_mode(c, VERIFY_MODE_OBSERVE))
		add_tag(c, a, action == VERIFY_ACCEPT_TAG);
	return true;
}

/* --- at MAIL --- */

WAITS static enum verify_dns certain_dns(struct sender_check *c)
{
	enum verify_dns dns = VERIFY_DNS_OK;
	struct str why = STR_NONE;
	struct err err;
	usec_t begun = rt_now();
	if (!verify_domain(c->set->deps.verify, c->address, &dns, &why, c->arena, &err))
		return VERIFY_DNS_TEMPORARY;
	if (dns != VERIFY_DNS_OK)
		trail_note(c->trail, rt_wall(), rt_now() - begun, "dns", "sender domain", CAUSE_SENDER_DOMAIN,
		           c->address->ascii_domain, "%.*s", STR_ARG(why));
	return dns;
}

/* Trouble of the DNS ends with the patience that verification keeps for this client and sender. */
WAITS static bool ask_patience(struct sender_check *c, struct verify_answer *a)
{
	struct verify *v = c->set->deps.verify;
	struct err err;
	struct ticket *ticket = verify_start(v, c->address, &c->evidence);
	bool ok = verify_finish(v, ticket, c->address, &c->evidence, 0, a, &err);
	ticket_unref(ticket);
	a->verdict = VERIFY_TEMPORARY;
	a->dns = VERIFY_DNS_TEMPORARY;
	a->dialogue = STR_NONE;
	return ok;
}

bool sender_domain_passes(struct sender_check *c)
{
	if (!sender_is_asked(c) || is_own_domain(c) || !is_mode(c, VERIFY_MODE_ENFORCE))
		return true; /* what DNS says comes to light again with the verdict, for the trail and the tag */
	if (evidence_knows_domain(c))
		return true;
	struct verify_answer *a = arena_new(c->arena, struct verify_answer);
	a->dns = certain_dns(c);
	c->is_domain_certain = a->dns == VERIFY_DNS_OK;
	if (c->is_domain_certain)
		return true;
	a->verdict = VERIFY_ABSENT;
	a->cause = CAUSE_SENDER_DOMAIN;
	if (a->dns == VERIFY_DNS_TEMPORARY && !ask_patience(c, a))
		return fail_ourselves(c, SAY_LOCAL_ERROR);
	c->answer = a;
	if (!is_refusal(decide(c, a)))
		return true;
	return refuse(c, a, act(c, a));
}

/* --- at RCPT --- */

bool sender_passes_again(struct sender_check *c)
{
	bool was_refused;
	if (!sender_is_asked(c) || is_own_domain(c) || !is_mode(c, VERIFY_MODE_ENFORCE))
		return true;
	struct str key = address_key(c->arena, c->address);
	if (!heard_find(c->gate->heard, c->evidence.client, key, rt_now(), &was_refused) || !was_refused)
		return true;
	struct verify_answer *a = arena_new(c->arena, struct verify_answer);
	if (!verify_lookup(c->set->deps.verify, key, a) || decide(c, a) != VERIFY_REFUSE)
		return true;
	note(c, a);
	return refuse(c, a, act(c, a));
}

/* --- the question --- */

/* Refused; where the mode only watches or tags, that is noted and the message goes on. */
static bool judge_forged(struct sender_check *c)
{
	if (is_mode(c, VERIFY_MODE_ENFORCE)) {
		metric_inc(c->gate->metrics.sender_refused);
		return fail(c, SAY_SPF_FAIL);
	}
	c->skip = SKIP_FORGED;
	trail_note_would(c->trail, rt_wall(), "spf", VERDICT_REJECT, CAUSE_AUTH_POLICY, c->text,
	                 sender_reply(c, SAY_SPF_FAIL, NULL));
	metric_inc(c->gate->metrics.would_refuse);
	return true;
}

bool sender_start(struct sender_check *c)
{
	bool is_own = is_own_domain(c);
	c->skip = skip_reason(c);
	if (c->skip != SKIP_NONE || (is_own && !c->set->conf->is_own_spf))
		return true;
	evidence_fill(c);
	if (sender_fails_spf(c)) /* not one packet to its mail server */
		return judge_forged(c);
	if (is_own)
		return true;
	c->ticket = verify_start(c->set->deps.verify, c->address, &c->evidence);
	return true;
}

/* --- the answer --- */

/* Our own domain is answered by our own recipients, and nobody is dialled. */
WAITS static bool answer_own(struct sender_check *c, struct verify_answer *a)
{
	enum recipient_result result;
	enum cause_id cause = CAUSE_NONE;
	struct str why = STR_NONE;
	struct err err;
	if (!recipients_check(c->set->deps.recipients, c->address, c->arena, &result, &cause, &why, &err))
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

bool sender_passes(struct sender_check *c, usec_t within)
{
	struct err err;
	if (c->skip != SKIP_NONE) {
		note_skip(c, c->skip);
		if (c->skip == SKIP_FORGED && is_mode(c, VERIFY_MODE_TAG))
			add_tag(c, &(struct verify_answer){.verdict = VERIFY_SKIPPED, .skip = c->skip}, true);
		return true;
	}
	struct verify_answer *a = arena_new(c->arena, struct verify_answer);
	bool ok = c->ticket ? verify_finish(c->set->deps.verify, c->ticket, c->address, &c->evidence, within, a, &err)
	                    : answer_own(c, a);
	if (!ok)
		return fail_ourselves(c, SAY_SHUTTING_DOWN);
	note(c, a);
	c->answer = a;
	return passes(c, a);
}
