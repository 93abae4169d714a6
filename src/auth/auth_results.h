/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Authentication-Results field (RFC 8601): one writer for all methods, which first takes out what others have
 * forged in our name (5).
 */
#pragma once

#include "auth/arc_check.h"
#include "auth/dmarc_check.h"
#include "auth/spf_check.h"

struct auth_results {
	struct str authserv_id;
	const struct spf_query *spf_query;   /* NULL: the method was not run */
	const struct spf_answer *spf;
	const struct dkim_check *dkim;
	const struct dmarc_answer *dmarc;
	const struct arc_check *arc;
	bool has_iprev;
	enum dns_outcome iprev;              /* of dns_iprev */
	struct str iprev_name;
	struct ip ip;
};
/* pass, fail, temperror or permerror (RFC 8601 3). */
const char *auth_iprev_name(enum dns_outcome o);
/* The whole field, folded, with CRLF at its end. Strangers' text is quoted where it is no token. */
void auth_results_write(const struct auth_results *r, struct buf *out);
/* The message without Authentication-Results fields that claim to be ours: init, then header_keep_next. */
void auth_results_strip(struct header_keep *k, struct str message, struct str authserv_id);
