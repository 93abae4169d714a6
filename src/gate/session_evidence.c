/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known before anybody is asked: is the client one of the domain's own mail servers, does the domain's SPF record
 * let it send, does its reverse name lead back. A fail of SPF is the domain's own word: refused, and nobody is asked.
 */
#include "gate/session.h"

#include "auth/spf_check.h"
#include "dns/dns.h"

/* The message waits in the client while these are asked; what takes longer is no evidence. */
#define EVIDENCE_TIME (5 * USEC_S)

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

static const char *consequence(const struct session *s)
{
	switch (s->tx->evidence.spf) {
	case EVIDENCE_SPF_PASS:
		return "the domain vouches for the client: the larger budget applies";
	case EVIDENCE_SPF_FAIL:
		return sender_fails_spf(s) && verify_mode(s->set->deps.verify) == VERIFY_MODE_ENFORCE
		               ? "refused, and nobody was asked"
		               : "noted only";
	default:
		return "no evidence";
	}
}

static void note_spf(struct session *s, const struct spf_answer *a, usec_t took)
{
	struct str why = a->problem.n ? a->problem : a->mechanism.n ? a->mechanism : STR("no record");
	trail_note(&s->tx->trail, rt_wall(), took, "spf", spf_result_name(a->result),
	           a->result == SPF_FAIL ? CAUSE_AUTH_POLICY : CAUSE_NONE, a->domain, "%.*s: %s", STR_ARG(why), consequence(s));
}

WAITS static void ask_spf(struct session *s)
{
	struct transaction *tx = s->tx;
	struct spf_answer answer;
	struct deadline limit;
	struct err err;
	usec_t begun = rt_now();
	const struct spf_query query = {
		.ip = s->client, .helo = str_from(s->helo), .receiver = s->set->host, .now = rt_wall(), .has_no_explanation = true,
		.from = arena_printf(&tx->arena, "%.*s@%.*s", STR_ARG(tx->mail.path.address.local),
		                     STR_ARG(tx->mail.path.address.ascii_domain)),
	};
	if (tx->mail.path.address.literal.family) /* RFC 7208 4.3: an address literal is no domain */
		return;
	deadline_push(&limit, EVIDENCE_TIME, "SPF");
	if (spf_check(s->set->deps.resolver, &query, &tx->arena, &answer, &err)) {
		tx->evidence.spf = evidence_of(answer.result);
		note_spf(s, &answer, rt_now() - begun);
	}
	deadline_pop(&limit);
}

/* Beside SPF: a child, as neither should wait for the other. */
WAITS static void ask_iprev(void *arg)
{
	struct session *s = arg;
	enum dns_outcome outcome;
	struct deadline limit;
	struct str name;
	struct err err;
	deadline_push(&limit, EVIDENCE_TIME, "reverse DNS");
	if (dns_iprev(s->set->deps.resolver, s->client, &s->tx->arena, &outcome, &name, &err)) {
		s->tx->evidence.iprev = outcome == DNS_FOUND ? EVIDENCE_IPREV_PASS
		                        : outcome == DNS_TEMPORARY || outcome == DNS_BOGUS ? EVIDENCE_IPREV_TEMPERROR
		                                                                            : EVIDENCE_IPREV_FAIL;
		trail_note(&s->tx->trail, rt_wall(), 0, "iprev",
		           outcome == DNS_FOUND ? "pass" : s->tx->evidence.iprev == EVIDENCE_IPREV_FAIL ? "fail" : "temperror",
		           CAUSE_NONE, name, "%s", outcome == DNS_FOUND ? "the client's name leads back to it" : "noted only");
	}
	deadline_pop(&limit);
}

WAITS static void ask_own_mx(struct session *s)
{
	struct transaction *tx = s->tx;
	struct err err;
	if (!verify_is_own_mx(s->set->deps.verify, tx->mail.path.address.ascii_domain, s->client,
	                      &tx->evidence.is_own_mx, &err))
		tx->evidence.is_own_mx = false;
	if (tx->evidence.is_own_mx)
		trail_note(&tx->trail, rt_wall(), 0, "own-mx", "yes", CAUSE_NONE, tx->mail.path.address.ascii_domain,
		           "the client is a mail server of the domain: the larger budget applies");
}

void evidence_fill(struct session *s)
{
	struct group children;
	struct err err;
	stream_flush(s->stream, &err); /* the 354 must not wait for the DNS */
	ask_own_mx(s); /* its answers are in the cache since MAIL */
	group_init(&children, "evidence");
	if (s->set->conf->spf != GATE_SPF_OFF) {
		group_go(&children, "iprev", ask_iprev, s, &err);
		ask_spf(s);
	}
	group_wait(&children, &err);
	group_done(&children);
}

bool sender_fails_spf(const struct session *s)
{
	return s->tx->evidence.spf == EVIDENCE_SPF_FAIL && s->set->conf->spf == GATE_SPF_REFUSE &&
	       !s->tx->evidence.is_own_mx;
}
