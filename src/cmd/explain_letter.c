/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note to the other postmaster: the reply, when and between whom, and what was already ruled out. */
#include "base/auto.h"
#include "cmd/explain_print.h"

static void letter_row(struct buf *out, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(out, "  %-17s", name);
	explain_printable(str_slice(value, 0, 300), out);
	buf_char(out, '\n');
}

bool explain_letter_helps(const struct explanation *e, const char **why)
{
	switch (e->what.cause) {
	case CAUSE_GREYLIST:
		*why = "greylisting passes by itself; write only if it lasts beyond some hours";
		return false;
	case CAUSE_NO_MAILBOX:
	case CAUSE_NO_DOMAIN:
	case CAUSE_MOVED:
		*why = "the address is wrong; their postmaster cannot help with that";
		return false;
	case CAUSE_AUTH_REQUIRED:
		*why = "the login at your own provider failed; ask your provider";
		return false;
	case CAUSE_BATCH_LIMIT:
		*why = "the sending server goes on by itself in a new transaction";
		return false;
	default:
		return true;
	}
}

static void letter_head(const struct explanation *e, struct buf *out)
{
	const struct classification *c = &e->what;
	const struct explain_facts *f = &e->facts;

	if (f->recipient_domain.n)
		buf_printf(out, "To: postmaster@%.*s\n", STR_ARG(f->recipient_domain));
	buf_printf(out, "Subject: Mail %s your server: %s\n\nDear postmaster,\n\n", e->from.speaker == SPEAKER_OWN ? "not delivered to" : c->is_temporary ? "deferred by" : "refused by",
	           cause_get(c->cause)->meaning);
	buf_str(out, e->from.speaker == SPEAKER_OWN ? STR("our server could not hand over mail to yours. It says\n\n    ")
	                                            : STR("your server answered mail of ours with\n\n    "));
}

/* The reply, each of its lines indented, so that the reader finds it in a log by any of them. */
static void letter_reply(struct str reply, struct buf *out)
{
	struct str rest = str_slice(reply, 0, 1500), line;
	bool is_first = true;

	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0)
			continue;
		buf_str(out, is_first ? STR_NONE : STR("    "));
		explain_printable(line, out);
		buf_char(out, '\n');
		is_first = false;
	}
	buf_char(out, '\n');
}

/* A log of syslog's names no zone, and their log may be in another. */
static void letter_when(struct str when, struct buf *out)
{
	auto_buf struct buf text = {.max = 256};
	bool has_zone = str_find_char(when, '+') < when.n || str_find(when, STR("GMT")) < when.n || (when.n > 0 && when.p[when.n - 1] == 'Z') ||
	                (when.n > 19 && str_rfind_char(when, '-') > 10);

	buf_str(&text, str_slice(when, 0, 100));
	if (when.n > 0 && !has_zone)
		buf_str(&text, STR(" (local time of our server)"));
	letter_row(out, "When", when.n > 0 ? buf_view(&text) : STR("(please fill in, with the time zone)"));
}

static void letter_rows(const struct explanation *e, struct buf *out)
{
	const struct explain_facts *f = &e->facts;
	char ip[IP_TEXT_MAX], when[WALL_FORMAT_MAX];

	letter_when(f->when, out);
	letter_row(out, "Your host", f->host);
	letter_row(out, "Our address", f->ip.family ? ip_text(f->ip, ip) : STR("(please fill in)"));
	letter_row(out, "Our HELO name", f->helo);
	letter_row(out, "Sender", f->sender.n ? f->sender : f->sender_domain);
	letter_row(out, "Recipient", f->recipient);
	letter_row(out, "Message-ID", f->message_id);
	if (e->what.stage != CAUSE_AT_UNKNOWN)
		letter_row(out, "Answered at", cause_stage_name(e->what.stage));
	letter_row(out, "This note", wall_rfc5322(e->now, when));
}

static void letter_checks(const struct explanation *e, struct buf *out)
{
	static const char *const words[] = {[STATE_PASS] = "fine: ", [STATE_FAIL] = "not right yet: ", [STATE_UNKNOWN] = "not known: "};

	buf_str(out, STR("\nWe have checked just now:\n"));
	for (size_t i = 0; i < e->checks->n; i++) {
		buf_printf(out, "  - %s", words[e->checks->check[i].state]);
		explain_printable(e->checks->check[i].text, out);
		buf_char(out, '\n');
	}
}

/* Without --check nothing is known to have been done, so nothing is claimed. */
static void letter_advice(const struct explanation *e, struct buf *out)
{
	const struct advice *a = cause_advice(e->what.cause);

	buf_str(out, STR("\nOn our side we have gone through this (please strike what you have not done, or let --check do it):\n"));
	for (size_t i = 0; i < ADVICE_STEPS && a->steps[i]; i++)
		if (!str_starts(str_from(a->steps[i]), STR("Wait")))
			buf_printf(out, "  - %s\n", a->steps[i]);
}

void explain_letter(const struct explanation *e, struct buf *out)
{
	letter_head(e, out);
	letter_reply(e->from.reply, out);
	letter_rows(e, out);
	buf_printf(out, "\nWe read it as: %s\n", cause_advice(e->what.cause)->means);
	if (e->checks && e->checks->n > 0)
		letter_checks(e, out);
	else
		letter_advice(e, out);
	if (e->from.speaker == SPEAKER_OWN)
		buf_str(out, STR("\nCould you look whether your server was up at that time and can be reached on port 25 from outside?\n"));
	else if (e->what.owner == OWNER_RECEIVING_HOST)
		buf_str(out, STR("\nCould you look into your log for that time, and tell us whether it is being mended?\n"));
	else
		buf_str(out, STR("\nCould you look into your log for that time, and tell us which rule it was and what it expects of us?\n"));
	buf_str(out, STR("The whole dialogue of our attempts is at hand.\n\nKind regards\n"));
}
