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
	bool is_temporary;        /* the DNS failed on the way to the policy or above it */
	bool is_verdict_unsure;   /* a question failed that might have turned a fail into something else */
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
		} else {
			c->out->has_near_miss |= dmarc_is_near_miss(answer->records[i].text);
		}
	}
	*found = n == 1;
	c->out->has_several |= n > 1;
	dns_answer_release(answer);
	return true;
}

/* 4.10: up from `start`; a name of more than eight labels is cut to seven after the first query, so that there are
 * never more than eight. The walk ends at a psd= that says what the domain is (steps 2 and 6). */
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

/* 4.10.2: psd=n is the organization, psd=y stands one label above it, else it is the highest record. */
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

bool dmarc_org_domain(struct resolver *r, const struct psl_list *psl, struct str domain, struct arena *arena,
                      struct str *out, bool *is_temporary, struct err *err)
{
	struct dmarc_answer ignored = {.reason = ""};
	struct check c = {.resolver = r, .arena = arena, .out = &ignored};
	struct walk *w;

	*is_temporary = false;
	if (psl) {
		struct str org = psl_registrable(psl, arena, domain);
		*out = org.n > 0 ? arena_str(arena, org) : domain;
		return true;
	}
	w = arena_new(arena, struct walk);
	if (!tree_walk(&c, domain, w, err))
		return false;
	*is_temporary = w->is_temporary;
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
	bool found, ignored;

	if (!dmarc_org_domain(c->resolver, c->query->psl, out->from, c->arena, &out->org_domain, &ignored, err) ||
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

/* 3.2.13, A.4: a name does not exist when the DNS says so of the name itself; one with a CNAME that leads nowhere does. */
static bool says_no_such_name(const struct dns_answer *a)
{
	return a->outcome == DNS_NXDOMAIN && (a->canonical.n == 0 || str_eq(a->canonical, a->name));
}

/* 4.10.1: p= at the author domain itself; below, np= for names that do not exist, else sp=, else p=. */
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
	c->is_verdict_unsure |= answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS;
	if (says_no_such_name(answer))
		out->policy = r->np;
	dns_answer_release(answer);
	return true;
}

/* 4.10.2 of one identifier that is not the author domain itself. Trouble on either walk leaves the organizations unknown. */
WAITS static bool shares_organization(struct check *c, struct str domain, bool *out, struct err *err)
{
	struct dmarc_answer *a = c->out;
	struct str org;
	bool is_temporary;

	*out = false;
	if (!domain_is_within(domain, c->is_temporary ? last_labels(a->from, 1) : a->org_domain))
		return true; /* no walk from there can end where ours does */
	if (c->is_temporary) {
		c->is_verdict_unsure = true;
		return true;
	}
	if (!dmarc_org_domain(c->resolver, c->query->psl, domain, c->arena, &org, &is_temporary, err))
		return false;
	c->is_verdict_unsure |= is_temporary;
	*out = !is_temporary && str_eq(org, a->org_domain);
	return true;
}

/* 4.4: strict wants the same name, relaxed the same organizational domain. */
WAITS static bool is_aligned(struct check *c, const struct str *domains, size_t n, bool is_strict, bool *out,
                             struct err *err)
{
	*out = false;
	for (size_t i = 0; i < n && i < DMARC_IDENTIFIERS_MAX; i++)
		*out |= str_eq(domains[i], c->out->from);
	for (size_t i = 0; !is_strict && !*out && i < n && i < DMARC_IDENTIFIERS_MAX; i++)
		if (!shares_organization(c, domains[i], out, err))
			return false;
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
	/* 5.3.6: where a question that decides about the policy failed, a message can neither pass nor fail; above a record of
	 * the author's own nothing decides about it any more */
	if (c.is_temporary && !(out->has_record && str_eq(out->policy_domain, out->from)))
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
	else if (c.is_verdict_unsure)
		judged(out, DMARC_RESULT_TEMPERROR, "the DNS gives no answer that alignment or the policy depends on");
	else
		judged(out, DMARC_RESULT_FAIL, "neither SPF nor DKIM vouches for the author's domain");
	out->disposition = disposition_of(out);
	return true;
}
