/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace fields that a gate writes: Received and Return-Path (RFC 5321 4.4). */
#include "mail/header.h"
#include "mail/utf8.h"

/* Names that a stranger chose: nothing that could end the clause, open a comment or leave ASCII. */
static void add_foreign_name(struct buf *out, struct str name, size_t max)
{
	for (size_t i = 0; i < name.n && i < max; i++) {
		char c = name.p[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		                (c != '\0' && strchr(".-_:[]+", c));
		buf_char(out, is_plain ? c : '?');
	}
}

/* RFC 3848: ESMTP with A and S; RFC 6531 4.3: UTF8SMTP and UTF8LMTP. */
static void add_protocol(struct buf *out, const struct received_args *a)
{
	const char *base = a->is_utf8   ? (a->is_lmtp ? "UTF8LMTP" : "UTF8SMTP")
	                   : a->is_lmtp ? "LMTP"
	                   : a->is_esmtp || a->is_tls || a->is_auth ? "ESMTP"
	                                                            : "SMTP";
	buf_printf(out, "%s%s%s", base, a->is_tls ? "S" : "", a->is_auth ? "A" : "");
}

static void add_tcp_info(struct buf *out, const struct received_args *a)
{
	char ip[IP_TEXT_MAX];

	if (a->ip.family == 0)
		return;
	buf_str(out, STR(" ("));
	if (a->ptr.n > 0) {
		add_foreign_name(out, a->ptr, 255);
		buf_char(out, ' ');
	}
	buf_printf(out, "[%s%.*s])", a->ip.family == 6 ? "IPv6:" : "", STR_ARG(ip_text(a->ip, ip)));
}

void header_received(struct buf *out, const struct received_args *a)
{
	char date[WALL_FORMAT_MAX];

	buf_str(out, STR("Received: from "));
	if (a->helo.n > 0)
		add_foreign_name(out, a->helo, 255);
	else
		buf_str(out, STR("unknown"));
	add_tcp_info(out, a);
	buf_printf(out, "\r\n\tby %.*s (Postern) with ", STR_ARG(a->host));
	add_protocol(out, a);
	if (a->tls.n > 0) {
		buf_str(out, STR("\r\n\t("));
		add_foreign_name(out, str_slice(a->tls, 0, str_find_char(a->tls, ' ')), 32);
		size_t space = str_find_char(a->tls, ' ');
		if (space < a->tls.n) {
			buf_char(out, ' ');
			add_foreign_name(out, str_skip(a->tls, space + 1), 64);
		}
		buf_char(out, ')');
	}
	buf_printf(out, "\r\n\tid %.*s", STR_ARG(a->ref));
	/* A single recipient only, so that nobody learns of a blind copy; UTF-8 only where declared. */
	if (a->rcpt.n > 0 && (a->is_utf8 ? utf8_is_clean(a->rcpt) : str_is_ascii(a->rcpt)))
		buf_printf(out, "\r\n\tfor <%.*s>", STR_ARG(a->rcpt));
	buf_printf(out, ";\r\n\t%.*s\r\n", STR_ARG(wall_rfc5322(a->now, date)));
}

void header_return_path(struct buf *out, struct str address)
{
	buf_printf(out, "Return-Path: <%.*s>\r\n", STR_ARG(address));
}
