/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds up what would have been: pure, one trail at a time. */
#include "store/observed.h"

#include "base/mem.h"

#include <stdlib.h>

#define DOMAINS_MAX   10000
#define SENDERS_MAX   50000
#define DAYS_MAX      400
#define SAMPLE_MAX    2048
#define SAMPLES_BYTES ((size_t)16 * 1024 * 1024)

const char *observed_kind_name(enum observed_kind kind)
{
	static const char *const names[] = {"refuse", "defer", "tag"};

	return names[kind];
}

const char *observed_proof_text(unsigned bit)
{
	switch (bit) {
	case OBSERVED_REPLIED:
		return "replied to";
	case OBSERVED_EXISTED:
		return "verified as existing later";
	case OBSERVED_ALIGNED:
		return "signed by its domain";
	case OBSERVED_RETRIED:
		return "retried from several networks";
	default:
		return "";
	}
}

/* --- beginning and end --- */

struct observed *observed_new(struct wall since, struct wall until)
{
	struct observed *o = mem_new(struct observed);

	arena_init(&o->arena, SIZE_MAX / 2); /* bounded by the numbers above */
	o->since = since;
	o->until = until;
	map_init(&o->domains_by_name);
	map_init(&o->senders_by_address);
	int64_t first = since.us / USEC_DAY, last = until.us / USEC_DAY;
	if (last - first >= DAYS_MAX)
		first = last - DAYS_MAX + 1;
	o->n_days = (size_t)(last - first + 1);
	o->days = arena_alloc(&o->arena, o->n_days * sizeof(*o->days));
	for (size_t i = 0; i < o->n_days; i++)
		o->days[i].begin = (struct wall){(first + (int64_t)i) * USEC_DAY};
	return o;
}

void observed_free(struct observed *o)
{
	if (!o)
		return;
	map_done(&o->domains_by_name);
	map_done(&o->senders_by_address);
	free(o->domains);
	free(o->senders);
	arena_done(&o->arena);
	free(o);
}

/* --- what a message belongs to --- */

static struct observed_domain *domain_of(struct observed *o, struct str name)
{
	struct observed_domain *d = map_get(&o->domains_by_name, name);

	if (d || o->n_domains >= DOMAINS_MAX)
		return d;
	d = arena_new(&o->arena, struct observed_domain);
	d->name = arena_str(&o->arena, name);
	map_put(&o->domains_by_name, d->name, d);
	if (o->n_domains == o->domains_capacity) {
		o->domains_capacity = o->domains_capacity ? 2 * o->domains_capacity : 64;
		o->domains = mem_resize(o->domains, o->domains_capacity * sizeof(struct observed_domain *));
	}
	o->domains[o->n_domains++] = d;
	return d;
}

static struct observed_sender *sender_of(struct observed *o, struct observed_domain *d, struct str address)
{
	struct observed_sender *s = map_get(&o->senders_by_address, address);

	if (s || o->n_senders >= SENDERS_MAX)
		return s;
	s = arena_new(&o->arena, struct observed_sender);
	s->domain = d;
	s->address = arena_str(&o->arena, address);
	map_put(&o->senders_by_address, s->address, s);
	if (o->n_senders == o->senders_capacity) {
		o->senders_capacity = o->senders_capacity ? 2 * o->senders_capacity : 64;
		o->senders = mem_resize(o->senders, o->senders_capacity * sizeof(struct observed_sender *));
	}
	o->senders[o->n_senders++] = s;
	d->senders++;
	return s;
}

/* --- samples --- */

/* What the check found before it came to its conclusion. */
static const struct trail_entry *basis_of(const struct trail *t, const struct trail_entry *would)
{
	const struct trail_entry *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct trail_entry *e = &t->entries[i];
		if (str_eq(e->check, would->check) && trail_entry_would(e) == VERDICT_NONE)
			found = e;
	}
	return found;
}

static struct str keep(struct observed *o, struct str text, size_t max)
{
	text = str_slice(text, 0, max);
	o->sample_bytes += text.n;
	return arena_str(&o->arena, text);
}

/* The newest of each kind; one with a dialogue is better than one from memory. */
static struct observed_sample *slot_for(struct observed_domain *d, enum observed_kind kind, bool has_dialogue)
{
	for (unsigned i = 0; i < d->n_samples; i++) {
		if (d->samples[i].kind == kind)
			return has_dialogue && !d->samples[i].has_dialogue ? &d->samples[i] : NULL;
	}
	return d->n_samples < OBSERVED_SAMPLES ? &d->samples[d->n_samples++] : NULL;
}

static void add_sample(struct observed *o, struct observed_domain *d, enum observed_kind kind, const struct trail *t,
                       const struct trail_entry *would)
{
	const struct trail_entry *basis = basis_of(t, would);
	struct str text = basis ? basis->text : STR_NONE;
	bool has_dialogue = str_find_char(text, '\n') < text.n;
	struct observed_sample *s;

	if (o->sample_bytes >= SAMPLES_BYTES || !(s = slot_for(d, kind, has_dialogue)))
		return;
	*s = (struct observed_sample){
		.at = t->begun,
		.kind = kind,
		.cause = would->cause,
		.client = t->client,
		.ref = keep(o, t->ref, 64),
		.sender = keep(o, t->sender, 320),
		.recipients = keep(o, t->recipients, 320),
		.reply = keep(o, would->text, 512),
		.dialogue = keep(o, text, SAMPLE_MAX),
		.has_dialogue = has_dialogue,
	};
}

/* --- what speaks for a sender --- */

static uint64_t hash_of(struct str s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

static bool is_same_net(struct ip_net a, struct ip_net b)
{
	return a.bits == b.bits && ip_eq(a.ip, b.ip);
}

/* Bots take another sender for each mail; who comes back with the same one from other hosts of its own has a queue. */
static void note_network(struct observed_sender *s, const struct trail *t)
{
	struct ip_net net = ip_client_net(t->client);
	uint64_t recipients = hash_of(t->recipients);

	if (t->client.family == 0)
		return;
	if (s->n_networks == 0)
		s->recipients = recipients;
	if (s->recipients != recipients)
		return;
	for (unsigned i = 0; i < s->n_networks; i++) {
		if (is_same_net(s->networks[i], net))
			return;
	}
	if (s->n_networks < 3)
		s->networks[s->n_networks++] = net;
	if (s->n_networks == 3)
		s->proofs |= OBSERVED_RETRIED;
}

/* Relaxed alignment without a list of suffixes: the signer is the sender's domain or above it, with a dot left. */
static bool is_aligned(struct str signer, struct str domain)
{
	bool is_above = domain.n > signer.n && str_iends(domain, signer) && domain.p[domain.n - signer.n - 1] == '.';

	return str_ieq(signer, domain) || (is_above && str_find_char(signer, '.') < signer.n);
}

static void note_signature(struct observed_sender *s, const struct trail *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct trail_entry *e = &t->entries[i];
		if (!str_eq(e->result, STR("pass")))
			continue;
		if (str_eq(e->check, STR("dmarc")) ||
		    (str_eq(e->check, STR("dkim")) && is_aligned(e->subject, s->domain->name)))
			s->proofs |= OBSERVED_ALIGNED;
	}
}

/* Our own mail to it: whatever became of it, it must not have failed. */
static void note_reply(struct observed_sender *s, const struct trail *t)
{
	bool is_accepted = t->verdict == VERDICT_ACCEPT || t->verdict == VERDICT_TAG;

	for (size_t i = 0; i < t->n; i++) {
		const struct trail_entry *e = &t->entries[i];
		if (str_eq(e->check, STR("deliver")) && str_ieq(e->subject, s->address) &&
		    !str_eq(e->result, STR("delivered")) && !str_eq(e->result, STR("deferred")))
			return;
	}
	if (is_accepted && t->sender.n > 0) /* a bounce is no reply */
		s->proofs |= OBSERVED_REPLIED;
}

static bool is_recipient(const struct trail *t, struct str address)
{
	struct str rest = t->recipients, one;

	while (str_next_word(&rest, &one)) {
		if (str_ieq(one, address))
			return true;
	}
	return false;
}

void observed_learn(struct observed_sender *s, const struct trail *t)
{
	if (!str_ieq(t->sender, s->address)) {
		if (is_recipient(t, s->address))
			note_reply(s, t);
		return;
	}
	note_signature(s, t);
	for (size_t i = 0; i < t->n; i++) {
		const struct trail_entry *e = &t->entries[i];
		if (str_eq(e->check, STR("verify")) && str_eq(e->result, STR("exists")) &&
		    wall_is_before(s->first, e->at))
			s->proofs |= OBSERVED_EXISTED;
	}
}

bool observed_needs_proof(const struct observed_sender *s)
{
	return s->proofs == 0;
}

/* --- one message --- */

static bool kind_of(enum verdict would, enum observed_kind *out)
{
	if (would != VERDICT_REJECT && would != VERDICT_DEFER && would != VERDICT_TAG)
		return false;
	*out = would == VERDICT_REJECT ? OBSERVED_REFUSE : would == VERDICT_DEFER ? OBSERVED_DEFER : OBSERVED_TAG;
	return true;
}

static void add_sender(struct observed_sender *s, enum observed_kind kind, const struct trail *t,
                       const struct trail_entry *would)
{
	s->n[kind]++;
	if (!s->first.us || wall_is_before(t->begun, s->first))
		s->first = t->begun;
	if (wall_is_before(s->last, t->begun)) {
		s->last = t->begun;
		s->client = t->client;
		s->is_spf = str_eq(would->check, STR("spf"));
	}
	note_network(s, t);
	note_signature(s, t);
}

void observed_add(struct observed *o, const struct trail *t)
{
	const struct trail_entry *would = NULL;
	enum observed_kind kind;
	struct str address = arena_lower(t->arena, t->sender);
	size_t at = str_rfind_char(address, '@');

	if (!kind_of(trail_would(t, &would), &kind))
		return;
	struct observed_domain *d = domain_of(o, str_skip(address, at + 1));
	struct observed_sender *s = d ? sender_of(o, d, address) : NULL;
	if (d) {
		d->n[kind]++;
		add_sample(o, d, kind, t, would);
	}
	if (s)
		add_sender(s, kind, t, would);
	else
		o->left_out++;
}

/* --- order --- */

static int by_weight(const void *x, const void *y)
{
	const struct observed_domain *a = *(struct observed_domain *const *)x, *b = *(struct observed_domain *const *)y;
	uint64_t na = (uint64_t)a->n[OBSERVED_REFUSE] + a->n[OBSERVED_DEFER];
	uint64_t nb = (uint64_t)b->n[OBSERVED_REFUSE] + b->n[OBSERVED_DEFER];

	if ((a->honest > 0) != (b->honest > 0))
		return a->honest > 0 ? -1 : 1;
	if (na != nb)
		return na > nb ? -1 : 1;
	if (a->n[OBSERVED_TAG] != b->n[OBSERVED_TAG])
		return a->n[OBSERVED_TAG] > b->n[OBSERVED_TAG] ? -1 : 1;
	int order = memcmp(a->name.p, b->name.p, a->name.n < b->name.n ? a->name.n : b->name.n);
	return order ? order : (a->name.n > b->name.n) - (a->name.n < b->name.n);
}

static int by_proof(const void *x, const void *y)
{
	const struct observed_sender *a = *(struct observed_sender *const *)x, *b = *(struct observed_sender *const *)y;

	if ((a->proofs != 0) != (b->proofs != 0))
		return a->proofs ? -1 : 1;
	return a->last.us > b->last.us ? -1 : a->last.us < b->last.us;
}

void observed_finish(struct observed *o)
{
	for (size_t i = 0; i < o->n_senders; i++) {
		const struct observed_sender *s = o->senders[i];
		if (!s->proofs)
			continue;
		s->domain->honest++;
		for (int k = 0; k < OBSERVED_KINDS; k++)
			o->honest[k] += s->n[k];
	}
	for (size_t i = 0; i < o->n_days; i++) {
		o->messages += o->days[i].messages;
		for (int k = 0; k < OBSERVED_KINDS; k++)
			o->n[k] += o->days[i].n[k];
	}
	if (o->n_domains > 0)
		qsort(o->domains, o->n_domains, sizeof(struct observed_domain *), by_weight);
	if (o->n_senders > 0)
		qsort(o->senders, o->n_senders, sizeof(struct observed_sender *), by_proof);
}
