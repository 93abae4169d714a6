/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the reply in the log lines of Postfix, Exim, Sendmail, Exchange, OpenSMTPD and Postern. */
#include "cmd/explain_input.h"

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

/* "status=deferred (host mx[ip] said: 450 …)", "NOQUEUE: reject: RCPT from x[ip]: 450 …; from=<…>" */
static bool read_postfix(struct str s, struct explain_input *in)
{
	struct str reject = behind(s, "reject: ", 0), status = behind(s, "status=", 0);

	if (reject.n && has(s, " from ")) {
		size_t at = str_find(reject, STR("]: "));
		in->reply = at < reject.n ? str_skip(reject, at + 3) : reject;
		in->reply = str_slice(in->reply, 0, str_ifind(in->reply, STR("; from=<")));
		in->host = behind(reject, " from ", ':');
		in->speaker = SPEAKER_HERE;
	} else if (status.n) {
		size_t open = str_find_char(status, '('), close = str_rfind_char(status, ')');
		in->reply = open < close && close < status.n ? str_slice(status, open + 1, close) : str_skip(status, open + 1);
		in->speaker = has(in->reply, " said: ") ? SPEAKER_REMOTE : SPEAKER_OWN;
		host_from(in, behind(s, "relay=", ','));
	} else {
		return false;
	}
	in->logger = STR("Postfix");
	in->recipient = behind(s, "to=<", '>');
	return true;
}

static bool read_sendmail(struct str s, struct explain_input *in)
{
	struct str stat = behind(s, "stat=", 0);

	if (stat.n == 0 || stat.p[0] == '"')
		return false;
	in->logger = STR("Sendmail");
	in->reply = stat;
	in->recipient = behind(s, "to=<", '>');
	host_from(in, behind(s, "relay=", ','));
	in->speaker = SPEAKER_REMOTE;
	return true;
}

/* OpenSMTPD: … rcpt=<u@d> … relay="1.2.3.4 (mx)" … stat="451 …" */
static bool read_opensmtpd(struct str s, struct explain_input *in)
{
	struct str stat = behind(s, "stat=\"", '"');

	if (stat.n == 0)
		return false;
	in->logger = STR("OpenSMTPD");
	in->reply = stat;
	in->recipient = behind(s, "rcpt=<", '>');
	if (in->recipient.n == 0)
		in->recipient = behind(s, "to=<", '>');
	host_from(in, behind(s, "relay=\"", '"'));
	in->speaker = SPEAKER_REMOTE;
	return true;
}

/* Exchange: … {LED=450 4.7.1 …};{MSG=…};{FQDN=mx.example.org};{IP=…} */
static bool read_exchange(struct str s, struct explain_input *in)
{
	struct str led = behind(s, "LED=", '}');

	if (led.n == 0)
		return false;
	in->logger = STR("Exchange");
	in->reply = led;
	host_from(in, behind(s, "FQDN=", '}'));
	in->speaker = SPEAKER_REMOTE;
	return true;
}

/* Exim: "== u@d R=… T=… defer (-44): SMTP error from remote mail server after RCPT TO:<u@d>: host mx [ip]: 451 …" */
static bool read_exim(struct str s, struct explain_input *in)
{
	size_t mark = str_find(s, STR(" == ")), failed = str_find(s, STR(" ** "));
	struct str rejected = behind(s, " rejected ", 0);

	if (mark < s.n || failed < s.n) {
		struct str rest = str_skip(s, (mark < failed ? mark : failed) + 4);
		in->recipient = str_slice(rest, 0, str_find_char(rest, ' '));
		size_t at = str_find(rest, STR("): "));
		size_t colon = str_find(rest, STR(": "));
		in->reply = at < rest.n && has(rest, " defer (") ? str_skip(rest, at + 3) : str_skip(rest, colon + 2);
		in->speaker = has(rest, "remote mail server") ? SPEAKER_REMOTE : SPEAKER_OWN;
		host_from(in, behind(rest, ": host ", 0));
	} else if (rejected.n && has(s, " H=")) {
		size_t at = str_find(rejected, STR(": "));
		in->reply = str_skip(rejected, at + 2);
		in->host = behind(s, " H=", ' ');
		in->speaker = SPEAKER_HERE;
	} else {
		return false;
	}
	in->logger = STR("Exim");
	return true;
}

/* Postern: event … rcpt=… host=… reply="451 …" */
static bool read_postern(struct str s, struct explain_input *in)
{
	struct str reply = behind(s, "reply=\"", '"');
	bool is_json = reply.n == 0;

	if (is_json)
		reply = behind(s, "\"reply\":\"", '"');
	if (reply.n == 0)
		return false;
	in->logger = STR("Postern");
	in->reply = reply;
	host_from(in, is_json ? behind(s, "\"host\":\"", '"') : behind(s, "host=", ' '));
	in->recipient = is_json ? behind(s, "\"rcpt\":\"", '"') : behind(s, "rcpt=", ' ');
	in->speaker = in->host.n ? SPEAKER_REMOTE : SPEAKER_HERE;
	return true;
}

void explain_input_read(struct str text, struct explain_input *out)
{
	struct str s = str_trim(text);

	*out = (struct explain_input){.reply = s};
	if (read_postern(s, out) || read_opensmtpd(s, out) || read_exchange(s, out) || read_postfix(s, out) || read_exim(s, out) ||
	    read_sendmail(s, out)) {
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

bool explain_file_read(struct arena *arena, const char *path, struct str *out, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	auto_buf struct buf b = {.max = FILE_MAX};
	char piece[2048];
	size_t n;

	if (!f)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: cannot be read", path);
	while (b.n + sizeof(piece) <= FILE_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	if (!is_stdin)
		fclose(f);
	*out = arena_str(arena, buf_view(&b));
	return true;
}
