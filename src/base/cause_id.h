/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ids of the vocabulary of causes, generated from one list; the table itself with owner,
 * scope and meaning lives in cause/, the ids here because every failure carries one.
 */
#pragma once

#define CAUSE_LIST(X)                                                                              \
	X(GREYLIST, greylist)                                                                      \
	X(RATE_LIMIT, rate_limit)                                                                  \
	X(RCPT_RATE, rcpt_rate)                                                                    \
	X(BATCH_LIMIT, batch_limit)                                                                \
	X(REPUTATION, reputation)                                                                  \
	X(OVERLOAD, overload)                                                                      \
	X(DNS_FAILURE, dns_failure)                                                                \
	X(SENDER_DOMAIN, sender_domain)                                                            \
	X(RCPT_DNS, rcpt_dns)                                                                      \
	X(SENDER_VERIFY, sender_verify)                                                            \
	X(RCPT_VERIFY, rcpt_verify)                                                                \
	X(MAILBOX_BUSY, mailbox_busy)                                                              \
	X(DIRECTORY, directory)                                                                    \
	X(CONTENT_FILTER, content_filter)                                                          \
	X(STORAGE, storage)                                                                        \
	X(LOCAL_ERROR, local_error)                                                                \
	X(NETWORK, network)                                                                        \
	X(MAINTENANCE, maintenance)                                                                \
	X(QUOTA, quota)                                                                            \
	X(TLS_POLICY, tls_policy)                                                                  \
	X(NO_MAILBOX, no_mailbox)                                                                  \
	X(MAILBOX_DISABLED, mailbox_disabled)                                                      \
	X(MOVED, moved)                                                                            \
	X(NO_DOMAIN, no_domain)                                                                    \
	X(SENDER_INVALID, sender_invalid)                                                          \
	X(SENDER_REJECTED, sender_rejected)                                                        \
	X(NO_RDNS, no_rdns)                                                                        \
	X(BLOCKLIST, blocklist)                                                                    \
	X(AUTH_POLICY, auth_policy)                                                                \
	X(SPAM_CONTENT, spam_content)                                                              \
	X(VIRUS, virus)                                                                            \
	X(TOO_BIG, too_big)                                                                        \
	X(RELAY_DENIED, relay_denied)                                                              \
	X(AUTH_REQUIRED, auth_required)                                                            \
	X(POLICY, policy)                                                                          \
	X(PROTOCOL, protocol)                                                                      \
	X(LOOP, loop)                                                                              \
	X(EXPIRED, expired)                                                                        \
	X(UNKNOWN, unknown)

enum cause_id {
	CAUSE_NONE,
#define X(upper, lower) CAUSE_##upper,
	CAUSE_LIST(X)
#undef X
	CAUSE_COUNT
};
