/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splitting command lines, and the parameters of MAIL, RCPT and BDAT. */
#include "smtp/command.h"

#include "mail/utf8.h"
#include "mail/xtext.h"
#include "smtp/path.h"

#define ENVID_MAX  100 /* RFC 3461 4.4 */
#define ORCPT_MAX  500 /* RFC 3461 4.2 */
#define PARAMS_MAX 16

void smtp_command_parse(struct str line, struct smtp_command *out)
{
	static const char *const verbs[] = {
		[SMTP_HELO] = "HELO", [SMTP_EHLO] = "EHLO", [SMTP_LHLO] = "LHLO", [SMTP_MAIL] = "MAIL",
		[SMTP_RCPT] = "RCPT", [SMTP_DATA] = "DATA", [SMTP_BDAT] = "BDAT", [SMTP_RSET] = "RSET",
		[SMTP_NOOP] = "NOOP", [SMTP_QUIT] = "QUIT", [SMTP_VRFY] = "VRFY", [SMTP_EXPN] = "EXPN",
		[SMTP_HELP] = "HELP", [SMTP_STARTTLS] = "STARTTLS", [SMTP_AUTH] = "AUTH",
		[SMTP_ETRN] = "ETRN",
	};
	struct smtp_command c = {.word = line};

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == ' ' || line.p[i] == '\t') {
			c.word = str_slice(line, 0, i);
			c.argument = str_trim(str_skip(line, i));
			break;
		}
	for (size_t v = 1; v < sizeof verbs / sizeof *verbs; v++)
		if (str_ieq(c.word, str_from(verbs[v])))
			c.verb = (enum smtp_verb)v;
	*out = c;
}

static bool fault_set(struct smtp_fault *fault, int code, uint16_t subject, uint16_t detail, struct str text)
{
	*fault = (struct smtp_fault){code, {(uint8_t)(code / 100), subject, detail}, text};
	return false;
}

static bool syntax_fault(struct smtp_fault *fault, struct str text)
{
	return fault_set(fault, 501, 5, 4, text);
}

struct param {
	struct str key, value;
	bool has_value;
};

/* esmtp-keyword ["=" esmtp-value], RFC 5321 4.1.2; the values' bytes are each parameter's own matter. */
static bool split_param(struct str word, struct param *out)
{
	size_t equals = str_find_char(word, '=');
	struct param p = {str_slice(word, 0, equals), str_skip(word, equals + 1), equals < word.n};

	for (size_t i = 0; i < p.key.n; i++) {
		char c = ascii_lower(p.key.p[i]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0)))
			return false;
	}
	if (p.key.n == 0 || (p.has_value && p.value.n == 0))
		return false;
	*out = p;
	return true;
}

static bool split_params(struct str rest, struct param params[PARAMS_MAX], size_t *n, struct smtp_fault *fault)
{
	struct str word;

	for (*n = 0; str_next_word(&rest, &word); ++*n) {
		if (*n == PARAMS_MAX)
			return syntax_fault(fault, STR("Too many parameters"));
		if (!split_param(word, &params[*n]))
			return syntax_fault(fault, STR("Malformed parameter"));
		for (size_t i = 0; i < *n; i++)
			if (str_ieq(params[i].key, params[*n].key))
				return syntax_fault(fault, STR("Parameter given twice"));
	}
	return true;
}

/* "FROM:<path> params", with the blank behind the colon that RFC 5321 3.3 tells servers to expect. */
static bool split_path(struct str argument, struct str keyword, struct str *inner, struct str *rest)
{
	if (!str_istarts(argument, keyword))
		return false;
	struct str s = str_trim(str_skip(argument, keyword.n));
	size_t n = s.n > 0 && s.p[0] == '<' ? smtp_path_length(s) : 0;
	if (n == 0)
		return false;
	*inner = str_slice(s, 1, n - 1);
	*rest = str_skip(s, n);
	return rest->n == 0 || rest->p[0] == ' ' || rest->p[0] == '\t';
}

/* RFC 1870 4: up to 20 digits, which is more than fits; such a size is as good as infinite. */
static bool parse_size(struct str s, uint64_t *out)
{
	if (s.n == 0 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	if (!str_to_u64(s, UINT64_MAX, out))
		*out = UINT64_MAX;
	return true;
}

static bool parse_body(struct str s, enum smtp_body *out)
{
	static const char *const names[] = {"7BIT", "8BITMIME", "BINARYMIME"};

	for (size_t i = 0; i < 3; i++)
		if (str_ieq(s, str_from(names[i]))) {
			*out = (enum smtp_body)i;
			return true;
		}
	return false;
}

static bool parse_ret(struct str s, enum smtp_ret *out)
{
	bool is_full = str_ieq(s, STR("FULL"));

	if (!is_full && !str_ieq(s, STR("HDRS")))
		return false;
	*out = is_full ? SMTP_RET_FULL : SMTP_RET_HDRS;
	return true;
}

static bool parse_envid(struct arena *arena, struct str s, struct str *out)
{
	struct str id;

	if (s.n > ENVID_MAX || !xtext_decode(arena, s, &id) || !str_is_ascii(id))
		return false;
	*out = id;
	return true;
}

static bool mail_param(struct arena *arena, const struct param *p, struct smtp_mail *m,
                       struct smtp_fault *fault)
{
	bool ok;

	if (str_ieq(p->key, STR("SIZE")))
		ok = parse_size(p->value, &m->size);
	else if (str_ieq(p->key, STR("BODY")))
		ok = parse_body(p->value, &m->body);
	else if (str_ieq(p->key, STR("SMTPUTF8")))
		ok = m->smtputf8 = !p->has_value;
	else if (str_ieq(p->key, STR("RET")))
		ok = parse_ret(p->value, &m->ret);
	else if (str_ieq(p->key, STR("ENVID")))
		ok = parse_envid(arena, p->value, &m->envid);
	else
		return fault_set(fault, 555, 5, 4, STR("Unsupported MAIL parameter"));
	return ok || syntax_fault(fault, arena_printf(arena, "Bad value of %.*s", STR_ARG(p->key)));
}

bool smtp_mail_parse(struct arena *arena, struct str argument, struct smtp_mail *out, struct smtp_fault *fault)
{
	struct smtp_mail m = {0};
	struct str inner, rest;
	struct param params[PARAMS_MAX];
	size_t n;
	struct err err;

	if (!split_path(argument, STR("FROM:"), &inner, &rest))
		return syntax_fault(fault, STR("Syntax: MAIL FROM:<address> [parameters]"));
	if (!split_params(rest, params, &n, fault))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!mail_param(arena, &params[i], &m, fault))
			return false;
	if (!m.smtputf8 && !str_is_ascii(inner))
		return fault_set(fault, 553, 6, 7, STR("Address needs SMTPUTF8"));
	if (!smtp_path_parse(arena, inner, m.smtputf8, false, &m.path, &err))
		return fault_set(fault, 501, 1, 7, arena_printf(arena, "Bad sender address: %s", err.text));
	*out = m;
	return true;
}

/* RFC 3461 4.1: NEVER alone, else a list. */
static bool parse_notify(struct str s, unsigned *out)
{
	static const char *const names[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	unsigned bits = 0;
	struct str word;

	while (str_cut(&s, ',', &word)) {
		unsigned bit = 0;
		for (unsigned i = 0; i < 4; i++)
			if (str_ieq(word, str_from(names[i])))
				bit = 1u << i;
		if (bit == 0 || bits & bit)
			return false;
		bits |= bit;
	}
	if (bits == 0 || (bits & SMTP_NOTIFY_NEVER && bits != SMTP_NOTIFY_NEVER))
		return false;
	*out = bits;
	return true;
}

/* RFC 3461 4.2 addr-type ";" xtext; RFC 6533 3 lets the type utf-8 carry UTF-8 under SMTPUTF8. */
static bool parse_orcpt(struct arena *arena, struct str s, bool allow_utf8, struct str *out)
{
	size_t semicolon = str_find_char(s, ';');
	struct str type = str_slice(s, 0, semicolon), text = str_skip(s, semicolon + 1), decoded;
	bool is_utf8 = str_ieq(type, STR("utf-8"));

	if (s.n > ORCPT_MAX || type.n == 0 || text.n == 0)
		return false;
	for (size_t i = 0; i < type.n; i++) {
		char c = ascii_lower(type.p[i]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	if (!(is_utf8 && allow_utf8 && !str_is_ascii(text) ? utf8_is_clean(text)
	                                                   : xtext_decode(arena, text, &decoded)))
		return false;
	*out = s;
	return true;
}

static bool rcpt_param(struct arena *arena, const struct param *p, bool allow_utf8, struct smtp_rcpt *r,
                       struct smtp_fault *fault)
{
	bool ok;

	if (str_ieq(p->key, STR("NOTIFY")))
		ok = parse_notify(p->value, &r->notify);
	else if (str_ieq(p->key, STR("ORCPT")))
		ok = parse_orcpt(arena, p->value, allow_utf8, &r->orcpt);
	else
		return fault_set(fault, 555, 5, 4, STR("Unsupported RCPT parameter"));
	return ok || syntax_fault(fault, arena_printf(arena, "Bad value of %.*s", STR_ARG(p->key)));
}

bool smtp_rcpt_parse(struct arena *arena, struct str argument, bool allow_utf8, struct smtp_rcpt *out,
                     struct smtp_fault *fault)
{
	struct smtp_rcpt r = {0};
	struct str inner, rest;
	struct param params[PARAMS_MAX];
	size_t n;
	struct err err;

	if (!split_path(argument, STR("TO:"), &inner, &rest))
		return syntax_fault(fault, STR("Syntax: RCPT TO:<address> [parameters]"));
	if (inner.n == 0)
		return fault_set(fault, 501, 1, 3, STR("Bad recipient address: empty"));
	if (!split_params(rest, params, &n, fault))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!rcpt_param(arena, &params[i], allow_utf8, &r, fault))
			return false;
	if (!allow_utf8 && !str_is_ascii(inner))
		return fault_set(fault, 553, 6, 7, STR("Address needs SMTPUTF8"));
	if (!smtp_path_parse(arena, inner, allow_utf8, true, &r.path, &err))
		return fault_set(fault, 501, 1, 3, arena_printf(arena, "Bad recipient address: %s", err.text));
	*out = r;
	return true;
}

bool smtp_bdat_parse(struct str argument, uint64_t *size, bool *is_last)
{
	struct str count, last, more;
	uint64_t n;

	if (!str_next_word(&argument, &count) || !str_to_u64(count, INT64_MAX, &n))
		return false;
	bool has_last = str_next_word(&argument, &last);
	if (has_last && (!str_ieq(last, STR("LAST")) || str_next_word(&argument, &more)))
		return false;
	*size = n;
	*is_last = has_last;
	return true;
}

bool smtp_helo_is_valid(struct str name)
{
	struct ip ip;

	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']') {
		struct str inner = str_slice(name, 1, name.n - 1);
		bool is_v6 = str_istarts(inner, STR("IPv6:"));
		inner = str_skip(inner, is_v6 ? 5 : 0);
		return ip_parse(inner, &ip) && is_v6 == (str_find_char(inner, ':') < inner.n);
	}
	if (name.n == 0 || name.n > ADDRESS_DOMAIN_MAX)
		return false;
	char lower[ADDRESS_DOMAIN_MAX];
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	return domain_is_valid((struct str){lower, name.n});
}

bool smtp_xtext_decode(struct arena *arena, struct str s, struct str *out)
{
	return xtext_decode(arena, s, out);
}

void smtp_xtext_encode(struct buf *out, struct str s)
{
	xtext_encode(out, s);
}
