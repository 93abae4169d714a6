/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mail servers of the lab: one listener for each host that is up, one fiber for each conversation. */
#pragma once

#include "lab/habits.h"
#include "rt/stream.h"

struct lab_host_count {
	unsigned sessions, rcpts, data, quits;
};
struct lab_mx;
/* Listens on every host's address at `port`. `record` (NULL: none) is called for each line heard and said. */
bool lab_mx_open(uint16_t port, struct group *root,
                 void (*record)(void *arg, const struct lab_habit *h, char direction, struct str line), void *arg,
                 struct lab_mx **out, struct err *err);
/* A world of one's own: no hosts yet, and mailboxes as exists() says of whole addresses; NULL: as lab_mailbox_exists. */
bool lab_mx_new(uint16_t port, struct group *root, bool (*exists)(void *arg, struct str address), void *arg,
                struct lab_mx **out, struct err *err);
/* One more host; the habit lives as long as m. Hosts whose habit is not a row of the table are counted together. */
bool lab_mx_add(struct lab_mx *m, const struct lab_habit *h, struct ip ip, struct err *err);
struct lab_host_count lab_mx_count_others(const struct lab_mx *m);
void lab_mx_close(struct lab_mx *m);
/* What a host has seen so far. */
struct lab_host_count lab_mx_count(const struct lab_mx *m, const struct lab_habit *h);
