/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as one page: no script, no picture from elsewhere, a plot in SVG; every foreign byte escaped. */
#include "cmd/observe.h"

#include "cause/cause.h"
#include "mail/utf8.h"

#define HONEST_SHOWN 200
#define PLOT_WIDTH   720
#define PLOT_HEIGHT  200
#define PLOT_FOOT    24

static void text(struct buf *out, struct str s)
{
	static const char entities[] = "&<>\"'";
	static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
	struct buf clean;

	buf_init(&clean, 65536);
	if (utf8_is_clean(s))
		buf_str(&clean, s);
	else
		buf_escaped(&clean, s);
	for (size_t i = 0; i < clean.n; i++) {
		const char *at = clean.p[i] ? strchr(entities, clean.p[i]) : NULL;
		if (at)
			buf_str(out, str_from(names[at - entities]));
		else
			buf_char(out, clean.p[i]);
	}
	buf_done(&clean);
}

static void cell(struct buf *out, struct str s)
{
	buf_str(out, STR("<td>"));
	text(out, s);
	buf_str(out, STR("</td>"));
}

static void head(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;
	char from[WALL_FORMAT_MAX], to[WALL_FORMAT_MAX];

	buf_str(out, STR("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
	                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
	                 "<title>What enforce would have done</title>\n<style>"
	                 "body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
	                 "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2em .6em;border-bottom:1px solid #ddd}"
	                 "td.n,th.n{text-align:right}pre{background:#f4f4f4;padding:.6em;overflow-x:auto;white-space:pre-wrap}"
	                 ".refuse{fill:#b3261e}.defer{fill:#e0a100}.tag{fill:#7a8aa0}svg text{font-size:11px;fill:#444}"
	                 "</style>\n<h1>What enforce would have done</h1>\n"));
	buf_printf(out, "<p>%.*s to %.*s, %llu messages; verification is now in mode %s.</p>\n",
	           STR_ARG(wall_rfc3339(o->since, from)), STR_ARG(wall_rfc3339(o->until, to)), (unsigned long long)o->messages,
	           r->mode);
	buf_str(out, STR("<table><tr><th></th><th class=\"n\">messages</th><th class=\"n\">of senders that proved honest</th></tr>\n"));
	for (int k = 0; k < OBSERVED_KINDS; k++)
		buf_printf(out, "<tr><td>would %s</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td></tr>\n",
		           observed_kind_name((enum observed_kind)k), (unsigned long long)o->n[k], (unsigned long long)o->honest[k]);
	buf_str(out, STR("</table>\n"));
	if (o->is_partial || o->left_out)
		buf_str(out, STR("<p>Not all senders fit: the counts are of all, the lists below of the newest.</p>\n"));
}

/* --- the plot --- */

static uint64_t day_sum(const struct observed_day *d)
{
	return d->n[OBSERVED_REFUSE] + d->n[OBSERVED_DEFER] + d->n[OBSERVED_TAG];
}

static void bar(const struct observed *o, size_t i, uint64_t most, struct buf *out)
{
	const struct observed_day *d = &o->days[i];
	double step = (double)PLOT_WIDTH / (double)o->n_days, top = PLOT_HEIGHT;
	char at[WALL_FORMAT_MAX];
	struct str day = str_slice(wall_rfc3339(d->begin, at), 0, 10);

	buf_printf(out, "<g><title>%.*s: %llu messages, refuse %llu, defer %llu, tag %llu</title>", STR_ARG(day),
	           (unsigned long long)d->messages, (unsigned long long)d->n[OBSERVED_REFUSE],
	           (unsigned long long)d->n[OBSERVED_DEFER], (unsigned long long)d->n[OBSERVED_TAG]);
	for (int k = 0; k < OBSERVED_KINDS; k++) {
		double height = (double)d->n[k] * (PLOT_HEIGHT - 14) / (double)most;
		top -= height;
		buf_printf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
		           observed_kind_name((enum observed_kind)k), (double)i * step + step * 0.1, top, step * 0.8, height);
	}
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%llu</text>", ((double)i + 0.5) * step, top - 3,
	           (unsigned long long)day_sum(d));
	if (o->n_days <= 14 || i % (o->n_days / 10) == 0)
		buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*s</text>", ((double)i + 0.5) * step,
		           PLOT_HEIGHT + PLOT_FOOT - 8, STR_ARG(str_skip(day, 5)));
	buf_str(out, STR("</g>\n"));
}

static void plot(const struct observed *o, struct buf *out)
{
	uint64_t most = 1;

	for (size_t i = 0; i < o->n_days; i++) {
		if (day_sum(&o->days[i]) > most)
			most = day_sum(&o->days[i]);
	}
	buf_printf(out, "<h2>By day</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"would have been refused, deferred, "
	                "tagged, by day\">\n", PLOT_WIDTH, PLOT_HEIGHT + PLOT_FOOT);
	for (size_t i = 0; i < o->n_days; i++)
		bar(o, i, most, out);
	buf_printf(out, "<line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#888\"/></svg>\n"
	                "<p>From below: refuse (red), defer (yellow), tag (grey).</p>\n", PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT);
}

/* --- the lists --- */

static void sample(const struct observed_sample *s, struct buf *out)
{
	char at[WALL_FORMAT_MAX], ip[IP_TEXT_MAX];

	buf_printf(out, "<p>%.*s, %.*s, would %s (", STR_ARG(wall_rfc3339(s->at, at)), STR_ARG(s->ref),
	           observed_kind_name(s->kind));
	text(out, cause_name(s->cause));
	buf_str(out, STR("): from &lt;"));
	text(out, s->sender);
	buf_str(out, STR("&gt; to "));
	text(out, s->recipients);
	buf_printf(out, " by %.*s</p>\n<pre>", STR_ARG(ip_text(s->client, ip)));
	text(out, s->reply);
	struct str rest = s->dialogue, line;
	buf_char(out, '\n');
	while (str_cut(&rest, '\n', &line)) {
		text(out, line);
		buf_char(out, '\n');
	}
	buf_str(out, STR("</pre>\n"));
}

static void domains(const struct observe_report *r, struct buf *out)
{
	size_t shown = r->o->n_domains < r->domains_max ? r->o->n_domains : r->domains_max;

	buf_printf(out, "<h2>By sender domain</h2>\n<p>%zu of %zu, those with honest senders first.</p>\n", shown, r->o->n_domains);
	for (size_t i = 0; i < shown; i++) {
		const struct observed_domain *d = r->o->domains[i];
		buf_str(out, STR("<details><summary><b>"));
		text(out, d->name);
		buf_printf(out, "</b>: refuse %u, defer %u, tag %u; %u senders, %u proved honest</summary>\n", d->n[OBSERVED_REFUSE],
		           d->n[OBSERVED_DEFER], d->n[OBSERVED_TAG], d->senders, d->honest);
		for (unsigned k = 0; k < d->n_samples; k++)
			sample(&d->samples[k], out);
		buf_str(out, STR("</details>\n"));
	}
}

static void honest(const struct observed *o, struct buf *out)
{
	struct buf why;

	if (o->n_senders == 0 || !o->senders[0]->proofs)
		return;
	buf_str(out, STR("<h2>Senders that proved honest</h2>\n<table><tr><th>sender</th><th class=\"n\">refuse</th>"
	                 "<th class=\"n\">defer</th><th class=\"n\">tag</th><th>because</th></tr>\n"));
	for (size_t i = 0; i < o->n_senders && i < HONEST_SHOWN && o->senders[i]->proofs; i++) {
		const struct observed_sender *s = o->senders[i];
		buf_init(&why, 1024);
		observe_proofs(s->proofs, &why);
		buf_str(out, STR("<tr>"));
		cell(out, s->address);
		buf_printf(out, "<td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td>", s->n[OBSERVED_REFUSE],
		           s->n[OBSERVED_DEFER], s->n[OBSERVED_TAG]);
		cell(out, buf_view(&why));
		buf_str(out, STR("</tr>\n"));
		buf_done(&why);
	}
	buf_str(out, STR("</table>\n"));
}

void observe_print_html(const struct observe_report *r, struct buf *out)
{
	head(r, out);
	plot(r->o, out);
	honest(r->o, out);
	if (r->n_suggestions > 0)
		buf_str(out, STR("<h2>Exceptions to consider</h2>\n<pre>"));
	for (size_t i = 0; i < r->n_suggestions; i++) {
		text(out, r->suggestions[i]);
		buf_char(out, '\n');
	}
	if (r->n_suggestions > 0)
		buf_str(out, STR("</pre>\n"));
	domains(r, out);
	buf_str(out, STR("</html>\n"));
}
