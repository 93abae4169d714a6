/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions that an administrator may want after a week of observing: for senders that were honest after all. */
#include "cmd/observe.h"

#include "base/auto.h"

#define SUGGESTIONS_MAX 100

/* One word for a POSIX shell. False: nothing that belongs into a command. */
static bool add_word(struct buf *out, struct str s)
{
	bool is_plain = s.n > 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < ' ' || c == 0x7f)
			return false;
		is_plain = is_plain && ((c >= '0' && c <= '9') || (ascii_lower((char)c) >= 'a' && ascii_lower((char)c) <= 'z') ||
		                        strchr("@._+=:/-", c) != NULL);
	}
	if (is_plain && s.p[0] != '-') {
		buf_str(out, s);
		return true;
	}
	buf_char(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_str(out, STR("'\\''"));
		else
			buf_char(out, s.p[i]);
	}
	buf_char(out, '\'');
	return s.n > 0 && s.p[0] != '-' && str_is_utf8(s);
}

struct suggesting {
	struct arena *arena;
	struct str *list;
	size_t n;
};

static void suggest(struct suggesting *g, const char *kind, struct str what, struct str why)
{
	auto_buf struct buf line = {.max = 4096};

	if (g->n == SUGGESTIONS_MAX)
		return;
	buf_printf(&line, "postern exempt add %s ", kind);
	bool is_fine = add_word(&line, what);
	buf_str(&line, STR(" never-ask --for 30d --why "));
	if (!is_fine || !add_word(&line, why) || !buf_ok(&line))
		return;
	struct str text = arena_str(g->arena, buf_view(&line));
	for (size_t i = 0; i < g->n; i++) {
		if (str_eq(g->list[i], text))
			return;
	}
	g->list[g->n++] = text;
}

/* A delay that ended by itself needs no exception. */
static bool needs_exception(const struct observed_sender *s)
{
	return s->proofs && (s->n[OBSERVED_REFUSE] || (s->n[OBSERVED_DEFER] && !(s->proofs & OBSERVED_EXISTED)));
}

/* The whole domain where nearly all that it would have lost was honest; else only those that were. */
static bool is_whole_domain(const struct observed_domain *d)
{
	return d->honest * 5 >= d->senders * 4;
}

static void suggest_for(struct suggesting *g, const struct observed_sender *s)
{
	auto_buf struct buf why = {.max = 1024};
	char ip[IP_TEXT_MAX];

	if (s->is_spf && s->client.family) {
		/* Not the domain: its SPF record still keeps forgers out. Somebody forwards its mail. */
		buf_printf(&why, "forwards mail of %.*s", STR_ARG(s->domain->name));
		suggest(g, "client", ip_text(s->client, ip), buf_view(&why));
	} else if (is_whole_domain(s->domain)) {
		buf_printf(&why, "%u of %u senders proved honest", s->domain->honest, s->domain->senders);
		suggest(g, "domain", s->domain->name, buf_view(&why));
	} else {
		observe_proofs(s->proofs, &why);
		suggest(g, "sender", s->address, buf_view(&why));
	}
}

void observe_suggest(struct arena *arena, const struct observed *o, struct str **out, size_t *n)
{
	struct suggesting g = {arena, arena_alloc(arena, SUGGESTIONS_MAX * sizeof(struct str)), 0};

	for (size_t i = 0; i < o->n_senders && o->senders[i]->proofs; i++) {
		if (needs_exception(o->senders[i]))
			suggest_for(&g, o->senders[i]);
	}
	*out = g.list;
	*n = g.n;
}

void observe_proofs(unsigned proofs, struct buf *out)
{
	bool is_first = true;

	for (unsigned i = 0; i < OBSERVED_PROOFS; i++) {
		if (!(proofs & 1u << i))
			continue;
		if (!is_first)
			buf_str(out, STR(", "));
		buf_str(out, str_from(observed_proof_text(1u << i)));
		is_first = false;
	}
}
