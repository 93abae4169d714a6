/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From replies to a verdict: the address, the random local part, the positive control. */
#include "verify/inquiry.h"

#include <stdio.h>

/* What each meaning is taken for when it is about the address itself. AMBIGUOUS is settled before. */
static const struct {
	enum verify_verdict verdict;
	enum verify_class class;
} outcomes[] = {
	[PROBE_ACCEPTED] = {VERIFY_EXISTS, VERIFY_CLASS_NONE},
	[PROBE_FULL] = {VERIFY_EXISTS, VERIFY_CLASS_NONE},
	[PROBE_UNVERIFIABLE] = {VERIFY_UNVERIFIABLE, VERIFY_CLASS_NONE},
	[PROBE_ABSENT] = {VERIFY_ABSENT, VERIFY_CLASS_NONE},
	[PROBE_AMBIGUOUS] = {VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US},
	[PROBE_RESTRICTED] = {VERIFY_UNVERIFIABLE, VERIFY_CLASS_NONE},
	[PROBE_GREYLISTED] = {VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED},
	[PROBE_TEMPORARY] = {VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED},
	[PROBE_BUSY] = {VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED},
	[PROBE_REFUSED_NOW] = {VERIFY_TEMPORARY, VERIFY_CLASS_REFUSED_US},
	[PROBE_NULL_REFUSED] = {VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_NULL},
	[PROBE_BLOCKED] = {VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US},
	[PROBE_OPT_OUT] = {VERIFY_UNVERIFIABLE, VERIFY_CLASS_REFUSED_US},
	[PROBE_LOST] = {VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER},
};

/* What breakers count may be said in answer to any question. */
static void heed(struct inquiry *q, const struct probe_answer *a)
{
	q->says_us |= a->reading.says_us && (a->reading.meaning == PROBE_BLOCKED || a->reading.meaning == PROBE_AMBIGUOUS);
	q->opts_out |= a->reading.meaning == PROBE_OPT_OUT;
	q->is_busy |= a->reading.meaning == PROBE_BUSY || a->reading.meaning == PROBE_REFUSED_NOW;
}

void inquiry_judge(const struct probe_answer *a, struct inquiry *q)
{
	q->verdict = outcomes[a->reading.meaning].verdict;
	q->class = outcomes[a->reading.meaning].class;
	q->cause = a->reading.cause;
	q->code = a->code;
	q->meaning = a->reading.meaning;
	q->stage = a->stage;
	memcpy(q->said, a->said, sizeof(q->said));
	heed(q, a);
}

static enum inquiry_control read_control(const struct probe_answer *a)
{
	switch (a->reading.meaning) {
	case PROBE_ACCEPTED:
	case PROBE_UNVERIFIABLE:
		return a->stage == PROBE_RCPT ? CONTROL_ACCEPTED : CONTROL_UNKNOWN;
	case PROBE_ABSENT:
	case PROBE_AMBIGUOUS: /* a 5xx for this one, in the session in which another was taken */
		return CONTROL_REFUSED;
	case PROBE_GREYLISTED:
	case PROBE_TEMPORARY:
	case PROBE_BUSY:
	case PROBE_REFUSED_NOW:
		return CONTROL_DEFERRED;
	case PROBE_FULL:
	case PROBE_RESTRICTED:
	case PROBE_NULL_REFUSED:
	case PROBE_BLOCKED:
	case PROBE_OPT_OUT:
	case PROBE_LOST:
		break;
	}
	return CONTROL_UNKNOWN;
}

static WAITS bool ask_control(struct probe *p, const struct address *a, const struct inquiry_plan *plan, struct inquiry *q,
                              struct err *err)
{
	struct probe_answer control;
	smtp_client_note(p->client, "control: a local part that nobody has");
	if (!probe_ask(p, plan->random_local, a->ascii_domain, &control, err))
		return false;
	heed(q, &control);
	q->control = read_control(&control);
	if (q->control == CONTROL_ACCEPTED) {
		q->verdict = VERIFY_CATCH_ALL;
		q->class = VERIFY_CLASS_NONE;
		q->cause = CAUSE_NONE;
		q->code = control.code;
		q->meaning = PROBE_ACCEPTED;
		q->stage = PROBE_RCPT;
		memcpy(q->said, control.said, sizeof(q->said));
	}
	return true;
}

/* Refused, and it may mean anything: is it this address, or is it us? */
static WAITS bool ask_positive_control(struct probe *p, const struct address *a, struct inquiry *q, struct err *err)
{
	struct probe_answer control;
	if (str_ieq(a->local, STR("postmaster")))
		return true;
	if (p->client->is_lost) { /* refused and hung up: it stays open whom they meant */
		q->verdict = VERIFY_TEMPORARY;
		q->class = VERIFY_CLASS_NO_ANSWER;
		return true;
	}
	smtp_client_note(p->client, "positive control: is it the address, or is it us?");
	if (!probe_ask(p, STR("postmaster"), a->ascii_domain, &control, err))
		return false;
	heed(q, &control);
	switch (control.reading.meaning) {
	case PROBE_ACCEPTED:
	case PROBE_FULL:
		q->verdict = VERIFY_ABSENT;
		q->class = VERIFY_CLASS_NONE;
		q->cause = CAUSE_NO_MAILBOX;
		q->postmaster_ok = true;
		break;
	case PROBE_GREYLISTED:
	case PROBE_TEMPORARY:
	case PROBE_BUSY:
	case PROBE_REFUSED_NOW:
	case PROBE_LOST:
		inquiry_judge(&control, q);
		break;
	case PROBE_UNVERIFIABLE:
		q->verdict = VERIFY_UNVERIFIABLE;
		break;
	case PROBE_OPT_OUT:
		inquiry_judge(&control, q);
		break;
	case PROBE_ABSENT:
	case PROBE_AMBIGUOUS:
	case PROBE_RESTRICTED:
	case PROBE_NULL_REFUSED:
	case PROBE_BLOCKED:
		/* Not responsible for the domain at all: that is no block, but tells as little. */
		if (q->cause == CAUSE_RELAY_DENIED) {
			q->verdict = VERIFY_UNVERIFIABLE;
			q->class = VERIFY_CLASS_NONE;
		}
		break;
	}
	return true;
}

static WAITS bool settle_ambiguous(struct probe *p, const struct address *a, const struct inquiry_plan *plan,
                                   struct inquiry *q, struct err *err)
{
	if (plan->postmaster_lately) {
		q->verdict = VERIFY_ABSENT;
		q->class = VERIFY_CLASS_NONE;
		q->cause = CAUSE_NO_MAILBOX;
		return true;
	}
	return ask_positive_control(p, a, q, err);
}

/* Which question comes behind the answer about the address. */
static WAITS bool follow_up(struct probe *p, const struct address *a, const struct inquiry_plan *plan, struct inquiry *q,
                            struct err *err)
{
	bool wants_control = plan->wants_control && q->control == CONTROL_NOT_ASKED && !p->client->is_lost;
	if (q->meaning == PROBE_AMBIGUOUS)
		return settle_ambiguous(p, a, plan, q, err);
	if (!wants_control || q->stage != PROBE_RCPT)
		return true;
	if (q->meaning == PROBE_ACCEPTED)
		return ask_control(p, a, plan, q, err);
	if (q->meaning != PROBE_GREYLISTED)
		return true;
	struct inquiry aside = {0};
	if (!ask_control(p, a, plan, &aside, err))
		return false;
	/* Taken while the address waits: the greylist knows the triplet; the address itself is asked again. */
	q->control = aside.control;
	q->says_us |= aside.says_us;
	q->opts_out |= aside.opts_out;
	q->is_busy |= aside.is_busy;
	if (aside.control == CONTROL_ACCEPTED) {
		bool opts_out = q->opts_out, says_us = q->says_us, is_busy = q->is_busy;
		*q = aside;
		q->opts_out |= opts_out;
		q->says_us |= says_us;
		q->is_busy |= is_busy;
	}
	return true;
}

static WAITS bool ask_in_order(struct probe *p, const struct address *a, const struct inquiry_plan *plan, struct inquiry *q,
                               struct err *err)
{
	struct probe_answer real;
	if (plan->is_random_first && plan->wants_control) {
		if (!ask_control(p, a, plan, q, err))
			return false;
		if (q->verdict == VERIFY_CATCH_ALL || p->client->is_lost) {
			if (q->verdict != VERIFY_CATCH_ALL) {
				q->verdict = VERIFY_TEMPORARY;
				q->class = VERIFY_CLASS_NO_ANSWER;
				q->cause = CAUSE_NETWORK;
				q->meaning = PROBE_LOST;
				q->stage = PROBE_RCPT;
			}
			return true;
		}
	}
	if (!probe_ask(p, a->local, a->ascii_domain, &real, err))
		return false;
	inquiry_judge(&real, q);
	return follow_up(p, a, plan, q, err);
}

bool inquiry_run(struct probe *p, const struct address *a, const struct inquiry_plan *plan, struct inquiry *out,
                 struct err *err)
{
	struct inquiry q = {.verdict = VERIFY_TEMPORARY};
	if (!ask_in_order(p, a, plan, &q, err))
		return false;
	q.null_refused = p->null_refused;
	*out = q;
	return true;
}
