/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small internet: domains, their DNS, and mail servers with habits, in one table. The tour, the tests and the
 * benches use the same hosts. Each row says what a good verifier must conclude, so that the table tests itself.
 *
 * Host i of the table lives at 127.9.1.i (its second MX, if any, at 127.9.2.i); all on one port.
 * The mailboxes of every domain: postmaster, anna, joe, list-bounces and everything behind "list-bounces+".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "verify/verify.h"

enum lab_dns {
	LAB_DNS_MX,         /* one MX: mx.DOMAIN */
	LAB_DNS_TWO_MX,     /* mx1 (preference 10, nobody listens), mx2 (20) */
	LAB_DNS_IMPLICIT,   /* no MX, an A record */
	LAB_DNS_CNAME,      /* the domain is a CNAME of one with MX */
	LAB_DNS_NULL_MX,
	LAB_DNS_LOOPBACK,   /* MX at 127.0.0.1 */
	LAB_DNS_PRIVATE,    /* MX at 10.0.0.1 */
	LAB_DNS_SERVFAIL,
	LAB_DNS_SILENT,     /* questions are never answered */
	LAB_DNS_NXDOMAIN,
	LAB_DNS_MX_NOWHERE, /* MX names a host without addresses */
};
enum lab_close { LAB_CLOSE_NEVER, LAB_CLOSE_AT_CONNECT, LAB_CLOSE_AT_RCPT, LAB_CLOSE_AFTER_RCPT, LAB_CLOSE_AT_RSET };
enum lab_tls { LAB_TLS_NONE, LAB_TLS_GOOD, LAB_TLS_BROKEN };

/* A reply of NULL is the usual one. "%s" in a reply is the address asked for. */
struct lab_habit {
	const char *domain;
	const char *story;           /* one sentence for the tour */
	enum lab_dns dns;
	const char *spf;             /* its SPF record; NULL: none */
	bool is_down;                /* nobody listens */
	enum lab_close close;
	enum lab_tls tls;
	const char *greeting;
	int greeting_delay_ms, reply_delay_ms;
	bool refuses_ehlo, no_pipelining, bare_lf, one_recipient, has_smtputf8, silent_at_rcpt;
	const char *mail_null, *mail_any; /* replies to MAIL FROM:<>, and to any MAIL */
	const char *rcpt_null;       /* to any RCPT in a transaction of the null sender */
	const char *known, *unknown; /* to RCPT */
	int greylist_s;              /* 451 until a triplet is this old; -1: for ever */
	const char *data;            /* to the final dot */
	/* What must be concluded about a mailbox that exists, and about one that does not, when asked long enough. */
	enum verify_verdict for_known, for_unknown;
	bool needs_retry;            /* the first attempt cannot have the answer yet */
};
extern const struct lab_habit lab_habits[];
extern const size_t lab_habit_count;

const struct lab_habit *lab_habit_find(struct str domain); /* NULL: not of the lab */
struct ip lab_habit_ip(const struct lab_habit *h, bool second);
bool lab_mailbox_exists(struct str local);
