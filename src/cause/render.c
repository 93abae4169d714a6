/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate says in each situation: one table of codes, texts and causes. */
#include "cause/cause.h"

#include <assert.h>

#define TEXT_MAX 4096

/* In texts, {s} is the sender, {r} the recipient, {h} our host name, {t} the time to come back, {c} the
 * class of a failed call-out, {d} the detail or what stands behind | when there is none. */
static const struct saying {
	const char *name;
	int code;
	uint16_t subject, detail;
	enum cause_id cause;
	bool has_ref;
	const char *text;
} sayings[SAY_COUNT] = {
	/* clang-format off */
#define SAY(id, name, code, subject, detail, cause, has_ref, text) \
	[SAY_##id] = {name, code, subject, detail, CAUSE_##cause, has_ref, text}
	/* the sender */
	SAY(SENDER_ABSENT, "sender_absent", 550, 1, 7, SENDER_INVALID, true,
	    "<{s}>: Sender verify failed: no such mailbox at its own mail server; "
	    "use a working return address, or write to postmaster@{h}"),
	SAY(SENDER_VERIFY_TEMP, "sender_verify_temp", 451, 1, 7, SENDER_VERIFY, true,
	    "<{s}>: Could not complete sender verify callout: {c}; try again in {t}"),
	SAY(SENDER_DNS_TEMP, "sender_dns_temp", 451, 4, 3, SENDER_DOMAIN, true,
	    "<{s}>: Domain of sender address does not resolve (DNS timed out); try again in {t}"),
	SAY(SENDER_NO_DOMAIN, "sender_no_domain", 550, 1, 8, SENDER_DOMAIN, true,
	    "<{s}>: Domain of sender address not found"),
	SAY(SENDER_NULL_MX, "sender_null_mx", 550, 7, 27, SENDER_DOMAIN, true,
	    "<{s}>: Sender domain accepts no mail (null MX)"),
	SAY(SENDER_REFUSES_BOUNCES, "sender_refuses_bounces", 550, 7, 1, SENDER_REJECTED, true,
	    "<{s}>: Sender's own mail server refuses bounces (MAIL FROM:<>), "
	    "so undelivered mail could not be returned"),

	/* RFC 7372 3.1: 5.7.23 is SPF validation failed */
	SAY(SPF_FAIL, "spf_fail", 550, 7, 23, AUTH_POLICY, true,
	    "<{s}>: SPF validation failed: {d|the domain of the sender does not let your address send for it}; "
	    "ask postmaster of the sender's domain"),

	/* the recipient */
	SAY(RCPT_ABSENT, "rcpt_absent", 550, 1, 1, NO_MAILBOX, false, "<{r}>: No such user here"),
	SAY(RCPT_VERIFY_TEMP, "rcpt_verify_temp", 451, 1, 1, RCPT_VERIFY, true,
	    "<{r}>: Could not verify recipient at this time"),
	SAY(RCPT_DNS_TEMP, "rcpt_dns_temp", 451, 4, 3, RCPT_DNS, true,
	    "<{r}>: Recipient domain cannot be looked up at this time"),
	SAY(RCPT_NO_DOMAIN, "rcpt_no_domain", 550, 1, 2, NO_DOMAIN, true,
	    "<{r}>: Recipient domain not found"),
	SAY(RELAY_DENIED, "relay_denied", 554, 7, 1, RELAY_DENIED, false, "<{r}>: Relay access denied"),

	/* policy and helpers of ours */
	SAY(REFUSED_BY_RULE, "refused_by_rule", 550, 7, 1, SENDER_REJECTED, true,
	    "<{s}>: Refused by a rule of this server; ask postmaster@{h}"),
	SAY(GREYLIST, "greylist", 451, 7, 1, GREYLIST, false,
	    "Greylisting in action, please come back in {t}"),
	SAY(DIRECTORY, "directory", 451, 3, 0, DIRECTORY, true, "Directory lookup failed, try again later"),
	SAY(CONTENT_FILTER, "content_filter", 451, 3, 0, CONTENT_FILTER, true,
	    "Content filter unavailable, not accepted unscanned"),
	SAY(DNS_POLICY, "dns_policy", 451, 4, 3, DNS_FAILURE, true, "DNS lookup for policy check failed"),
	SAY(SPOOL_ERROR, "spool_error", 451, 3, 0, STORAGE, true, "Error writing spool"),
	SAY(STORAGE, "storage", 452, 3, 1, STORAGE, false, "Insufficient system storage"),
	SAY(LOCAL_ERROR, "local_error", 451, 3, 0, LOCAL_ERROR, true,
	    "Requested action aborted: local error in processing"),

	/* too much */
	SAY(SHUTTING_DOWN, "shutting_down", 421, 3, 2, MAINTENANCE, false, "Service shutting down"),
	SAY(TOO_BUSY, "too_busy", 421, 3, 2, OVERLOAD, false, "Too busy, try again later"),
	SAY(SESSION_MEMORY, "session_memory", 452, 3, 1, OVERLOAD, false,
	    "Transaction needs too much memory, try again later with fewer recipients"),
	SAY(TOO_MANY_CONNECTIONS, "too_many_connections", 421, 7, 0, RATE_LIMIT, false,
	    "Too many connections from {d|your address}"),
	SAY(RATE_LIMIT, "rate_limit", 451, 7, 1, RATE_LIMIT, false, "Rate limit exceeded, try again in {t}"),
	SAY(TOO_MANY_RCPTS, "too_many_rcpts", 452, 5, 3, BATCH_LIMIT, false,
	    "Too many recipients, send the others in a new transaction"),
	SAY(TOO_MANY_ERRORS, "too_many_errors", 421, 7, 0, PROTOCOL, false, "Too many errors, closing"),
	SAY(TOO_MANY_COMMANDS, "too_many_commands", 421, 7, 0, BATCH_LIMIT, false,
	    "Too many commands in one session, closing"),
	SAY(IDLE, "idle", 421, 4, 2, NETWORK, false, "Timed out waiting for input, closing"),
	SAY(TOO_SLOW, "too_slow", 421, 4, 2, NETWORK, false, "Message arrives too slowly, closing"),

	/* the message */
	SAY(TOO_BIG, "too_big", 552, 3, 4, TOO_BIG, false, "Message is too big{d|}"),
	SAY(HEADER_TOO_BIG, "header_too_big", 552, 3, 4, TOO_BIG, false, "Message header is too big{d|}"),
	SAY(TOO_MANY_HOPS, "too_many_hops", 554, 4, 6, LOOP, true,
	    "Too many hops: the message seems to go round in a loop"),
	SAY(BARE_NEWLINE, "bare_newline", 550, 6, 11, PROTOCOL, true,
	    "Message has a bare CR, bare LF or NUL; lines must end in CR LF (RFC 5321 2.3.8)"),
	SAY(LINE_TOO_LONG, "line_too_long", 554, 6, 0, PROTOCOL, true,
	    "Message has a line that is too long{d|}"),

	/* the dialogue */
	SAY(COMMAND_TOO_LONG, "command_too_long", 500, 5, 2, PROTOCOL, false, "Command line too long"),
	SAY(BAD_COMMAND, "bad_command", 500, 5, 2, PROTOCOL, false, "{d|Command not recognized}"),
	SAY(BAD_SEQUENCE, "bad_sequence", 503, 5, 1, PROTOCOL, false, "{d|Bad sequence of commands}"),
	SAY(SYNTAX, "syntax", 501, 5, 4, PROTOCOL, false, "{d|Syntax error in parameters or arguments}"),
	SAY(NOT_IMPLEMENTED, "not_implemented", 502, 5, 1, PROTOCOL, false, "{d|Command not implemented}"),
	SAY(TALKED_FIRST, "talked_first", 554, 5, 0, PROTOCOL, false,
	    "You talked before our greeting (RFC 5321 3.1), closing"),
	SAY(TLS_UNAVAILABLE, "tls_unavailable", 454, 7, 0, TLS_POLICY, false,
	    "TLS not available at this time"),
	SAY(TLS_REQUIRED, "tls_required", 530, 7, 0, TLS_POLICY, false,
	    "Must issue a STARTTLS command first"),
	SAY(PROXY_HEADER, "proxy_header", 421, 3, 5, LOCAL_ERROR, false,
	    "PROXY header missing or malformed, closing"),
#undef SAY
	/* clang-format on */
};

static struct str class_text(enum say_class class)
{
	switch (class) {
	case SAY_CLASS_NO_ANSWER:
		return STR("no answer");
	case SAY_CLASS_DEFERRED:
		return STR("deferred");
	case SAY_CLASS_REFUSED_NULL:
		return STR("refused null sender");
	case SAY_CLASS_REFUSED_US:
		return STR("refused us");
	case SAY_CLASS_BUSY:
		return STR("busy");
	}
	assert(!"a class of the closed list");
	return STR_NONE;
}

/* A line end in a member would begin a reply line of its own. */
static void add_member(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_char(out, s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i]);
}

static void add_value(struct buf *out, char what, struct str otherwise, const struct say_args *a)
{
	char hms[16];

	switch (what) {
	case 's':
		add_member(out, a->sender);
		return;
	case 'r':
		add_member(out, a->recipient);
		return;
	case 'h':
		add_member(out, a->here);
		return;
	case 'c':
		buf_str(out, class_text(a->class));
		return;
	case 't':
		buf_str(out, duration_hms(a->retry_after > 0 ? a->retry_after : 5 * USEC_MIN, hms));
		return;
	case 'd':
		if (a->detail.n > 0 && otherwise.n == 0)
			buf_str(out, STR(": "));
		add_member(out, a->detail.n > 0 ? a->detail : otherwise);
		return;
	}
	assert(!"a name of the table");
}

static void fill_in(struct buf *out, struct str text, const struct say_args *args)
{
	while (text.n > 0) {
		size_t open = str_find_char(text, '{'), close = str_find_char(text, '}');
		buf_str(out, str_slice(text, 0, open));
		if (open == text.n)
			return;
		struct str inner = str_slice(text, open + 1, close);
		add_value(out, inner.p[0], str_skip(inner, 2), args);
		text = str_skip(text, close + 1);
	}
}

struct said cause_of_situation(enum situation what)
{
	assert((size_t)what < SAY_COUNT);
	const struct saying *s = &sayings[what];
	return (struct said){s->code, {(uint8_t)(s->code / 100), s->subject, s->detail}, s->cause};
}

struct said cause_render(enum situation what, const struct say_args *args, bool allow_utf8, struct buf *out)
{
	struct said said = cause_of_situation(what);
	const struct saying *s = &sayings[what];
	struct buf text;

	buf_init(&text, TEXT_MAX);
	fill_in(&text, str_from(s->text), args);
	if (s->has_ref && args->ref.n > 0) {
		buf_str(&text, STR(" ("));
		add_member(&text, args->ref);
		buf_char(&text, ')');
	}
	reply_write(out, said.code, said.enhanced, buf_view(&text), allow_utf8);
	buf_done(&text);
	return said;
}

const char *situation_name(enum situation what)
{
	assert((size_t)what < SAY_COUNT);
	return sayings[what].name;
}
