/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom and what a reply is about: sender, recipient, the address and name that the sending server came with. From the
 * options first, then the text, then the configuration; what nobody says stays empty and is never guessed.
 */
#pragma once

#include "cause/classify.h"
#include "cmd/cmd.h"
#include "cmd/explain_input.h"
#include "conf/conf.h"

struct explain_facts {
	struct str sender;        /* local@domain, or empty */
	struct str sender_domain; /* A-labels; also known where the sender is not */
	struct str recipient, recipient_domain;
	struct str host;          /* the server that said it */
	struct ip ip;             /* the sending server's; family 0: not known */
	struct str helo;
	struct str selector;      /* of DKIM */
	struct str zone;          /* of a block list that the reply names */
	struct str message_id;
	struct str when;          /* of the log line or the report, as written there */
};
/* `mail` is the report that the reply was found in, or empty. Call once the reply is classified. */
void explain_facts_read(const struct cmd *c, const struct conf *conf, const struct explain_input *in,
                        const struct classification *what, struct str mail, struct explain_facts *out);
/* The first IP address in the speaker's own words: not the host that a log or a report puts in front of them. */
struct str explain_own_ip(struct str reply);
