/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verification needs when no daemon does it: a resolver, an empty memory, TLS. */
#pragma once

#include "cmd/cmd.h"
#include "conf/conf.h"
#include "rt/tls.h"
#include "verify/verify.h"

struct verify_alone {
	struct verify_conf conf;
	struct ip_set test_networks; /* what conf.dial_networks points to when it is not the configuration's */
	struct dns_conf dns;
	struct group root;
	struct tls_context *tls;
	struct resolver *resolver;
	struct store *store;
	struct verify *verify;
};
/* `dns_script` empty: the network. `port` 0: the configuration's. Follow by verify_alone_close in every case. */
WAITS bool verify_alone_open(struct verify_alone *a, const struct cmd *c, const struct conf *conf, struct str dns_script,
                             int64_t port, struct err *err);
WAITS void verify_alone_close(struct verify_alone *a);
