/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the reply in the log lines of Postfix, Exim, Sendmail, Exchange, OpenSMTPD and Postern. */
#include "cmd/explain_input.h"

#include <errno.h>
#include <stdio.h>

#include "base/auto.h"
#include "mail/header.h"

#define FILE_MAX (1 << 20)

static bool has(struct str s, const char *words)
{
	return str_ifind(s, str_from(words)) < s.n;
}

/* What stands behind `mark`, up to `end` (0: to the end of the line). */
static struct str behind(struct str s, const char *mark, char end)
{
	size_t at = str_ifind(s, str_from(mark));

	if (at == s.n)
		return STR_NONE;
	struct str rest = str_skip(s, at + strlen(mark));
	return end ? str_slice(rest, 0, str_find_char(rest, end)) : rest;
}

static void host_from(struct explain_input *in, struct str s)
{
	s = str_trim(s);
	s = str_slice(s, 0, str_find_char(s, ' '));
	while (s.n && strchr(":,;", s.p[s.n - 1]))
		s.n--;
	if (s.n > 0 && !str_ieq(s, STR("none")))
		in->host = s;
}

/* Where a reply's three digits begin: behind a blank or at the start, before a blank or a hyphen. s.n: nowhere. */
static size_t code_at(struct str s)
{
	for (size_t i = 0; i + 3 < s.n; i++) {
		bool is_start = i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '=';
		if (is_start && s.p[i] >= '2' && s.p[i] <= '5' && s.p[i + 1] >= '0' && s.p[i + 1] <= '5' && s.p[i + 2] >= '0' && s.p[i + 2] <= '9' &&
		    (s.p[i + 3] == ' ' || s.p[i + 3] == '-'))
			return i;
	}
	return s.n;
}

/* "Nov 22 08:15:30 …", "2026-11-22T08:15:30+01:00 …", "2026-11-22 08:15:30 …" */
static struct str time_of(struct str s)
{
	bool is_iso = s.n > 19 && s.p[4] == '-' && s.p[7] == '-' && s.p[13] == ':' && s.p[16] == ':';
	bool is_syslog = s.n > 15 && s.p[3] == ' ' && s.p[6] == ' ' && s.p[9] == ':' && s.p[12] == ':';

	if (is_syslog)
		return str_slice(s, 0, 15);
	if (!is_iso)
		return STR_NONE;
	size_t end = 19;
	while (end < s.n && !strchr(" ,\t", s.p[end]))
		end++;
	return str_slice(s, 0, end);
}

/* smtpd, postscreen, milters: "NOQUEUE: reject: RCPT from x[ip]: 450 …; from=<…> to=<…> proto=ESMTP helo=<…>" */
static bool read_postfix_reject(struct str s, struct explain_input *in)
{
	struct str reject = behind(s, "reject: ", 0);
	struct str words = str_slice(reject, 0, str_ifind(reject, STR("; from=<")));
	size_t close = str_find(words, STR("]: "));

	if (reject.n == 0 || !has(reject, " from "))
		return false;
	size_t code = code_at(words);
	size_t start = close < words.n ? close + 3 : words.n; /* a milter's reply has an enhanced code alone */
	in->reply = str_skip(words, code < start ? code : start < words.n ? start : code < words.n ? code : 0);
	in->host = behind(reject, " from ", ':');
	in->helo = behind(s, "helo=<", '>');
	in->sender = behind(s, "from=<", '>');
	in->speaker = SPEAKER_HERE;
	return true;
}

/* smtp, lmtp, qmgr: "to=<…>, relay=mx[ip]:25, …, status=deferred (host mx[ip] said: 450 …)" */
static bool read_postfix_status(struct str s, struct explain_input *in)
{
	struct str status = behind(s, "status=", 0);
	size_t open = str_find_char(status, '('), close = str_rfind_char(status, ')');

	if (status.n == 0)
		return false;
	if (open < status.n)
		in->reply = str_slice(status, open + 1, close > open && close < status.n ? close : status.n);
	else
		in->reply = status; /* "expired, returned to sender" */
	in->speaker = has(in->reply, " said: ") || has(in->reply, "refused to talk to me: ") ? SPEAKER_REMOTE : SPEAKER_OWN;
	host_from(in, behind(s, "relay=", ','));
	in->sender = behind(s, "from=<", '>');
	return true;
}

/* Lines of smtp between the attempts: "4ABC: host mx[ip] said: 451 …", "connect to mx[ip]:25: Connection timed out" */
static bool read_postfix_talk(struct str s, struct explain_input *in)
{
	static const char *const marks[] = {": host ", ": connect to ", ": lost connection with ", ": conversation with "};

	if (!has(s, "postfix/"))
		return false;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		size_t at = str_find(s, str_from(marks[i]));
		if (at == s.n)
			continue;
		in->reply = str_skip(s, at + 2);
		in->speaker = i == 0 ? SPEAKER_REMOTE : SPEAKER_OWN;
		struct str rest = str_skip(s, at + strlen(marks[i]));
		host_from(in, str_slice(rest, 0, str_find_char(rest, '[')));
		return true;
	}
	return false;
}

static bool read_postfix(struct str s, struct explain_input *in)
{
	if (!read_postfix_reject(s, in) && !read_postfix_status(s, in) && !read_postfix_talk(s, in))
		return false;
	in->logger = STR("Postfix");
	in->recipient = behind(s, "to=<", '>');
	size_t arrow = str_ifind(s, STR(" to=<"));
	if (arrow < s.n)
		in->recipient = behind(str_skip(s, arrow), "to=<", '>');
	return true;
}

/* "to=<u@d>, …, stat=Deferred: 451 …"; a refusal of its own: "ruleset=check_rcpt, arg1=<u@d>, relay=x [ip], reject=550 …" */
static bool read_sendmail(struct str s, struct explain_input *in)
{
	struct str stat = behind(s, "stat=", 0), reject = behind(s, "reject=", 0);

	if (reject.n > 0 && has(s, "ruleset=")) {
		in->reply = reject;
		in->speaker = SPEAKER_HERE;
		in->host = behind(s, "relay=", ',');
		if (has(s, "ruleset=check_mail"))
			in->sender = behind(s, "arg1=<", '>');
		else
			in->recipient = behind(s, "arg1=<", '>');
	} else if (stat.n > 0 && stat.p[0] != '"') {
		in->reply = stat;
		in->speaker = SPEAKER_REMOTE;
		in->recipient = behind(s, "to=<", '>');
		host_from(in, behind(s, "relay=", ','));
	} else {
		return false;
	}
	in->logger = STR("Sendmail");
	return true;
}

/* OpenSMTPD: … rcpt=<u@d> … relay="1.2.3.4 (mx)" … stat="451 …"; its own: failed-command command="RCPT TO:<…>" result="550 …" */
static bool read_opensmtpd(struct str s, struct explain_input *in)
{
	struct str stat = behind(s, "stat=\"", '"'), command = behind(s, "command=\"", '"');

	if (stat.n == 0 && command.n > 0) {
		in->reply = behind(s, "result=\"", '"');
		in->speaker = SPEAKER_HERE;
		in->host = behind(s, "address=", ' ');
		if (str_istarts(command, STR("RCPT")))
			in->recipient = behind(command, "<", '>');
		else if (str_istarts(command, STR("MAIL")))
			in->sender = behind(command, "<", '>');
		in->logger = STR("OpenSMTPD");
		return in->reply.n > 0;
	}
	if (stat.n == 0)
		return false;
	in->logger = STR("OpenSMTPD");
	in->reply = stat;
	in->sender = behind(s, "from=<", '>');
	in->recipient = behind(s, "rcpt=<", '>');
	if (str_find_char(in->recipient, '@') == in->recipient.n)
		in->recipient = behind(s, "to=<", '>');
	host_from(in, behind(s, "relay=\"", '"'));
	in->speaker = SPEAKER_REMOTE;
	return true;
}

/* Exchange: … {LED=450 4.7.1 …};{MSG=…};{FQDN=mx.example.org};{IP=…}; of a report: Remote Server returned '550 …';
 * of a protocol log: time,connector,session,n,local:port,remote:25,<,451 … */
static bool read_exchange(struct str s, struct explain_input *in)
{
	struct str led = behind(s, "LED=", '}'), returned = behind(s, "Remote Server returned '", 0), line = behind(s, ",<,", 0);

	if (led.n > 0) {
		in->reply = led;
		host_from(in, behind(s, "FQDN=", '}'));
	} else if (returned.n > 0) {
		in->reply = str_slice(returned, 0, str_rfind_char(returned, '\''));
		host_from(in, behind(s, "Generating server: ", '\n'));
		in->host = STR_NONE; /* it wrote the report; who answered it does not say */
	} else if (line.n > 3 && line.p[0] >= '2' && line.p[0] <= '5' && time_of(s).n > 0) {
		size_t at = str_find(s, STR(",<,")), comma = str_rfind_char(str_slice(s, 0, at), ',');
		in->reply = str_slice(line, 0, line.n - (line.p[line.n - 1] == ','));
		struct str remote = str_slice(s, comma + 1, at);
		in->host = str_slice(remote, 0, str_rfind_char(remote, ':'));
	} else {
		return false;
	}
	in->logger = STR("Exchange");
	in->speaker = SPEAKER_REMOTE;
	return true;
}

/* Exim, delivery: "== u@d <x@d> R=… T=… defer (-44) H=mx [ip]: SMTP error from remote mail server after RCPT TO:<u@d>: 451 …" */
static bool read_exim_delivery(struct str s, struct explain_input *in)
{
	size_t mark = str_find(s, STR(" == ")), failed = str_find(s, STR(" ** "));

	if (mark == s.n && failed == s.n)
		return false;
	struct str rest = str_skip(s, (mark < failed ? mark : failed) + 4);
	in->recipient = str_slice(rest, 0, str_find_char(rest, ' '));
	if (in->recipient.n > 0 && in->recipient.p[in->recipient.n - 1] == ':')
		in->recipient.n--;
	in->sender = behind(rest, " F=<", '>');
	struct str host = behind(rest, " H=", ' '), words = rest;
	size_t at = str_find(rest, STR("): "));
	if (at < rest.n && has(str_slice(rest, 0, at + 1), " defer ("))
		words = str_skip(rest, at + 3);
	else if (host.n > 0)
		words = str_skip(rest, str_find(rest, STR("]: ")) + 3);
	else
		words = str_skip(rest, str_find(rest, STR(": ")) + 2);
	in->reply = words;
	in->speaker = has(words, "remote mail server") || code_at(words) == 0 ? SPEAKER_REMOTE : SPEAKER_OWN;
	host_from(in, host.n > 0 ? host : behind(words, ": host ", 0));
	return true;
}

/* Exim, its own: "H=mx.example.net (helo) [ip] F=<a@b> temporarily rejected RCPT <u@d>: Could not complete …" */
static bool read_exim_refusal(struct str s, struct explain_input *in)
{
	struct str rejected = behind(s, " rejected ", 0), client = behind(s, " H=", 0);

	if (rejected.n == 0 || client.n == 0)
		return false;
	size_t at = str_find(rejected, STR(": "));
	in->reply = str_skip(rejected, at + 2);
	in->host = str_slice(client, 0, str_find_char(client, ']') + 1);
	in->helo = behind(in->host, "(", ')');
	in->sender = behind(s, " F=<", '>');
	in->recipient = behind(rejected, "RCPT <", '>');
	in->is_temporary = has(s, " temporarily rejected ");
	in->is_permanent = !in->is_temporary;
	in->stage = str_istarts(rejected, STR("RCPT")) ? CAUSE_AT_RCPT : str_istarts(rejected, STR("MAIL")) ? CAUSE_AT_MAIL
	            : has(rejected, "after DATA") ? CAUSE_AT_END_OF_DATA : CAUSE_AT_UNKNOWN;
	in->speaker = SPEAKER_HERE;
	return true;
}

static bool read_exim(struct str s, struct explain_input *in)
{
	if (!read_exim_delivery(s, in) && !read_exim_refusal(s, in))
		return false;
	in->logger = STR("Exim");
	return true;
}

/* A text in quotes, in which quotes are escaped. */
static struct str quoted(struct str s, const char *mark)
{
	struct str rest = behind(s, mark, 0);
	size_t n = 0;

	while (n < rest.n && rest.p[n] != '"')
		n += rest.p[n] == '\\' ? 2 : 1;
	return str_slice(rest, 0, n);
}

/* Postern: event … rcpt=… host=… reply="451 …" */
static bool read_postern(struct str s, struct explain_input *in)
{
	struct str reply = quoted(s, "reply=\"");
	bool is_json = reply.n == 0;

	if (is_json)
		reply = quoted(s, "\"reply\":\"");
	if (reply.n == 0)
		return false;
	in->logger = STR("Postern");
	in->reply = reply;
	host_from(in, is_json ? behind(s, "\"host\":\"", '"') : behind(s, "host=", ' '));
	in->recipient = is_json ? behind(s, "\"rcpt\":\"", '"') : behind(s, "rcpt=", ' ');
	in->sender = is_json ? behind(s, "\"sender\":\"", '"') : behind(s, "sender=", ' ');
	in->speaker = in->host.n ? SPEAKER_REMOTE : SPEAKER_HERE;
	return true;
}

/* Each line of a log that is read here has one of these. Most replies have none, and are spared two dozen searches. */
static bool may_be_logged(struct str s)
{
	static const bool is_mark[256] = {['='] = true, ['"'] = true, ['*'] = true, ['\''] = true, ['/'] = true};

	for (size_t i = 0; i < s.n; i++)
		if (is_mark[(unsigned char)s.p[i]])
			return true;
	return has(s, "reject: ") || has(s, ",<,");
}

static bool read_log(struct str s, struct explain_input *in)
{
	return may_be_logged(s) && (read_postern(s, in) || read_opensmtpd(s, in) || read_exchange(s, in) || read_postfix(s, in) ||
	                            read_exim(s, in) || read_sendmail(s, in));
}

void explain_input_read(struct str text, struct explain_input *out)
{
	struct str s = str_trim(text);

	*out = (struct explain_input){.reply = s};
	if (read_log(s, out)) {
		out->when = time_of(s);
		out->reply = str_trim(out->reply);
		if (out->reply.n == 0)
			out->reply = s;
		return;
	}
	if (has(s, " said:") || has(s, "remote mail server"))
		out->speaker = SPEAKER_REMOTE;
}

bool explain_is_mail(struct str text)
{
	static const char *const names[] = {"Received", "From", "Subject", "Date", "Return-Path", "Message-ID", "To", "Content-Type",
	                                    "MIME-Version", "Final-Recipient", "Reporting-MTA"};
	struct header_scan scan;
	struct header_field f;
	unsigned known = 0;

	header_scan_init(&scan, text);
	while (header_scan_next(&scan, &f))
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			known += str_ieq(f.name, str_from(names[i]));
	return known >= 2;
}

/* Compressed files, programs, office documents; UTF-16 too, which no mail is in. */
static bool looks_binary(struct str s)
{
	size_t zeros = 0;

	for (size_t i = 0; i < s.n && i < 4096; i++)
		zeros += s.p[i] == '\0';
	return zeros > 2;
}

bool explain_file_read(struct arena *arena, const char *path, struct str *out, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	auto_buf struct buf b = {.max = FILE_MAX};
	char piece[2048];
	size_t n;

	if (!f)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	while (b.n + sizeof(piece) <= FILE_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	int error = ferror(f) ? errno : 0;
	if (!is_stdin)
		fclose(f);
	if (error)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(error));
	if (looks_binary(buf_view(&b)))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: this is no text", path);
	*out = arena_str(arena, buf_view(&b));
	return true;
}
