/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a report: its kind, and what it says about each recipient. */
#include "mail/bounce.h"
#include "mail/header.h"

static const char *const kinds[] = {"none", "bounce", "delayed", "feedback", "vacation", "delivered"};

struct str bounce_kind_name(enum bounce_kind kind)
{
	return str_from(kinds[kind]);
}

static bool has_any(struct str s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ifind(s, str_from(words[i])) < s.n)
			return true;
	return false;
}
#define HAS_ANY(s, words) has_any((s), (words), sizeof(words) / sizeof *(words))

void bounce_rcpt_add(struct bounce *b, const struct bounce_rcpt *r)
{
	if (r->address.n == 0)
		return;
	for (size_t i = 0; i < b->n; i++) {
		struct bounce_rcpt *known = &b->rcpts[i];
		if (!str_ieq(known->address, r->address))
			continue;
		if (known->diagnostic.n == 0)
			known->diagnostic = r->diagnostic;
		if (known->status.n == 0)
			known->status = r->status;
		if (known->remote_mta.n == 0)
			known->remote_mta = r->remote_mta;
		return;
	}
	if (b->n < BOUNCE_RCPTS)
		b->rcpts[b->n++] = *r;
}

struct str bounce_one_line(struct arena *arena, struct str text)
{
	text = str_slice(str_trim(text), 0, 1024);
	char *p = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i] == '\n' || text.p[i] == '\r' || text.p[i] == '\t' ? ' ' : text.p[i];
		if (c == ' ' && n > 0 && p[n - 1] == ' ')
			continue;
		p[n++] = c;
	}
	return str_trim((struct str){p, n});
}

/* "rfc822; user@example.org" and the variants of old servers. */
static struct str typed_value(struct str value)
{
	size_t semicolon = str_find_char(value, ';');
	struct str s = str_trim(semicolon < value.n && semicolon < 24 ? str_skip(value, semicolon + 1) : value);
	return s;
}

static struct str typed_address(struct str value)
{
	struct str rest = typed_value(value), copy = rest;
	struct str address = bounce_address_next(&rest);
	if (address.n > 0 || str_starts(copy, STR("@"))) /* "@host" is half a source route: nobody is named */
		return address;
	return str_slice(copy, 0, str_find_char(copy, ' '));
}

/* One block of fields: of the message, or of one recipient (RFC 3464 2.1). */
static void read_block(struct arena *arena, struct str block, struct bounce *out)
{
	struct bounce_rcpt r = {0};
	struct header_scan scan;
	struct header_field f;
	struct str original = STR_NONE, final = STR_NONE;

	header_scan_init(&scan, block);
	while (header_scan_next(&scan, &f)) {
		struct str value = header_unfold(arena, f.value);
		if (str_ieq(f.name, STR("Reporting-MTA")) && out->reporter.n == 0)
			out->reporter = typed_value(value);
		else if (str_ieq(f.name, STR("Final-Recipient")))
			final = typed_address(value);
		else if (str_ieq(f.name, STR("Original-Recipient")))
			original = typed_address(value);
		else if (str_ieq(f.name, STR("X-Actual-Recipient")) && final.n == 0)
			final = typed_address(value);
		else if (str_ieq(f.name, STR("Action")))
			r.action = arena_lower(arena, str_slice(value, 0, str_find_char(value, ' ')));
		else if (str_ieq(f.name, STR("Status")))
			r.status = str_slice(value, 0, str_find_char(value, ' '));
		else if (str_ieq(f.name, STR("Remote-MTA")))
			r.remote_mta = typed_value(value);
		else if (str_ieq(f.name, STR("Diagnostic-Code")))
			r.diagnostic = bounce_one_line(arena, typed_value(value));
	}
	/* What the sender wrote, if the report says so: RFC 3464 2.3.1 */
	r.address = str_find_char(original, '@') < original.n ? original : final.n ? final : original;
	if (r.address.n > 0 && (r.action.n > 0 || r.status.n > 0 || r.diagnostic.n > 0))
		bounce_rcpt_add(out, &r);
}

/* Blocks are divided by empty lines; some servers leave blanks in them. */
static void read_status(struct arena *arena, struct str text, struct bounce *out)
{
	size_t start = 0, at = 0;

	while (at <= text.n) {
		struct str line = str_slice(text, at, at + str_find_char(str_skip(text, at), '\n'));
		if (str_trim(line).n == 0 || at + line.n >= text.n) {
			size_t end = at + line.n < text.n ? at : text.n;
			if (end > start)
				read_block(arena, str_slice(text, start, end), out);
			start = at + line.n + 1;
		}
		at += line.n + 1;
	}
}

static struct str field(struct arena *arena, struct str text, struct str name)
{
	struct str value;
	return header_find(text, name, &value) ? header_unfold(arena, value) : STR_NONE;
}

static struct str first_address(struct str s)
{
	return bounce_address_next(&s);
}

/* RFC 5965: the complaint's own fields, else whom the message had gone to. */
static void read_feedback(struct arena *arena, struct str report, struct str original, struct bounce *out)
{
	static const char *const names[] = {"Original-Rcpt-To", "Removal-Recipient", "Final-Recipient"};
	struct bounce_rcpt r = {.action = STR("complaint")};

	r.diagnostic = field(arena, report, STR("Feedback-Type"));
	r.remote_mta = typed_value(field(arena, report, STR("Reporting-MTA")));
	struct header_scan scan;
	struct header_field f;
	header_scan_init(&scan, report);
	while (header_scan_next(&scan, &f)) {
		if (!str_ieq(f.name, STR("Original-Rcpt-To")))
			continue;
		r.address = typed_address(header_unfold(arena, f.value));
		bounce_rcpt_add(out, &r);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names && r.address.n == 0; i++)
		r.address = typed_address(field(arena, report, str_from(names[i])));
	if (r.address.n == 0) /* Hotmail names it in the message itself */
		r.address = first_address(field(arena, original, STR("X-HmXmrOriginalRecipient")));
	if (r.address.n == 0)
		r.address = first_address(field(arena, original, STR("To")));
	bounce_rcpt_add(out, &r);
}

static bool is_automatic_answer(struct arena *arena, struct str message, struct str subject)
{
	static const char *const subjects[] = {"auto:", "auto-reply", "autoreply", "automatic reply", "out of office", "out of the office",
	                                       "vacation", "away from", "automatische antwort", "abwesen", "réponse automatique",
	                                       "respuesta automática", "risposta automatica", "resposta automática", "on holiday",
	                                       "automatisch antwoord", "auto response", "自動応答", "自動返信", "fuera de la oficina"};
	struct str automatic = field(arena, message, STR("Auto-Submitted"));
	struct str ignored;

	if (str_istarts(automatic, STR("auto-replied")) || header_find(message, STR("X-Autoreply"), &ignored) ||
	    header_find(message, STR("X-Autorespond"), &ignored) || header_find(message, STR("X-Autoresponse"), &ignored) ||
	    str_ieq(field(arena, message, STR("X-Auto-Response")), STR("yes")) ||
	    str_ieq(field(arena, message, STR("Precedence")), STR("auto_reply")))
		return true;
	return HAS_ANY(subject, subjects);
}

static bool is_from_a_machine(struct str from)
{
	static const char *const words[] = {"mailer-daemon", "postmaster", "post_master", "mail delivery", "maildelivery", "mailerdaemon", "administrator",
	                                    "mail-daemon", "mail system", "mailsystem", "bounce", "mmdf", "smtp", "daemon", "admin@",
	                                    "root@", "system", "mailserver", "mail service", "undeliverable", "noreply", "no-reply",
	                                    "delivery", "majordomo", "symantec", "message router", "exchange", "sc-mailer", "mdaemon"};
	return from.n == 0 || HAS_ANY(from, words);
}

static bool subject_is_bounce(struct str subject)
{
	static const char *const words[] = {"undeliver", "undelivr", "fail", "return", "delivery", "deliver", "bounce", "warning", "not delivered",
	                                    "mail system", "rejected", "unknown", "error", "unzustellbar", "zustell", "nondeliverable",
	                                    "non remis", "échec", "non recapit", "mancato recapito", "no se pudo", "niet bezorg", "onbestelbaar",
	                                    "could not", "cannot", "can't", "delayed", "problem", "nondelivery", "message status", "notification",
	                                    "ndn", "rejet", "blocked", "mail could", "invalid", "over quota", "full", "dsn", "配信", "エラー"};
	return HAS_ANY(subject, words);
}

static bool says_delayed(struct str subject, struct str text)
{
	static const char *const failed[] = {"permanent", "giving up", "gave up", "could not be delivered", "has been returned", "fatal",
	                                     "failed permanently", "undeliverable", "will be deleted", "not going to try again"};
	static const char *const words[] = {"has been delayed", "is being delayed", "delivery is delayed", "still undelivered",
	                                    "not yet been delivered", "will be retried", "warning message only", "do not need to resend",
	                                    "does not need to resend", "delivery attempts will continue", "will continue to", "will keep trying",
	                                    "has not yet been", "not been delivered yet", "temporarily delayed", "delivery delayed", "will try to deliver",
	                                    "will be attempted", "not yet delivered", "warning only", "only a warning", "continue trying", "keep trying"};
	static const char *const subjects[] = {"delayed", "warning: could not", "delay", "transient", "still being retried", "warning:"};
	if (HAS_ANY(text, words))
		return true;
	return HAS_ANY(subject, subjects) && !HAS_ANY(text, failed);
}

/* Where the report ends and what it returns begins. */
static struct str without_original(struct str text)
{
	static const char *const marks[] = {
		"\n--- Below this line", "\n------ This is a copy", "\n----- Original message", "Original message follows", "\n--- Original",
		"Unsent message", "\n   ----- Message header", "----- Message header follows", "Message header follows", "\n-----Original Message",
		"\nReturn-Path:", "\nReceived:", "\nReturn-path:", "This is a copy of your message", "\n--- Enclosed is a copy",
		"Headers of the original", "Message headers follow", "--- message header", "\n---- Start of the original",
		"The original message was:", "----- Returned message", "--- Undelivered message follows", "Below this line is a copy",
		"returned message follows", "The first 50 lines", "\n--- The header of the original", "This is the original message",
		"\n>Received:", "Content of the message", "\n> Received:", "Original message headers", "original message follows",
		"------ The body of the message", "----- Transcript of message", "\n----- Undeliverable message", "\nMessage-Id:",
		"\nMessage-ID:", "\n----- Unsent", "\n----- Message text follows", "\nX-Mailer:", "\n---------- Mensagem original", "--- Forwarded message",
	};
	size_t end = text.n;

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		size_t at = str_find(str_slice(text, 0, end), str_from(marks[i]));
		if (at < end && at > 20)
			end = at;
	}
	return str_slice(text, 0, end);
}

/* The reply that the prose quotes for a recipient whose block has none. */
static void fill_diagnostics(struct arena *arena, struct bounce *out, const struct bounce_parts *parts, struct str from, struct str to)
{
	struct bounce *prose = arena_new(arena, struct bounce);
	bool is_needed = false;

	for (size_t i = 0; i < out->n; i++)
		is_needed |= out->rcpts[i].diagnostic.n == 0;
	if (!is_needed || parts->n == 0)
		return;
	for (size_t i = 0; i < parts->n; i++) {
		if (str_starts(parts->part[i].type, STR("text/plain"))) {
			bounce_prose_read(arena, without_original(parts->part[i].body), from, to, prose);
			break;
		}
	}
	for (size_t i = 0; i < out->n; i++) {
		struct bounce_rcpt *r = &out->rcpts[i];
		for (size_t k = 0; k < prose->n && r->diagnostic.n == 0; k++)
			if (str_ieq(prose->rcpts[k].address, r->address))
				r->diagnostic = prose->rcpts[k].diagnostic;
		if (r->diagnostic.n == 0 && out->n == 1 && prose->n == 1)
			r->diagnostic = prose->rcpts[0].diagnostic;
	}
}

static enum bounce_kind kind_of_actions(const struct bounce *b)
{
	enum bounce_kind kind = BOUNCE_NONE;

	for (size_t i = 0; i < b->n; i++) {
		struct str a = b->rcpts[i].action;
		if (str_istarts(a, STR("delayed")))
			kind = kind == BOUNCE_FAILED ? kind : BOUNCE_DELAYED;
		else if (str_istarts(a, STR("deliver")) || str_istarts(a, STR("relayed")) || str_istarts(a, STR("expanded")))
			kind = kind == BOUNCE_NONE ? BOUNCE_DELIVERED : kind;
		else
			kind = BOUNCE_FAILED;
	}
	return kind;
}

/* X-Failed-Recipients (Exim, Gmail) names them outright. */
static void read_failed_header(struct arena *arena, struct str message, struct bounce *out)
{
	struct str list = field(arena, message, STR("X-Failed-Recipients"));
	struct str address;

	while ((address = bounce_address_next(&list)).n > 0) {
		struct bounce_rcpt r = {.address = address, .action = STR("failed")};
		bounce_rcpt_add(out, &r);
	}
}

static struct str without_tags(struct arena *arena, struct str html)
{
	char *p = arena_alloc(arena, html.n + 1);
	size_t n = 0;
	bool is_tag = false;

	for (size_t i = 0; i < html.n; i++) {
		char c = html.p[i];
		if (c == '<' && i + 1 < html.n && str_find_char(str_slice(html, i, i + 60), '@') == str_slice(html, i, i + 60).n) {
			is_tag = true;
			if (str_istarts(str_skip(html, i), STR("<br")) || str_istarts(str_skip(html, i), STR("<p")) || str_istarts(str_skip(html, i), STR("</p")))
				p[n++] = '\n';
		} else if (is_tag) {
			is_tag = c != '>';
		} else {
			p[n++] = c;
		}
	}
	return (struct str){p, n};
}

/* A report that names nobody: whom the returned message was for, and the report's words. */
static void read_returned_to(struct arena *arena, const struct bounce_parts *parts, struct str words, struct bounce *out)
{
	struct bounce_rcpt r = {.diagnostic = bounce_one_line(arena, words)};

	for (size_t i = 0; i < parts->n && r.address.n == 0; i++) {
		struct bounce_part p = parts->part[i];
		if (str_starts(p.type, STR("message/rfc822")) || str_starts(p.type, STR("text/rfc822-headers"))) {
			r.address = first_address(field(arena, p.body, STR("To")));
		} else if (str_starts(p.type, STR("text/"))) {
			struct str returned = str_skip(p.body, without_original(p.body).n);
			size_t at = str_find(returned, STR("\nTo:"));
			struct str line = str_skip(returned, at + 4);
			line = str_slice(line, 0, str_find_char(line, '\n'));
			r.address = first_address(line);
		}
	}
	bounce_rcpt_add(out, &r);
}

static void read_prose(struct arena *arena, struct str message, const struct bounce_parts *parts, struct bounce *out)
{
	struct str from = field(arena, message, STR("From")), to = field(arena, message, STR("To"));
	struct str subject = field(arena, message, STR("Subject"));
	bool is_likely = is_from_a_machine(from) || subject_is_bounce(subject) || out->n > 0;
	struct str all = STR_NONE;

	for (size_t i = 0; i < parts->n && is_likely; i++) {
		bool is_html = str_starts(parts->part[i].type, STR("text/html"));
		if (!is_html && !str_starts(parts->part[i].type, STR("text/")))
			continue;
		struct str text = is_html ? without_tags(arena, parts->part[i].body) : parts->part[i].body;
		text = without_original(text);
		size_t before = out->n;
		bounce_prose_read(arena, text, from, to, out);
		if (all.n == 0) /* what the report says in its own words */
			all = text;
		if (out->n > before || out->n > 0)
			break;
	}
	if (out->n == 0 && is_likely && subject_is_bounce(subject) && is_from_a_machine(from))
		read_returned_to(arena, parts, all, out);
	if (out->n == 0)
		return;
	out->kind = says_delayed(subject, all) ? BOUNCE_DELAYED : BOUNCE_FAILED;
	for (size_t i = 0; i < out->n; i++)
		out->rcpts[i].action = out->kind == BOUNCE_DELAYED ? STR("delayed") : STR("failed");
}

void bounce_read(struct arena *arena, struct str message, struct bounce *out)
{
	struct bounce_parts *parts = arena_new(arena, struct bounce_parts);
	struct str feedback = STR_NONE, original = STR_NONE;

	*out = (struct bounce){.kind = BOUNCE_NONE};
	message = str_slice(message, 0, BOUNCE_MAX);
	bounce_parts_read(arena, message, parts);
	for (size_t i = 0; i < parts->n; i++) {
		struct bounce_part *p = &parts->part[i];
		if (str_starts(p->type, STR("message/feedback-report")))
			feedback = p->body;
		else if (str_starts(p->type, STR("message/rfc822")) || str_starts(p->type, STR("text/rfc822-headers")))
			original = original.n ? original : p->body;
	}
	struct str subject = field(arena, message, STR("Subject")), from = field(arena, message, STR("From")), reported;
	if (feedback.n == 0 && header_find(original, STR("X-HmXmrOriginalRecipient"), &reported) &&
	    str_ifind(subject, STR("complaint")) < subject.n)
		feedback = STR("Feedback-Type: abuse\r\n\r\n");
	if (feedback.n > 0) {
		read_feedback(arena, feedback, original, out);
		out->kind = BOUNCE_FEEDBACK;
		return;
	}
	for (size_t i = 0; i < parts->n; i++) {
		struct str body = parts->part[i].body;
		bool is_status = str_ifind(parts->part[i].type, STR("delivery-status")) < parts->part[i].type.n;
		if (is_status || str_ifind(body, STR("\nFinal-Recipient:")) < body.n || str_istarts(body, STR("Reporting-MTA:")))
			read_status(arena, body, out);
	}
	if (out->n > 0) {
		fill_diagnostics(arena, out, parts, field(arena, message, STR("From")), field(arena, message, STR("To")));
		out->kind = kind_of_actions(out);
		return;
	}
	if (str_ifind(from, STR("mailer-daemon")) == from.n && is_automatic_answer(arena, message, subject) && !subject_is_bounce(subject)) {
		struct bounce_rcpt r = {.address = first_address(from), .action = STR("replied"), .diagnostic = subject};
		bounce_rcpt_add(out, &r);
		out->kind = BOUNCE_VACATION;
		return;
	}
	read_failed_header(arena, message, out);
	read_prose(arena, message, parts, out);
}
