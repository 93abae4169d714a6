/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often strangers may be asked: token buckets for each target domain, each MX operator, each client network,
 * and for all. One token is one address asked. What the sender's domain vouches for has a bucket of its own,
 * so that a flood of forged senders cannot use up what honest mail needs.
 *
 * The buckets live in one bounded table of the store and survive a restart; the least recently used go first,
 * and a bucket that is gone counts as full.
 */
#pragma once

#include "base/bucket.h"
#include "store/table.h"
#include "verify/verify.h"

struct budget {
	struct table *buckets;
	struct bucket all;
};
struct budget_asker {
	struct ip client;        /* family 0: nobody's: our own re-probe, the command line */
	struct str domain;
	struct str mx_operator;  /* empty: not known yet */
	bool is_vouched;
};
enum budget_limit { BUDGET_OK, BUDGET_CLIENT, BUDGET_DOMAIN, BUDGET_OPERATOR, BUDGET_ALL };

bool budget_open(struct budget *b, struct store *store, struct err *err);
/* Takes one token from each bucket that applies, or none; *wait: how long until there is one again. */
enum budget_limit budget_take(struct budget *b, const struct verify_conf *conf, const struct budget_asker *asker,
                              struct wall now, usec_t *wait);
/* Whether the client's own bucket has one, without taking: spares a flood its look-ups. */
bool budget_client_has(struct budget *b, const struct verify_conf *conf, struct ip client, struct wall now);
const char *budget_limit_name(enum budget_limit limit);
