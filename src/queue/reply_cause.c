/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Causes from replies, by tables. */
#include "queue/reply_cause.h"

/* Words that decide alone; in lower case, tried in this order, because refusals quote one another. */
static const struct {
	const char *words;
	enum cause_id cause;
} phrases[] = {
	{"greylist", CAUSE_GREYLIST},
	{"graylist", CAUSE_GREYLIST},
	{"grey-list", CAUSE_GREYLIST},
	{"too many recipients", CAUSE_BATCH_LIMIT},
	{"too many messages in", CAUSE_BATCH_LIMIT},
	{"sender verify", CAUSE_SENDER_VERIFY},
	{"callout", CAUSE_SENDER_VERIFY},
	{"spamhaus", CAUSE_BLOCKLIST},
	{"blocklist", CAUSE_BLOCKLIST},
	{"block list", CAUSE_BLOCKLIST},
	{"blacklist", CAUSE_BLOCKLIST},
	{"dnsbl", CAUSE_BLOCKLIST},
	{"listed at", CAUSE_BLOCKLIST},
	{"listed in", CAUSE_BLOCKLIST},
	{"dmarc", CAUSE_AUTH_POLICY},
	{"spf ", CAUSE_AUTH_POLICY},
	{"dkim", CAUSE_AUTH_POLICY},
	{"reverse dns", CAUSE_NO_RDNS},
	{"ptr record", CAUSE_NO_RDNS},
	{"poor reputation", CAUSE_REPUTATION},
	{"reputation", CAUSE_REPUTATION},
	{"unusual rate", CAUSE_RATE_LIMIT},
	{"rate limit", CAUSE_RATE_LIMIT},
	{"too many connections", CAUSE_RATE_LIMIT},
	{"too fast", CAUSE_RATE_LIMIT},
	{"over quota", CAUSE_QUOTA},
	{"overquota", CAUSE_QUOTA},
	{"quota exceeded", CAUSE_QUOTA},
	{"mailbox full", CAUSE_QUOTA},
	{"mailbox is full", CAUSE_QUOTA},
	{"relay access denied", CAUSE_RELAY_DENIED},
	{"relaying denied", CAUSE_RELAY_DENIED},
	{"unable to relay", CAUSE_RELAY_DENIED},
	{"relay not permitted", CAUSE_RELAY_DENIED},
	{"virus", CAUSE_VIRUS},
	{"malware", CAUSE_VIRUS},
	{"spam", CAUSE_SPAM_CONTENT},
	{"phish", CAUSE_SPAM_CONTENT},
	{"content filter", CAUSE_CONTENT_FILTER},
	{"too many hops", CAUSE_LOOP},
	{"mail loop", CAUSE_LOOP},
	{"user unknown", CAUSE_NO_MAILBOX},
	{"no such user", CAUSE_NO_MAILBOX},
	{"unknown user", CAUSE_NO_MAILBOX},
	{"does not exist", CAUSE_NO_MAILBOX},
	{"mailbox unavailable", CAUSE_MAILBOX_BUSY},
	{"account is disabled", CAUSE_MAILBOX_DISABLED},
	{"mailbox disabled", CAUSE_MAILBOX_DISABLED},
	{"try again later in", CAUSE_GREYLIST},
};

/* RFC 3463, with what RFC 7372, 7505 and the IANA registry added. `soft` where a 4.x.x means something else. */
static const struct {
	uint16_t subject, detail;
	enum cause_id hard, soft;
} codes[] = {
	{1, 0, CAUSE_NO_MAILBOX, CAUSE_RCPT_VERIFY},
	{1, 1, CAUSE_NO_MAILBOX, CAUSE_RCPT_VERIFY},
	{1, 2, CAUSE_NO_DOMAIN, CAUSE_RCPT_DNS},
	{1, 3, CAUSE_PROTOCOL, CAUSE_PROTOCOL},
	{1, 4, CAUSE_NO_MAILBOX, CAUSE_RCPT_VERIFY},
	{1, 6, CAUSE_MOVED, CAUSE_MOVED},
	{1, 7, CAUSE_SENDER_INVALID, CAUSE_SENDER_VERIFY},
	{1, 8, CAUSE_SENDER_DOMAIN, CAUSE_SENDER_DOMAIN},
	{1, 10, CAUSE_NO_DOMAIN, CAUSE_RCPT_DNS},
	{2, 0, CAUSE_MAILBOX_DISABLED, CAUSE_MAILBOX_BUSY},
	{2, 1, CAUSE_MAILBOX_DISABLED, CAUSE_RCPT_RATE},
	{2, 2, CAUSE_QUOTA, CAUSE_QUOTA},
	{2, 3, CAUSE_TOO_BIG, CAUSE_TOO_BIG},
	{3, 0, CAUSE_LOCAL_ERROR, CAUSE_LOCAL_ERROR},
	{3, 1, CAUSE_STORAGE, CAUSE_STORAGE},
	{3, 2, CAUSE_MAINTENANCE, CAUSE_MAINTENANCE},
	{3, 4, CAUSE_TOO_BIG, CAUSE_TOO_BIG},
	{4, 1, CAUSE_NETWORK, CAUSE_NETWORK},
	{4, 2, CAUSE_NETWORK, CAUSE_NETWORK},
	{4, 3, CAUSE_DNS_FAILURE, CAUSE_DNS_FAILURE},
	{4, 4, CAUSE_NO_DOMAIN, CAUSE_RCPT_DNS},
	{4, 5, CAUSE_OVERLOAD, CAUSE_OVERLOAD},
	{4, 6, CAUSE_LOOP, CAUSE_LOOP},
	{4, 7, CAUSE_EXPIRED, CAUSE_NETWORK},
	{5, 3, CAUSE_BATCH_LIMIT, CAUSE_BATCH_LIMIT},
	{7, 8, CAUSE_AUTH_REQUIRED, CAUSE_AUTH_REQUIRED},
	{7, 10, CAUSE_TLS_POLICY, CAUSE_TLS_POLICY},
	{7, 20, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 21, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 22, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 23, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 24, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 25, CAUSE_NO_RDNS, CAUSE_NO_RDNS},
	{7, 26, CAUSE_AUTH_POLICY, CAUSE_AUTH_POLICY},
	{7, 27, CAUSE_SENDER_DOMAIN, CAUSE_SENDER_DOMAIN},
	{7, 28, CAUSE_RATE_LIMIT, CAUSE_RATE_LIMIT},
};

static enum cause_id by_words(struct str text)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (str_ifind(text, str_from(phrases[i].words)) < text.n)
			return phrases[i].cause;
	return CAUSE_NONE;
}

static enum cause_id by_enhanced(const struct reply *r)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (r->enhanced.class >= 4 && codes[i].subject == r->enhanced.subject && codes[i].detail == r->enhanced.detail)
			return r->enhanced.class == 5 ? codes[i].hard : codes[i].soft;
	if (r->enhanced.class >= 4 && (r->enhanced.subject == 5 || r->enhanced.subject == 6))
		return CAUSE_PROTOCOL;
	return CAUSE_NONE;
}

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

/* 4.7.1 and 5.7.1 are said for everything: of them only the words tell something. */
enum cause_id reply_cause(enum reply_stage stage, const struct reply *r)
{
	if (r->code < 400)
		return CAUSE_PROTOCOL;
	bool is_vague = r->enhanced.class == 0 || r->enhanced.subject == 7 || r->enhanced.subject == 0 ||
	                r->enhanced.subject == 3 || r->enhanced.detail == 0;
	enum cause_id cause = by_enhanced(r), said = by_words(r->text);
	/* Greylisting is said with any code there is. */
	if (said != CAUSE_NONE && (cause == CAUSE_NONE || is_vague || said == CAUSE_GREYLIST))
		cause = said;
	if (cause == CAUSE_MAILBOX_BUSY && reply_is_permanent(r))
		cause = CAUSE_NO_MAILBOX; /* "mailbox unavailable" behind 550 is the text of RFC 5321 itself */
	if (cause == CAUSE_NONE && r->enhanced.subject == 7 && r->code != 421 && r->code / 10 != 53)
		cause = CAUSE_POLICY;
	return cause != CAUSE_NONE ? cause : by_code(stage, r->code);
}
