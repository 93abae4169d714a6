/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of habits: what mail servers on the real internet do, one row each. */
#include "lab/habits.h"

#define EXISTS  VERIFY_EXISTS
#define ABSENT  VERIFY_ABSENT
#define ALL     VERIFY_CATCH_ALL
#define TEMP    VERIFY_TEMPORARY
#define BLOCKED VERIFY_BLOCKED
#define UNVERIF VERIFY_UNVERIFIABLE

const struct lab_habit lab_habits[] = {
	{.domain = "truthful.lab", .story = "says what is true", .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "plain.lab", .story = "tells the truth without enhanced codes", .unknown = "550 No such user here",
         .no_pipelining = true, .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "old.lab", .story = "knows HELO only", .refuses_ehlo = true, .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "tls.lab", .story = "offers STARTTLS and means it", .tls = LAB_TLS_GOOD, .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "tls-broken.lab", .story = "offers STARTTLS and breaks it", .tls = LAB_TLS_BROKEN, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "catchall.lab", .story = "accepts every address", .unknown = "250 2.1.5 Ok", .for_known = ALL, .for_unknown = ALL},
	{.domain = "bounces-later.lab", .story = "accepts every address and bounces after DATA", .unknown = "250 2.1.5 Ok",
         .data = "554 5.1.1 no such user after all", .for_known = ALL, .for_unknown = ALL},
	{.domain = "greylist.lab", .story = "greylists strangers", .greylist_s = 2, .for_known = EXISTS, .for_unknown = ABSENT,
         .needs_retry = true},
	{.domain = "greylist-forever.lab", .story = "greylists and never forgets", .greylist_s = -1, .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "tarpit.lab", .story = "takes two seconds for each answer", .reply_delay_ms = 2000, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "slow.lab", .story = "greets after half a minute", .greeting_delay_ms = 30000, .for_known = EXISTS,
         .for_unknown = ABSENT, .needs_retry = true},
	{.domain = "no-bounces.lab", .story = "refuses the null sender at MAIL",
         .mail_null = "550 5.7.1 null sender is not welcome here", .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "batv.lab", .story = "refuses the null sender at RCPT (unsigned bounce)",
         .rcpt_null = "550 5.7.1 missing BATV signature: this mailbox sends no unsigned mail", .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "refuses-all-senders.lab", .story = "refuses <> and our probe sender alike",
         .mail_any = "550 5.7.1 sender refused by local policy", .for_known = BLOCKED, .for_unknown = BLOCKED},
	{.domain = "blocks-at-greeting.lab", .story = "blocks our address in the greeting",
         .greeting = "554 5.7.1 No SMTP service here: your IP address is on our block list", .for_known = BLOCKED,
         .for_unknown = BLOCKED},
	{.domain = "blocks-at-mail.lab", .story = "blocks our address at MAIL",
         .mail_any = "550 5.7.1 Service unavailable; client host blocked using bl.example; see https://bl.example/query",
         .for_known = BLOCKED, .for_unknown = BLOCKED},
	{.domain = "blocks-at-rcpt.lab", .story = "blocks our address at RCPT, postmaster included",
         .known = "550 5.7.1 Access denied: poor reputation of your network",
         .unknown = "550 5.7.1 Access denied: poor reputation of your network", .for_known = BLOCKED, .for_unknown = BLOCKED},
	{.domain = "mumbles.lab", .story = "refuses unknown users without saying why", .unknown = "550 Requested action not taken",
         .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "policy-words.lab", .story = "refuses unknown users with the words of a policy",
         .unknown = "554 5.7.1 <%s>: Recipient address rejected: Access denied", .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "redmond.lab", .story = "says that access is denied for unknown users, as Exchange Online does",
         .unknown = "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "disabled.lab", .story = "has switched the mailbox off", .unknown = "550 5.2.1 The mailbox is disabled",
         .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "full.lab", .story = "has a full mailbox", .known = "452 4.2.2 The mailbox is over its quota", .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "busy-mailbox.lab", .story = "limits the rate of one mailbox",
         .known = "450 4.2.1 The user you are trying to contact is receiving mail too quickly", .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "wont-say.lab", .story = "answers 252", .known = "252 2.5.2 Cannot verify, but will take the mail",
         .unknown = "252 2.5.2 Cannot verify, but will take the mail", .for_known = UNVERIF, .for_unknown = UNVERIF},
	{.domain = "drops-at-connect.lab", .story = "closes before it greets", .close = LAB_CLOSE_AT_CONNECT, .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "drops-at-rcpt.lab", .story = "closes instead of answering RCPT", .close = LAB_CLOSE_AT_RCPT, .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "drops-after-rcpt.lab", .story = "answers RCPT once and closes", .close = LAB_CLOSE_AFTER_RCPT, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "drops-at-rset.lab", .story = "closes when it hears RSET", .close = LAB_CLOSE_AT_RSET, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "silent.lab", .story = "never answers RCPT", .silent_at_rcpt = true, .for_known = TEMP, .for_unknown = TEMP},
	{.domain = "nonsense.lab", .story = "speaks HTTP on the mail port", .greeting = "HTTP/1.1 400 Bad Request", .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "nonsense-at-rcpt.lab", .story = "loses its mind at RCPT", .known = "ok, why not", .unknown = "ok, why not",
         .for_known = TEMP, .for_unknown = TEMP},
	{.domain = "busy.lab", .story = "greets with 421", .greeting = "421 4.3.2 Too busy, come back later", .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "closing.lab", .story = "says 421 at RCPT", .known = "421 4.3.2 Service shutting down",
         .unknown = "421 4.3.2 Service shutting down", .for_known = TEMP, .for_unknown = TEMP},
	{.domain = "sick.lab", .story = "has a local error at RCPT", .known = "451 4.3.0 Temporary lookup failure",
         .unknown = "451 4.3.0 Temporary lookup failure", .for_known = TEMP, .for_unknown = TEMP},
	{.domain = "one-at-a-time.lab", .story = "takes one recipient for each null-sender transaction", .one_recipient = true,
         .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "sloppy.lab", .story = "ends its lines with a bare LF", .bare_lf = true, .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "utf8.lab", .story = "speaks SMTPUTF8", .has_smtputf8 = true, .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "down.lab", .story = "is down", .is_down = true, .for_known = TEMP, .for_unknown = TEMP},
	{.domain = "backup.lab", .story = "has a first MX that is down and a second that tells the truth", .dns = LAB_DNS_TWO_MX,
         .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "implicit.lab", .story = "has no MX record, only an address", .dns = LAB_DNS_IMPLICIT, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "alias.lab", .story = "is an alias of another domain", .dns = LAB_DNS_CNAME, .for_known = EXISTS,
         .for_unknown = ABSENT},
	{.domain = "null-mx.lab", .story = "says that it takes no mail", .dns = LAB_DNS_NULL_MX, .for_known = ABSENT,
         .for_unknown = ABSENT},
	{.domain = "mx-loopback.lab", .story = "has its MX at 127.0.0.1", .dns = LAB_DNS_LOOPBACK, .for_known = ABSENT,
         .for_unknown = ABSENT},
	{.domain = "mx-private.lab", .story = "has its MX at 10.0.0.1", .dns = LAB_DNS_PRIVATE, .for_known = ABSENT,
         .for_unknown = ABSENT},
	{.domain = "mx-nowhere.lab", .story = "has an MX without an address", .dns = LAB_DNS_MX_NOWHERE, .for_known = ABSENT,
         .for_unknown = ABSENT},
	{.domain = "dns-broken.lab", .story = "has a broken DNS (SERVFAIL)", .dns = LAB_DNS_SERVFAIL, .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "dns-silent.lab", .story = "has a DNS that never answers", .dns = LAB_DNS_SILENT, .for_known = TEMP,
         .for_unknown = TEMP},
	{.domain = "no-such-domain.lab", .story = "does not exist", .dns = LAB_DNS_NXDOMAIN, .for_known = ABSENT,
         .for_unknown = ABSENT},
	/* Combinations. */
	{.domain = "greylist-no-bounces.lab", .story = "greylists, and refuses the null sender", .greylist_s = 2,
         .mail_null = "550 5.7.1 <>: Sender address rejected", .for_known = EXISTS, .for_unknown = ABSENT, .needs_retry = true},
	{.domain = "tls-broken-catchall.lab", .story = "breaks TLS and accepts every address", .tls = LAB_TLS_BROKEN,
         .unknown = "250 2.1.5 Ok", .for_known = ALL, .for_unknown = ALL},
	{.domain = "tarpit-no-bounces.lab", .story = "is slow and refuses the null sender", .reply_delay_ms = 1000,
         .mail_null = "550 5.7.1 no bounces please", .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "old-sloppy-mumbles.lab", .story = "knows HELO, bare LF and no reasons", .refuses_ehlo = true, .bare_lf = true,
         .no_pipelining = true, .unknown = "550 Sorry", .for_known = EXISTS, .for_unknown = ABSENT},
	{.domain = "freemail.lab", .story = "says in its SPF record which addresses send for it, and that nobody else does",
         .spf = "v=spf1 ip4:127.9.3.0/24 -all", .for_known = EXISTS, .for_unknown = ABSENT},
};
const size_t lab_habit_count = sizeof(lab_habits) / sizeof(*lab_habits);

const struct lab_habit *lab_habit_find(struct str domain)
{
	for (size_t i = 0; i < lab_habit_count; i++) {
		if (str_ieq(domain, str_from(lab_habits[i].domain)))
			return &lab_habits[i];
	}
	return NULL;
}

struct ip lab_habit_ip(const struct lab_habit *h, bool second)
{
	return (struct ip){.family = 4, .b = {127, 9, second ? 2 : 1, (unsigned char)(h - lab_habits + 1)}};
}

bool lab_mailbox_exists(struct str local)
{
	static const char *const known[] = {"postmaster", "anna", "joe", "list-bounces", "j\xc3\xb6rg"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (str_ieq(local, str_from(known[i])))
			return true;
	}
	return str_istarts(local, STR("list-bounces+"));
}
