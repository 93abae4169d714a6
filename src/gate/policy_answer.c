/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One policy request and its answer.
 *
 * The steps of the SMTP door are taken in the same order: the operator's word about sender and client and what DNS says
 * of the sender's domain (as at MAIL), the operator's word about the recipient (as at RCPT), then evidence and
 * verification (as at DATA). Postfix's usual question is the one at RCPT, so that all of them are taken there; what was
 * decided holds for the whole message. Whoever was let through at RCPT is not asked about again at DATA and at the end.
 */
#include "gate/policy_door.h"

#include "base/auto.h"
#include "base/log.h"
#include "gate/policy_request.h"

#include <assert.h>

#define KEY_MAX  1024
#define HELO_MAX 255

/* What to say to this request; text as in struct policy_message. */
struct answer {
	enum policy_action action;
	struct str text;
};

static const struct answer dunno = {.action = POLICY_DUNNO};

/* --- from the request --- */

/* An instance is unique on one Postfix; several may ask here, and a stranger may invent what he likes. */
static bool key_of(const struct policy_request *r, struct buf *key)
{
	buf_str(key, r->instance);
	buf_char(key, '\n');
	buf_str(key, r->client_address);
	buf_char(key, '\n');
	buf_str(key, r->sender);
	return buf_ok(key);
}

/* Postfix gives local parts without their quotes (its internal form): what is no mailbox as it stands is tried with them. */
static bool parse_mailbox(struct arena *arena, struct str text, struct address *out)
{
	auto_buf struct buf quoted = {.max = 2 * ADDRESS_MAX};
	struct err err;
	size_t at = str_rfind_char(text, '@');
	text = arena_str(arena, text);
	if (address_parse(arena, text, true, out, &err))
		return true;
	if (at == text.n)
		return false;
	buf_char(&quoted, '"');
	for (size_t i = 0; i < at; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_char(&quoted, '\\');
		buf_char(&quoted, text.p[i]);
	}
	buf_char(&quoted, '"');
	buf_str(&quoted, str_skip(text, at));
	return buf_ok(&quoted) && address_parse(arena, arena_str(arena, buf_view(&quoted)), true, out, &err);
}

static struct ip client_of(const struct policy_request *r)
{
	struct ip ip = {0};
	ip_parse(str_slice(r->client_address, 0, str_find_char(r->client_address, '%')), &ip);
	return ip;
}

/* As the SMTP door keeps it: printable, and no longer than a name. */
static struct str helo_of(struct arena *arena, struct str name)
{
	char *copy = arena_cstr(arena, str_slice(name, 0, HELO_MAX));
	for (char *p = copy; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	return str_from(copy);
}

static struct str escaped(struct arena *arena, struct str text)
{
	auto_buf struct buf out = {.max = KEY_MAX};
	buf_escaped(&out, text);
	return arena_str(arena, buf_view(&out));
}

/* --- the case --- */

static void fill_check(struct gate *g, struct policy_case *k, const struct policy_request *r)
{
	struct ip client = client_of(r);
	bool is_address = r->sender.n && parse_mailbox(&k->arena, r->sender, &k->sender);
	k->check = (struct sender_check){
		.gate = g,
		.set = k->set,
		.arena = &k->arena,
		.trail = &k->trail,
		.ref = k->trail.ref,
		.address = is_address ? &k->sender : NULL,
		.text = is_address ? address_text(&k->arena, &k->sender) : escaped(&k->arena, r->sender),
		.evidence = {
			.client = client,
			.helo = helo_of(&k->arena, r->helo_name),
			.is_local_network = ip_set_has(&k->set->conf->local_networks, client),
			.is_authenticated = r->sasl_username.n > 0,
		},
	};
	k->trail.client = client;
	k->trail.helo = k->check.evidence.helo;
}

static const struct str asked_at[] = {
	[POLICY_STATE_OTHER] = {NULL, 0},
	[POLICY_STATE_RCPT] = {"by Postfix at RCPT", 18},
	[POLICY_STATE_DATA] = {"by Postfix at DATA", 18},
	[POLICY_STATE_END] = {"by Postfix at the end of the message", 36},
};

static void note_asked(struct policy_case *k, const struct policy_request *r)
{
	trail_add(&k->trail, &(struct trail_entry){
		.at = rt_wall(),
		.check = STR("policy"),
		.result = STR("asked"),
		.subject = r->queue_id.n ? escaped(&k->arena, str_slice(r->queue_id, 0, 32)) : STR_NONE,
		.text = asked_at[r->state],
	});
	if (r->sender.n && !k->check.address)
		trail_note(&k->trail, rt_wall(), 0, "verify", "skipped", CAUSE_NONE, k->check.text,
		           "not an address: left to Postfix");
}

static struct answer decided(const struct policy_message *m)
{
	return (struct answer){m->action, str_from(m->text)};
}

static enum verdict verdict_of(struct str reply)
{
	return str_starts(reply, STR("4")) ? VERDICT_DEFER : VERDICT_REJECT;
}

static void count_reply(struct policy_case *k)
{
	metric_inc(k->check.gate->metrics.replies[cause_of_situation(k->check.fault).cause]);
}

/* What the check did not let pass. Where it was time that ran out, Postfix may still find a better reason of its own. */
static struct answer refused(struct policy_message *m, usec_t until)
{
	struct policy_case *k = m->open_case;
	struct str reply = sender_reply(&k->check, k->check.fault, &k->check.args);
	enum verdict verdict = verdict_of(reply);
	bool is_late = verdict == VERDICT_DEFER && rt_now() >= until;
	bool is_running = k->has_started && k->check.answer && k->check.answer->is_running;
	if (k->check.is_own_trouble || fiber_is_cancelled())
		return dunno; /* not said: the connection is closed instead */
	count_reply(k);
	policy_message_decide(m, is_late || is_running ? POLICY_DEFER : POLICY_REFUSE, verdict, reply);
	m->is_decided = !is_running; /* the next question about this message may find the answer */
	return decided(m);
}

static struct answer passed(struct policy_message *m)
{
	const struct sender_check *c = &m->open_case->check;
	if (!c->is_tagged) {
		policy_message_decide(m, POLICY_DUNNO, VERDICT_ACCEPT, STR_NONE);
		return dunno;
	}
	/* One answer is one line and one header field; the first of the tag is X-Postern-Sender. */
	policy_message_decide(m, POLICY_PREPEND, VERDICT_TAG, str_slice(c->tag, 0, str_find_char(c->tag, '\r')));
	return decided(m);
}

/* --- the steps --- */

/* What does not depend on the recipients. */
WAITS static bool begin(struct gate *g, struct policy_message *m, const struct policy_request *r)
{
	struct policy_case *k = m->open_case;
	if (k->has_begun)
		return !m->is_refused_whole;
	fill_check(g, k, r);
	note_asked(k, r);
	bool passes = sender_is_allowed(&k->check) && sender_domain_passes(&k->check);
	k->has_begun = !k->check.is_own_trouble;
	m->is_refused_whole = k->has_begun && !passes;
	return passes;
}

/* Postfix has decided that it takes mail for this recipient: its postmaster is ours. */
static bool recipient_passes(struct policy_message *m, const struct policy_request *r, bool *is_trusted)
{
	struct policy_case *k = m->open_case;
	struct address a;
	*is_trusted = false;
	if (r->recipient.n == 0)
		return true;
	bool is_address = parse_mailbox(&k->arena, r->recipient, &a);
	struct str text = is_address ? address_text(&k->arena, &a) : escaped(&k->arena, r->recipient);
	policy_message_add_recipient(m, text);
	return !is_address || sender_recipient_is_allowed(&k->check, &a, text, true, is_trusted);
}

static usec_t left(usec_t until)
{
	return until > rt_now() ? until - rt_now() : 0;
}

/* Evidence and verification. What an earlier request began and could not wait for is not waited for again. */
WAITS static struct answer verify_sender(struct policy_message *m, usec_t until)
{
	struct policy_case *k = m->open_case;
	if (k->has_started && !ticket_is_complete(k->check.ticket))
		return decided(m);
	if (!k->has_started && !sender_start(&k->check))
		return refused(m, until);
	k->has_started = true;
	return sender_passes(&k->check, left(until)) ? passed(m) : refused(m, until);
}

/* For a message that is open. False: our own trouble, or none to be said. */
WAITS static bool ask(struct gate *g, struct policy_message *m, const struct policy_request *r, usec_t until,
                      struct answer *out)
{
	struct policy_case *k = m->open_case;
	bool is_trusted = false;
	*out = dunno;
	k->check.is_own_trouble = false;
	if (!begin(g, m, r)) {
		*out = refused(m, until);
	} else if (r->sender.n && !k->check.address) {
		policy_message_decide(m, POLICY_DUNNO, VERDICT_ACCEPT, STR_NONE);
	} else if (!recipient_passes(m, r, &is_trusted)) {
		*out = (struct answer){POLICY_REFUSE, sender_reply(&k->check, k->check.fault, &k->check.args)};
		count_reply(k);
	} else if (!is_trusted) {
		*out = m->is_decided ? decided(m) : verify_sender(m, until);
	}
	return !k->check.is_own_trouble && !fiber_is_cancelled();
}

/* Somebody else is asking the same: Postfix, again, on a new connection. */
WAITS static void wait_for_other(struct policy_message *m)
{
	struct err err;
	while (m->is_asking && cond_wait(&m->answered, "the same question on another connection", &err))
		;
}

WAITS static bool answer_message(struct gate *g, struct policy_message *m, const struct policy_request *r, usec_t until,
                                 struct answer *out)
{
	bool is_rcpt = r->state == POLICY_STATE_RCPT;
	if (!is_rcpt && m->was_asked_at_rcpt) {
		*out = dunno;
		return true;
	}
	m->was_asked_at_rcpt |= is_rcpt;
	wait_for_other(m);
	if (m->is_asking)
		return false;
	if (!m->open_case) {
		*out = decided(m);
		return true;
	}
	m->is_asking = true;
	bool ok = ask(g, m, r, until, out);
	m->is_asking = false;
	cond_broadcast(&m->answered);
	return ok;
}

/* --- the answer as Postfix reads it --- */

/* The tag once for each message, and not at its end: Postfix cannot prepend any more. */
static struct answer tag_once(struct policy_message *m, enum policy_state state, struct answer a)
{
	if (a.action != POLICY_PREPEND)
		return a;
	if (m->is_tag_said || state == POLICY_STATE_END)
		return dunno;
	m->is_tag_said = true;
	return a;
}

/* "550-5.1.7 text" and "550 5.1.7 text" alike: the code, and what stands behind it. */
static void write_answer(const struct answer *a, struct buf *out)
{
	buf_str(out, STR("action="));
	switch (a->action) {
	case POLICY_DUNNO:
		buf_str(out, STR("dunno"));
		break;
	case POLICY_PREPEND:
		buf_str(out, STR("prepend "));
		buf_str(out, a->text);
		break;
	case POLICY_DEFER:
		buf_str(out, STR("defer_if_permit "));
		buf_str(out, str_skip(a->text, 4));
		break;
	case POLICY_REFUSE:
		buf_str(out, str_slice(a->text, 0, 3));
		buf_char(out, ' ');
		buf_str(out, str_skip(a->text, 4));
		break;
	}
	buf_str(out, STR("\n\n"));
}

static void log_answer(const struct policy_message *m, const struct policy_request *r, const struct answer *a)
{
	if (a->action == POLICY_DUNNO)
		return;
	log_event(LOG_INFO_, "policy", LOG_S("id", str_from(m->ref)), LOG_S("client", r->client_address),
	          LOG_S("from", r->sender), LOG_S("to", r->recipient), LOG_C("at", policy_state_name(r->state)),
	          LOG_C("action", policy_action_name(a->action)), LOG_S("text", a->text));
}

bool policy_answer(struct gate *g, const struct policy_request *r, usec_t until, struct buf *out)
{
	auto_buf struct buf key = {.max = KEY_MAX};
	struct answer a = dunno;
	bool ok = true;
	if (!key_of(r, &key))
		return false;
	if (r->state == POLICY_STATE_OTHER) {
		write_answer(&a, out);
		return true;
	}
	struct policy_message *m = policy_message_take(&g->policy->messages, buf_view(&key), r->state == POLICY_STATE_RCPT);
	ok = answer_message(g, m, r, until, &a);
	if (ok) {
		a = tag_once(m, r->state, a);
		write_answer(&a, out);
		log_answer(m, r, &a);
		metric_inc(g->metrics.policy_requests[a.action]);
	}
	policy_message_release(&g->policy->messages, m);
	return ok;
}
