/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain names: from what people write to the A-labels that the DNS knows (RFC 5890, UTS 46). */
#include "mail/address.h"
#include "mail/utf8.h"

#include <idn2.h>

#define DNS_NAME_MAX  253
#define DNS_LABEL_MAX 63
/* A name of U-labels is longer in UTF-8 than in A-labels for few scripts only; no need for more. */
#define U_NAME_MAX    512

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool label_is_valid(struct str label)
{
	if (label.n == 0 || label.n > DNS_LABEL_MAX)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_label_byte(label.p[i]))
			return false;
	return true;
}

bool domain_is_valid(struct str ascii_domain)
{
	struct str rest = ascii_domain, label;

	if (ascii_domain.n == 0 || ascii_domain.n > DNS_NAME_MAX ||
	    ascii_domain.p[ascii_domain.n - 1] == '.')
		return false;
	while (str_cut(&rest, '.', &label))
		if (!label_is_valid(label))
			return false;
	return true;
}

static bool bad_domain(struct err *err, struct str domain)
{
	return err_perm(err, CAUSE_PROTOCOL, "'%.*s' is not a domain name",
	                (int)(domain.n < 100 ? domain.n : 100), domain.p ? domain.p : "");
}

bool domain_to_ascii(struct arena *arena, struct str domain, struct str *out, struct err *err)
{
	struct str name = domain, ascii;

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > U_NAME_MAX)
		return bad_domain(err, domain);
	if (str_is_ascii(name)) {
		if (name.n > DNS_NAME_MAX)
			return bad_domain(err, domain);
		ascii = arena_lower(arena, name);
	} else {
		if (!utf8_is_clean(name))
			return err_perm(err, CAUSE_PROTOCOL, "domain name is not valid UTF-8");
		uint8_t *a = NULL;
		int rc = idn2_lookup_u8((const uint8_t *)arena_cstr(arena, name), &a,
		                        IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
		if (rc != IDN2_OK)
			return err_perm(err, CAUSE_PROTOCOL, "not an international domain name: %s",
			                idn2_strerror(rc));
		ascii = arena_lower(arena, str_from((const char *)a));
		idn2_free(a);
	}
	/* Also of libidn2's answer: mapping can yield anything that STD 3 forbids (U+2100 is "a/c"). */
	if (!domain_is_valid(ascii))
		return bad_domain(err, domain);
	*out = ascii;
	return true;
}

bool domain_is_within(struct str domain, struct str parent)
{
	if (parent.n == 0 || !str_ends(domain, parent))
		return false;
	return domain.n == parent.n || domain.p[domain.n - parent.n - 1] == '.';
}
