/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A week of mail, replayed: what bench/replay_mix.py wrote, the sending side of it, and the senders' own mail servers
 * with the lab's habits. The same code runs on the fake clock beside a gate in this process, where the week passes at
 * its own pace in no time, and on real sockets, compressed, against other programs.
 */
#pragma once

#include <stdio.h>

#include "base/map.h"
#include "lab/mx.h"

struct replay_mail {
	double at;               /* seconds since Monday 00:00 */
	const char *kind, *helo, *sender, *rcpt;
	struct ip client;
	bool is_first, retries;  /* the first contact of an honest sender; comes back after a 4xx */
	unsigned attempts;
	int first_code, code;    /* of the first and of the last attempt; 0: the connection broke */
	const char *stage;       /* that the last attempt ended at */
};
struct replay_domain {
	struct str name, kind, mx, spf;
	struct ip ip;
};
struct replay_host {
	struct ip ip;
	struct lab_habit habit;
};
struct replay {
	struct arena arena;
	struct replay_mail *mails;
	struct replay_domain *domains;
	struct replay_host *hosts;
	size_t n_mails, n_domains, n_hosts;
	struct map mailboxes;
	double speed;            /* times faster than life; 1 on the fake clock */
	double late;             /* seconds that the latest mail was sent after its time, for lack of sessions */
	struct lab_mx *mx;
};

/* replay_world.c. Ends the program where a file cannot be read. */
void replay_load(struct replay *r, const char *directory);
/* The servers; delays and greylisting are divided by what the clock allows. */
bool replay_serve(struct replay *r, uint16_t port, struct group *root, struct err *err);
/* As for `--dns`. */
void replay_dns(const struct replay *r, struct buf *out);

/* replay_clients.c: all mails in order of time, and again those that come back. */
struct replay_target {
	struct ip ip;
	uint16_t port;
	unsigned sessions_max;
	/* Called for each mail whose fate is known, on the fake clock only; NULL: nobody wants to know. */
	void (*ended)(void *arg, const struct replay_mail *m);
	void *arg;
};
WAITS void replay_run(struct replay *r, const struct replay_target *to);
/* One mail outside of the mix. */
WAITS void replay_send(const struct replay_target *to, struct replay_mail *m);
/* {"kinds":{…}} */
void replay_print(const struct replay *r, struct buf *out);

/* replay_gate.c: the gate in this process. */
WAITS void replay_gate(struct replay *r, const char *directory, const char *mode);
