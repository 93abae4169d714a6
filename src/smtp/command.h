/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of SMTP: RFC 5321 4.1.1, and the parameters of SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531),
 * DSN (3461), CHUNKING (3030), BODY. Pure; both sides share the path and xtext grammar.
 */
#pragma once

#include "mail/address.h"
#include "smtp/reply.h"

enum smtp_verb {
	SMTP_UNKNOWN, SMTP_HELO, SMTP_EHLO, SMTP_LHLO, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_BDAT, SMTP_RSET,
	SMTP_NOOP, SMTP_QUIT, SMTP_VRFY, SMTP_EXPN, SMTP_HELP, SMTP_STARTTLS, SMTP_AUTH, SMTP_ETRN,
};
struct smtp_command {
	enum smtp_verb verb;
	struct str word;      /* the verb as written */
	struct str argument;  /* trimmed */
};
void smtp_command_parse(struct str line, struct smtp_command *out);

/* A path: "<>" gives is_null; source routes are accepted and dropped (RFC 5321 appendix F.2);
 * "<postmaster>" is accepted where allow_postmaster is set, with an empty domain. */
struct smtp_path {
	bool is_null;
	struct address address;
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

struct smtp_mail {
	struct smtp_path path;
	uint64_t size;            /* 0: not given */
	enum smtp_body body;
	bool smtputf8;
	enum smtp_ret ret;
	struct str envid;         /* decoded xtext; printable ASCII only (RFC 3461 4.4) */
};
struct smtp_rcpt {
	struct smtp_path path;
	unsigned notify;          /* 0: not given */
	struct str orcpt;         /* as written, "rfc822;…" still xtext, checked */
};

/* What is wrong, with the reply that says it: 501 5.5.4, 501 5.1.7, 555 5.5.4, 553 5.6.7 … */
struct smtp_fault {
	int code;
	struct enhanced_code enhanced;
	struct str text;
};
bool smtp_mail_parse(struct arena *arena, struct str argument, struct smtp_mail *out, struct smtp_fault *fault);
bool smtp_rcpt_parse(struct arena *arena, struct str argument, bool allow_utf8, struct smtp_rcpt *out,
                     struct smtp_fault *fault);
/* "<count> [LAST]" */
bool smtp_bdat_parse(struct str argument, uint64_t *size, bool *is_last);
/* The HELO argument: a domain or an address literal, else false (still usable as text). */
bool smtp_helo_is_valid(struct str name);

/* xtext, RFC 3461 4. Decoding refuses NUL and anything below space. */
bool smtp_xtext_decode(struct arena *arena, struct str s, struct str *out);
void smtp_xtext_encode(struct buf *out, struct str s);
