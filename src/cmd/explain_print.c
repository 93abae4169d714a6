/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explanation as a screen, a letter, a page and JSON. */
#include "cmd/explain_print.h"

#include "cause/advice.h"

#define TYPED "4.5.1 and the like are enhanced codes (class.subject.detail), not the reply code 451; people often type one for the other. Look at the original reply for three digits."

static void member_text(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, ",\"%s\":", name);
	if (value.n)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static struct str enhanced_text(const struct classification *c, char text[16])
{
	return c->enhanced.class ? enhanced_code_text(c->enhanced, text) : STR_NONE;
}

void explain_members(const struct explanation *e, struct buf *out)
{
	static const char *const mine[] = {"null", "true", "false"};
	const struct classification *c = &e->what;
	const struct advice *a = cause_advice(c->cause);
	char enhanced[16];

	if (c->code)
		buf_printf(out, "\"code\":%d", c->code);
	else
		buf_str(out, STR("\"code\":null"));
	member_text(out, "enhanced", enhanced_text(c, enhanced));
	member_text(out, "cause", cause_name(c->cause));
	buf_printf(out, ",\"temporary\":%s", c->is_temporary ? "true" : "false");
	member_text(out, "owner", cause_owner_name(c->owner));
	buf_printf(out, ",\"mine\":%s", mine[cause_is_mine(c->owner, e->reader)]);
	member_text(out, "because", c->because != CAUSE_NONE ? cause_name(c->because) : STR_NONE);
	if (c->retry_after_s)
		buf_printf(out, ",\"retry_after_s\":%u", c->retry_after_s);
	else
		buf_str(out, STR(",\"retry_after_s\":null"));
	buf_printf(out, ",\"confidence\":%u.%02u", c->confidence / 100, c->confidence % 100);
	member_text(out, "rule", c->rule);
	member_text(out, "means", str_from(a->means));
	buf_str(out, STR(",\"do\":["));
	if (c->is_typed_code) {
		buf_json(out, STR(TYPED));
		buf_char(out, ',');
	}
	for (size_t i = 0; i < ADVICE_STEPS && a->steps[i]; i++) {
		if (i > 0)
			buf_char(out, ',');
		buf_json(out, str_from(a->steps[i]));
	}
	buf_char(out, ']');
	member_text(out, "stage", c->stage == CAUSE_AT_UNKNOWN ? STR_NONE : cause_stage_name(c->stage));
	member_text(out, "link", c->link);
	member_text(out, "ip", c->ip);
	member_text(out, "host", c->host.n ? c->host : e->from.host);
	member_text(out, "tag", c->tag);
}

static const char *owner_words(enum cause_owner owner)
{
	switch (owner) {
	case OWNER_AUTHOR: return "who wrote and sent the mail";
	case OWNER_SENDING_HOST: return "the administrator of the sending server";
	case OWNER_SENDER_DOMAIN: return "whoever keeps the DNS of the sender's domain";
	case OWNER_RECEIVING_HOST: return "the administrator of the receiving server";
	case OWNER_RECIPIENT: return "the recipient";
	case OWNER_NETWORK: return "the network between the two servers; first the side whose other connections fail too";
	case OWNER_NOBODY: return "nobody: this is how it is meant to work";
	case OWNER_UNKNOWN: break;
	}
	return "not clear from this reply";
}

static const char *role_words(enum cause_owner owner)
{
	switch (owner) {
	case OWNER_AUTHOR: return "At home or in an office: you can mend this yourself. Administrators: pass it to the author.";
	case OWNER_SENDING_HOST:
	case OWNER_SENDER_DOMAIN: return "At home: tell your mail provider. In an office: tell your administrator. Sending administrator: this is yours. Receiving administrator: nothing to do.";
	case OWNER_RECEIVING_HOST: return "At home or in an office: nothing but waiting. Sending administrator: watch the queue. Receiving administrator: this is yours.";
	case OWNER_RECIPIENT: return "At home or in an office: reach the recipient by other means. Receiving administrator: tell the recipient.";
	case OWNER_NETWORK: return "At home or in an office: wait. Both administrators: check the connection.";
	case OWNER_NOBODY: return "Nobody has to do anything.";
	case OWNER_UNKNOWN: break;
	}
	return "Sending administrator: read on below.";
}

static void add_speaker(const struct explanation *e, struct buf *out)
{
	struct str host = e->what.host.n ? e->what.host : e->from.host;

	switch (e->from.speaker) {
	case SPEAKER_REMOTE:
		buf_printf(out, "%.*s, to the server that passed the mail on", STR_ARG(host.n ? host : STR("the next server on the way (smarthost or destination)")));
		break;
	case SPEAKER_HERE:
		buf_printf(out, "the server that wrote this line, to its client %.*s", STR_ARG(host));
		break;
	case SPEAKER_OWN:
		buf_str(out, STR("the sending server itself: the next server was not reached, or said nothing"));
		break;
	case SPEAKER_UNKNOWN:
		buf_str(out, host.n ? host : STR("the server that yours (or your provider's) was connected to: the next hop"));
		break;
	}
	if (e->what.stage != CAUSE_AT_UNKNOWN)
		buf_printf(out, " (stage: %.*s)", STR_ARG(cause_stage_name(e->what.stage)));
}

static void add_wait(const struct classification *c, struct buf *out)
{
	char text[32];
	usec_t wait = c->retry_after_s ? (usec_t)c->retry_after_s * USEC_S : cause_get(c->cause)->wait;

	if (!c->is_temporary) {
		buf_str(out, STR("act: the refusal is final, nobody tries again by itself"));
		return;
	}
	if (wait > USEC_S)
		buf_printf(out, "wait: the sending server tries again by itself, best in %.*s%s", STR_ARG(duration_text(wait, text)),
		           c->retry_after_s ? " (announced)" : "");
	else
		buf_str(out, STR("wait: the sending server tries again by itself"));
	buf_str(out, STR("; sending again by hand within the hour only makes duplicates"));
}

static void row(struct buf *out, const char *name)
{
	buf_printf(out, "%-13s", name);
}

void explain_screen(const struct explanation *e, struct buf *out)
{
	const struct classification *c = &e->what;
	const struct advice *a = cause_advice(c->cause);
	const char *mark = c->cause == CAUSE_UNKNOWN ? "?" : c->is_temporary ? "✓" : "✖";
	char enhanced[16];

	buf_printf(out, "%s%s %s%s", e->has_colour ? (c->is_temporary ? "\033[33m" : "\033[31m") : "", mark,
	           cause_get(c->cause)->name, e->has_colour ? "\033[0m" : "");
	if (c->because != CAUSE_NONE && c->because != c->cause)
		buf_printf(out, " because %s", cause_get(c->because)->name);
	buf_printf(out, "  %s", c->is_temporary ? "temporary" : "permanent");
	if (c->code)
		buf_printf(out, "  %d", c->code);
	buf_printf(out, " %.*s\n\n", STR_ARG(enhanced_text(c, enhanced)));
	row(out, "Meaning");
	buf_printf(out, "%s\n", a->means);
	if (c->is_typed_code) {
		row(out, "Careful");
		buf_str(out, STR(TYPED "\n"));
	}
	row(out, "Said by");
	add_speaker(e, out);
	buf_char(out, '\n');
	row(out, "To mend");
	buf_printf(out, "%s\n", owner_words(c->owner));
	row(out, "");
	buf_printf(out, "%s\n", role_words(c->owner));
	row(out, "Wait or act");
	add_wait(c, out);
	buf_str(out, STR("\nNow\n"));
	for (size_t i = 0; i < ADVICE_STEPS && a->steps[i]; i++)
		buf_printf(out, "  %zu. %s\n", i + 1, a->steps[i]);
	if (c->link.n || c->tag.n || c->ip.n) {
		row(out, "Found in it");
		struct str found[] = {c->link, c->tag, c->ip};
		for (size_t i = 0; i < 3; i++) {
			buf_escaped(out, found[i]);
			buf_str(out, found[i].n ? STR("  ") : STR_NONE);
		}
		buf_char(out, '\n');
	}
	row(out, "Sure");
	buf_printf(out, "%u %% (rule %.*s)%s\n", c->confidence, STR_ARG(c->rule),
	           c->stage == CAUSE_AT_UNKNOWN && c->confidence < 80 ? "; knowing the stage would help: --stage rcpt" : "");
}

void explain_letter(const struct explanation *e, struct wall now, struct buf *out)
{
	const struct classification *c = &e->what;
	char when[WALL_FORMAT_MAX];
	struct str host = c->host.n ? c->host : e->from.host;

	buf_printf(out, "Subject: Mail %s by your server: %s\n\nDear postmaster,\n\n", c->is_temporary ? "deferred" : "refused",
	           cause_get(c->cause)->meaning);
	buf_str(out, STR("your server answered mail of ours with\n\n    "));
	buf_escaped(out, str_slice(e->from.reply, 0, 900));
	buf_printf(out, "\n\nWritten at    %.*s\n", STR_ARG(wall_rfc5322(now, when)));
	if (host.n)
		buf_printf(out, "Your host     %.*s\n", STR_ARG(host));
	if (c->ip.n)
		buf_printf(out, "Address named %.*s\n", STR_ARG(c->ip));
	if (e->from.recipient.n)
		buf_printf(out, "Recipient     %.*s\n", STR_ARG(e->from.recipient));
	if (c->stage != CAUSE_AT_UNKNOWN)
		buf_printf(out, "Stage         %.*s\n", STR_ARG(cause_stage_name(c->stage)));
	buf_printf(out, "\nWe read it as: %s\n\nOn our side we have gone through this list (please strike what you have not done before sending):\n",
	           cause_advice(c->cause)->means);
	for (size_t i = 0; i < ADVICE_STEPS && cause_advice(c->cause)->steps[i]; i++)
		buf_printf(out, "  - %s\n", cause_advice(c->cause)->steps[i]);
	buf_printf(out, "\nCould you tell us what your server found%s? The times of our attempts and the full dialogue are at hand.\n\nKind regards\n",
	           c->owner == OWNER_RECEIVING_HOST ? ", and whether it is being mended" : " and what it expects of us");
}

static void html_text(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '<': buf_str(out, STR("&lt;")); break;
		case '>': buf_str(out, STR("&gt;")); break;
		case '&': buf_str(out, STR("&amp;")); break;
		case '"': buf_str(out, STR("&quot;")); break;
		default: buf_char(out, s.p[i]);
		}
	}
}

void explain_html(const struct explanation *e, struct buf *out)
{
	struct explanation plain = *e;
	struct buf screen;

	plain.has_colour = false;
	buf_init(&screen, 65536);
	explain_screen(&plain, &screen);
	buf_printf(out, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>\n<h1>%s</h1>\n<blockquote>",
	           cause_get(e->what.cause)->name, cause_get(e->what.cause)->meaning);
	html_text(out, e->from.reply);
	buf_str(out, STR("</blockquote>\n<pre style=\"white-space:pre-wrap\">"));
	html_text(out, buf_view(&screen));
	buf_str(out, STR("</pre>\n</html>\n"));
	buf_done(&screen);
}

void explain_list(struct buf *out)
{
	for (int id = CAUSE_NONE + 1; id < CAUSE_COUNT; id++) {
		const struct cause *c = cause_get((enum cause_id)id);
		buf_printf(out, "%-17s %-9s %-15s %s\n", c->name, c->is_usually_temporary ? "temporary" : "permanent",
		           cause_owner_name(c->owner).p, c->meaning);
	}
}

void explain_list_json(struct buf *out)
{
	buf_str(out, STR("{\"causes\":["));
	for (int id = CAUSE_NONE + 1; id < CAUSE_COUNT; id++) {
		const struct cause *c = cause_get((enum cause_id)id);
		const struct advice *a = cause_advice(c->id);
		buf_printf(out, "%s{\"id\":\"%s\"", id > 1 ? "," : "", c->name);
		member_text(out, "meaning", str_from(c->meaning));
		member_text(out, "owner", cause_owner_name(c->owner));
		member_text(out, "scope", str_from(c->scope));
		buf_printf(out, ",\"temporary\":%s,\"wait_s\":%lld", c->is_usually_temporary ? "true" : "false", (long long)(c->wait / USEC_S));
		member_text(out, "means", str_from(a->means));
		buf_str(out, STR(",\"do\":["));
		for (size_t i = 0; i < ADVICE_STEPS && a->steps[i]; i++) {
			buf_str(out, i > 0 ? STR(",") : STR_NONE);
			buf_json(out, str_from(a->steps[i]));
		}
		buf_char(out, ']');
		member_text(out, "sources", str_from(a->sources));
		member_text(out, "reviewed", str_from(a->reviewed));
		buf_char(out, '}');
	}
	buf_str(out, STR("]}\n"));
}
