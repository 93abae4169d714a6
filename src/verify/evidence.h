/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about the client and the sender before anybody is asked: the one place where evidence
 * enters verification. Each check fills its own field; `verify_vouched` is the only reader that decides.
 */
#pragma once

#include "base/ip.h"
#include "base/str.h"

enum evidence_spf { EVIDENCE_SPF_UNKNOWN, EVIDENCE_SPF_NONE, EVIDENCE_SPF_NEUTRAL, EVIDENCE_SPF_PASS,
	EVIDENCE_SPF_SOFTFAIL, EVIDENCE_SPF_FAIL, EVIDENCE_SPF_TEMPERROR, EVIDENCE_SPF_PERMERROR };
enum evidence_iprev { EVIDENCE_IPREV_UNKNOWN, EVIDENCE_IPREV_PASS, EVIDENCE_IPREV_FAIL, EVIDENCE_IPREV_TEMPERROR };

struct evidence {
	struct ip client;             /* family 0: not from a session (command line) */
	struct str helo;
	enum evidence_spf spf;        /* for the envelope sender */
	enum evidence_iprev iprev;
	bool is_own_mx;               /* the client is one of the sender domain's own MX hosts */
	bool is_authenticated;
	bool is_local_network;
};
/* The client is vouched for by the sender's domain: the larger budget applies. */
bool evidence_is_vouched(const struct evidence *e);
