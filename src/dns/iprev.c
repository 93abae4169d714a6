/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forward-confirmed reverse DNS (RFC 8601 3, "iprev"). */
#include "dns/dns.h"

/* RFC 7208 5.5 looks at ten names; a host with more is not better known for it. */
#define NAMES_MAX 10

static bool has_address(const struct dns_answer *a, struct ip ip)
{
	for (size_t i = 0; i < a->n; i++)
		if (ip_eq(a->records[i].ip, ip))
			return true;
	return false;
}

/* *outcome: FOUND when `name` has the address, TEMPORARY or BOGUS when that cannot be known, else NODATA. */
WAITS static bool confirm(struct resolver *r, struct str name, struct ip ip, enum dns_outcome *outcome,
                          struct err *err)
{
	const struct dns_answer *a;

	if (!dns_lookup(r, name, ip.family == 4 ? DNS_A : DNS_AAAA, &a, err))
		return false;
	*outcome = a->outcome;
	if (a->outcome == DNS_NXDOMAIN || (a->outcome == DNS_FOUND && !has_address(a, ip)))
		*outcome = DNS_NODATA;
	dns_answer_release(a);
	return true;
}

/* RFC 8601 3: doubt about one name is doubt about all, unless another name confirms. */
WAITS static bool confirm_any(struct resolver *r, const struct dns_answer *ptr, struct ip ip,
                              enum dns_outcome *outcome, struct str *name, struct err *err)
{
	enum dns_outcome all = DNS_NODATA, one = DNS_NODATA;

	*name = ptr->records[0].name;
	for (size_t i = 0; i < ptr->n && i < NAMES_MAX; i++) {
		if (!confirm(r, ptr->records[i].name, ip, &one, err))
			return false;
		if (one == DNS_FOUND) {
			*outcome = DNS_FOUND;
			*name = ptr->records[i].name;
			return true;
		}
		if (one != DNS_NODATA)
			all = one;
	}
	*outcome = all;
	return true;
}

bool dns_iprev(struct resolver *r, struct ip ip, struct arena *arena, enum dns_outcome *outcome,
               struct str *name, struct err *err)
{
	char reverse[80];
	const struct dns_answer *ptr;
	struct str first = STR_NONE;
	enum dns_outcome result;
	bool is_known = true;

	if (!dns_lookup(r, ip_reverse_name(ip, reverse), DNS_PTR, &ptr, err))
		return false;
	result = ptr->outcome;
	if (ptr->outcome == DNS_FOUND)
		is_known = confirm_any(r, ptr, ip, &result, &first, err);
	if (is_known) {
		*outcome = result;
		*name = arena_str(arena, first);
	}
	dns_answer_release(ptr);
	return is_known;
}
