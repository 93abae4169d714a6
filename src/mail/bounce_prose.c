/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounces in prose: which of the addresses in a text is the recipient, and which words belong to it. */
#include "mail/bounce.h"

static bool is_local_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
	       (c && strchr("!#$%&*+-/=?^_{|}~.", c));
}

static bool is_domain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       (unsigned char)c >= 0x80;
}

struct str bounce_address_next(struct str *rest)
{
	struct str s = *rest;

	for (size_t at = 0; at < s.n; at++) {
		if (s.p[at] != '@' || at == 0)
			continue;
		size_t from = at, to = at + 1;
		if (s.p[at - 1] == '"') { /* "quoted local part"@ */
			from = at - 1;
			while (from > 0 && s.p[from - 1] != '"' && s.p[from - 1] != '\n')
				from--;
			from = from > 0 ? from - 1 : 0;
		} else {
			while (from > 0 && is_local_char(s.p[from - 1]))
				from--;
		}
		if (to < s.n && s.p[to] == '[') {
			size_t close = str_find_char(str_skip(s, to), ']');
			to += close < s.n - to ? close + 1 : 0;
		}
		while (to < s.n && is_domain_char(s.p[to]))
			to++;
		while (to > at + 1 && (s.p[to - 1] == '.' || s.p[to - 1] == '-' || s.p[to - 1] == '_'))
			to--;
		while (from < at && strchr("=/!.", s.p[from]) && s.p[from] && !(s.p[from] == '=' && s.p[from + 1] == '?'))
			from++;
		size_t named = str_rfind_char(str_slice(s, from, at), '='); /* X.400: dda:SMTP=user@example.org */
		if (named < at - from && str_iends(str_slice(s, from, from + named), STR("SMTP")))
			from += named + 1;
		if (from == at || to <= at + 2)
			continue;
		*rest = str_skip(s, to);
		return str_slice(s, from, to);
	}
	*rest = str_skip(s, s.n);
	return STR_NONE;
}

static bool has_any(struct str s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ifind(s, str_from(words[i])) < s.n)
			return true;
	return false;
}
#define HAS_ANY(s, words) has_any((s), (words), sizeof(words) / sizeof *(words))

/* Lines whose addresses are somebody else's: of the sender, of who helps, of identifiers. */
static bool is_foreign(struct str line)
{
	static const char *const starts[] = {"from:", "sender:", "reply-to:", "message-id:", "cc:", "return-path:", "received:", "subject:",
	                                     "by ", "id ", "date:", "with ", "errors-to:", "in-reply-to:", "references:", "x-", "list-",
	                                     ">>> mail", "mail from", "<<< ", "from ", "reporting-mta", "* from", "mime-version", "bcc:",
	                                     "your message from", "sender "};
	static const char *const words[] = {"contact", "please send", "please mail", "write to", "e-mail to postmaster", "mailto:",
	                                    "forwarded to the", "for help", "for assistance", "for further assistance", "report this",
	                                    "message from <", "mail from:", "mail from <", "abuse@", "send mail to postmaster", "help@",
	                                    "questions", "administrator at", "message-id"};
	struct str s = str_trim(line);

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (str_istarts(s, str_from(starts[i])))
			return true;
	return HAS_ANY(s, words);
}

/* Bullets, quotes, brackets, and the codes that transcripts begin with. */
static struct str without_decoration(struct str s)
{
	for (;;) {
		s = str_trim(s);
		if (s.n > 0 && strchr("*->\"'<([|#", s.p[0])) {
			s = str_skip(s, 1);
		} else if (s.n > 4 && (s.p[0] == '4' || s.p[0] == '5') && s.p[1] >= '0' && s.p[1] <= '9' &&
		           ((s.p[2] >= '0' && s.p[2] <= '9' && (s.p[3] == ' ' || s.p[3] == '-')) || s.p[1] == '.')) {
			s = str_skip(s, str_find_char(s, ' '));
		} else {
			return s;
		}
	}
}

/* How sure a line makes us that its address is a recipient. */
static unsigned line_score(struct str line, struct str address)
{
	static const char *const strong[] = {"rcpt to", "error-for:", "recipient", "expanded from", "generated from", "smtp=", "failed:",
	                                     "undelivered to", "originally addressed to", "unknown user:", "user unknown:"};
	static const char *const announcing[] = {"to:", "user unknown", "unknown user", "could not be delivered to", "delivered to",
	                                         "undeliverable", "failed", "deliver", "no such user", "mailbox", "not known", "not listed",
	                                         "address", "rejected", "delayed", "empfänger", "unknown", "did not reach", "bounced",
	                                         "not found", "invalid", "attempts"};
	struct str s = without_decoration(line);
	size_t at = str_find(s, address);
	struct str before = str_slice(s, 0, at), after = str_skip(s, at + address.n);

	if (at == 0) {
		struct str tail = str_trim(after);
		while (tail.n && strchr(">\"')]", tail.p[0]))
			tail = str_trim(str_skip(tail, 1));
		if (tail.n == 0 || strchr(":.,(;<", tail.p[0]))
			return 9;
		return 8;
	}
	if (HAS_ANY(before, strong))
		return 8;
	if (str_istarts(s, STR("to:")) || str_istarts(s, STR("cc:")))
		return 5;
	if (HAS_ANY(before, announcing))
		return 6;
	return HAS_ANY(after, announcing) ? 5 : 2;
}

/* The rest of the line and what follows, up to an empty line behind some words or the next address that opens a line. */
static struct str words_about(struct arena *arena, struct str text, size_t line_start, struct str address)
{
	size_t at = line_start, end = line_start;
	unsigned lines = 0;
	bool has_words = false;

	while (at < text.n && lines < 8) {
		struct str line = str_slice(text, at, at + str_find_char(str_skip(text, at), '\n'));
		struct str s = str_trim(line), copy = s;
		if (s.n == 0 && has_words)
			break;
		struct str other = lines > 0 ? bounce_address_next(&copy) : STR_NONE;
		if (other.n && !str_ieq(other, address) && line_score(line, other) >= 7 && !is_foreign(line))
			break;
		has_words |= s.n > 0 && (lines > 0 || s.n > address.n + 6);
		end = at + line.n;
		at += line.n + 1;
		lines++;
	}
	struct str about = str_trim(str_slice(text, line_start, end));
	struct str plain = without_decoration(about);
	if (str_starts(plain, address))
		about = plain;
	if (about.n && about.p[0] == '<' && str_starts(str_skip(about, 1), address))
		about = str_skip(about, address.n + 2);
	else if (str_starts(about, address))
		about = str_skip(about, address.n);
	about = str_trim(about);
	while (about.n && strchr(":.,;>)", about.p[0]))
		about = str_trim(str_skip(about, 1));
	return bounce_one_line(arena, about);
}

void bounce_prose_read(struct arena *arena, struct str text, struct str from, struct str to, struct bounce *out)
{
	struct str from_copy = from, to_copy = to;
	struct str reporter = bounce_address_next(&from_copy), sender = bounce_address_next(&to_copy);
	unsigned best = 3;
	bool knows = out->n > 0;

	/* Twice: first how good the best line is, then all that are as good. */
	for (int round = 0; round < 2; round++) {
		for (size_t at = 0; at < text.n;) {
			struct str line = str_slice(text, at, at + str_find_char(str_skip(text, at), '\n'));
			struct str rest = line, address = is_foreign(line) ? STR_NONE : bounce_address_next(&rest);
			size_t start = at;
			at += line.n + 1;
			if (address.n == 0 || str_ieq(address, reporter) || str_istarts(address, STR("postmaster@")) ||
			    str_istarts(address, STR("mailer-daemon@")) || (str_ieq(address, sender) && line_score(line, address) < 9))
				continue;
			unsigned score = line_score(line, address);
			if (round == 0) {
				best = score > best ? score : best;
				continue;
			}
			if (score < (best > 8 ? 8 : best) || (best < 6 && out->n > 0 && !knows))
				continue;
			struct bounce_rcpt r = {.address = address, .diagnostic = words_about(arena, text, start, address)};
			if (knows) { /* recipients are known: only their words are wanted */
				for (size_t i = 0; i < out->n; i++)
					if (str_ieq(out->rcpts[i].address, address))
						bounce_rcpt_add(out, &r);
				continue;
			}
			bounce_rcpt_add(out, &r);
		}
	}
}
