/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverse-paths and forward-paths. */
#include "smtp/path.h"

size_t smtp_path_length(struct str s)
{
	bool is_quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		if (is_quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && s.p[i] == '>')
			return i + 1;
		else if (!is_quoted && s.p[i] == '<')
			return 0;
	}
	return 0;
}

/* A-d-l: "@a,@b:" in front of the mailbox is checked and dropped (RFC 5321 4.1.2, appendix F.2). */
static bool skip_source_route(struct arena *arena, struct str *inner, struct err *err)
{
	if (inner->n == 0 || inner->p[0] != '@')
		return true;
	size_t colon = str_find_char(*inner, ':');
	struct str route = str_slice(*inner, 0, colon), hop, ascii;
	if (colon == inner->n)
		return err_perm(err, CAUSE_PROTOCOL, "nothing before the @");
	while (str_cut(&route, ',', &hop)) {
		if (hop.n < 2 || hop.p[0] != '@')
			return err_perm(err, CAUSE_PROTOCOL, "source route is not a list of @domain");
		if (!domain_to_ascii(arena, str_skip(hop, 1), &ascii, err))
			return false;
	}
	*inner = str_skip(*inner, colon + 1);
	return true;
}

bool smtp_path_parse(struct arena *arena, struct str inner, bool allow_utf8, bool allow_postmaster,
                     struct smtp_path *out, struct err *err)
{
	struct smtp_path path = {0};

	if (inner.n == 0) {
		path.is_null = true;
	} else if (allow_postmaster && str_ieq(inner, STR("postmaster"))) {
		path.address.local = inner; /* RFC 5321 4.1.1.3: without a domain, in any case */
	} else {
		if (!skip_source_route(arena, &inner, err))
			return false;
		if (!address_parse(arena, inner, allow_utf8, &path.address, err))
			return false;
	}
	*out = path;
	return true;
}
