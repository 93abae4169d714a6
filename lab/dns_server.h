/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DNS of the lab: a small authoritative server over UDP for the zones that the table of habits describes. */
#pragma once

#include "base/ip.h"
#include "lab/habits.h"
#include "rt/rt.h"

struct lab_dns_server;
/* here: the domain that the gate receives for; answers with MX at its own address. Beside the table it knows
 * "f<number>.forged.lab": domains without end for benches, with their MX at truthful.lab's host. */
bool lab_dns_open(struct ip ip, uint16_t port, struct group *root, struct lab_dns_server **out, struct err *err);
void lab_dns_close(struct lab_dns_server *d); /* after the root group has ended */
unsigned long lab_dns_questions(const struct lab_dns_server *d);
