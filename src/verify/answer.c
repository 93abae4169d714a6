/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building, keeping and naming answers. */
#include "verify/answer.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

static void copy_text(char *to, size_t size, struct str s)
{
	s = str_slice(s, 0, size - 1);
	if (s.n)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

void answer_set_host(struct verify_answer *a, struct str host)
{
	copy_text(a->host, sizeof(a->host), host);
}

void answer_set_said(struct verify_answer *a, struct str said)
{
	copy_text(a->said, sizeof(a->said), said);
}

struct verify_answer *answer_new(const struct verify_answer *a, struct str head, struct str tail)
{
	struct verify_answer *copy = mem_alloc(sizeof(*copy) + head.n + tail.n + 1);
	char *text = (char *)(copy + 1);
	*copy = *a;
	if (head.n)
		memcpy(text, head.p, head.n);
	if (tail.n)
		memcpy(text + head.n, tail.p, tail.n);
	copy->dialogue = head.n + tail.n ? (struct str){text, head.n + tail.n} : STR_NONE;
	return copy;
}

void answer_free(void *answer)
{
	free(answer);
}

struct ticket *answer_ticket(const struct verify_answer *a)
{
	struct ticket *t = ticket_new("verify");
	ticket_complete(t, answer_new(a, STR_NONE, STR_NONE), answer_free);
	return t;
}

void answer_of_record(const struct address_record *r, struct wall now, struct verify_answer *out)
{
	*out = (struct verify_answer){
		.verdict = r->verdict,
		.class = r->class,
		.cause = r->cause,
		.code = r->code,
		.is_cached = true,
		.null_refused = r->null_refused,
		.control_refused = r->control_refused,
		.checked = r->checked,
	};
	if (r->verdict == VERIFY_TEMPORARY) {
		usec_t left = wall_diff(r->retry_at, now);
		out->retry_after = left > USEC_MIN ? left : USEC_MIN;
	}
	answer_set_host(out, r->host);
	answer_set_said(out, r->said);
}

bool answer_of_domain(const struct domain_record *r, struct wall now, struct verify_answer *out)
{
	bool is_blocked = r->blocked_until.us != 0;
	if (!is_blocked && r->kind != DOMAIN_CATCH_ALL && r->kind != DOMAIN_UNVERIFIABLE)
		return false;
	*out = (struct verify_answer){
		.verdict = r->kind == DOMAIN_CATCH_ALL ? VERIFY_CATCH_ALL : VERIFY_UNVERIFIABLE,
		.code = r->code,
		.is_cached = true,
		.null_refused = r->null_refused_until.us != 0,
		.checked = r->kind_at,
	};
	if (is_blocked) {
		out->verdict = VERIFY_BLOCKED;
		out->class = r->blocked_class;
		out->cause = r->blocked_cause;
		out->checked = r->blocked_at;
		out->retry_after = wall_diff(r->blocked_until, now);
	}
	answer_set_host(out, r->host);
	answer_set_said(out, r->said);
	return true;
}

const char *verify_verdict_name(enum verify_verdict v)
{
	static const char *const names[] = {
		"exists", "absent", "catch_all", "unverifiable", "blocked", "temporary", "skipped",
	};
	assert(v <= VERIFY_SKIPPED);
	return names[v];
}

const char *verify_skip_name(enum verify_skip s)
{
	static const char *const names[] = {
		"none", "null_sender", "exempt", "own_domain", "local_network", "authenticated",
		"budget", "off", "trusted_recipient", "probe_address", "forged",
	};
	assert(s <= SKIP_FORGED);
	return names[s];
}

const char *verify_class_name(enum verify_class c)
{
	static const char *const names[] = {
		"", "no answer", "deferred", "refused null sender", "refused us", "busy",
	};
	assert(c <= VERIFY_CLASS_BUSY);
	return names[c];
}
