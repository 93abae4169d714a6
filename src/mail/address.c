/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail addresses: the Mailbox of RFC 5321 4.1.2 with the UTF-8 of RFC 6531 3.3. */
#include "mail/address.h"
#include "mail/utf8.h"

static bool is_atext(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (unsigned char)c > 127)
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/* Dot-string: atoms between single dots. */
static bool is_dot_string(struct str s)
{
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '.' ? s.p[i + 1] == '.' : !is_atext(s.p[i]))
			return false;
	return true;
}

/* Cuts a Quoted-string off *rest and gives its content without quotes and escapes. */
static bool cut_quoted(struct arena *arena, struct str *rest, struct str *content, struct err *err)
{
	char *text = arena_alloc(arena, rest->n);
	size_t n = 0, i = 1;

	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && ++i == rest->n)
			break;
		if ((unsigned char)rest->p[i] < ' ' || rest->p[i] == 127)
			return err_perm(err, CAUSE_PROTOCOL, "control character in the local part");
		text[n++] = rest->p[i];
	}
	if (i >= rest->n)
		return err_perm(err, CAUSE_PROTOCOL, "quotation mark is missing in the local part");
	*rest = str_skip(*rest, i + 1);
	*content = (struct str){text, n};
	return true;
}

static bool cut_local(struct arena *arena, struct str *rest, struct str *local, struct err *err)
{
	if (rest->n > 0 && rest->p[0] == '"')
		return cut_quoted(arena, rest, local, err);
	size_t at = str_find_char(*rest, '@');
	*local = str_slice(*rest, 0, at);
	*rest = str_skip(*rest, at);
	if (local->n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "nothing before the @");
	if (!is_dot_string(*local))
		return err_perm(err, CAUSE_PROTOCOL, "local part has a character or a dot where none may be");
	return true;
}

/* RFC 5321 4.1.3; no general-address-literal has ever been registered. */
static bool parse_literal(struct arena *arena, struct str text, struct address *a, struct err *err)
{
	struct str inner = str_slice(text, 1, text.n - 1);
	char ip[IP_TEXT_MAX];
	bool is_v6 = str_istarts(inner, STR("IPv6:"));

	if (is_v6)
		inner = str_skip(inner, 5);
	if (!ip_parse(inner, &a->literal) || is_v6 != (str_find_char(inner, ':') < inner.n))
		return err_perm(err, CAUSE_PROTOCOL, "not an address literal: %.*s", STR_ARG(text));
	a->domain = text;
	a->ascii_domain = arena_printf(arena, "[%s%.*s]", a->literal.family == 6 ? "IPv6:" : "",
	                               STR_ARG(ip_text(a->literal, ip)));
	return true;
}

static bool parse_domain(struct arena *arena, struct str text, bool allow_utf8, struct address *a,
                         struct err *err)
{
	if (text.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "nothing behind the @");
	if (text.n > ADDRESS_DOMAIN_MAX)
		return err_perm(err, CAUSE_PROTOCOL, "domain is longer than %d octets", ADDRESS_DOMAIN_MAX);
	if (text.p[0] == '[' && text.p[text.n - 1] == ']')
		return parse_literal(arena, text, a, err);
	if (!allow_utf8 && !str_is_ascii(text))
		return err_perm(err, CAUSE_PROTOCOL, "domain needs SMTPUTF8");
	if (text.p[text.n - 1] == '.')
		return err_perm(err, CAUSE_PROTOCOL, "domain ends in a dot");
	a->domain = text;
	return domain_to_ascii(arena, text, &a->ascii_domain, err);
}

bool address_parse(struct arena *arena, struct str s, bool allow_utf8, struct address *out, struct err *err)
{
	struct address a = {0};
	struct str rest = s;

	if (s.n > ADDRESS_MAX)
		return err_perm(err, CAUSE_PROTOCOL, "address is longer than %d octets", ADDRESS_MAX);
	if (!cut_local(arena, &rest, &a.local, err))
		return false;
	if (rest.n == 0 || rest.p[0] != '@')
		return err_perm(err, CAUSE_PROTOCOL, "no @ behind the local part");
	if (!str_is_ascii(a.local) && !allow_utf8)
		return err_perm(err, CAUSE_PROTOCOL, "local part needs SMTPUTF8");
	if (!utf8_is_clean(a.local))
		return err_perm(err, CAUSE_PROTOCOL, "local part is not clean UTF-8");
	if (!parse_domain(arena, str_skip(rest, 1), allow_utf8, &a, err))
		return false;
	a.needs_quotes = !is_dot_string(a.local);
	a.needs_smtputf8 = !str_is_ascii(a.local) || !str_is_ascii(a.domain);
	*out = a;
	return true;
}

static struct str join(struct arena *arena, struct str local, struct str domain)
{
	char *text = arena_alloc(arena, local.n + domain.n + 2);
	memcpy(text, local.p, local.n);
	text[local.n] = '@';
	memcpy(text + local.n + 1, domain.p, domain.n);
	return (struct str){text, local.n + 1 + domain.n};
}

struct str address_text(struct arena *arena, const struct address *a)
{
	if (!a->needs_quotes) {
		if (a->domain.n == 0) /* <postmaster> */
			return arena_str(arena, a->local);
		return join(arena, a->local, a->domain);
	}
	char *text = arena_alloc(arena, 2 * a->local.n + a->domain.n + 3);
	size_t n = 0;
	text[n++] = '"';
	for (size_t i = 0; i < a->local.n; i++) {
		if (a->local.p[i] == '"' || a->local.p[i] == '\\')
			text[n++] = '\\';
		text[n++] = a->local.p[i];
	}
	text[n++] = '"';
	text[n++] = '@';
	memcpy(text + n, a->domain.p, a->domain.n);
	return (struct str){text, n + a->domain.n};
}

struct str address_key(struct arena *arena, const struct address *a)
{
	return join(arena, a->local, a->ascii_domain);
}
