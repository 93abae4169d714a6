/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `postern doctor`: what is around the daemon, looked at from outside it, part by part.
 *
 * Each part reads, judges and adds findings; none changes anything. Nobody but the configured resolver, our own hosts, the
 * gateway and the two block lists' test entries is asked; a stranger's mail server only when --mx names it.
 * What lies below /proc is read below --proc, so that each judgement can be shown.
 */
#pragma once

#include <sys/types.h>

#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "cmd/findings.h"
#include "dns/dns.h"
#include "gate/gate.h"

struct doctor {
	struct cmd *cmd;
	struct conf *conf;
	const struct daemon_conf *daemon;
	const struct gate_conf *gate;
	const struct verify_conf *verify;
	const struct queue_conf *queue;
	const struct spool_conf *spool;
	struct dns_conf dns;
	struct str host;
	struct wall now;
	const char *proc;          /* "/proc" */
	struct resolver *resolver; /* NULL: the DNS does not answer */
	pid_t pid;                 /* of the daemon; 0: none answers */
	double probes, unreachable; /* connections of its probes that came about, and that did not */
	struct findings found;
};

/* doctor_daemon.c: whether it answers, its queue and spool; fills pid, probes, unreachable. First of all. */
WAITS void doctor_daemon(struct doctor *d);
/* doctor_machine.c: disk, inodes, memory, descriptors, clock */
void doctor_machine(struct doctor *d);
/* doctor_listen.c: who has our ports */
void doctor_listen(struct doctor *d);
/* doctor_tls.c */
void doctor_tls(struct doctor *d);
/* doctor_dns.c: latency, truth, DNSSEC, kind of resolver; closes d->resolver when nothing answers */
WAITS void doctor_dns(struct doctor *d);
/* doctor_lists.c: whether block lists answer this resolver, and whether they list us */
WAITS void doctor_lists(struct doctor *d);
/* doctor_mail.c: next hops and port 25 to the outside */
WAITS void doctor_mail(struct doctor *d);
/* doctor_gateway.c: packets lost on the first hop */
WAITS void doctor_gateway(struct doctor *d);

/* The text of a file below proc, at most 4 MiB, in the arena. */
bool doctor_read(const struct doctor *d, const char *name, struct str *out);
