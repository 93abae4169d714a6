/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was observed, for people and for programs. */
#include "cmd/observe.h"

#include "cause/cause.h"
#include "mail/utf8.h"

#define HONEST_SHOWN  50
#define DIALOGUE_SHOWN 40
#define BAR_WIDTH     40

static void print(struct buf *out, struct str s)
{
	if (utf8_is_clean(s))
		buf_str(out, s);
	else
		buf_escaped(out, s);
}

/* --- for people --- */

static void print_head(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;
	char from[WALL_FORMAT_MAX], to[WALL_FORMAT_MAX];

	buf_printf(out, "Observed from %.*s to %.*s; verification is now in mode %s.\n",
	           STR_ARG(wall_rfc3339(o->since, from)), STR_ARG(wall_rfc3339(o->until, to)), r->mode);
	buf_printf(out, "Of %llu messages, in mode enforce\n", (unsigned long long)o->messages);
	buf_printf(out, "  ✖ would have been refused: %llu, of senders that proved honest: %llu\n",
	           (unsigned long long)o->n[OBSERVED_REFUSE], (unsigned long long)o->honest[OBSERVED_REFUSE]);
	buf_printf(out, "  ? would have been deferred: %llu, of senders that proved honest: %llu\n",
	           (unsigned long long)o->n[OBSERVED_DEFER], (unsigned long long)o->honest[OBSERVED_DEFER]);
	buf_printf(out, "  ? would have been tagged: %llu, of senders that proved honest: %llu\n",
	           (unsigned long long)o->n[OBSERVED_TAG], (unsigned long long)o->honest[OBSERVED_TAG]);
	if (o->is_partial)
		buf_str(out, STR("Domains and senders: of the newest messages only; a shorter --since shows all.\n"));
	if (o->left_out)
		buf_printf(out, "%llu messages are counted above, but of too many senders to list.\n", (unsigned long long)o->left_out);
}

static void print_days(const struct observed *o, struct buf *out)
{
	uint64_t most = 1;

	for (size_t i = 0; i < o->n_days; i++) {
		if (o->days[i].n[OBSERVED_REFUSE] > most)
			most = o->days[i].n[OBSERVED_REFUSE];
	}
	buf_printf(out, "\n%-12s %10s %8s %8s %8s\n", "DAY", "MESSAGES", "REFUSE", "DEFER", "TAG");
	for (size_t i = 0; i < o->n_days; i++) {
		const struct observed_day *d = &o->days[i];
		char at[WALL_FORMAT_MAX];
		buf_printf(out, "%-12.*s %10llu %8llu %8llu %8llu  ", 10, wall_rfc3339(d->begin, at).p,
		           (unsigned long long)d->messages, (unsigned long long)d->n[OBSERVED_REFUSE],
		           (unsigned long long)d->n[OBSERVED_DEFER], (unsigned long long)d->n[OBSERVED_TAG]);
		for (uint64_t n = 0; n < d->n[OBSERVED_REFUSE] * BAR_WIDTH / most; n++)
			buf_char(out, '#');
		buf_char(out, '\n');
	}
}

static void print_sample(const struct observed_sample *s, struct buf *out)
{
	char at[WALL_FORMAT_MAX], ip[IP_TEXT_MAX];
	struct str rest = s->dialogue, line;

	buf_printf(out, "    %.*s  %.*s  would %s  from <", STR_ARG(wall_rfc3339(s->at, at)), STR_ARG(s->ref),
	           observed_kind_name(s->kind));
	print(out, s->sender);
	buf_str(out, STR("> to "));
	print(out, s->recipients);
	buf_printf(out, " by %.*s\n      ", STR_ARG(ip_text(s->client, ip)));
	print(out, s->reply);
	buf_char(out, '\n');
	for (int n = 0; n < DIALOGUE_SHOWN && str_cut(&rest, '\n', &line); n++) {
		buf_str(out, STR("        "));
		print(out, line);
		buf_char(out, '\n');
	}
}

static void print_domains(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;
	size_t shown = o->n_domains < r->domains_max ? o->n_domains : r->domains_max;

	if (shown == 0)
		return;
	buf_printf(out, "\nBy sender domain, those with honest senders first (%zu of %zu, --limit N shows more):\n", shown,
	           o->n_domains);
	for (size_t i = 0; i < shown; i++) {
		const struct observed_domain *d = o->domains[i];
		buf_str(out, STR("\n  "));
		print(out, d->name);
		buf_printf(out, ": refuse %u, defer %u, tag %u; %u senders", d->n[OBSERVED_REFUSE], d->n[OBSERVED_DEFER],
		           d->n[OBSERVED_TAG], d->senders);
		if (d->honest)
			buf_printf(out, ", %u proved honest", d->honest);
		buf_char(out, '\n');
		for (unsigned k = 0; k < d->n_samples; k++)
			print_sample(&d->samples[k], out);
	}
}

static void print_honest(const struct observed *o, struct buf *out)
{
	if (o->n_senders == 0 || !o->senders[0]->proofs)
		return;
	buf_str(out, STR("\nSenders that proved honest:\n"));
	for (size_t i = 0; i < o->n_senders && i < HONEST_SHOWN && o->senders[i]->proofs; i++) {
		const struct observed_sender *s = o->senders[i];
		buf_str(out, STR("  "));
		print(out, s->address);
		buf_printf(out, "  refuse %u, defer %u, tag %u  ", s->n[OBSERVED_REFUSE], s->n[OBSERVED_DEFER], s->n[OBSERVED_TAG]);
		observe_proofs(s->proofs, out);
		buf_char(out, '\n');
	}
}

void observe_print_text(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;

	print_head(r, out);
	if (o->n[OBSERVED_REFUSE] + o->n[OBSERVED_DEFER] + o->n[OBSERVED_TAG] == 0) {
		buf_str(out, STR("Nothing would have been different.\n"));
		return;
	}
	print_days(o, out);
	print_domains(r, out);
	print_honest(o, out);
	if (r->n_suggestions > 0)
		buf_str(out, STR("\nExceptions to consider:\n"));
	for (size_t i = 0; i < r->n_suggestions; i++)
		buf_printf(out, "  %.*s\n", STR_ARG(r->suggestions[i]));
}

/* --- for programs --- */

static void json_text(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, ",\"%s\":", name);
	buf_json(out, value);
}

static void json_kinds(struct buf *out, const uint64_t n[OBSERVED_KINDS])
{
	buf_printf(out, "{\"refuse\":%llu,\"defer\":%llu,\"tag\":%llu}", (unsigned long long)n[OBSERVED_REFUSE],
	           (unsigned long long)n[OBSERVED_DEFER], (unsigned long long)n[OBSERVED_TAG]);
}

static void json_counts(struct buf *out, const uint32_t n[OBSERVED_KINDS])
{
	buf_printf(out, ",\"refuse\":%u,\"defer\":%u,\"tag\":%u", n[OBSERVED_REFUSE], n[OBSERVED_DEFER], n[OBSERVED_TAG]);
}

static void json_sample(struct buf *out, const struct observed_sample *s)
{
	char at[WALL_FORMAT_MAX], ip[IP_TEXT_MAX];

	buf_printf(out, "{\"would\":\"%s\"", observed_kind_name(s->kind));
	json_text(out, "at", wall_rfc3339(s->at, at));
	json_text(out, "ref", s->ref);
	json_text(out, "sender", s->sender);
	json_text(out, "recipients", s->recipients);
	json_text(out, "client", s->client.family ? ip_text(s->client, ip) : STR_NONE);
	json_text(out, "cause", cause_name(s->cause));
	json_text(out, "reply", s->reply);
	json_text(out, "dialogue", s->dialogue);
	buf_char(out, '}');
}

static void json_domain(struct buf *out, const struct observed_domain *d)
{
	buf_str(out, STR("{\"domain\":"));
	buf_json(out, d->name);
	json_counts(out, d->n);
	buf_printf(out, ",\"senders\":%u,\"honest\":%u,\"samples\":[", d->senders, d->honest);
	for (unsigned i = 0; i < d->n_samples; i++) {
		if (i)
			buf_char(out, ',');
		json_sample(out, &d->samples[i]);
	}
	buf_str(out, STR("]}"));
}

static void json_sender(struct buf *out, const struct observed_sender *s)
{
	bool is_first = true;

	buf_str(out, STR("{\"sender\":"));
	buf_json(out, s->address);
	json_counts(out, s->n);
	buf_str(out, STR(",\"proofs\":["));
	for (unsigned i = 0; i < OBSERVED_PROOFS; i++) {
		if (!(s->proofs & 1u << i))
			continue;
		buf_printf(out, "%s\"%s\"", is_first ? "" : ",", observed_proof_text(1u << i));
		is_first = false;
	}
	buf_str(out, STR("]}"));
}

static void json_days(const struct observed *o, struct buf *out)
{
	for (size_t i = 0; i < o->n_days; i++) {
		const struct observed_day *d = &o->days[i];
		char at[WALL_FORMAT_MAX];
		buf_printf(out, "%s{\"day\":\"%.*s\",\"messages\":%llu,\"would\":", i ? "," : "", 10, wall_rfc3339(d->begin, at).p,
		           (unsigned long long)d->messages);
		json_kinds(out, d->n);
		buf_char(out, '}');
	}
}

static void json_lists(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;

	buf_printf(out, ",\"domains_in_all\":%zu,\"domains\":[", o->n_domains);
	for (size_t i = 0; i < o->n_domains && i < r->domains_max; i++) {
		if (i)
			buf_char(out, ',');
		json_domain(out, o->domains[i]);
	}
	buf_str(out, STR("],\"honest_senders\":["));
	for (size_t i = 0; i < o->n_senders && o->senders[i]->proofs; i++) {
		if (i)
			buf_char(out, ',');
		json_sender(out, o->senders[i]);
	}
	buf_str(out, STR("],\"suggestions\":["));
	for (size_t i = 0; i < r->n_suggestions; i++) {
		if (i)
			buf_char(out, ',');
		buf_json(out, r->suggestions[i]);
	}
	buf_char(out, ']');
}

void observe_print_json(const struct observe_report *r, struct buf *out)
{
	const struct observed *o = r->o;
	char at[WALL_FORMAT_MAX];

	buf_printf(out, "{\"mode\":\"%s\"", r->mode);
	json_text(out, "since", wall_rfc3339(o->since, at));
	json_text(out, "until", wall_rfc3339(o->until, at));
	buf_printf(out, ",\"messages\":%llu,\"would\":", (unsigned long long)o->messages);
	json_kinds(out, o->n);
	buf_str(out, STR(",\"honest\":"));
	json_kinds(out, o->honest);
	buf_printf(out, ",\"partial\":%s,\"left_out\":%llu,\"days\":[", o->is_partial ? "true" : "false",
	           (unsigned long long)o->left_out);
	json_days(o, out);
	buf_char(out, ']');
	json_lists(r, out);
	buf_str(out, STR("}\n"));
}
