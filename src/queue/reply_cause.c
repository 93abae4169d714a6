/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Causes of what next hops say: the rules of cause/, else code and stage. */
#include "queue/reply_cause.h"

#include "cause/classify.h"
#include "cause/come_back.h"

static enum cause_id by_code(enum reply_stage stage, int code)
{
	bool is_at_rcpt = stage == REPLY_AT_RCPT;
	switch (code) {
	case 421:
		return CAUSE_OVERLOAD;
	case 450:
		return is_at_rcpt ? CAUSE_MAILBOX_BUSY : CAUSE_POLICY;
	case 451:
		return CAUSE_LOCAL_ERROR;
	case 452:
		return is_at_rcpt ? CAUSE_BATCH_LIMIT : CAUSE_STORAGE;
	case 454:
		return CAUSE_TLS_POLICY;
	case 521:
	case 556:
		return CAUSE_NO_DOMAIN;
	case 530:
	case 535:
		return CAUSE_AUTH_REQUIRED;
	case 550:
		return is_at_rcpt ? CAUSE_NO_MAILBOX : CAUSE_POLICY;
	case 551:
		return CAUSE_MOVED;
	case 552:
		return is_at_rcpt ? CAUSE_QUOTA : CAUSE_TOO_BIG;
	case 553:
		return is_at_rcpt ? CAUSE_NO_MAILBOX : CAUSE_SENDER_REJECTED;
	case 554:
		return CAUSE_POLICY;
	default:
		return code >= 500 && code <= 504 ? CAUSE_PROTOCOL : CAUSE_UNKNOWN;
	}
}

enum cause_id reply_cause(enum reply_stage stage, const struct reply *r)
{
	static const enum cause_stage stages[] = {
		[REPLY_AT_CONNECT] = CAUSE_AT_CONNECT, [REPLY_AT_HELLO] = CAUSE_AT_HELO, [REPLY_AT_MAIL] = CAUSE_AT_MAIL,
		[REPLY_AT_RCPT] = CAUSE_AT_RCPT, [REPLY_AT_DATA] = CAUSE_AT_END_OF_DATA,
	};
	struct classify_question q = {.text = r->text, .code = r->code, .enhanced = r->enhanced, .stage = stages[stage]};
	struct classification c;

	if (r->code < 400)
		return CAUSE_PROTOCOL;
	cause_classify(rules_builtin(), &q, &c);
	return c.cause != CAUSE_UNKNOWN ? c.cause : by_code(stage, r->code);
}

usec_t reply_come_back(const struct reply *r, struct wall now)
{
	return r->code >= 400 && r->code < 500 ? (usec_t)come_back_seconds(r->text, now) * USEC_S : 0;
}
