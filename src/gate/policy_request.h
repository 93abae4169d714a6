/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request of Postfix's policy protocol (SMTPD_POLICY_README): lines "name=value" ended by LF, an empty line at the end.
 * Pure: bytes in, views of the same bytes out. Unknown names are passed over, as the protocol asks; a known name twice, a
 * line without "=", a NUL or another kind of request is no Postfix, and the whole is refused.
 */
#pragma once

#include "base/str.h"

enum policy_state { POLICY_STATE_OTHER, POLICY_STATE_RCPT, POLICY_STATE_DATA, POLICY_STATE_END };
struct policy_request {
	enum policy_state state;   /* protocol_state; OTHER: CONNECT, EHLO, MAIL, VRFY … */
	struct str instance;       /* the same for all requests about one message */
	struct str sender;         /* "" for the null sender; the local part without its quotes */
	struct str recipient;      /* "" at DATA and END-OF-MESSAGE when there are several */
	uint64_t recipient_count;  /* 0 before DATA */
	struct str client_address; /* "unknown" when Postfix does not know */
	struct str helo_name;
	struct str sasl_username;  /* "": not authenticated */
	struct str queue_id;
};
#define POLICY_ATTRIBUTES_MAX 256

/* Length of the request that `in` begins with, its empty line included; 0: its end has not come yet. *scanned starts at 0
 * and remembers, between calls with more of the same bytes, where to go on. */
size_t policy_request_length(struct str in, size_t *scanned);
/* `whole` is as long as policy_request_length said. False: *why tells in words what is wrong. */
bool policy_request_parse(struct str whole, struct policy_request *out, const char **why);
const char *policy_state_name(enum policy_state state); /* "RCPT", "DATA", "END-OF-MESSAGE", "other" */
