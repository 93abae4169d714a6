/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of the internet the networks of a record are: huge, private, written askew, or already covered. */
#include "auth/spf_lint_inside.h"

#include "base/auto.h"

#include <inttypes.h>

#define WARN_ADDRESSES     (UINT64_C(1) << 20)
#define CRITICAL_ADDRESSES (UINT64_C(1) << 28)
#define WARN_BITS6         28
#define CRITICAL_BITS6     12
#define FLAT_MAX           450

static bool covers(const struct lint_net *a, const struct lint_net *b)
{
	if (a->ip.family != b->ip.family || a->bits > b->bits)
		return false;
	for (unsigned i = 0; i < a->bits; i++) {
		if ((a->ip.b[i / 8] ^ b->ip.b[i / 8]) & (0x80 >> i % 8))
			return false;
	}
	return true;
}

static struct ip masked(struct ip ip, unsigned bits)
{
	for (unsigned i = bits; i < (ip.family == 4 ? 32u : 128u); i++)
		ip.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return ip;
}

void lint_net_add(struct linting *l, const struct spf_term *term, struct ip ip, unsigned bits)
{
	bool is_top = l->depth == 0;
	char a[IP_TEXT_MAX], b[IP_TEXT_MAX];
	struct lint_net net = {.ip = masked(ip, bits), .bits = (uint8_t)bits, .at = is_top ? term->at : l->at,
	                       .n = is_top ? term->text.n : l->n, .is_direct = is_top,
	                       .is_literal = term->kind == SPF_IP4 || term->kind == SPF_IP6};

	if (term->qualifier != '+' || l->n_nets == LINT_NETS_MAX)
		return; /* what a record refuses is not what it allows */
	if (is_top && net.is_literal && !ip_eq(ip, net.ip))
		lint_add(l, "SPF033", SPF_SEVERITY_INFO, term->at, term->text.n, "%.*s is inside of the network; written as %.*s/%u",
		         STR_ARG(ip_text(ip, a)), STR_ARG(ip_text(net.ip, b)), bits);
	if (l->n_nets == l->nets_capacity) {
		struct lint_net *more;
		l->nets_capacity = l->nets_capacity ? 2 * l->nets_capacity : 16;
		more = arena_alloc(l->arena, l->nets_capacity * sizeof(*more));
		if (l->n_nets > 0)
			memcpy(more, l->nets, l->n_nets * sizeof(*more));
		l->nets = more;
	}
	l->nets[l->n_nets++] = net;
}

/* The whole of the internet is not private for containing private networks. */
static void lint_private(struct linting *l, const struct lint_net *net)
{
	char text[IP_TEXT_MAX];

	if (!net->is_literal || net->bits < 8 || !ip_is_unusable_target(net->ip))
		return;
	lint_add(l, "SPF032", SPF_SEVERITY_WARNING, net->at, net->n,
	         "%.*s/%u is private, loopback, documentation or otherwise no address that mail comes from",
	         STR_ARG(ip_text(net->ip, text)), net->bits);
}

static bool is_covered(const struct linting *l, size_t which)
{
	for (size_t i = 0; i < l->n_nets; i++) {
		bool is_same = covers(&l->nets[i], &l->nets[which]) && covers(&l->nets[which], &l->nets[i]);
		if (i != which && covers(&l->nets[i], &l->nets[which]) && (!is_same || i < which))
			return true;
	}
	return false;
}

static void lint_size_of_all(struct linting *l, uint64_t addresses, const struct lint_net *widest, unsigned widest6)
{
	if (addresses >= WARN_ADDRESSES)
		lint_add(l, "SPF031", addresses >= CRITICAL_ADDRESSES ? SPF_SEVERITY_CRITICAL : SPF_SEVERITY_WARNING, widest->at, widest->n,
		         "%" PRIu64 " IPv4 addresses may send in your name, %s", addresses,
		         addresses >= CRITICAL_ADDRESSES ? "a good part of the internet" : "more than any sender needs");
	if (widest6 <= WARN_BITS6)
		lint_add(l, "SPF031", widest6 <= CRITICAL_BITS6 ? SPF_SEVERITY_CRITICAL : SPF_SEVERITY_WARNING, SPF_NOWHERE, 0,
		         "an IPv6 network of /%u may send in your name; a provider's whole allocation is a /32", widest6);
}

void lint_nets(struct linting *l)
{
	uint64_t addresses = 0;
	unsigned widest6 = 128;
	const struct lint_net *widest = NULL;
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < l->n_nets; i++) {
		const struct lint_net *net = &l->nets[i];
		if (net->ip.family == 6 && net->bits < widest6)
			widest6 = net->bits;
		if (l->n_nets <= 500 && is_covered(l, i)) { /* quadratic: not for the thousands of a flattened record */
			if (net->is_direct && net->is_literal)
				lint_add(l, "SPF033", SPF_SEVERITY_INFO, net->at, net->n, "%.*s/%u is allowed by another term already",
				         STR_ARG(ip_text(net->ip, text)), net->bits);
			continue;
		}
		lint_private(l, net);
		if (net->ip.family == 4) {
			if (!widest || net->bits < widest->bits)
				widest = net;
			addresses += UINT64_C(1) << (32 - net->bits);
		}
	}
	lint_size_of_all(l, addresses, widest, widest6);
}

/* --- the same addresses without a look-up --- */

#define PARTS_MAX 9 /* includes of the record that holds the parts together */

struct flat {
	struct buf part[PARTS_MAX];
	size_t n;
	bool is_full;
};

static void flat_add(struct flat *f, struct str term)
{
	struct buf *part = f->n > 0 ? &f->part[f->n - 1] : NULL;

	if (!part || part->n + term.n + strlen(" -all") > FLAT_MAX) {
		f->is_full = f->is_full || f->n == PARTS_MAX;
		if (f->is_full)
			return;
		part = &f->part[f->n++];
		buf_init(part, FLAT_MAX);
		buf_str(part, STR("v=spf1"));
	}
	buf_str(part, term);
}

static void flat_build(const struct linting *l, struct flat *f)
{
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < l->n_nets && !f->is_full; i++) {
		const struct lint_net *net = &l->nets[i];
		auto_buf struct buf term = {.max = 64};
		if (is_covered(l, i))
			continue;
		buf_printf(&term, " ip%u:%.*s", net->ip.family, STR_ARG(ip_text(net->ip, text)));
		if (net->bits < (net->ip.family == 4 ? 32 : 128))
			buf_printf(&term, "/%u", net->bits);
		flat_add(f, buf_view(&term));
	}
	if (f->n == 0)
		flat_add(f, STR_NONE);
	for (size_t i = 0; i < f->n; i++)
		buf_str(&f->part[i], STR(" -all"));
}

static void flat_tell(struct linting *l, const struct flat *f)
{
	struct str domain = l->out->domain.n > 0 ? l->out->domain : STR("example.org");
	auto_buf struct buf top = {.max = 1024};

	if (f->n == 1) {
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
		         "the same today without a look-up, to be renewed when an include changes: %.*s", STR_ARG(buf_view(&f->part[0])));
		return;
	}
	buf_str(&top, STR("v=spf1"));
	for (size_t i = 0; i < f->n; i++)
		buf_printf(&top, " include:_spf%zu.%.*s", i + 1, STR_ARG(domain));
	buf_str(&top, STR(" -all"));
	if (top.n > FLAT_MAX) {
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
		         "flattened it would be too long even in parts; give services that send for you a subdomain each");
		return;
	}
	lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
	         "the same today with %zu look-ups, in parts that fit into an answer, to be renewed when an include changes: %.*s", f->n,
	         STR_ARG(buf_view(&top)));
	for (size_t i = 0; i < f->n; i++)
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0, "_spf%zu.%.*s: %.*s", i + 1, STR_ARG(domain),
		         STR_ARG(buf_view(&f->part[i])));
}

void lint_flatten(struct linting *l)
{
	struct flat *f;

	if (l->out->lookups <= 10)
		return;
	if (l->cannot_flatten || l->is_open) {
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0, "it cannot be flattened: %s",
		         l->cannot_flatten ? "a macro, exists or ptr depends on the sender" : "not all that it allows could be counted");
		return;
	}
	f = arena_new(l->arena, struct flat);
	flat_build(l, f);
	if (f->is_full)
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
		         "flattened it would be over %d records of %d bytes; give services that send for you a subdomain each", PARTS_MAX,
		         FLAT_MAX);
	else
		flat_tell(l, f);
	for (size_t i = 0; i < f->n; i++)
		buf_done(&f->part[i]);
}
