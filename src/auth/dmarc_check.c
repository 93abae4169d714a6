/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree walk, the choice of the policy, alignment (RFC 9989 4.10, 5.3). */
#include "auth/dmarc_check.h"

#include "mail/address.h"

#define WALK_MAX 8 /* queries of one walk (RFC 9989 4.10) */

struct step {
	struct str name;
	struct dmarc_record record;
};
struct walk {
	struct step steps[WALK_MAX]; /* where records were found, from below */
	size_t n;
	bool is_temporary;           /* the DNS failed at one of the steps */
};
struct check {
	struct resolver *resolver;
	const struct dmarc_query *query;
	struct arena *arena;
	struct dmarc_answer *out;
	bool is_temporary;
};

const char *dmarc_result_name(enum dmarc_result r)
{
	static const char *const names[] = {"none", "pass", "fail", "temperror", "permerror"};

	return names[r];
}

static size_t label_count(struct str name)
{
	size_t n = name.n > 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

static struct str last_labels(struct str name, size_t labels)
{
	while (label_count(name) > labels)
		name = str_skip(name, str_find_char(name, '.') + 1);
	return name;
}

/* One query: *found when there is exactly one DMARC record; several are as good as none (4.10 step 2). */
WAITS static bool record_fetch(struct check *c, struct str domain, struct dmarc_record *record, bool *found,
                               bool *is_temporary, struct err *err)
{
	struct str name = arena_printf(c->arena, "_dmarc.%.*s", STR_ARG(domain));
	const struct dns_answer *answer;
	size_t n = 0;

	*found = false;
	if (!dns_lookup(c->resolver, name, DNS_TXT, &answer, err))
		return false;
	c->out->lookups++;
	*is_temporary |= answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS;
	for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n; i++) {
		struct dmarc_record one;
		if (dmarc_record_parse(arena_str(c->arena, answer->records[i].text), &one)) {
			*record = one;
			n++;
		}
	}
	*found = n == 1;
	dns_answer_release(answer);
	return true;
}

/* 4.10: up from `start`; names of more than eight labels are cut to seven after the first query. */
WAITS static bool tree_walk(struct check *c, struct str start, struct walk *w, struct err *err)
{
	size_t labels = label_count(start);

	*w = (struct walk){.n = 0};
	for (size_t left = labels; left > 0; left = left > WALK_MAX ? WALK_MAX - 1 : left - 1) {
		struct step *s = &w->steps[w->n];
		bool found;
		s->name = last_labels(start, left);
		if (!record_fetch(c, s->name, &s->record, &found, &w->is_temporary, err))
			return false;
		if (!found)
			continue;
		w->n++;
		if (s->record.psd != DMARC_PSD_UNKNOWN)
			break;
	}
	return true;
}

/* 4.10.2. */
static struct str walk_org_domain(const struct walk *w, struct str start)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct step *s = &w->steps[i];
		if (s->record.psd == DMARC_PSD_NO)
			return s->name;
		if (s->record.psd == DMARC_PSD_YES && !str_eq(s->name, start))
			return last_labels(start, label_count(s->name) + 1);
	}
	return w->n > 0 ? w->steps[w->n - 1].name : start;
}

WAITS static bool org_domain(struct check *c, struct str domain, struct str *out, struct err *err)
{
	struct walk *w;

	if (c->query->psl) {
		struct str org = psl_registrable(c->query->psl, c->arena, domain);
		*out = org.n > 0 ? arena_str(c->arena, org) : domain;
		return true;
	}
	w = arena_new(c->arena, struct walk);
	if (!tree_walk(c, domain, w, err))
		return false;
	c->is_temporary |= w->is_temporary;
	*out = walk_org_domain(w, domain);
	return true;
}

static void policy_from(struct check *c, struct str name, const struct dmarc_record *record)
{
	c->out->has_record = true;
	c->out->record = *record;
	c->out->policy_domain = name;
}

/* 4.10.1: the author's own record, else the organization's, else that of the public suffix above it. */
WAITS static bool policy_discover_by_walk(struct check *c, struct err *err)
{
	struct walk *w = arena_new(c->arena, struct walk);
	struct dmarc_answer *out = c->out;

	if (!tree_walk(c, out->from, w, err))
		return false;
	c->is_temporary |= w->is_temporary;
	out->org_domain = walk_org_domain(w, out->from);
	for (size_t i = 0; i < w->n && !out->has_record; i++) {
		const struct step *s = &w->steps[i];
		if (str_eq(s->name, out->from) || str_eq(s->name, out->org_domain) || s->record.psd == DMARC_PSD_YES)
			policy_from(c, s->name, &s->record);
	}
	return true;
}

/* RFC 7489 6.6.3. */
WAITS static bool policy_discover_by_list(struct check *c, struct err *err)
{
	struct dmarc_answer *out = c->out;
	struct dmarc_record record;
	bool found;

	if (!org_domain(c, out->from, &out->org_domain, err) ||
	    !record_fetch(c, out->from, &record, &found, &c->is_temporary, err))
		return false;
	if (found)
		policy_from(c, out->from, &record);
	if (found || str_eq(out->org_domain, out->from))
		return true;
	if (!record_fetch(c, out->org_domain, &record, &found, &c->is_temporary, err))
		return false;
	if (found)
		policy_from(c, out->org_domain, &record);
	return true;
}

/* np= is for names that the DNS says do not exist at all (RFC 8020). */
WAITS static bool policy_choose(struct check *c, struct err *err)
{
	struct dmarc_answer *out = c->out;
	const struct dmarc_record *r = &out->record;
	const struct dns_answer *answer;

	out->policy = r->p;
	if (str_eq(out->policy_domain, out->from))
		return true;
	if (r->has_sp)
		out->policy = r->sp;
	if (!r->has_np || c->query->psl)
		return true;
	if (!dns_lookup(c->resolver, out->from, DNS_A, &answer, err))
		return false;
	out->lookups++;
	if (answer->outcome == DNS_NXDOMAIN)
		out->policy = r->np;
	dns_answer_release(answer);
	return true;
}

/* 4.4: strict wants the same name, relaxed the same organizational domain. */
WAITS static bool is_aligned(struct check *c, const struct str *domains, size_t n, bool is_strict, bool *out,
                             struct err *err)
{
	struct str org;

	*out = false;
	for (size_t i = 0; i < n && i < DMARC_IDENTIFIERS_MAX; i++)
		*out |= str_eq(domains[i], c->out->from);
	for (size_t i = 0; !is_strict && !*out && i < n && i < DMARC_IDENTIFIERS_MAX; i++) {
		if (!domain_is_within(domains[i], c->out->org_domain))
			continue; /* no walk can end at our organizational domain */
		if (!org_domain(c, domains[i], &org, err))
			return false;
		*out = str_eq(org, c->out->org_domain);
	}
	return true;
}

static bool judged(struct dmarc_answer *out, enum dmarc_result result, const char *reason)
{
	out->result = result;
	out->reason = reason;
	return true;
}

static enum dmarc_policy disposition_of(const struct dmarc_answer *a)
{
	if (a->result != DMARC_RESULT_FAIL)
		return DMARC_NONE;
	/* 4.7 t=: a test is handled one step milder */
	return a->record.is_testing && a->policy != DMARC_NONE ? a->policy - 1 : a->policy;
}

bool dmarc_check(struct resolver *r, const struct dmarc_query *query, struct arena *arena,
                 struct dmarc_answer *out, struct err *err)
{
	struct check c = {.resolver = r, .query = query, .arena = arena, .out = out};

	*out = (struct dmarc_answer){.reason = ""};
	if (!query->authors)
		return judged(out, DMARC_RESULT_PERMERROR, "From cannot be read as addresses");
	if (query->authors->n != 1) /* 5.3.1: with none or several there is nothing to evaluate */
		return judged(out, DMARC_RESULT_PERMERROR, query->authors->n == 0 ? "there is no author domain"
		                                                                  : "From names several author domains");
	out->from = out->org_domain = query->authors->domain[0];
	if (!(query->psl ? policy_discover_by_list(&c, err) : policy_discover_by_walk(&c, err)))
		return false;
	if (!out->has_record && c.is_temporary)
		return judged(out, DMARC_RESULT_TEMPERROR, "the DNS gives no answer for the policy");
	if (!out->has_record)
		return judged(out, DMARC_RESULT_NONE, "no DMARC record is published");
	if (!out->record.has_policy)
		return judged(out, DMARC_RESULT_NONE, "the record has no valid policy and wants no reports");
	if (!policy_choose(&c, err) ||
	    !is_aligned(&c, query->spf, query->n_spf, out->record.is_spf_strict, &out->aligned_spf, err) ||
	    !is_aligned(&c, query->dkim, query->n_dkim, out->record.is_dkim_strict, &out->aligned_dkim, err))
		return false;
	if (out->aligned_spf || out->aligned_dkim)
		judged(out, DMARC_RESULT_PASS, "");
	else if (c.is_temporary)
		judged(out, DMARC_RESULT_TEMPERROR, "the DNS gives no answer on the way up to the organizational domain");
	else
		judged(out, DMARC_RESULT_FAIL, "neither SPF nor DKIM vouches for the author's domain");
	out->disposition = disposition_of(out);
	return true;
}
