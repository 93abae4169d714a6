/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explanation as a screen and as JSON; the vocabulary. */
#include "cmd/explain_print.h"

const char *explain_careful_words(const struct explanation *e)
{
	const struct classification *c = &e->what;
	struct str reply = str_trim(e->from.reply);

	if (c->is_typed_code)
		return "4.5.1 and the like are enhanced codes (class.subject.detail), not the reply code 451; people often type one for the other. Look at the original reply for three digits.";
	if (c->cause != CAUSE_UNKNOWN)
		return NULL;
	if (reply.n == 3 && c->code)
		return "A code alone says almost nothing: the same code stands for a dozen causes. Paste the whole reply with its words.";
	if (c->code == 0 && c->enhanced.class == 0)
		return "There is no reply code in this text, so whether the trouble passes by itself is a guess. Paste the whole line of the log, or the whole mail with -f.";
	return NULL;
}

#define MEMBER(name) STR(",\"" name "\":")

static void member_text(struct buf *out, struct str member, struct str value)
{
	buf_str(out, member);
	if (value.n)
		buf_json(out, value);
	else
		buf_str(out, STR("null"));
}

static void number_or_null(struct buf *out, struct str member, unsigned value)
{
	buf_str(out, member);
	if (value)
		buf_int(out, value);
	else
		buf_str(out, STR("null"));
}

static struct str enhanced_text(const struct classification *c, char text[16])
{
	return c->enhanced.class ? enhanced_code_text(c->enhanced, text) : STR_NONE;
}

void explain_printable(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = str_utf8_next(str_skip(s, i));
		bool is_c1 = n == 2 && (unsigned char)s.p[i] == 0xC2 && (unsigned char)s.p[i + 1] < 0xA0;
		if (s.p[i] == '\t' || s.p[i] == '\n' || (n == 1 && s.p[i] == '\r'))
			buf_char(out, s.p[i] == '\n' ? '\n' : ' ');
		else if (n == 0 || is_c1 || (n == 1 && ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)))
			buf_escaped(out, str_slice(s, i, i + 1));
		else
			buf_str(out, str_slice(s, i, i + n));
		i += n > 0 && !is_c1 ? n : 1;
	}
}

/* What the checks that belong to a step of the advice leave of it. */
enum step_left { STEP_TO_DO, STEP_DONE, STEP_REPLACED };

static enum step_left step_left(const struct explain_checks *checks, unsigned step)
{
	unsigned passed = 0, unknown = 0;

	for (size_t i = 0; checks && i < checks->n; i++) {
		const struct explain_check *k = &checks->check[i];
		if (k->step != step)
			continue;
		if (k->state == STATE_FAIL)
			return STEP_REPLACED; /* the fix is more exact than the advice */
		passed += k->state == STATE_PASS;
		unknown += k->state == STATE_UNKNOWN;
	}
	return passed > 0 && unknown == 0 ? STEP_DONE : STEP_TO_DO;
}

/* Whether everything that bears on the cause could be looked at and is fine here. */
static bool is_clean(const struct explain_checks *checks)
{
	for (size_t i = 0; checks && i < checks->n; i++)
		if (checks->check[i].state != STATE_PASS)
			return false;
	return checks && checks->n > 0;
}

static size_t take_fixes(const struct explain_checks *checks, enum check_state state, struct explain_step *out)
{
	size_t n = 0;

	for (size_t i = 0; checks && i < checks->n; i++)
		if (checks->check[i].state == state && checks->check[i].fix.n > 0)
			out[n++] = (struct explain_step){.text = checks->check[i].fix};
	return n;
}

size_t explain_steps(const struct explanation *e, struct explain_step out[EXPLAIN_STEPS_MAX])
{
	const struct advice *a = cause_advice(e->what.cause);
	size_t n = take_fixes(e->checks, STATE_FAIL, out);

	if (is_clean(e->checks))
		out[n++] = (struct explain_step){.text = STR("What can be checked from here is fine; `--check --letter` writes to their postmaster what was ruled out.")};
	for (unsigned i = 0; i < ADVICE_STEPS && a->steps[i]; i++)
		if (step_left(e->checks, i + 1) == STEP_TO_DO)
			out[n++] = (struct explain_step){.text = str_from(a->steps[i])};
	n += take_fixes(e->checks, STATE_UNKNOWN, out + n);
	for (unsigned i = 0; i < ADVICE_STEPS && a->steps[i]; i++)
		if (step_left(e->checks, i + 1) == STEP_DONE)
			out[n++] = (struct explain_step){.text = str_from(a->steps[i]), .is_done = true};
	return n;
}

static void steps_json(const struct explanation *e, struct buf *out)
{
	struct explain_step steps[EXPLAIN_STEPS_MAX];
	size_t n = explain_steps(e, steps);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, ',');
		buf_json(out, steps[i].text);
	}
}

static void checks_json(const struct explanation *e, struct buf *out)
{
	if (!e->checks)
		return;
	buf_str(out, STR(",\"checks\":["));
	for (size_t i = 0; i < e->checks->n; i++) {
		const struct explain_check *k = &e->checks->check[i];
		buf_printf(out, "%s{\"id\":\"%s\",\"state\":\"%s\"", i > 0 ? "," : "", check_id_name(k->id), check_state_name(k->state));
		member_text(out, MEMBER("subject"), k->subject);
		member_text(out, MEMBER("text"), k->text);
		member_text(out, MEMBER("fix"), k->fix);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

void explain_members(const struct explanation *e, struct buf *out)
{
	static const char *const mine[] = {"null", "true", "false"};
	const struct classification *c = &e->what;
	const struct advice *a = cause_advice(c->cause);
	char enhanced[16];

	number_or_null(out, STR("\"code\":"), (unsigned)c->code);
	member_text(out, MEMBER("enhanced"), enhanced_text(c, enhanced));
	member_text(out, MEMBER("cause"), cause_name(c->cause));
	buf_str(out, c->is_temporary ? STR(",\"temporary\":true") : STR(",\"temporary\":false"));
	member_text(out, MEMBER("owner"), cause_owner_name(c->owner));
	buf_str(out, STR(",\"mine\":"));
	buf_str(out, str_from(mine[cause_is_mine(c->owner, e->reader)]));
	member_text(out, MEMBER("because"), c->because != CAUSE_NONE ? cause_name(c->because) : STR_NONE);
	number_or_null(out, MEMBER("retry_after_s"), c->retry_after_s);
	buf_str(out, MEMBER("confidence"));
	buf_int(out, c->confidence / 100);
	buf_char(out, '.');
	buf_char(out, (char)('0' + c->confidence / 10 % 10));
	buf_char(out, (char)('0' + c->confidence % 10));
	member_text(out, MEMBER("rule"), c->rule);
	member_text(out, MEMBER("means"), str_from(a->means));
	buf_str(out, STR(",\"do\":["));
	const char *careful = explain_careful_words(e);
	if (careful) {
		buf_json(out, str_from(careful));
		buf_char(out, ',');
	}
	steps_json(e, out);
	buf_char(out, ']');
	checks_json(e, out);
	member_text(out, MEMBER("stage"), c->stage == CAUSE_AT_UNKNOWN ? STR_NONE : cause_stage_name(c->stage));
	member_text(out, MEMBER("link"), c->link);
	member_text(out, MEMBER("ip"), c->ip);
	member_text(out, MEMBER("host"), c->host.n ? c->host : e->from.host);
	member_text(out, MEMBER("tag"), c->tag);
}

const char *explain_owner_words(enum cause_owner owner)
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

const char *explain_role_words(enum cause_owner owner)
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

void explain_speaker_words(const struct explanation *e, struct buf *out)
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

void explain_wait_words(const struct classification *c, struct buf *out)
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

static void checks_print(const struct explanation *e, struct buf *out)
{
	if (!e->checks)
		return;
	buf_str(out, e->checks->n > 0 ? STR("\n\nChecked\n") : STR("\n\nChecked      nothing: for this cause there is nothing to look at from here\n"));
	for (size_t i = 0; i < e->checks->n; i++) {
		const struct explain_check *k = &e->checks->check[i];
		buf_printf(out, "  %s %-11s", check_mark(k->state), check_id_name(k->id));
		explain_printable(k->text, out);
		buf_char(out, '\n');
	}
}

void explain_screen(const struct explanation *e, struct buf *out)
{
	const struct classification *c = &e->what;
	const struct advice *a = cause_advice(c->cause);
	const char *mark = c->cause == CAUSE_UNKNOWN ? "?" : c->is_temporary ? "✓" : "✖";
	struct explain_step steps[EXPLAIN_STEPS_MAX];
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
	const char *careful = explain_careful_words(e);
	if (careful) {
		row(out, "Careful");
		buf_printf(out, "%s\n", careful);
	}
	row(out, "Said by");
	explain_speaker_words(e, out);
	buf_char(out, '\n');
	row(out, "To mend");
	buf_printf(out, "%s\n", explain_owner_words(c->owner));
	row(out, "");
	buf_printf(out, "%s\n", explain_role_words(c->owner));
	row(out, "Wait or act");
	explain_wait_words(c, out);
	checks_print(e, out);
	buf_str(out, e->checks ? STR("\nNow\n") : STR("\n\nNow\n"));
	size_t n = explain_steps(e, steps);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "  %zu. ", i + 1);
		explain_printable(steps[i].text, out);
		buf_str(out, steps[i].is_done ? STR(" (checked: fine)\n") : STR("\n"));
	}
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
		member_text(out, MEMBER("meaning"), str_from(c->meaning));
		member_text(out, MEMBER("owner"), cause_owner_name(c->owner));
		member_text(out, MEMBER("scope"), str_from(c->scope));
		buf_printf(out, ",\"temporary\":%s,\"wait_s\":%lld", c->is_usually_temporary ? "true" : "false", (long long)(c->wait / USEC_S));
		member_text(out, MEMBER("means"), str_from(a->means));
		buf_str(out, STR(",\"do\":["));
		for (size_t i = 0; i < ADVICE_STEPS && a->steps[i]; i++) {
			buf_str(out, i > 0 ? STR(",") : STR_NONE);
			buf_json(out, str_from(a->steps[i]));
		}
		buf_char(out, ']');
		member_text(out, MEMBER("sources"), str_from(a->sources));
		member_text(out, MEMBER("reviewed"), str_from(a->reviewed));
		buf_char(out, '}');
	}
	buf_str(out, STR("]}\n"));
}
