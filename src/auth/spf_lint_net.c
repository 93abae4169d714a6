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

/* The same addresses without a look-up, where they fit into one record. */
void lint_flatten(struct linting *l)
{
	auto_buf struct buf out = {.max = FLAT_MAX};
	char text[IP_TEXT_MAX];

	if (l->out->lookups <= 10 || l->cannot_flatten) {
		if (l->out->lookups > 10)
			lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
			         "it cannot be flattened: a macro, exists or ptr depends on the sender");
		return;
	}
	buf_str(&out, STR("v=spf1"));
	for (size_t i = 0; i < l->n_nets && buf_ok(&out); i++) {
		const struct lint_net *net = &l->nets[i];
		if (is_covered(l, i))
			continue;
		buf_printf(&out, " ip%u:%.*s", net->ip.family, STR_ARG(ip_text(net->ip, text)));
		if (net->bits < (net->ip.family == 4 ? 32 : 128))
			buf_printf(&out, "/%u", net->bits);
	}
	buf_str(&out, STR(" -all"));
	if (buf_ok(&out))
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
		         "the same today without a look-up, to be renewed when an include changes: %.*s", STR_ARG(buf_view(&out)));
	else
		lint_add(l, "SPF060", SPF_SEVERITY_INFO, SPF_NOWHERE, 0,
		         "flattened it would be over %d bytes; give services that send for you a subdomain each", FLAT_MAX);
}
