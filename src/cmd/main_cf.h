/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One restriction of ours in Postfix' main.cf, put in and taken out with everything else left byte for byte.
 *
 * Ours is recognised by `policy_context=postern` among the attributes of a check_policy_service, whatever stands
 * beside it; so a second call changes it in place, and what --remove takes out is what was put in. Pure text in, text out.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#define MAIN_CF_CONTEXT "policy_context=postern"

struct main_cf_list {
	struct str name;        /* the parameter: "smtpd_recipient_restrictions" */
	struct str restriction; /* "check_policy_service { inet:…, policy_context=postern }" */
	struct str permits;     /* what stands in front of it where the parameter is not set: "permit_mynetworks, …" */
};
/* Behind the last restriction, or in front of a final permit, reject or defer, which nothing gets past. Postfix takes
 * the last definition of a parameter, so that is the one that changes. */
void main_cf_add(struct str text, const struct main_cf_list *list, struct buf *out);
void main_cf_remove(struct str text, struct str name, struct buf *out);
/* The parameter as it is written, continuation lines included; empty where it is not set. */
struct str main_cf_parameter(struct str text, struct str name);
/* Whether our restriction is in a list of restrictions, and can be reached: no bare permit, reject or defer before it. */
bool main_cf_is_reached(struct str value);
/* The next restriction or argument of a list, a { group } counting as one; comment lines are passed over. */
bool main_cf_word(struct str *rest, struct str *word);
