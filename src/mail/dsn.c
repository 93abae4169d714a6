/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building delivery status notifications. */
#include "mail/dsn.h"

#include "mail/header.h"
#include "mail/utf8.h"
#include "mail/xtext.h"

#define DIAGNOSTIC_MAX 2000
#define LINE_CUT       400

struct report {
	const struct dsn_args *args;
	struct buf *out;
	struct dsn_form *form;
	enum dsn_action worst;    /* what the subject speaks of */
	bool is_utf8;             /* RFC 6533 parts */
	bool is_full;
	struct str returned;
	char boundary[80];
};

static const char *action_name(enum dsn_action action)
{
	static const char *const names[] = {"failed", "delayed", "delivered", "relayed"};

	return names[action];
}

/* Text of others within a line: no controls, UTF-8 only where the part has it. */
static void add_line(struct report *r, struct str s)
{
	s = str_slice(s, 0, LINE_CUT);
	if (r->is_utf8 && utf8_is_clean(s)) {
		buf_str(r->out, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= ' ' && c < 127)
			buf_char(r->out, (char)c);
		else
			buf_printf(r->out, "\\x%02x", c);
	}
}

/* Several lines, the later ones behind `margin`, which begins with CR LF and a blank. */
static void add_lines(struct report *r, struct str text, const char *margin)
{
	struct str line;
	bool is_first = true;

	text = str_slice(text, 0, DIAGNOSTIC_MAX);
	while (str_cut(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0)
			continue;
		if (!is_first)
			buf_str(r->out, str_from(margin));
		is_first = false;
		add_line(r, line);
	}
}

static void add_date(struct report *r, const char *name, struct wall at)
{
	char date[WALL_FORMAT_MAX];

	if (at.us != 0)
		buf_printf(r->out, "%s: %.*s\r\n", name, STR_ARG(wall_rfc5322(at, date)));
}

/* RFC 6533 3: UTF-8 as \x{HEX} where the report itself has to stay ASCII. */
static void add_utf8_address(struct report *r, struct str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_next(s);
		unsigned char first = (unsigned char)s.p[0];
		uint32_t c = n < 2 ? first : first & (0x7fu >> n);
		for (size_t i = 1; i < n; i++)
			c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
		if (c > ' ' && c < 127 && c != '+' && c != '=' && c != '\\')
			buf_char(r->out, (char)c);
		else
			buf_printf(r->out, "\\x{%02X}", c);
		s = str_skip(s, n > 0 ? n : 1);
	}
}

static void add_address(struct report *r, struct str address)
{
	if (str_is_ascii(address)) {
		buf_str(r->out, STR("rfc822; "));
		add_line(r, address);
		return;
	}
	buf_str(r->out, STR("utf-8; "));
	if (r->is_utf8)
		add_line(r, address);
	else
		add_utf8_address(r, address);
}

/* RFC 3464 2.3.1: the address type and the address that xtext encoded. */
static void add_original_recipient(struct report *r, struct str orcpt)
{
	struct arena arena;
	struct str type = str_slice(orcpt, 0, str_find_char(orcpt, ';'));
	struct str address = str_skip(orcpt, type.n + 1);

	if (address.n == 0)
		return;
	buf_str(r->out, STR("Original-Recipient: "));
	add_line(r, type);
	buf_str(r->out, STR("; "));
	arena_init(&arena, 4096);
	xtext_decode(&arena, address, &address); /* UTF-8 as it stands (RFC 6533 3) is no xtext */
	if (!str_is_ascii(address) && !r->is_utf8)
		add_utf8_address(r, address);
	else
		add_line(r, address);
	arena_done(&arena);
	buf_str(r->out, STR("\r\n"));
}

static struct str status_of(const struct dsn_rcpt *rcpt)
{
	static const char *const defaults[] = {"5.0.0", "4.0.0", "2.0.0", "2.0.0"};

	return rcpt->status.n > 0 ? rcpt->status : str_from(defaults[rcpt->action]);
}

static void add_rcpt_fields(struct report *r, const struct dsn_rcpt *rcpt)
{
	buf_str(r->out, STR("\r\n"));
	add_original_recipient(r, rcpt->orcpt);
	buf_str(r->out, STR("Final-Recipient: "));
	add_address(r, rcpt->address);
	buf_printf(r->out, "\r\nAction: %s\r\nStatus: ", action_name(rcpt->action));
	add_line(r, status_of(rcpt));
	buf_str(r->out, STR("\r\n"));
	if (rcpt->remote_mta.n > 0) {
		buf_str(r->out, STR("Remote-MTA: dns; "));
		add_line(r, rcpt->remote_mta);
		buf_str(r->out, STR("\r\n"));
	}
	if (rcpt->diagnostic.n > 0) {
		/* The type smtp is for what an SMTP server said (RFC 3464 2.3.6). */
		bool is_reply = rcpt->diagnostic.p[0] >= '2' && rcpt->diagnostic.p[0] <= '5';
		buf_str(r->out, is_reply ? STR("Diagnostic-Code: smtp; ") : STR("Diagnostic-Code: x-postern; "));
		add_lines(r, rcpt->diagnostic, "\r\n    ");
		buf_str(r->out, STR("\r\n"));
	}
	add_date(r, "Last-Attempt-Date", rcpt->last_attempt);
	if (rcpt->action == DSN_DELAYED)
		add_date(r, "Will-Retry-Until", rcpt->retry_until);
}

static void begin_part(struct report *r, const char *type, bool is_8bit)
{
	buf_printf(r->out, "\r\n--%s\r\nContent-Type: %s\r\n", r->boundary, type);
	if (is_8bit)
		buf_str(r->out, STR("Content-Transfer-Encoding: 8bit\r\n"));
	buf_str(r->out, STR("\r\n"));
}

static void add_status_part(struct report *r)
{
	const struct dsn_args *a = r->args;

	begin_part(r, r->is_utf8 ? "message/global-delivery-status" : "message/delivery-status", r->is_utf8);
	buf_printf(r->out, "Reporting-MTA: dns; %.*s\r\n", STR_ARG(a->host));
	if (a->envid.n > 0) {
		buf_str(r->out, STR("Original-Envelope-Id: "));
		add_line(r, a->envid);
		buf_str(r->out, STR("\r\n"));
	}
	add_date(r, "Arrival-Date", a->arrived);
	buf_printf(r->out, "X-Postern-Reference: %.*s\r\n", STR_ARG(a->ref));
	for (size_t i = 0; i < a->n_rcpts; i++)
		add_rcpt_fields(r, &a->rcpts[i]);
}

static void add_person_rcpt(struct report *r, const struct dsn_rcpt *rcpt)
{
	bool is_good = rcpt->action == DSN_DELIVERED || rcpt->action == DSN_RELAYED;
	struct str why = rcpt->explanation;

	buf_str(r->out, STR("\r\n<"));
	add_line(r, rcpt->address);
	buf_str(r->out, STR(">\r\n    "));
	if (why.n == 0 && is_good)
		why = rcpt->action == DSN_DELIVERED ? STR("Delivered.")
		                                    : STR("Passed on to a server that sends no confirmations.");
	else if (why.n == 0)
		why = dsn_explain(status_of(rcpt), rcpt->action == DSN_DELAYED);
	add_lines(r, why, "\r\n    ");
	buf_str(r->out, STR("\r\n"));
	if (rcpt->diagnostic.n == 0 || is_good)
		return;
	buf_str(r->out, STR("    "));
	if (rcpt->remote_mta.n > 0) {
		add_line(r, rcpt->remote_mta);
		buf_str(r->out, STR(" said:\r\n    "));
	}
	add_lines(r, rcpt->diagnostic, "\r\n    ");
	buf_str(r->out, STR("\r\n"));
}

static void add_person_opening(struct report *r)
{
	static const char *const openings[] = {
		"Your message could not be delivered to the recipients below. It will not be tried again.",
		"Your message has not been delivered yet. You need not send it again: we keep trying.",
		"Your message was delivered, as you asked us to confirm.",
		"Your message was passed on.",
	};
	struct wall until = {0};
	char date[WALL_FORMAT_MAX];

	buf_printf(r->out, "This is the mail gate at %.*s.\r\n\r\n%s\r\n", STR_ARG(r->args->host),
	           openings[r->worst]);
	for (size_t i = 0; i < r->args->n_rcpts; i++)
		if (r->args->rcpts[i].action == DSN_DELAYED && until.us < r->args->rcpts[i].retry_until.us)
			until = r->args->rcpts[i].retry_until;
	if (r->worst == DSN_DELAYED && until.us > 0)
		buf_printf(r->out, "If it still cannot be delivered by %.*s,\r\nyou will hear from us again.\r\n",
		           STR_ARG(wall_rfc5322(until, date)));
}

static void add_person_part(struct report *r)
{
	begin_part(r, r->is_utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", r->is_utf8);
	add_person_opening(r);
	for (size_t i = 0; i < r->args->n_rcpts; i++)
		add_person_rcpt(r, &r->args->rcpts[i]);
	buf_printf(r->out,
	           "\r\nA report for mail programs and %s follow below.\r\n"
	           "For help, write to postmaster@%.*s and quote the reference %.*s.\r\n",
	           r->is_full ? "your message" : "the header of your message", STR_ARG(r->args->host),
	           STR_ARG(r->args->ref));
}

static void add_returned_part(struct report *r)
{
	bool is_8bit = !str_is_ascii(r->returned);
	const char *type = r->is_full ? (r->is_utf8 && is_8bit ? "message/global" : "message/rfc822")
	                   : r->is_utf8 && is_8bit ? "message/global-headers"
	                                           : "text/rfc822-headers";

	begin_part(r, type, is_8bit);
	buf_str(r->out, r->returned);
	buf_str(r->out, str_ends(r->returned, STR("\n")) ? STR("") : STR("\r\n"));
	buf_printf(r->out, "\r\n--%s--\r\n", r->boundary);
}

/* RFC 5322 3.6.4; only a well-formed one is worth repeating. */
static void add_in_reply_to(struct report *r)
{
	struct str id;

	if (!header_find(r->args->original, STR("Message-ID"), &id))
		return;
	id = str_trim(id);
	if (id.n < 3 || id.n > 250 || id.p[0] != '<' || id.p[id.n - 1] != '>' || !str_is_ascii(id) ||
	    !utf8_is_clean(id) || str_find_char(id, ' ') < id.n)
		return;
	buf_printf(r->out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", STR_ARG(id), STR_ARG(id));
}

static void add_head(struct report *r)
{
	static const char *const subjects[] = {
		"Your message could not be delivered",
		"Your message is delayed (no need to send it again)",
		"Your message was delivered",
		"Your message was passed on",
	};
	const struct dsn_args *a = r->args;
	char date[WALL_FORMAT_MAX];

	buf_printf(r->out, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\nTo: <%.*s>\r\n",
	           STR_ARG(a->host), STR_ARG(a->to));
	buf_printf(r->out, "Subject: %s\r\nDate: %.*s\r\n", subjects[r->worst],
	           STR_ARG(wall_rfc5322(a->now, date)));
	buf_printf(r->out, "Message-ID: <%.*s.%s@%.*s>\r\n", STR_ARG(a->ref), action_name(r->worst),
	           STR_ARG(a->host));
	add_in_reply_to(r);
	buf_str(r->out, STR("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"));
	buf_printf(r->out,
	           "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%s\"\r\n",
	           r->is_utf8 ? "global-delivery-status" : "delivery-status", r->boundary);
	if (r->form->is_8bit)
		buf_str(r->out, STR("Content-Transfer-Encoding: 8bit\r\n"));
	buf_str(r->out, STR("\r\nThis is a delivery status notification in MIME format.\r\n"));
}

/* Whole fields up to the limit, so that the part stays a header. */
static struct str header_of(struct str original)
{
	struct header_scan s;
	struct header_field f;
	size_t n = 0;

	header_scan_init(&s, original);
	while (header_scan_next(&s, &f) && s.at <= DSN_HEADER_MAX)
		n = s.at;
	return str_slice(original, 0, n);
}

/* NUL has no place in mail in 8bit (RFC 2045 2.8): such a body stays here, in a header it ends it. */
static void choose_returned(struct report *r)
{
	const struct dsn_args *a = r->args;

	r->is_full = a->return_full && r->worst == DSN_FAILED && a->is_original_whole &&
	             a->original.n <= DSN_FULL_MAX && str_find_char(a->original, '\0') == a->original.n;
	r->returned = r->is_full ? a->original : header_of(a->original);
	r->returned = str_slice(r->returned, 0, str_find_char(r->returned, '\0'));
}

/* Ends: each number that is refused stands in what is returned. */
static void choose_boundary(struct report *r)
{
	struct buf text;
	unsigned n = 0;

	buf_init(&text, sizeof r->boundary - 1);
	do {
		buf_clear(&text);
		buf_printf(&text, "=_%.*s_%u", STR_ARG(str_slice(r->args->ref, 0, 40)), n++);
	} while (str_find(r->returned, buf_view(&text)) < r->returned.n);
	memcpy(r->boundary, text.p, text.n);
	r->boundary[text.n] = '\0';
	buf_done(&text);
}

static void choose_form(struct report *r)
{
	const struct dsn_args *a = r->args;
	bool has_utf8 = !str_is_ascii(r->returned);

	for (size_t i = 0; i < a->n_rcpts; i++)
		has_utf8 = has_utf8 || !str_is_ascii(a->rcpts[i].address) || !str_is_ascii(a->rcpts[i].orcpt);
	r->is_utf8 = !str_is_ascii(a->to) || (a->allow_utf8 && has_utf8);
	*r->form = (struct dsn_form){
		.is_8bit = r->is_utf8 || !str_is_ascii(r->returned),
		.needs_smtputf8 = r->is_utf8,
	};
}

void dsn_build(const struct dsn_args *args, struct buf *out, struct dsn_form *form)
{
	struct report r = {.args = args, .out = out, .form = form, .worst = DSN_RELAYED};

	for (size_t i = 0; i < args->n_rcpts; i++)
		if (args->rcpts[i].action < r.worst)
			r.worst = args->rcpts[i].action;
	choose_returned(&r);
	choose_form(&r);
	choose_boundary(&r);
	add_head(&r);
	add_person_part(&r);
	add_status_part(&r);
	add_returned_part(&r);
}
