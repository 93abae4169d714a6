/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Received-SPF field (RFC 7208 9.1). */
#include "auth/spf_check.h"

/* A value is a dot-atom or a quoted string; what comes from outside cannot end either, nor the line. */
static void add_value(struct buf *out, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(out, "\r\n\t%s=\"", key);
	for (size_t i = 0; i < value.n && i < 512; i++) {
		char c = value.p[i];
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		buf_char(out, c >= 0x20 && c < 0x7f ? c : '?');
	}
	buf_str(out, STR("\";"));
}

static const char *comment_of(enum spf_result r)
{
	switch (r) {
	case SPF_PASS:      return "designates the client as permitted sender";
	case SPF_FAIL:      return "does not designate the client as permitted sender";
	case SPF_SOFTFAIL:  return "discourages use of the client as sender";
	case SPF_NEUTRAL:   return "says nothing about the client";
	case SPF_NONE:      return "has no SPF record";
	case SPF_TEMPERROR: return "could not be looked up";
	case SPF_PERMERROR: return "has an SPF record that cannot be used";
	}
	return "";
}

/* Parentheses and backslashes would end or nest the comment. */
static void add_comment_text(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n && i < 255; i++)
		buf_char(out, s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '(' && s.p[i] != ')' && s.p[i] != '\\' ? s.p[i] : '?');
}

void spf_received_field(const struct spf_query *query, const struct spf_answer *answer, struct buf *out)
{
	char ip[IP_TEXT_MAX];

	buf_printf(out, "Received-SPF: %s (", spf_result_name(answer->result));
	add_comment_text(out, query->receiver.n ? query->receiver : STR("unknown"));
	buf_str(out, STR(": domain of "));
	add_comment_text(out, answer->domain);
	buf_printf(out, "\r\n\t%s)", comment_of(answer->result));
	add_value(out, "client-ip", ip_text(query->ip, ip));
	add_value(out, "envelope-from", query->from);
	add_value(out, "helo", query->helo);
	add_value(out, "receiver", query->receiver);
	buf_printf(out, "\r\n\tidentity=%s;", answer->is_helo ? "helo" : "mailfrom");
	add_value(out, "mechanism", answer->mechanism);
	add_value(out, "problem", answer->problem);
	if (buf_ok(out) && out->n > 0 && out->p[out->n - 1] == ';')
		buf_truncate(out, out->n - 1);
	buf_str(out, STR("\r\n"));
}
