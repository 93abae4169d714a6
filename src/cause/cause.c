/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of causes: what each means, whom it concerns, who can mend it, and when to come back. */
#include "cause/cause.h"

#include <assert.h>

#define SITE_IP "site\xC3\x97source_ip"

static const struct cause causes[CAUSE_COUNT] = {
	/* clang-format off */
#define ROW(id, name, meaning, owner, scope, is_temporary, wait) \
	[CAUSE_##id] = {CAUSE_##id, name, meaning, OWNER_##owner, scope, is_temporary, wait}
	ROW(NONE, "none", "nothing is wrong", NOBODY, "message", true, 0),

	/* usually temporary */
	ROW(GREYLIST, "greylist", "first contact, come back later",
	    NOBODY, "sender+recipient+source_ip", true, 5 * USEC_MIN),
	ROW(RATE_LIMIT, "rate_limit", "connecting or sending too fast",
	    SENDING_HOST, SITE_IP, true, 0),
	ROW(RCPT_RATE, "rcpt_rate", "this recipient receives too fast",
	    RECIPIENT, "recipient", true, 30 * USEC_MIN),
	ROW(BATCH_LIMIT, "batch_limit", "too many recipients or messages in one transaction or session",
	    NOBODY, "message", true, USEC_S),
	ROW(REPUTATION, "reputation", "anti-spam refusal of the sending IP or domain",
	    SENDING_HOST, SITE_IP, true, 4 * USEC_HOUR),
	ROW(OVERLOAD, "overload", "the server is busy, closing, or out of resources",
	    RECEIVING_HOST, "site", true, 10 * USEC_MIN),
	ROW(DNS_FAILURE, "dns_failure", "a look-up that the receiver needs failed or timed out",
	    RECEIVING_HOST, "site", true, 20 * USEC_MIN),
	ROW(SENDER_DOMAIN, "sender_domain",
	    "the sender's domain does not resolve, does not exist, or takes no mail",
	    SENDER_DOMAIN, "sender_domain", true, 30 * USEC_MIN),
	ROW(RCPT_DNS, "rcpt_dns", "the recipient domain's MX cannot be looked up now",
	    RECEIVING_HOST, "recipient domain", true, 30 * USEC_MIN),
	ROW(SENDER_VERIFY, "sender_verify", "a call-out to the sender's MX could not be completed",
	    SENDING_HOST, "sender", true, 15 * USEC_MIN),
	ROW(RCPT_VERIFY, "rcpt_verify", "the recipient could not be verified at the next hop",
	    RECEIVING_HOST, "recipient", true, 15 * USEC_MIN),
	ROW(MAILBOX_BUSY, "mailbox_busy", "mailbox busy or unavailable just now",
	    RECIPIENT, "recipient", true, 15 * USEC_MIN),
	ROW(DIRECTORY, "directory", "LDAP, SQL or alias map failed",
	    RECEIVING_HOST, "site", true, 15 * USEC_MIN),
	ROW(CONTENT_FILTER, "content_filter", "virus scanner, spam filter or milter failed or timed out",
	    RECEIVING_HOST, "site", true, 10 * USEC_MIN),
	ROW(STORAGE, "storage", "queue file, spool or disk trouble, out of space",
	    RECEIVING_HOST, "site", true, 15 * USEC_MIN),
	ROW(LOCAL_ERROR, "local_error", "local error in processing with no better clue",
	    RECEIVING_HOST, "site", true, 15 * USEC_MIN),
	ROW(NETWORK, "network", "no connection, connection lost, or time-out",
	    NETWORK, SITE_IP, true, 0),
	ROW(MAINTENANCE, "maintenance", "announced shutdown or maintenance",
	    RECEIVING_HOST, "site", true, 30 * USEC_MIN),
	ROW(QUOTA, "quota", "mailbox full", RECIPIENT, "recipient", true, 4 * USEC_HOUR),
	ROW(TLS_POLICY, "tls_policy", "TLS required, failed, or a certificate was refused",
	    SENDING_HOST, "site", true, USEC_HOUR),

	/* usually permanent; where one comes as 4xx, backoff decides */
	ROW(NO_MAILBOX, "no_mailbox", "recipient does not exist", AUTHOR, "recipient", false, 0),
	ROW(MAILBOX_DISABLED, "mailbox_disabled", "mailbox exists, switched off or suspended",
	    RECIPIENT, "recipient", false, 0),
	ROW(MOVED, "moved", "recipient has a new address", AUTHOR, "recipient", false, 0),
	ROW(NO_DOMAIN, "no_domain", "recipient domain does not exist, has a null MX, or takes no mail",
	    AUTHOR, "recipient domain", false, 0),
	ROW(SENDER_INVALID, "sender_invalid", "the sender's mailbox does not exist: a call-out said no",
	    SENDING_HOST, "sender", false, 0),
	ROW(SENDER_REJECTED, "sender_rejected", "the sender is refused by a local rule or list",
	    SENDING_HOST, "sender", false, 0),
	ROW(NO_RDNS, "no_rdns", "reverse DNS or HELO name missing or wrong",
	    SENDING_HOST, "source_ip", false, 0),
	ROW(BLOCKLIST, "blocklist", "a named block list", SENDING_HOST, "source_ip", false, 0),
	ROW(AUTH_POLICY, "auth_policy", "SPF, DKIM or DMARC failed, malformed or missing",
	    SENDER_DOMAIN, "sender_domain", false, 0),
	ROW(SPAM_CONTENT, "spam_content", "content judged as spam or phishing", AUTHOR, "message", false, 0),
	ROW(VIRUS, "virus", "malware or forbidden attachment", AUTHOR, "message", false, 0),
	ROW(TOO_BIG, "too_big", "message too large", AUTHOR, "message", false, 0),
	ROW(RELAY_DENIED, "relay_denied", "not for this server", SENDING_HOST, "recipient domain", false, 0),
	ROW(AUTH_REQUIRED, "auth_required", "login missing, failed, or too weak", AUTHOR, "site", false, 0),
	ROW(POLICY, "policy", "refused by local rules with no better clue",
	    RECEIVING_HOST, "message", false, 0),
	ROW(PROTOCOL, "protocol", "syntax, sequence, malformed message, unsupported feature",
	    SENDING_HOST, "message", false, 0),
	ROW(LOOP, "loop", "too many hops, mail loop", UNKNOWN, "message", false, 0),
	ROW(EXPIRED, "expired", "gave up after the queue lifetime", NOBODY, "message", false, 0),
	ROW(UNKNOWN, "unknown", "nothing matched", UNKNOWN, "message", false, 0),
#undef ROW
	/* clang-format on */
};

const struct cause *cause_get(enum cause_id id)
{
	return &causes[id < CAUSE_COUNT ? id : CAUSE_UNKNOWN];
}

struct str cause_name(enum cause_id id)
{
	return str_from(cause_get(id)->name);
}

enum cause_id cause_from_name(struct str name)
{
	for (int id = CAUSE_NONE + 1; id < CAUSE_COUNT; id++)
		if (str_eq(name, str_from(causes[id].name)))
			return (enum cause_id)id;
	return CAUSE_NONE;
}

struct str cause_owner_name(enum cause_owner owner)
{
	static const char *const names[] = {
		[OWNER_UNKNOWN] = "unknown",
		[OWNER_AUTHOR] = "author",
		[OWNER_SENDING_HOST] = "sending_host",
		[OWNER_SENDER_DOMAIN] = "sender_domain",
		[OWNER_RECEIVING_HOST] = "receiving_host",
		[OWNER_RECIPIENT] = "recipient",
		[OWNER_NETWORK] = "network",
		[OWNER_NOBODY] = "nobody",
	};
	assert((size_t)owner < sizeof names / sizeof *names);
	return str_from(names[owner]);
}
