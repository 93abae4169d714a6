/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether our name, the reverse names of our addresses and what we say as HELO agree; for check-config and doctor. */
#pragma once

#include "cmd/findings.h"
#include "conf/conf.h"
#include "dns/dns.h"

WAITS void identity_check_host(struct findings *f, struct resolver *r, struct str host);
/* For each address that strangers see us come from. */
WAITS void identity_check_reverse(struct findings *f, struct resolver *r, const struct conf *conf, struct str host,
                                  struct arena *arena);
