/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing Authentication-Results, one method on each line. */
#include "auth/auth_results.h"

#define COLUMNS    78
#define B_SHOWN    8   /* characters of b= that tell signatures apart (RFC 6008 4) */
#define VALUE_MAX_ 255
#define SHOWN_MAX  10  /* signatures */

void auth_results_strip(struct header_keep *k, struct str message, struct str authserv_id)
{
	header_keep_init(k, message, NULL, 0, authserv_id);
}

const char *auth_iprev_name(enum dns_outcome o)
{
	switch (o) {
	case DNS_FOUND:
		return "pass";
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return "fail";
	case DNS_TEMPORARY:
	case DNS_BOGUS:
		break;
	}
	return "temperror";
}

static void method(struct buf *out, const char *name, const char *result)
{
	buf_printf(out, ";\r\n\t%s=%s", name, result);
}

/* A blank, or a new line where what follows would stand past the last column. */
static void space(struct buf *out, size_t n)
{
	size_t line = out->n - str_rfind_char(buf_view(out), '\n') + 7; /* the tab counts eight */

	buf_str(out, line + 1 + n > COLUMNS ? STR("\r\n\t ") : STR(" "));
}

/* Reasons are our own words: quoted, without what a quoted string would have to escape. */
static void reason(struct buf *out, const char *text)
{
	if (!text[0])
		return;
	space(out, strlen(text) + 9);
	buf_printf(out, "reason=\"%s\"", text);
}

/* RFC 2045 token, and '@' of an address, '/' and '=' of base64: pvalue allows them (RFC 8601 2.2). */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c >= 127 || strchr("()<>,;:\\\"[]?=/", c))
			return false;
	}
	return s.n > 0;
}

static void property(struct buf *out, const char *name, struct str value)
{
	value = str_slice(value, 0, VALUE_MAX_);
	bool is_utf8 = str_is_utf8(value);
	if (value.n == 0)
		return;
	space(out, strlen(name) + value.n + 3);
	buf_printf(out, "%s=", name);
	if (is_plain(value)) {
		buf_str(out, value);
		return;
	}
	buf_char(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		if (c >= ' ' && c != 127)
			buf_char(out, c >= 128 && !is_utf8 ? '?' : (char)c);
	}
	buf_char(out, '"');
}

static void write_spf(const struct auth_results *r, struct buf *out)
{
	method(out, "spf", spf_result_name(r->spf->result));
	if (r->spf->is_helo)
		property(out, "smtp.helo", r->spf_query->helo);
	else
		property(out, "smtp.mailfrom", r->spf_query->from);
}

static void write_dkim(const struct dkim_check *c, struct buf *out)
{
	if (c->n == 0) {
		method(out, "dkim", dkim_verdict_name(c->verdict));
		reason(out, c->reason);
	}
	for (size_t i = 0; i < c->n && i < SHOWN_MAX; i++) {
		const struct dkim_result *d = &c->results[i];
		method(out, "dkim", dkim_verdict_name(d->verdict));
		reason(out, d->reason);
		property(out, "header.d", d->domain);
		property(out, "header.s", d->selector);
		property(out, "header.a", d->algorithm);
		property(out, "header.b", str_slice(d->b, 0, B_SHOWN));
	}
}

static void write_dmarc(const struct dmarc_answer *a, struct buf *out)
{
	method(out, "dmarc", dmarc_result_name(a->result));
	if (a->policy_domain.n > 0)
		buf_printf(out, " (p=%s dis=%s)", dmarc_policy_name(a->policy), dmarc_policy_name(a->disposition));
	reason(out, a->result == DMARC_RESULT_FAIL || a->result == DMARC_RESULT_NONE ? "" : a->reason);
	property(out, "header.from", a->from);
}

void auth_results_write(const struct auth_results *r, struct buf *out)
{
	size_t before;
	char ip[IP_TEXT_MAX];

	buf_str(out, STR("Authentication-Results: "));
	buf_str(out, r->authserv_id);
	before = out->n;
	if (r->spf)
		write_spf(r, out);
	if (r->dkim)
		write_dkim(r->dkim, out);
	if (r->dmarc)
		write_dmarc(r->dmarc, out);
	if (r->arc) {
		method(out, "arc", arc_cv_name(r->arc->cv));
		if (r->arc->domain.n > 0) /* no property of RFC 8617 10 says who sealed last, so it is a comment; the name was checked */
			buf_printf(out, " (i=%u sealed by %.*s)", r->arc->sets, STR_ARG(r->arc->domain));
		reason(out, r->arc->reason);
	}
	if (r->has_iprev) {
		method(out, "iprev", auth_iprev_name(r->iprev));
		property(out, "policy.iprev", ip_text(r->ip, ip));
	}
	if (out->n == before)
		buf_str(out, STR("; none"));
	buf_str(out, STR("\r\n"));
}
