/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known before anybody is asked: is the client one of the domain's own mail servers, does the domain's SPF record
 * let it send, does its reverse name lead back. A fail of SPF is the domain's own word: refused, and nobody is asked.
 */
#include "gate/sender_check.h"

#include "auth/spf_check.h"
#include "base/bucket.h"
#include "dns/dns.h"

/* The message waits in the client while these are asked; what takes longer is no evidence. */
#define EVIDENCE_TIME (5 * USEC_S)
/* Reverse names asked for: 100 a second, after a quiet time 500 at once. */
#define IPREV_RATE ((struct bucket_rate){.per_hour = 360000, .burst = 500})

static enum evidence_spf evidence_of(enum spf_result result)
{
	static const enum evidence_spf table[] = {
		[SPF_NONE] = EVIDENCE_SPF_NONE,         [SPF_NEUTRAL] = EVIDENCE_SPF_NEUTRAL,
		[SPF_PASS] = EVIDENCE_SPF_PASS,         [SPF_FAIL] = EVIDENCE_SPF_FAIL,
		[SPF_SOFTFAIL] = EVIDENCE_SPF_SOFTFAIL, [SPF_TEMPERROR] = EVIDENCE_SPF_TEMPERROR,
		[SPF_PERMERROR] = EVIDENCE_SPF_PERMERROR,
	};
	return table[result];
}

static enum spf_result result_of(enum evidence_spf spf)
{
	for (enum spf_result r = SPF_NONE; r < SPF_PERMERROR; r++)
		if (evidence_of(r) == spf)
			return r;
	return SPF_PERMERROR;
}

static const char *consequence(const struct sender_check *c)
{
	switch (c->evidence.spf) {
	case EVIDENCE_SPF_PASS:
		return "the domain vouches for the client: the larger budget applies";
	case EVIDENCE_SPF_FAIL:
		return sender_fails_spf(c) && verify_mode(c->set->deps.verify) == VERIFY_MODE_ENFORCE
		               ? "refused, and nobody was asked"
		               : "noted only";
	default:
		return "no evidence";
	}
}

static void note_spf(struct sender_check *c, const struct spf_answer *a, usec_t took)
{
	struct str why = a->problem.n ? a->problem : a->mechanism.n ? a->mechanism : STR("no record");
	trail_note(c->trail, rt_wall(), took, "spf", spf_result_name(a->result),
	           a->result == SPF_FAIL ? CAUSE_AUTH_POLICY : CAUSE_NONE, a->domain, "%.*s: %s", STR_ARG(why), consequence(c));
}

WAITS static void ask_spf(struct sender_check *c)
{
	struct spf_answer answer;
	struct deadline limit;
	struct err err;
	usec_t begun = rt_now();
	const struct spf_query query = {
		.ip = c->evidence.client, .helo = c->evidence.helo, .receiver = c->set->host, .now = rt_wall(), .has_no_explanation = true,
		.from = arena_printf(c->arena, "%.*s@%.*s", STR_ARG(c->address->local),
		                     STR_ARG(c->address->ascii_domain)),
	};
	if (c->address->literal.family) /* RFC 7208 4.3: an address literal is no domain */
		return;
	deadline_push(&limit, EVIDENCE_TIME, "SPF");
	if (spf_check(c->set->deps.resolver, &query, c->arena, &answer, &err)) {
		c->evidence.spf = evidence_of(answer.result);
		note_spf(c, &answer, rt_now() - begun);
	}
	deadline_pop(&limit);
}

/* Beside SPF: a child, as neither should wait for the other. */
WAITS static void ask_iprev(void *arg)
{
	struct sender_check *c = arg;
	enum dns_outcome outcome;
	struct deadline limit;
	struct str name;
	struct err err;
	deadline_push(&limit, EVIDENCE_TIME, "reverse DNS");
	if (dns_iprev(c->set->deps.resolver, c->evidence.client, c->arena, &outcome, &name, &err)) {
		c->evidence.iprev = outcome == DNS_FOUND ? EVIDENCE_IPREV_PASS
		                        : outcome == DNS_TEMPORARY || outcome == DNS_BOGUS ? EVIDENCE_IPREV_TEMPERROR
		                                                                            : EVIDENCE_IPREV_FAIL;
		trail_note(c->trail, rt_wall(), 0, "iprev",
		           outcome == DNS_FOUND ? "pass" : c->evidence.iprev == EVIDENCE_IPREV_FAIL ? "fail" : "temperror",
		           CAUSE_NONE, name, "%s", outcome == DNS_FOUND ? "the client's name leads back to it" : "noted only");
	}
	deadline_pop(&limit);
}

static void note_own_mx(struct sender_check *c)
{
	trail_note(c->trail, rt_wall(), 0, "own-mx", "yes", CAUSE_NONE, c->address->ascii_domain,
	           "the client is a mail server of the domain: the larger budget applies");
}

WAITS static void ask_own_mx(struct sender_check *c)
{
	struct err err;
	c->is_mx_known = verify_is_own_mx(c->set->deps.verify, c->address->ascii_domain, c->evidence.client,
	                                  &c->evidence.is_own_mx, &err);
	if (!c->is_mx_known)
		c->evidence.is_own_mx = false;
	if (c->evidence.is_own_mx)
		note_own_mx(c);
}

/* --- what was found out a moment ago --- */

static uint64_t print_of(const struct sender_check *c)
{
	return evidence_memo_print(c->evidence.client, c->evidence.helo, c->text);
}

bool evidence_knows_domain(struct sender_check *c)
{
	const struct memo *known = evidence_memo_find(c->gate->memo, print_of(c), rt_now());
	c->is_domain_certain = known && known->is_domain_certain;
	return c->is_domain_certain;
}

static void note_known(struct sender_check *c, const char *check, const char *result, enum cause_id cause,
                       struct str subject, const char *text)
{
	trail_add(c->trail, &(struct trail_entry){
		.at = rt_wall(),
		.check = str_from(check),
		.result = str_from(result),
		.cause = cause,
		.subject = subject,
		.text = str_from(text),
	});
}

/* The same words as when it was asked, without what only DNS knew. */
static bool evidence_recall(struct sender_check *c)
{
	const struct memo *known = evidence_memo_find(c->gate->memo, print_of(c), rt_now());
	if (!known)
		return false;
	c->evidence.spf = (enum evidence_spf)known->spf;
	c->evidence.iprev = (enum evidence_iprev)known->iprev;
	c->evidence.is_own_mx = known->is_own_mx;
	if (known->is_own_mx)
		note_own_mx(c);
	if (known->spf != EVIDENCE_SPF_UNKNOWN)
		note_known(c, "spf", spf_result_name(result_of(c->evidence.spf)),
		           known->spf == EVIDENCE_SPF_FAIL ? CAUSE_AUTH_POLICY : CAUSE_NONE, c->address->ascii_domain,
		           consequence(c));
	if (known->iprev != EVIDENCE_IPREV_UNKNOWN)
		note_known(c, "iprev", known->iprev == EVIDENCE_IPREV_PASS ? "pass" : "fail", CAUSE_NONE, STR_NONE,
		           known->iprev == EVIDENCE_IPREV_PASS ? "the client's name leads back to it" : "noted only");
	return true;
}

/* Only what is certain: trouble of the DNS is asked about again. */
static void evidence_keep(struct sender_check *c)
{
	bool has_trouble = c->evidence.spf == EVIDENCE_SPF_TEMPERROR || c->evidence.iprev == EVIDENCE_IPREV_TEMPERROR;
	bool is_asked = c->set->conf->spf != GATE_SPF_OFF && !c->address->literal.family;
	if (has_trouble || (is_asked && c->evidence.spf == EVIDENCE_SPF_UNKNOWN) || !c->is_mx_known)
		return;
	evidence_memo_put(c->gate->memo, &(struct memo){
		.print = print_of(c),
		.at = rt_now(),
		.spf = (uint8_t)c->evidence.spf,
		.iprev = (uint8_t)c->evidence.iprev,
		.is_own_mx = c->evidence.is_own_mx,
		.is_domain_certain = c->is_domain_certain,
	});
}

/* In a storm every client is new, and its name decides nothing: then the processors are for those who mean it. */
static bool is_iprev_due(struct sender_check *c)
{
	if (bucket_take(&c->gate->iprev, IPREV_RATE, rt_now()))
		return true;
	note_known(c, "iprev", "not asked", CAUSE_NONE, STR_NONE, "too many new clients at once");
	return false;
}

void evidence_fill(struct sender_check *c)
{
	struct group children;
	struct err err;
	if (c->evidence.client.family == 0 || evidence_recall(c)) /* a policy client need not know who it is */
		return;
	ask_own_mx(c); /* its answers are in the cache since MAIL */
	group_init(&children, "evidence");
	if (c->set->conf->spf != GATE_SPF_OFF) {
		if (is_iprev_due(c))
			group_go(&children, "iprev", ask_iprev, c, &err);
		ask_spf(c);
	}
	group_wait(&children, &err);
	group_done(&children);
	evidence_keep(c);
}

bool sender_fails_spf(const struct sender_check *c)
{
	return c->evidence.spf == EVIDENCE_SPF_FAIL && c->set->conf->spf == GATE_SPF_REFUSE &&
	       !c->evidence.is_own_mx;
}
