/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of causes, and the replies that the gate renders from them. Codes and texts are fixed here
 * because administrators grep for them and `explain` must read them back.
 */
#pragma once

#include "base/cause_id.h"
#include "base/clock.h"
#include "smtp/reply.h"

enum cause_owner {
	OWNER_UNKNOWN, OWNER_AUTHOR, OWNER_SENDING_HOST, OWNER_SENDER_DOMAIN, OWNER_RECEIVING_HOST,
	OWNER_RECIPIENT, OWNER_NETWORK, OWNER_NOBODY,
};
struct cause {
	enum cause_id id;
	const char *name;        /* "greylist": stable, in logs, JSON, metrics */
	const char *meaning;
	enum cause_owner owner;
	const char *scope;       /* "sender+recipient+source_ip", "site", … */
	bool is_usually_temporary;
	usec_t wait;             /* retry rule when somebody says it to us and announces no time; 0: backoff */
};
const struct cause *cause_get(enum cause_id id); /* never NULL */
struct str cause_name(enum cause_id id);
enum cause_id cause_from_name(struct str name);  /* CAUSE_NONE when unknown */
struct str cause_owner_name(enum cause_owner owner);

/* Everything the gate can say with a 4xx or 5xx. */
enum situation {
	SAY_SENDER_ABSENT, SAY_SENDER_VERIFY_TEMP, SAY_SENDER_DNS_TEMP, SAY_SENDER_NO_DOMAIN, SAY_SENDER_NULL_MX,
	SAY_SENDER_REFUSES_BOUNCES, SAY_GREYLIST, SAY_DIRECTORY, SAY_RCPT_VERIFY_TEMP, SAY_RCPT_ABSENT,
	SAY_CONTENT_FILTER, SAY_DNS_POLICY, SAY_SPOOL_ERROR, SAY_STORAGE, SAY_SHUTTING_DOWN, SAY_TOO_BUSY,
	SAY_TOO_MANY_CONNECTIONS, SAY_RATE_LIMIT, SAY_LOCAL_ERROR, SAY_RELAY_DENIED, SAY_TOO_BIG, SAY_TOO_MANY_RCPTS,
	SAY_TOO_MANY_HOPS, SAY_BARE_NEWLINE, SAY_LINE_TOO_LONG, SAY_COMMAND_TOO_LONG, SAY_BAD_COMMAND, SAY_BAD_SEQUENCE,
	SAY_SYNTAX, SAY_NOT_IMPLEMENTED, SAY_TOO_MANY_ERRORS, SAY_TOO_MANY_COMMANDS, SAY_HEADER_TOO_BIG,
	SAY_TALKED_FIRST, SAY_IDLE, SAY_TLS_UNAVAILABLE, SAY_TLS_REQUIRED, SAY_SESSION_MEMORY, SAY_RCPT_DNS_TEMP,
	SAY_RCPT_NO_DOMAIN, SAY_PROXY_HEADER, SAY_TOO_SLOW, SAY_REFUSED_BY_RULE, SAY_SPF_FAIL, SAY_COUNT,
};
/* Why a call-out could not be completed, as far as the client may know (closed list). */
enum say_class { SAY_CLASS_NO_ANSWER, SAY_CLASS_DEFERRED, SAY_CLASS_REFUSED_NULL, SAY_CLASS_REFUSED_US, SAY_CLASS_BUSY };
struct say_args {
	struct str sender;     /* as local@domain */
	struct str recipient;
	struct str here;       /* our host name: "write to postmaster@HERE" */
	struct str ref;        /* short reference, "postern why REF" */
	enum say_class class;
	usec_t retry_after;    /* for "try again in HH:MM:SS"; 0: five minutes */
	struct str detail;     /* for SAY_SYNTAX and the like: our own words, never a peer's; the client's
	                        * address for SAY_TOO_MANY_CONNECTIONS; empty: a standard text */
};
struct said {
	int code;
	struct enhanced_code enhanced;
	enum cause_id cause;
};
/* Appends the whole reply, CRLF included, each line at most 512 octets. Empty members leave no trace:
 * without a ref there are no parentheses. */
struct said cause_render(enum situation what, const struct say_args *args, bool allow_utf8, struct buf *out);
/* Code and cause without rendering. */
struct said cause_of_situation(enum situation what);
const char *situation_name(enum situation what); /* "sender_absent" */
