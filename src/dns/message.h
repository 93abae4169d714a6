/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages on the wire (RFC 1035 4.1), read by a cursor with a sticky error. Hostile input is the
 * normal case: compression pointers only lead backwards and at most 32 times, lengths are checked against
 * the record and the packet, counts are bounded.
 */
#pragma once

#include "dns/dns.h"

/* Fills answer->records, canonical, ttl, outcome (FOUND, NODATA, NXDOMAIN, TEMPORARY) from a whole response
 * to (name, type); records of other owners are ignored, CNAMEs followed within the packet. False: broken. */
bool dns_message_read(struct str packet, struct str name, enum dns_type type, struct dns_answer *answer,
                      struct err *err);
