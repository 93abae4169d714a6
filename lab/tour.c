/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the stories: A to B, B asks A, A to B. */
#include "lab/tour.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "control/control.h"
#include "lab/sender.h"
#include "lab/stories.h"
#include "trail/trail.h"

#define MESSAGE_MAX (40 << 20)

struct telling {
	struct lab_world *world;
	const char *samples;
	bool has_colour;
	int number;
	const struct lab_story *story;
	struct arena arena; /* of one story */
};

static const char *colour(const struct telling *t, const char *code)
{
	return t->has_colour ? code : "";
}
#define BOLD(t)  colour(t, "\033[1m")
#define DIM(t)   colour(t, "\033[2m")
#define GREEN(t) colour(t, "\033[32m")
#define RED(t)   colour(t, "\033[31m")
#define PLAIN(t) colour(t, "\033[0m")

static bool message_load(const struct telling *t, struct buf *out)
{
	char path[512], piece[2048];
	size_t n;

	if (!t->story->file) {
		buf_printf(out, "From: <%s>\r\nTo: <%s>\r\nSubject: The whole archive\r\n\r\n", t->story->from, t->story->to);
		for (size_t line = 0; out->n < (size_t)t->story->megabytes << 20; line++)
			buf_printf(out, "%08zu 0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n", line);
		return buf_ok(out);
	}
	snprintf(path, sizeof(path), "%s/%s", t->samples, t->story->file);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	fclose(f);
	return buf_ok(out);
}

/* "(REF)" at the end of a refusal, "queued as REF" of an acceptance. */
static struct str reference_of(struct str text)
{
	size_t open = str_rfind_char(text, '('), at = str_find(text, STR("queued as "));

	if (at < text.n) {
		struct str rest = str_skip(text, at + 10), word;
		return str_next_word(&rest, &word) ? word : STR_NONE;
	}
	if (open < text.n) {
		struct str ref = str_skip(text, open + 1);
		return str_slice(ref, 0, str_find_char(ref, ')'));
	}
	return STR_NONE;
}

WAITS static bool trail_ask_once(struct telling *t, struct str reference, struct trail *out)
{
	auto_buf struct buf answer = {.max = 4 << 20};
	struct str words[] = {STR("why"), reference, STR("--limit=1")};
	struct err err;
	int status;

	if (reference.n == 0 || !control_ask(t->world->socket, words, 3, true, &answer, &status, &err) || status != 0)
		return false;
	struct str text = str_trim(buf_view(&answer));
	struct str json = arena_str(&t->arena, str_slice(text, 1, text.n - 1));
	return trail_decode(&t->arena, json, out, &err);
}

/* The trail is written behind the reply, at most a second later. */
WAITS static bool trail_ask(struct telling *t, struct str reference, struct trail *out)
{
	struct err err;

	for (int i = 0; i < 40; i++) {
		if (trail_ask_once(t, reference, out))
			return true;
		if (!rt_sleep(50 * USEC_MS, "the trail", &err))
			break;
	}
	return false;
}

static void dialogue_print(const struct telling *t, const char *who, struct str dialogue)
{
	struct str line;
	bool is_first = true;

	while (str_cut(&dialogue, '\n', &line)) {
		if (line.n == 0)
			continue;
		printf("   %s%s%s %s%.*s%s\n", BOLD(t), is_first ? who : "      ", PLAIN(t), DIM(t), STR_ARG(line), PLAIN(t));
		is_first = false;
	}
}

static void sending_print(const struct telling *t, size_t size)
{
	printf("   %sA → B%s  MAIL FROM:<%s> RCPT TO:<%s>, %zu bytes\n", BOLD(t), PLAIN(t), t->story->from, t->story->to, size);
}

static bool verify_print(const struct telling *t, const struct trail *trail)
{
	char took[32];
	bool was_asked = false;

	for (size_t i = 0; i < trail->n; i++) {
		const struct trail_entry *e = &trail->entries[i];
		if (str_eq(e->check, STR("spf")) && !str_eq(e->result, STR("none")))
			printf("   %sSPF%s    %s%.*s: %.*s%s\n", BOLD(t), PLAIN(t), DIM(t), STR_ARG(e->result), STR_ARG(e->text), PLAIN(t));
		if (!str_eq(e->check, STR("verify")))
			continue;
		was_asked = was_asked || str_find(e->text, STR("EHLO")) < e->text.n || str_find(e->text, STR("connect")) < e->text.n;
		dialogue_print(t, "B → A ", e->text);
		duration_text(e->took, took);
		printf("          verdict: %s%.*s%s after %s\n", BOLD(t), STR_ARG(e->result), PLAIN(t), took);
	}
	return was_asked;
}

static bool reply_is(const struct lab_sent *sent, int code, const char *enhanced)
{
	char text[16];

	if (sent->reply.code != code)
		return false;
	return !enhanced || str_eq(enhanced_code_text(sent->reply.enhanced, text), str_from(enhanced));
}

WAITS static bool attempt(struct telling *t, struct str message, int code, const char *enhanced, bool *was_asked)
{
	const struct lab_story *s = t->story;
	struct lab_mail mail = {s->from, s->to, {.family = 4, .b = {127, 9, (unsigned char)(100 + t->number), 1}}, "mail.client.lab",
	                        message, s->smtputf8};
	struct lab_sent sent;
	struct trail trail;
	struct err err;
	char took[32], code_text[16];

	if (!lab_send(&mail, LAB_GATE_IP, LAB_PORT, &t->arena, &sent, &err)) {
		printf("   %s✖%s %s\n", RED(t), PLAIN(t), err.text);
		return false;
	}
	sending_print(t, message.n);
	if (trail_ask(t, reference_of(sent.reply.text), &trail) && verify_print(t, &trail))
		*was_asked = true;
	bool ok = reply_is(&sent, code, enhanced);
	duration_text(sent.took, took);
	printf("   %sA ← B%s  %s%d %.*s %.*s%s  (%s, after %s)\n", BOLD(t), PLAIN(t), ok ? GREEN(t) : RED(t), sent.reply.code,
	       STR_ARG(enhanced_code_text(sent.reply.enhanced, code_text)), STR_ARG(sent.reply.text), PLAIN(t), sent.stage, took);
	return ok;
}

/* Conversations that the sender's own mail server has seen so far. */
static unsigned sessions_seen(const struct telling *t)
{
	struct str from = str_from(t->story->from);
	size_t at = str_rfind_char(from, '@');
	const struct lab_habit *h = at < from.n ? lab_habit_find(str_skip(from, at + 1)) : NULL;

	return h ? lab_mx_count(t->world->mx, h).sessions : 0;
}

WAITS static bool story_tell(struct telling *t)
{
	const struct lab_story *s = t->story;
	auto_buf struct buf message = {.max = MESSAGE_MAX};
	bool was_asked = false, ok;
	struct err err;

	printf("\n%s%2d  %s%s   %s<%s> → <%s>%s\n", BOLD(t), t->number, s->title, PLAIN(t), DIM(t), s->from, s->to, PLAIN(t));
	if (!message_load(t, &message)) {
		printf("   %s✖%s samples/mail/%s cannot be read\n", RED(t), PLAIN(t), s->file);
		return false;
	}
	unsigned seen = sessions_seen(t);
	ok = attempt(t, buf_view(&message), s->code, s->enhanced, &was_asked);
	if (ok && s->again_after_s > 0) {
		printf("          … the client's queue waits %d s and tries again\n", s->again_after_s);
		fflush(stdout);
		ok = rt_sleep(s->again_after_s * USEC_S, "the client's retry", &err) &&
		     attempt(t, buf_view(&message), s->code_again, NULL, &was_asked);
	}
	was_asked = was_asked || (!s->is_asked && sessions_seen(t) != seen); /* what the trail does not tell, the server does */
	if (was_asked != s->is_asked) {
		printf("   %s✖%s somebody was %sasked, and should %shave been\n", RED(t), PLAIN(t), was_asked ? "" : "not ",
		       s->is_asked ? "" : "not ");
		ok = false;
	}
	printf("   %s%s%s %s\n", ok ? GREEN(t) : RED(t), ok ? "✓" : "✖", PLAIN(t), s->moral);
	fflush(stdout);
	return ok;
}

int lab_tour(struct lab_world *w, const char *samples, bool has_colour)
{
	struct telling *t = calloc(1, sizeof(*t));
	int failed = 0;

	if (!t)
		abort();
	*t = (struct telling){.world = w, .samples = samples, .has_colour = has_colour};
	printf("%sPostern verifies who is knocking before it opens.%s\n"
	       "A is a sender somewhere; B is this gate, receiving for here.lab. Before B takes A's mail, it asks the mail server\n"
	       "of A's address whether that address exists. Here are %zu mails, and what became of them.\n",
	       BOLD(t), PLAIN(t), lab_story_count);
	for (size_t i = 0; i < lab_story_count; i++) {
		arena_init(&t->arena, 64 << 20);
		t->number = (int)i + 1;
		t->story = &lab_stories[i];
		if (!story_tell(t))
			failed++;
		arena_done(&t->arena);
	}
	free(t);
	return failed;
}
