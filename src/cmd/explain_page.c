/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Explanations as one page of HTML that stands alone: no script, no picture, nothing loaded from elsewhere. */
#include "base/auto.h"
#include "cmd/explain_print.h"

static void html_text(struct buf *out, struct str s)
{
	auto_buf struct buf clean = {.max = 65536};

	explain_printable(s, &clean);
	for (size_t i = 0; i < clean.n; i++) {
		switch (clean.p[i]) {
		case '<': buf_str(out, STR("&lt;")); break;
		case '>': buf_str(out, STR("&gt;")); break;
		case '&': buf_str(out, STR("&amp;")); break;
		case '"': buf_str(out, STR("&quot;")); break;
		default: buf_char(out, clean.p[i]);
		}
	}
}

static void html_row(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "<dt>%s</dt><dd>", name);
	html_text(out, value);
	buf_str(out, STR("</dd>\n"));
}

void explain_page_open(struct str title, struct buf *out)
{
	buf_str(out, STR("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"));
	html_text(out, title);
	buf_str(out, STR("</title>\n<style>\n:root { color-scheme: light dark; font: 1rem/1.5 sans-serif }\n"
	                 "body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }\n"
	                 "blockquote { margin: 1rem 0; padding: .5rem 1rem; border-left: .25rem solid; font-family: monospace; overflow-wrap: anywhere; white-space: pre-line }\n"
	                 "dt { font-weight: bold; margin-top: .5rem } dd { margin-left: 1rem }\n"
	                 "td { vertical-align: top; padding: .2rem .6rem .2rem 0 } .done { opacity: .7 }\n</style>\n</head>\n<body>\n"));
}

void explain_page_close(struct buf *out)
{
	buf_str(out, STR("</body>\n</html>\n"));
}

static void page_checks(const struct explanation *e, struct buf *out)
{
	if (!e->checks || e->checks->n == 0)
		return;
	buf_str(out, STR("<h2>Checked</h2>\n<table>\n"));
	for (size_t i = 0; i < e->checks->n; i++) {
		const struct explain_check *k = &e->checks->check[i];
		buf_printf(out, "<tr><td title=\"%s\">%s</td><td>%s</td><td>", check_state_name(k->state), check_mark(k->state), check_id_name(k->id));
		html_text(out, k->text);
		buf_str(out, STR("</td></tr>\n"));
	}
	buf_str(out, STR("</table>\n"));
}

static void page_steps(const struct explanation *e, struct buf *out)
{
	struct explain_step steps[EXPLAIN_STEPS_MAX];
	size_t n = explain_steps(e, steps);

	buf_str(out, STR("<h2>Now</h2>\n<ol>\n"));
	for (size_t i = 0; i < n; i++) {
		buf_str(out, steps[i].is_done ? STR("<li class=\"done\">") : STR("<li>"));
		html_text(out, steps[i].text);
		buf_str(out, steps[i].is_done ? STR(" (checked: fine)</li>\n") : STR("</li>\n"));
	}
	buf_str(out, STR("</ol>\n"));
}

static void page_facts(const struct explanation *e, struct buf *out)
{
	const struct classification *c = &e->what;
	auto_buf struct buf words = {.max = 4096};

	buf_str(out, STR("<dl>\n"));
	html_row(out, "Meaning", str_from(cause_advice(c->cause)->means));
	if (explain_careful_words(e))
		html_row(out, "Careful", str_from(explain_careful_words(e)));
	explain_speaker_words(e, &words);
	html_row(out, "Said by", buf_view(&words));
	buf_clear(&words);
	buf_printf(&words, "%s. %s", explain_owner_words(c->owner), explain_role_words(c->owner));
	html_row(out, "To mend", buf_view(&words));
	buf_clear(&words);
	explain_wait_words(c, &words);
	html_row(out, "Wait or act", buf_view(&words));
	if (c->because != CAUSE_NONE && c->because != c->cause)
		html_row(out, "Because", str_from(cause_get(c->because)->meaning));
	if (c->link.n)
		html_row(out, "Link in it", c->link);
	buf_clear(&words);
	buf_printf(&words, "%u %% (rule %.*s)", c->confidence, STR_ARG(c->rule));
	html_row(out, "Sure", buf_view(&words));
	buf_str(out, STR("</dl>\n"));
}

void explain_page_article(const struct explanation *e, struct buf *out)
{
	buf_str(out, STR("<article>\n<h1>"));
	html_text(out, str_from(cause_get(e->what.cause)->meaning));
	buf_printf(out, "</h1>\n<p>%s: <code>%s</code></p>\n<blockquote>", e->what.is_temporary ? "temporary" : "permanent",
	           cause_get(e->what.cause)->name);
	html_text(out, str_slice(e->from.reply, 0, 4096));
	buf_str(out, STR("</blockquote>\n"));
	page_facts(e, out);
	page_checks(e, out);
	page_steps(e, out);
	buf_str(out, STR("</article>\n"));
}
