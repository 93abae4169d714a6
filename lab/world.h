/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab as a whole: a directory of its own, the gate's configuration, the gate as a child process, and around it DNS
 * and mail servers on loopback. Everything is at fixed addresses, so one lab runs at a time.
 */
#pragma once

#include "lab/dns_server.h"
#include "lab/mx.h"

#define LAB_PORT     2525
#define LAB_DNS_PORT 2553
#define LAB_GATE_IP  ((struct ip){.family = 4, .b = {127, 0, 0, 1}})
#define LAB_DNS_IP   ((struct ip){.family = 4, .b = {127, 9, 0, 53}})

struct lab_world {
	char directory[256];
	char config[300], socket[300], log[300];
	bool keeps_directory; /* given by the caller: not removed */
	int gate_pid;
	struct group root;
	struct lab_dns_server *dns;
	struct lab_mx *mx;
};
/* Directory, configuration and recipients; before the runtime starts. directory NULL: a fresh one in /tmp. */
bool lab_world_prepare(struct lab_world *w, const char *directory, struct err *err);
/* DNS and mail servers. */
bool lab_world_open(struct lab_world *w, struct err *err);
/* Starts `postern run` and waits until its socket answers. */
WAITS bool lab_world_start_gate(struct lab_world *w, const char *postern, struct err *err);
WAITS void lab_world_close(struct lab_world *w);
