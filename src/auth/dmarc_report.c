/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verifying external destinations of DMARC reports, in the steps of RFC 9990 3. */
#include "auth/dmarc_report.h"

#include "base/auto.h"
#include "base/hex.h"
#include "mail/address.h"

struct asking_reports {
	struct resolver *resolver;
	const struct psl_list *psl;
	struct arena *arena;
	const struct dmarc_answer *answer;
	struct str org;          /* of the domain that the record stands at */
	bool is_org_unsure;
};

static void settle(struct dmarc_report *r, enum dmarc_report_state state, const char *why)
{
	r->state = state;
	r->why = why;
}

/* %XX undone (RFC 6068 2); the text has been checked to have two digits behind each. */
static struct str percent_decode(struct arena *arena, struct str s)
{
	auto_buf struct buf out = {.max = ADDRESS_MAX + 1};

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && hex_decode(&out, str_slice(s, i + 1, i + 3)))
			i += 2;
		else
			buf_char(&out, s.p[i]);
	}
	return buf_ok(&out) ? arena_str(arena, buf_view(&out)) : STR_NONE;
}

/* Step 1: the host of a mailto URI is the domain of its one address. Header fields (?cc=) and further addresses (%2C) could
 * lead a report where nobody was asked, so such a URI is not used. */
static bool host_read(struct arena *arena, struct dmarc_report *r)
{
	struct address address;
	struct err err;

	if (r->uri.n == 0) {
		settle(r, DMARC_REPORT_UNUSABLE, "this is no URI; an address is written mailto:name@example.org");
		return false;
	}
	if (!str_istarts(r->uri, STR("mailto:"))) {
		settle(r, DMARC_REPORT_UNUSABLE, "only mailto: is in use");
		return false;
	}
	struct str text = percent_decode(arena, str_skip(r->uri, strlen("mailto:")));
	if (!address_parse(arena, text, false, &address, &err) || address.literal.family != 0) {
		settle(r, DMARC_REPORT_UNUSABLE, "mailto: takes one plain address here");
		return false;
	}
	r->host = address.ascii_domain;
	return true;
}

/* Step 9: the destination may name another place, at the same host only. */
static bool wish_take(struct asking_reports *a, struct dmarc_report *r, const struct dmarc_record *record)
{
	struct str list = strcmp(r->tag, "rua") == 0 ? record->rua : record->ruf, uri;

	while (dmarc_uri_next(&list, &uri)) {
		struct dmarc_report wish = {.tag = r->tag, .uri = uri};
		if (!host_read(a->arena, &wish) || !str_eq(wish.host, r->host))
			return false;
		if (r->instead.n == 0)
			r->instead = uri;
	}
	return true;
}

/* Steps 6 to 9. */
static void answer_read(struct asking_reports *a, struct dmarc_report *r, const struct dns_answer *answer)
{
	bool is_authorised = false;

	for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n; i++) {
		struct dmarc_record record;
		if (!dmarc_record_parse(arena_str(a->arena, answer->records[i].text), &record))
			continue;
		is_authorised = true;
		if (!wish_take(a, r, &record)) {
			r->instead = STR_NONE;
			settle(r, DMARC_REPORT_REFUSED, "its record leads to yet another host, so nothing is sent to either");
			return;
		}
	}
	if (is_authorised)
		settle(r, DMARC_REPORT_AUTHORISED, "the destination has agreed");
	else
		settle(r, DMARC_REPORT_REFUSED, "the destination publishes no record that agrees");
}

/* Steps 2 to 5. */
WAITS static bool destination_ask(struct asking_reports *a, struct dmarc_report *r, struct err *err)
{
	const struct dns_answer *answer;
	struct str name =
		arena_printf(a->arena, "%.*s._report._dmarc.%.*s", STR_ARG(a->answer->policy_domain), STR_ARG(r->host));

	if (!domain_is_valid(name)) {
		settle(r, DMARC_REPORT_REFUSED, "the name to ask would be too long for the DNS");
		return true;
	}
	r->query = name;
	if (!dns_lookup(a->resolver, name, DNS_TXT, &answer, err))
		return false;
	if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS)
		settle(r, DMARC_REPORT_UNKNOWN, "the DNS gives no answer now");
	else
		answer_read(a, r, answer);
	dns_answer_release(answer);
	return true;
}

WAITS static bool report_check(struct asking_reports *a, struct dmarc_report *r, struct err *err)
{
	struct str org;
	bool is_unsure;

	if (!host_read(a->arena, r))
		return true;
	if (str_eq(r->host, a->answer->policy_domain)) {
		settle(r, DMARC_REPORT_OWN, "the same domain");
		return true;
	}
	if (!dmarc_org_domain(a->resolver, a->psl, r->host, a->arena, &org, &is_unsure, err))
		return false;
	if (!is_unsure && !a->is_org_unsure && str_eq(org, a->org)) {
		settle(r, DMARC_REPORT_OWN, "the same organization");
		return true;
	}
	return destination_ask(a, r, err); /* asking where it was not needed does no harm */
}

bool dmarc_report_list(struct resolver *r, const struct psl_list *psl, const struct dmarc_answer *answer,
                       struct arena *arena, struct dmarc_report **out, size_t *n, struct err *err)
{
	struct asking_reports a = {.resolver = r, .psl = psl, .arena = arena, .answer = answer};
	const struct { const char *tag; struct str list; } wishes[] = {{"rua", answer->record.rua}, {"ruf", answer->record.ruf}};
	struct dmarc_report *reports = NULL;
	size_t count = 0;

	for (size_t i = 0; answer->has_record && i < sizeof(wishes) / sizeof(*wishes); i++) {
		struct str list = wishes[i].list, uri;
		while (count < DMARC_REPORTS_MAX && dmarc_uri_next(&list, &uri)) {
			if (!reports) {
				reports = arena_alloc(arena, DMARC_REPORTS_MAX * sizeof(*reports));
				if (!dmarc_org_domain(r, psl, answer->policy_domain, arena, &a.org, &a.is_org_unsure, err))
					return false;
			}
			reports[count] = (struct dmarc_report){.tag = wishes[i].tag, .uri = uri, .why = ""};
			if (!report_check(&a, &reports[count++], err))
				return false;
		}
	}
	*out = reports;
	*n = count;
	return true;
}
