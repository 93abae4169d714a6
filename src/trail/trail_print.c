/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The story of a message as a person reads it. Everything that peers said is escaped. */
#include "trail/trail.h"

#include "cause/cause.h"
#include "mail/utf8.h"

#define BOLD  "\x1b[1m"
#define GREEN "\x1b[32m"
#define AMBER "\x1b[33m"
#define RED   "\x1b[31m"
#define FAINT "\x1b[2m"
#define PLAIN "\x1b[0m"

struct printer {
	struct buf *out;
	bool with_colour;
};

static void colour(const struct printer *p, const char *code)
{
	if (p->with_colour)
		buf_str(p->out, str_from(code));
}

/* Clean UTF-8 is for reading; anything else is shown byte by byte. */
static void print(const struct printer *p, struct str s)
{
	if (utf8_is_clean(s))
		buf_str(p->out, s);
	else
		buf_escaped(p->out, s);
}

/* Text of a column, with blanks up to `width`. */
static void column(const struct printer *p, struct str s, size_t width)
{
	size_t from = p->out->n;

	print(p, s);
	while (buf_ok(p->out) && p->out->n - from < width)
		buf_char(p->out, ' ');
}

static const char *verdict_colour(enum verdict v)
{
	switch (v) {
	case VERDICT_ACCEPT:
		return GREEN;
	case VERDICT_TAG:
	case VERDICT_HOLD:
	case VERDICT_DEFER:
		return AMBER;
	case VERDICT_REJECT:
		return RED;
	case VERDICT_NONE:
		break;
	}
	return PLAIN;
}

static void print_head(const struct printer *p, const struct trail *t)
{
	char when[WALL_FORMAT_MAX], ip[IP_TEXT_MAX];

	colour(p, BOLD);
	print(p, t->ref.n > 0 ? t->ref : STR("(no reference)"));
	colour(p, PLAIN);
	buf_printf(p->out, "  %.*s  ", STR_ARG(wall_rfc3339(t->begun, when)));
	colour(p, verdict_colour(t->verdict));
	buf_str(p->out, t->verdict == VERDICT_NONE ? STR("no verdict") : str_from(verdict_name(t->verdict)));
	colour(p, PLAIN);
	buf_str(p->out, STR("\n  from <"));
	print(p, t->sender);
	buf_str(p->out, STR(">"));
	if (t->client.family) {
		buf_printf(p->out, " by %.*s", STR_ARG(ip_text(t->client, ip)));
		if (t->helo.n > 0) {
			buf_str(p->out, STR(" (helo "));
			print(p, t->helo);
			buf_char(p->out, ')');
		}
	}
	if (t->recipients.n > 0) {
		buf_str(p->out, STR("\n  to "));
		print(p, t->recipients);
	}
	buf_char(p->out, '\n');
}

/* A single line stands behind its entry; a dialogue is indented below it. */
static void print_text(const struct printer *p, struct str text)
{
	struct str line;
	bool is_dialogue = str_find_char(text, '\n') < text.n;

	while (str_cut(&text, '\n', &line)) {
		buf_str(p->out, is_dialogue ? STR("\n        ") : STR("  "));
		colour(p, FAINT);
		print(p, line);
		colour(p, PLAIN);
	}
}

static void print_entry(const struct printer *p, const struct trail_entry *e)
{
	char when[WALL_FORMAT_MAX], took[32];
	struct str at = wall_rfc3339(e->at, when);

	buf_str(p->out, STR("  "));
	buf_str(p->out, str_slice(at, 11, at.n - 1)); /* the time of day; the head has the date */
	buf_str(p->out, STR("  "));
	column(p, e->check, 10);
	buf_char(p->out, ' ');
	colour(p, e->cause == CAUSE_NONE ? GREEN : cause_get(e->cause)->is_usually_temporary ? AMBER : RED);
	column(p, e->result, 14);
	colour(p, PLAIN);
	if (e->subject.n > 0) {
		buf_char(p->out, ' ');
		print(p, e->subject);
	}
	if (e->took > 0)
		buf_printf(p->out, "  %.*s", STR_ARG(duration_text(e->took, took)));
	if (e->cause != CAUSE_NONE)
		buf_printf(p->out, "  [%.*s]", STR_ARG(cause_name(e->cause)));
	print_text(p, e->text);
	buf_char(p->out, '\n');
}

void trail_print(const struct trail *t, bool with_colour, struct buf *out)
{
	struct printer p = {out, with_colour};

	print_head(&p, t);
	for (size_t i = 0; i < t->n; i++)
		print_entry(&p, &t->entries[i]);
	if (t->dropped > 0)
		buf_printf(out, "  (%zu more entries were not kept)\n", t->dropped);
	if (t->reply.n > 0) {
		buf_str(out, STR("  we said: "));
		print(&p, str_trim(t->reply));
		buf_char(out, '\n');
	}
}
