/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Membership in the list of operators that are never asked. */
#include "verify/never_ask.h"

struct str never_ask_match(const struct conf_texts *list, struct str host)
{
	for (size_t i = 0; i < list->n; i++) {
		struct str suffix = list->items[i];
		if (suffix.n && str_iends(host, suffix) &&
		    (host.n == suffix.n || host.p[host.n - suffix.n - 1] == '.'))
			return suffix;
	}
	return STR_NONE;
}
