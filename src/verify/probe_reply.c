/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reply of a mail server to one step of a probe, read conservatively. */
#include "verify/probe_reply.h"

#include "mail/address.h"
#include "verify/phrases.h"

/* What the readers below look at. */
struct look {
	const struct reply *r;
	struct enhanced_code code; /* also from "(#5.1.1)" at the end of the text, as qmail writes it */
	unsigned words;            /* bits of enum phrase_about */
	struct str text;
	struct str mx;
};

static bool says(const struct look *l, enum phrase_about about)
{
	return l->words & 1u << about;
}

static bool has_code(const struct look *l, unsigned class, unsigned subject, unsigned detail)
{
	return l->code.class == class && l->code.subject == subject && l->code.detail == detail;
}

static struct probe_reading reading(enum probe_meaning meaning, enum cause_id cause)
{
	return (struct probe_reading){meaning, cause, false};
}

static struct probe_reading about(const struct look *l, enum probe_meaning meaning, enum phrase_about words)
{
	return (struct probe_reading){meaning, phrases_cause(l->text, words), words == ABOUT_US};
}

/* "#5.1.0" in front as IronPort writes it, or "(#5.1.1)" anywhere as qmail does. */
static struct enhanced_code code_of(const struct reply *r)
{
	struct enhanced_code code;
	size_t used;
	if (r->enhanced.class)
		return r->enhanced;
	size_t at = str_starts(r->text, STR("#")) ? 1 : str_find(r->text, STR("(#")) + 2;
	struct str rest = str_skip(r->text, at);
	rest = str_slice(rest, 0, str_find_char(rest, ')'));
	if (enhanced_code_parse(rest, &code, &used) && code.class == (unsigned)r->code / 100)
		return code;
	return (struct enhanced_code){0};
}

/* --- 5xx at RCPT --- */

/* Codes that speak of the mailbox itself (RFC 3463 3.2, 3.3; RFC 7505 for 5.1.10). */
static bool names_absence(const struct look *l)
{
	static const uint16_t details[] = {1, 2, 3, 6, 10};
	for (size_t i = 0; i < sizeof(details) / sizeof(*details); i++)
		if (has_code(l, 5, 1, details[i]))
			return true;
	return has_code(l, 5, 2, 1);
}

/* Nothing, or "other, undefined": the words alone speak. */
static bool names_nothing(const struct look *l)
{
	return l->code.class == 0 || has_code(l, 5, 0, 0) || has_code(l, 5, 1, 0) || has_code(l, 5, 2, 0);
}

/* Forms of providers whose codes say something else than they mean. */
static bool is_known_form(const struct look *l)
{
	if (has_code(l, 5, 4, 1) && str_ifind(l->r->text, STR("AS(201806281)")) < l->r->text.n)
		return true; /* Exchange Online, directory based edge blocking: code of a routing failure, meaning unknown */
	bool is_outlook = domain_is_within(l->mx, STR("olc.protection.outlook.com")) ||
	                  domain_is_within(l->mx, STR("hotmail.com"));
	return is_outlook && has_code(l, 5, 5, 0) && str_ifind(l->r->text, STR("mailbox unavailable")) < l->r->text.n;
}

static enum cause_id absence_cause(const struct look *l)
{
	if (has_code(l, 5, 1, 6))
		return CAUSE_MOVED;
	return has_code(l, 5, 2, 1) || says(l, ABOUT_DISABLED) ? CAUSE_MAILBOX_DISABLED : CAUSE_NO_MAILBOX;
}

static bool says_absent(const struct look *l)
{
	return says(l, ABOUT_UNKNOWN) || says(l, ABOUT_DISABLED);
}

static bool is_full(const struct look *l)
{
	if (has_code(l, 5, 2, 2) || has_code(l, 4, 2, 2))
		return true;
	return says(l, ABOUT_FULL) || says(l, ABOUT_RATE);
}

static struct probe_reading full(const struct look *l)
{
	bool is_rate = says(l, ABOUT_RATE) || (has_code(l, 4, 2, 1) && !says(l, ABOUT_FULL));
	return reading(PROBE_FULL, is_rate ? CAUSE_RCPT_RATE : CAUSE_QUOTA);
}

/* A code that names the mailbox is believed unless the words speak of something else. */
static struct probe_reading absent_by_code(const struct look *l)
{
	if (says(l, ABOUT_SENDER))
		return about(l, PROBE_NULL_REFUSED, ABOUT_SENDER);
	if (says(l, ABOUT_US) && !says_absent(l))
		return about(l, PROBE_AMBIGUOUS, ABOUT_US);
	if (says(l, ABOUT_RESTRICTED) && !says_absent(l))
		return about(l, PROBE_RESTRICTED, ABOUT_RESTRICTED);
	if (says(l, ABOUT_FULL) && !says_absent(l))
		return full(l);
	return reading(PROBE_ABSENT, absence_cause(l));
}

static struct probe_reading rcpt_permanent(const struct look *l)
{
	if (says(l, ABOUT_OPT_OUT))
		return about(l, PROBE_OPT_OUT, ABOUT_OPT_OUT);
	if (is_known_form(l))
		return reading(PROBE_ABSENT, CAUSE_NO_MAILBOX);
	if (has_code(l, 5, 1, 7) || has_code(l, 5, 1, 8))
		return reading(PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED);
	if (names_absence(l))
		return absent_by_code(l);
	if (says(l, ABOUT_US)) /* both at once ("user unknown (spamfilter3)") is for the control to settle */
		return about(l, says_absent(l) ? PROBE_AMBIGUOUS : PROBE_BLOCKED, ABOUT_US);
	if (l->r->code == 530 || says(l, ABOUT_RESTRICTED))
		return about(l, PROBE_RESTRICTED, ABOUT_RESTRICTED);
	if (says(l, ABOUT_SENDER))
		return about(l, PROBE_NULL_REFUSED, ABOUT_SENDER);
	if (names_nothing(l) && says_absent(l) && !says(l, ABOUT_RELAY))
		return reading(PROBE_ABSENT, absence_cause(l)); /* before "full": 552 is also "mailbox not found" */
	if (is_full(l))
		return full(l);
	if (l->r->code == 552 && names_nothing(l))
		return reading(PROBE_FULL, CAUSE_QUOTA);
	if (says(l, ABOUT_RELAY))
		return about(l, PROBE_AMBIGUOUS, ABOUT_RELAY);
	return reading(PROBE_AMBIGUOUS, CAUSE_POLICY);
}

/* --- 4xx at any stage: never absence --- */

/* 452 is "mailbox full" for many, but also their disk and our number of recipients. */
static bool is_full_by_number(const struct look *l)
{
	return l->r->code == 452 && (l->code.class == 0 || l->code.subject == 2) && !says(l, ABOUT_SYSTEM);
}

static bool is_grey_by_code(const struct look *l)
{
	return l->r->code == 457 || has_code(l, 4, 2, 0) || (has_code(l, 4, 7, 1) && l->r->code != 421);
}

static struct probe_reading temporary(const struct look *l, enum probe_stage stage)
{
	if (says(l, ABOUT_OPT_OUT))
		return about(l, PROBE_OPT_OUT, ABOUT_OPT_OUT);
	if (says(l, ABOUT_GREYLIST))
		return reading(PROBE_GREYLISTED, CAUSE_GREYLIST);
	if (stage == PROBE_RCPT && l->r->code != 421 && (is_full(l) || has_code(l, 4, 2, 1)))
		return full(l);
	if (says(l, ABOUT_US)) {
		struct probe_reading r = about(l, PROBE_REFUSED_NOW, ABOUT_US);
		if (r.cause == CAUSE_RATE_LIMIT || l->r->code == 421)
			r.meaning = PROBE_BUSY;
		return r;
	}
	if (l->r->code == 421)
		return reading(PROBE_BUSY, says(l, ABOUT_SYSTEM) ? phrases_cause(l->text, ABOUT_SYSTEM) : CAUSE_OVERLOAD);
	if (says(l, ABOUT_SYSTEM))
		return about(l, PROBE_TEMPORARY, ABOUT_SYSTEM);
	if (stage == PROBE_RCPT && is_full_by_number(l))
		return full(l);
	if (stage != PROBE_CONNECT && (is_grey_by_code(l) || says(l, ABOUT_LATER)))
		return reading(PROBE_GREYLISTED, CAUSE_GREYLIST);
	return reading(PROBE_TEMPORARY, l->r->code == 450 ? CAUSE_MAILBOX_BUSY : CAUSE_UNKNOWN);
}

/* --- 5xx before RCPT: inconclusive, whatever it says --- */

static struct probe_reading early_permanent(const struct look *l, enum probe_stage stage)
{
	if (says(l, ABOUT_OPT_OUT))
		return about(l, PROBE_OPT_OUT, ABOUT_OPT_OUT);
	if (says(l, ABOUT_US))
		return about(l, PROBE_BLOCKED, ABOUT_US);
	if (l->r->code == 530 || says(l, ABOUT_RESTRICTED))
		return (struct probe_reading){PROBE_BLOCKED, CAUSE_AUTH_REQUIRED, false};
	if (stage == PROBE_CONNECT) /* RFC 5321 3.1: 554 in place of a greeting is aimed at this client */
		return (struct probe_reading){PROBE_BLOCKED, CAUSE_REPUTATION, l->r->code == 554};
	if (l->r->code == 503)
		return reading(PROBE_TEMPORARY, CAUSE_PROTOCOL);
	return reading(PROBE_NULL_REFUSED, CAUSE_SENDER_REJECTED);
}

struct probe_reading probe_reply_read(enum probe_stage stage, const struct reply *r, struct str local, struct str mx)
{
	char text[PHRASES_TEXT_MAX];
	if (r->code == 252 && stage == PROBE_RCPT)
		return reading(PROBE_UNVERIFIABLE, CAUSE_NONE);
	if (r->code >= 200 && r->code < 300)
		return reading(PROBE_ACCEPTED, CAUSE_NONE);
	struct look l = {.r = r, .code = code_of(r), .mx = mx};
	l.text = phrases_normalise(r->text, local, text);
	l.words = phrases_find(l.text);
	if (reply_is_temporary(r))
		return temporary(&l, stage);
	if (!reply_is_permanent(r))
		return reading(PROBE_TEMPORARY, CAUSE_PROTOCOL); /* 3xx belongs nowhere here */
	return stage == PROBE_RCPT ? rcpt_permanent(&l) : early_permanent(&l, stage);
}

const char *probe_meaning_name(enum probe_meaning m)
{
	static const char *const names[] = {
		"accepted", "full", "unverifiable", "absent", "ambiguous", "restricted", "greylisted", "temporary", "busy",
		"refused_now", "null_refused", "blocked", "opt_out", "lost",
	};
	return names[m];
}
