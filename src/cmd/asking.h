/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that look at the DNS alone share: a resolver of the network, or one of a script for each line. */
#pragma once

#include <jansson.h>

#include "cmd/cmd.h"
#include "conf/conf.h"
#include "dns/dns.h"

struct asking {
	struct cmd *cmd;
	struct conf *conf;
	struct dns_conf dns;
	struct resolver *network; /* opened when first needed */
};
bool asking_open(struct asking *a, struct cmd *c, struct err *err);
WAITS void asking_close(struct asking *a);
/* The resolver of a batch line's member "dns", of --dns, or the network. Give it back with asking_done. */
WAITS bool asking_resolver(struct asking *a, const json_t *line, struct resolver **out, struct err *err);
WAITS void asking_done(struct asking *a, struct resolver *r);
/* The text of a file of DNS answers, at most 16 MiB. */
bool asking_script_read(const char *path, struct buf *out, struct err *err);
/* --now, else the clock. */
bool asking_now(const struct cmd *c, struct wall *out);
/* The lines of a text as a JSON list. */
void json_lines(struct buf *out, struct str text);
